"""Files with the headers of real parts of models, and nothing behind them."""

from pathlib import Path

from tests.tensor_files import write_tensors

SHAPES = {"clip_l": {"text_model.encoder.layers.0.mlp.fc1.weight": [3072, 768],
                     "text_model.embeddings.token_embedding.weight": [49408, 768]},
          "clip_g": {"text_model.encoder.layers.0.mlp.fc1.weight": [5120, 1280],
                     "text_model.embeddings.token_embedding.weight": [49408, 1280]},
          "t5xxl": {"encoder.block.0.layer.0.SelfAttention.q.weight": [4096, 4096], "shared.weight": [32128, 4096]},
          "qwen_4b": {"model.layers.0.self_attn.q_proj.weight": [4096, 2560], "model.embed_tokens.weight": [151936, 2560]},
          "ae": {"decoder.conv_in.weight": [512, 16, 3, 3], "decoder.up.0.block.0.conv1.weight": [128, 256, 3, 3]},
          "sdxl_vae": {"decoder.conv_in.weight": [512, 4, 3, 3]}, "flux": {"double_blocks.0.img_attn.qkv.weight": [9216, 3072]},
          "lora": {"lora_unet_x.lora_down.weight": [8, 320]}, "strange": {"x": [1]}}


def weights(path: Path, shapes: dict[str, list[int]]) -> Path:
    """A safetensors file with these tensors, of the smallest type; what lies behind the header is a hole."""
    return write_tensors(path, shapes, "F8_E4M3")
