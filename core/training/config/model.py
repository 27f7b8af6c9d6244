"""Which model learns, and which files belong to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from core.base.settings import setting
from core.training.config.families import FLOW, KLEIN_VERSION, UNET, trained_model
from core.training.config.part import KNOWLEDGE, Family, Part

if TYPE_CHECKING:
    from core.training.config.training import TrainingSettings


def _component(title: str, help: str, *families: str) -> Any:
    return setting(None, title, help, only={"family": families})


class ModelSettings(Part):
    """Which model learns, with the files that belong to it, and how its text is read."""

    title: ClassVar[str] = "Model"
    section: ClassVar[str] = "model"
    elsewhere: ClassVar[tuple[str, ...]] = ("family", "method")

    family: Family = setting("sd15", "Model family", "What kind of model it is. SDXL also covers Pony, Illustrious, NoobAI and Animagine.",
                             also=("v2", "model_type"))
    method: Literal["lora", "full"] = setting("lora", "What is trained", "lora: a small file beside the model. full: the whole model "
                                              "itself, which takes several times the memory and many more pictures.", level="expert")
    pretrained_model_name_or_path: str | None = setting(
        None, "Model", "The checkpoint to teach: a .safetensors file or a diffusers folder on this machine. sd-scripts also takes a "
        "Hugging Face name.")
    clip_l: str | None = _component("CLIP-L", "The file of the text encoder CLIP-L (clip_l.safetensors).", "sd3", "flux1",
                                    "flux1_kontext")
    clip_g: str | None = _component("CLIP-G", "The file of the text encoder CLIP-G (clip_g.safetensors).", "sd3")
    t5xxl: str | None = _component("T5-XXL", "The file of the text encoder T5-XXL (t5xxl_fp16.safetensors).", "sd3", "flux1", "chroma",
                                   "flux1_kontext")
    gemma2: str | None = _component("Gemma 2", "The file of the text encoder Gemma 2 (2B).", "lumina2")
    qwen3: str | None = _component("Qwen3", "The text encoder Qwen3 (0.6B): a file or its folder.", "anima")
    text_encoder: str | None = _component(
        "Text encoder", "The file of the text encoder, of several parts the first one: Qwen2.5-VL for HunyuanImage and Qwen-Image, Mistral "
        "3 for FLUX.2 dev, Qwen3 for FLUX.2 klein (4B or 8B, as the model) and Z-Image (4B).",
        "hunyuan_image", "flux2_dev", "flux2_klein", "qwen_image", "z_image")
    byt5: str | None = _component("ByT5", "The file of the text encoder ByT5, which reads letters.", "hunyuan_image")
    ae: str | None = _component("Autoencoder", "The file of the autoencoder (ae.safetensors).", "flux1", "chroma", "lumina2",
                                "flux1_kontext")
    vae: str | None = setting(None, "VAE", "Another VAE than the model's own; HunyuanImage, Anima, FLUX.2 (ae.safetensors), Qwen-Image and "
                              "Z-Image have none of their own, so that it must be given. Otherwise leave it empty.",
                              only={"family": (*UNET, "sd3", "hunyuan_image", "anima", "flux2_dev", "flux2_klein", "qwen_image",
                                               "z_image")})
    model_version: Literal["klein-base-4b", "klein-base-9b", "original", "edit", "edit-2509", "edit-2511"] | None = setting(
        None, "Version", f"FLUX.2 klein: klein-base-4b or klein-base-9b (empty: {KLEIN_VERSION}). Qwen-Image: original (empty), or the "
        "edit models, which learn from pairs of pictures.", only={"family": ("flux2_klein", "qwen_image")},
        source="kohya-ss/musubi-tuner, docs/flux_2.md and docs/qwen_image.md")
    v_parameterization: bool = setting(
        False, "v-prediction", "On for models that were trained with v-prediction (NoobAI v-pred, SD 2 at 768). The model's page says so.",
        level="advanced", only={"family": UNET})
    clip_skip: int | None = setting(
        2, "CLIP skip", "2 for anime models of SD 1.5, empty for realistic ones.", level="advanced", ge=1, le=12,
        only={"family": ("sd15",)}, source="training-reference: SD 1.5 community default 2")
    max_token_length: Literal[150, 225] | None = setting(
        225, "Longest caption", "How many tokens of a caption are read; empty means 75.", level="advanced", unit="tokens",
        only={"family": UNET}, source="training-reference: 225 for both families")
    t5xxl_max_token_length: int | None = setting(
        None, "Longest caption for T5", "How many tokens of a caption T5-XXL reads. Empty: 512; for SD 3, and for FLUX.1 schnell, 256.",
        level="advanced", unit="tokens", ge=1, le=512, only={"family": ("sd3", "flux1", "chroma")})
    gemma2_max_token_length: int | None = setting(None, "Longest caption for Gemma", "How many tokens of a caption are read. Empty: 256.",
                                                  level="advanced", unit="tokens", ge=1, le=512, only={"family": ("lumina2",)})
    qwen3_max_token_length: int = setting(512, "Longest caption for Qwen3", "How many tokens of a caption Qwen3 reads.", level="expert",
                                          unit="tokens", ge=1, le=512, only={"family": ("anima",)})
    t5_max_token_length: int = setting(512, "Longest caption for T5's words", "How many of T5's tokens of a caption are read.",
                                       level="expert", unit="tokens", ge=1, le=512, only={"family": ("anima",)})
    apply_t5_attn_mask: bool = setting(False, "Mask what T5 does not read", "Leave empty places of the caption out of the attention.",
                                       level="expert", only={"family": ("sd3", "flux1")})
    apply_lg_attn_mask: bool = setting(False, "Mask what CLIP does not read", "The same for CLIP-L and CLIP-G.", level="expert",
                                       only={"family": ("sd3",)})
    system_prompt: str | None = setting(None, "System prompt", "Words that stand before every caption, as the model was trained with. "
                                        "Empty: none.", level="advanced", only={"family": ("lumina2",)})
    no_half_vae: bool = setting(
        False, "Full-precision VAE", "On for SDXL models whose VAE gives black images in half precision.", level="advanced",
        only={"family": UNET})
    llm_adapter_path: str | None = setting(None, "LLM adapter", "The adapter's file, where it is not in the model's own.", level="expert",
                                           only={"family": ("anima",)})
    tokenizer_cache_dir: str | None = setting(
        None, "Tokenizer folder", "Folder with the tokenizers, so that sd-scripts needs no network: "
        "openai_clip-vit-large-patch14, and for SDXL laion_CLIP-ViT-bigG-14-laion2B-39B-b160k.", level="expert", source=KNOWLEDGE)
    disable_mmap_load_safetensors: bool = setting(False, "Read models whole", "Read the files at once instead of in pieces: quicker on "
                                                  "some rented machines.", level="expert", only={"family": ("sdxl", *FLOW)})

    def arguments(self, whole: TrainingSettings) -> dict[str, Any]:
        """As `Part.arguments`, with what is always the same for the family."""
        return {**trained_model(self.family).fixed, **super().arguments(whole)}
