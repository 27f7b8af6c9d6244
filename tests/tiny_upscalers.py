"""Tiny networks of spandrel's own architectures, with random weights, for tests and benchmarks; made without any network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.dataset.images.upscaling.network import Network, open_image_model


def make_compact(scale: int = 2, width: int = 8, convolutions: int = 4, seed: int = 0, channels: int = 3) -> Any:
    """Real-ESRGAN's compact network: it adds to every pixel repeated; it sees `convolutions` + 2 pixels far."""
    import torch
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(seed)
    return Compact(num_in_ch=channels, num_out_ch=channels, num_feat=width, num_conv=convolutions, upscale=scale).eval()


def make_esrgan(scale: int = 4, shuffle: int | None = None) -> Any:
    """ESRGAN; with `shuffle` as Real-ESRGAN's x2plus has it: four pixels become channels, so that sizes must be even."""
    import torch
    from spandrel.architectures.ESRGAN import ESRGAN

    torch.manual_seed(0)
    joined = shuffle or 1
    return ESRGAN(in_nc=3 * joined**2, out_nc=3, num_filters=8, num_blocks=2, scale=scale * joined, shuffle_factor=shuffle).eval()


def make_swinir(scale: int = 2) -> Any:
    """A network with attention in windows of 8 pixels."""
    import torch
    from spandrel.architectures.SwinIR import SwinIR

    torch.manual_seed(0)
    return SwinIR(img_size=16, in_chans=3, embed_dim=12, depths=[2], num_heads=[2], window_size=8, mlp_ratio=2.0, upscale=scale,
                  upsampler="pixelshuffledirect", resi_connection="1conv").eval()


def make_restorer() -> Any:
    """A restorer of faces of 512 px."""
    import torch
    from spandrel.architectures.RestoreFormer import RestoreFormer

    torch.manual_seed(0)
    return RestoreFormer(n_embed=16, embed_dim=32, ch=32, out_ch=3, ch_mult=(1, 1, 1, 1, 1, 1), num_res_blocks=1, attn_resolutions=(16,),
                         dropout=0.0, in_channels=3, resolution=512, z_channels=32, double_z=False, enable_mid=True, head_size=8).eval()


def save_network(model: Any, path: Path) -> Path:
    """As .safetensors, or as a .pth the way trainers write it."""
    import torch
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous().clone() for name, value in model.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save({"params_ema": weights}, path)
    return path


def open_tiny(model: Any, folder: Path) -> Network:
    """The network of a model, saved and opened as the tool opens it."""
    return open_image_model(save_network(model, folder / "tiny.safetensors"), "cpu")
