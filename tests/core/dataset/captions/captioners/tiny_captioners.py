"""Captioners of the real classes with random weights, made from their configurations, as folders like those of their repositories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

WORDS = ["a", "the", "red", "green", "blue", "cat", "dog", "hat", "girl", "boy", "with", "and", "on", "of", "in", "picture", "photo",
         "shows", "long", "hair", "what", "does", "image", "describe", "is", "user", "assistant", "system", "You", "are", "helpful",
         "captioner", "."]
CHAT = ("{% for message in messages %}<|im_start|>{{ message['role'] }} {% if message['content'] is string %}{{ message['content'] }}"
        "{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
        "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|> {% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant {% endif %}")
JOY_CHAT = ("{% for message in messages %}{{ message['role'] }} {% if message['role'] == 'user' %}<image>{% endif %}"
            "{{ message['content'] }} {% endfor %}{% if add_generation_prompt %}assistant {% endif %}")


def word_tokenizer(special: list[str], **given: Any) -> Any:
    """A tokenizer of whole words, with these special tokens first."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate([*special, "[UNK]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token=special[0],
                                   additional_special_tokens=special[1:], **given)


def make_blip(folder: Path) -> None:
    """BLIP."""
    torch.manual_seed(0)  # what it says must not hang on the tests before
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", *WORDS])}
    tokenizer = BertTokenizer(vocab=vocabulary, additional_special_tokens=["[DEC]"])
    text = {"vocab_size": len(vocabulary), "hidden_size": 32, "encoder_hidden_size": 32, "intermediate_size": 64, "projection_dim": 32,
            "num_hidden_layers": 2, "num_attention_heads": 2, "bos_token_id": 5, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    vision = {"hidden_size": 32, "intermediate_size": 64, "projection_dim": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
              "image_size": 32, "patch_size": 16}
    BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    BlipProcessor(BlipImageProcessor(size={"height": 32, "width": 32}), tokenizer).save_pretrained(folder)


def make_florence(folder: Path) -> None:
    """Florence-2."""
    torch.manual_seed(0)  # what it says must not hang on the tests before
    from transformers import CLIPImageProcessor, Florence2Config, Florence2ForConditionalGeneration, Florence2Processor

    tokenizer = word_tokenizer(["<pad>", "<s>", "</s>", "<image>"], bos_token="<s>", eos_token="</s>",
                               extra_special_tokens={"image_token": "<image>"})
    vision = {"depths": [1, 1, 1, 1], "embed_dim": [16, 16, 16, 16], "num_heads": [2, 2, 2, 2], "num_groups": [2, 2, 2, 2],
              "projection_dim": 32, "window_size": 4, "max_temporal_embeddings": 4, "max_position_embeddings": 8}
    text = {"model_type": "bart", "vocab_size": len(tokenizer), "d_model": 32, "encoder_layers": 1, "decoder_layers": 1,
            "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "pad_token_id": 0,
            "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": 2}
    config = Florence2Config(vision_config=vision, text_config=text, image_token_id=3, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    Florence2ForConditionalGeneration(config).save_pretrained(folder)
    image = CLIPImageProcessor(size={"height": 64, "width": 64}, crop_size={"height": 64, "width": 64})
    image.image_seq_length = 5  # four places and their mean
    Florence2Processor(image, tokenizer).save_pretrained(folder)


def make_qwen(folder: Path) -> None:
    """Qwen3-VL."""
    torch.manual_seed(0)  # what it says must not hang on the tests before
    from transformers import Qwen2VLImageProcessor, Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor, Qwen3VLVideoProcessor

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer = word_tokenizer(special, eos_token="<|im_end|>")
    text = {"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 2, "head_dim": 16, "rope_parameters": {"rope_type": "default", "mrope_section": [4, 2, 2],
                                                                         "rope_theta": 10000.0}, "eos_token_id": 2, "pad_token_id": 0}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32, "patch_size": 8,
              "spatial_merge_size": 2, "temporal_patch_size": 2, "num_position_embeddings": 64, "deepstack_visual_indexes": [0]}
    config = Qwen3VLConfig(text_config=text, vision_config=vision, vision_start_token_id=3, vision_end_token_id=4, image_token_id=5,
                           video_token_id=6)
    Qwen3VLForConditionalGeneration(config).save_pretrained(folder)
    size = {"shortest_edge": 16 * 16, "longest_edge": 64 * 64}
    image = Qwen2VLImageProcessor(patch_size=8, merge_size=2, temporal_patch_size=2, size=size)
    video = Qwen3VLVideoProcessor(patch_size=8, merge_size=2, temporal_patch_size=2)
    Qwen3VLProcessor(image, tokenizer, video, chat_template=CHAT).save_pretrained(folder)


def make_joy(folder: Path) -> None:
    """JoyCaption's class: LLaVA of a SigLIP tower and a Llama."""
    torch.manual_seed(0)  # what it says must not hang on the tests before
    from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor, SiglipImageProcessor

    tokenizer = word_tokenizer(["<pad>", "<s>", "</s>", "<image>"], bos_token="<s>", eos_token="</s>")
    text = {"model_type": "llama", "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    vision = {"model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3,
              "num_attention_heads": 2, "image_size": 32, "patch_size": 16, "vision_use_head": False}
    config = LlavaConfig(text_config=text, vision_config=vision, image_token_index=3, vision_feature_select_strategy="full",
                         vision_feature_layer=-2, image_seq_length=4)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    image = SiglipImageProcessor(size={"height": 32, "width": 32})
    LlavaProcessor(image, tokenizer, patch_size=16, vision_feature_select_strategy="full", chat_template=JOY_CHAT).save_pretrained(folder)


MAKERS = {"blip-base": make_blip, "florence-2-base": make_florence, "qwen3-vl-4b": make_qwen, "joycaption": make_joy}
