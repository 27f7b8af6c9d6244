"""The models for clicks at their real sizes, with weights by chance: the time of a look and of a click does not depend on their values.

SAM 2.1 by the sizes of its published configs; MobileSAM by those of its paper (arXiv 2306.14289) and of TinyViT's (2207.10666): four
stages of 64, 128, 160 and 320 channels, 2, 2, 6 and 2 blocks, windows of 7, 7, 14 and 7, no shrinking before the last.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

SAM2: dict[str, dict[str, Any]] = {"sam2.1-tiny": {},
        "sam2.1-small": {"blocks_per_stage": [1, 2, 11, 2], "global_attention_blocks": [7, 10, 13]},
        "sam2.1-base": {"hidden_size": 112, "num_attention_heads": 2, "blocks_per_stage": [2, 3, 16, 3],
                        "global_attention_blocks": [12, 16, 20],
                        "embed_dim_per_stage": [112, 224, 448, 896], "num_attention_heads_per_stage": [2, 4, 8, 16],
                        "window_positional_embedding_background_size": [14, 14]},
        "sam2.1-large": {"hidden_size": 144, "num_attention_heads": 2, "blocks_per_stage": [2, 6, 36, 4],
                         "global_attention_blocks": [23, 33, 43], "embed_dim_per_stage": [144, 288, 576, 1152],
                         "num_attention_heads_per_stage": [2, 4, 8, 16], "window_size_per_stage": [8, 4, 16, 8]}}
SIDE = 1024


def save_sam2(folder: Path, name: str) -> Path:
    """A repository's files."""
    import torch
    from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model

    torch.manual_seed(0)
    backbone = {"model_type": "sam2_hiera_det_model", **SAM2[name]}
    dims = backbone.get("embed_dim_per_stage", [96, 192, 384, 768])
    config = Sam2Config(vision_config={"backbone_config": backbone, "backbone_channel_list": dims[::-1]})
    Sam2Model(config).save_pretrained(folder)
    Sam2ImageProcessor().save_pretrained(folder)
    return folder


def save_mobile_sam(folder: Path, height: int, width: int) -> None:
    """Its two ONNX files. Args: height, width: of a picture within the square of 1024 px, for which the decoder is made."""
    import torch

    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        _export(_encoder(), (torch.zeros(SIDE, SIDE, 3),), folder / "mobile-sam-encoder.onnx", ["input_image"], ["image_embeddings"], {})
        given = (torch.zeros(1, 256, 64, 64), torch.zeros(1, 2, 2), torch.ones(1, 2), torch.zeros(1, 1, 256, 256), torch.zeros(1),
                 torch.tensor([height, width], dtype=torch.float32))
        names = ["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size"]
        _export(_decoder(height, width), given, folder / "mobile-sam-decoder.onnx", names, ["masks", "iou_predictions", "low_res_masks"],
                {"point_coords": {1: "n"}, "point_labels": {1: "n"}})


def _export(model: Any, given: tuple[Any, ...], path: Path, takes: list[str], gives: list[str], open_axes: dict[str, Any]) -> None:
    import torch

    torch.onnx.export(model.eval(), given, str(path), input_names=takes, output_names=gives, dynamic_axes=open_axes, opset_version=17,
                      dynamo=False)


def _encoder() -> Any:
    from torch import nn

    def conv(before: int, after: int, size: int = 1, stride: int = 1, groups: int = 1) -> Any:
        return nn.Conv2d(before, after, size, stride, size // 2, groups=groups)  # its normalisation is folded into it

    class Inverted(nn.Module):
        def __init__(self, before: int, within: int, after: int, stride: int = 1, adds: bool = False) -> None:
            super().__init__()
            self.steps = nn.Sequential(conv(before, within), nn.GELU(), conv(within, within, 3, stride, within), nn.GELU(),
                                       conv(within, after))
            self.adds = adds

        def forward(self, values: Any) -> Any:
            made = self.steps(values)
            return nn.functional.gelu(values + made) if self.adds else made

    class Block(nn.Module):
        def __init__(self, width: int, heads: int, window: int, side: int) -> None:
            super().__init__()
            import torch

            self.heads, self.window, self.side = heads, window, side
            self.first, self.pairs, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.bias = nn.Parameter(torch.zeros(heads, window * window, window * window))
            self.local = conv(width, width, 3, 1, width)
            self.wide = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, values: Any) -> Any:
            width, side, window = values.shape[1], self.side, self.window
            beside = (window - side % window) % window
            count = (side + beside) // window
            grid = nn.functional.pad(values, (0, beside, 0, beside)).reshape(width, count, window, count, window)
            tokens = self.first(grid.permute(1, 3, 2, 4, 0).reshape(count * count, window * window, width))
            asks, keys, told = self.pairs(tokens).reshape(count * count, window * window, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            looks = (asks @ keys.transpose(-1, -2) / asks.shape[-1] ** 0.5 + self.bias).softmax(-1)
            mixed = self.out((looks @ told).transpose(1, 2).reshape(count * count, window * window, width))
            back = mixed.reshape(count, count, window, window, width).permute(4, 0, 2, 1, 3).reshape(1, width, side + beside, side + beside)
            values = self.local(values + back[:, :, :side, :side])
            tokens = values.flatten(2).transpose(1, 2)
            return (tokens + self.wide(tokens)).transpose(1, 2).reshape(1, width, side, side)

    class Normal(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(width)

        def forward(self, values: Any) -> Any:
            return self.norm(values.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            steps = [conv(3, 32, 3, 2), nn.GELU(), conv(32, 64, 3, 2), *(Inverted(64, 256, 64, adds=True) for _ in range(2)),
                     Inverted(64, 128, 128, 2), *(Block(128, 4, 7, 128) for _ in range(2)), Inverted(128, 160, 160, 2),
                     *(Block(160, 5, 14, 64) for _ in range(6)), Inverted(160, 320, 320), *(Block(320, 10, 7, 64) for _ in range(2)),
                     conv(320, 256), Normal(256), conv(256, 256, 3), Normal(256)]
            self.steps = nn.Sequential(*steps)

        def forward(self, picture: Any) -> Any:
            return self.steps(((picture - 120) / 58).permute(2, 0, 1)[None])

    return Encoder()


def _decoder(height: int, width: int) -> Any:
    """SAM's own prompt encoder and mask decoder, which MobileSAM has too."""
    import torch
    from transformers import SamConfig, SamModel

    sam = SamModel(SamConfig(vision_config={"num_hidden_layers": 1, "hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2,
                                            "global_attn_indexes": []})).eval()

    class Decoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.prompts, self.masks = sam.prompt_encoder, sam.mask_decoder
            self.register_buffer("places", sam.get_image_wide_positional_embeddings())

        def forward(self, seen: Any, points: Any, labels: Any, mask: Any, has_mask: Any, size: Any) -> Any:
            sparse, dense = self.prompts(points[:, None], labels[:, None].long(), None, mask)
            none = self.prompts.no_mask_embed.weight.reshape(1, -1, 1, 1)
            small, scores = self.masks(seen, self.places, sparse, has_mask * dense + (1 - has_mask) * none, True)[:2]
            small, scores = torch.cat([small[:, 0, :1], small[:, 0]], 1), torch.cat([scores[:, 0, :1], scores[:, 0]], 1)
            large = torch.nn.functional.interpolate(small, (SIDE, SIDE), mode="bilinear")[:, :, :height, :width]
            return large + 0 * size.sum(), scores, small

    return Decoder()
