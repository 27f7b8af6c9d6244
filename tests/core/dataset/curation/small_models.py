"""Tiny vision models with weights by chance, saved as their large sisters are."""

from pathlib import Path

SIDE = 32


def save_clip(folder: Path, seed: int = 0) -> Path:
    """The whole model with its text half, as repositories hold it."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    torch.manual_seed(seed)
    half = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    half["projection_dim"] = 16
    config = CLIPConfig(text_config={**half, "vocab_size": 99}, vision_config={**half, "image_size": SIDE, "patch_size": 8},
                        projection_dim=16)
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def save_siglip(folder: Path) -> Path:
    """The whole model with its text half, as repositories hold it."""
    import torch
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    torch.manual_seed(1)
    half = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = SiglipConfig(text_config={**half, "vocab_size": 99}, vision_config={**half, "image_size": SIDE, "patch_size": 8})
    SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def save_dinov2(folder: Path) -> Path:
    import torch
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    torch.manual_seed(2)
    config = Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE, patch_size=8)
    Dinov2Model(config).save_pretrained(folder)
    BitImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


def save_classifier(folder: Path, labels=("No Watermark", "Watermark")) -> Path:
    """Its logits are all zero but the last label's, which is the head's bias of 2."""
    import torch
    from transformers import SiglipConfig, SiglipForImageClassification, SiglipImageProcessor, SiglipVisionConfig

    vision = SiglipVisionConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=SIDE,
                                patch_size=8)
    config = SiglipConfig(vision_config=vision.to_dict(), id2label=dict(enumerate(labels)),
                          label2id={name: place for place, name in enumerate(labels)})
    model = SiglipForImageClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.bias[-1] = 2.0
    model.save_pretrained(folder)
    SiglipImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder
