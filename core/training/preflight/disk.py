"""How much a run writes and where: caches beside the pictures, LoRA files, states and samples; against what is free on each disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.base.buckets import Size
from core.base.errors import ConfigError
from core.base.findings import Finding
from core.setup.hardware import GIB
from core.training.preflight.facts import FAMILIES

LATENTS: Mapping[str, tuple[int, int, int]] = {
    **dict.fromkeys(("sd15", "sd2", "sdxl"), (4, 8, 4)),
    **dict.fromkeys(("sd3_medium", "sd35_medium", "sd35_large", "flux1", "chroma", "lumina2", "anima"), (16, 8, 4)),
    "hunyuan_image": (64, 32, 4), **dict.fromkeys(("qwen_image", "z_image"), (16, 8, 2)),
    **dict.fromkeys(("flux2_dev", "flux2_klein_4b", "flux2_klein_9b"), (32, 8, 2))}
"""Channels, picture pixels a side for each of a latent, bytes of a number. sd-scripts stores latents in full precision, whatever it trains
in (`save_latents_to_disk` in library/strategy_base.py)."""
TEXTS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "sdxl": ((227, 768), (227, 1280), (1, 1280)), "flux1": ((512, 4096), (512, 3), (1, 768)), "chroma": ((512, 4096), (512, 3)),
    **dict.fromkeys(("sd3_medium", "sd35_medium", "sd35_large"), ((77, 2048), (256, 4096), (1, 2048))),
    "lumina2": ((256, 2304),), "hunyuan_image": ((1000, 3584), (128, 1472)), "anima": ((512, 1024),),
    "flux2_dev": ((512, 15360),), "flux2_klein_4b": ((512, 7680),), "flux2_klein_9b": ((512, 12288),),
    "qwen_image": ((512, 3584),), "z_image": ((512, 2560),)}
"""Tokens and width of what is kept of a caption, at most; a family that is not here keeps nothing. Source: library/strategy_*.py of
sd-scripts."""
NPZ_BYTES = 1_500
"""Names and lengths inside an .npz of five arrays."""
TENSOR_BYTES = 115
"""What a safetensors header says of one tensor with a name such as lora_unet_down_blocks_0_attentions_0_…."""
METADATA_BYTES = 20_000
"""What sd-scripts writes about the training into a LoRA file: settings, buckets, the commonest tags."""
NUMBER_BYTES = {"fp16": 2, "bf16": 2, "float": 4}
PNG_BYTES = 1.6
"""For each pixel of a sample; measured on painted pictures, flat ones take less."""
SPARE = GIB
"""What should be left on a disk: logs, the notebook, the system."""


@dataclass(frozen=True)
class Need:
    """What a run writes into one folder."""

    what: str
    """In the plural: "cached pictures"."""
    folder: Path
    size: int
    """Bytes."""


def latents_bytes(family: str, size: Size, flip_aug: bool = False) -> int:
    """Bytes of one picture's cached latents. Args: size: of its bucket, px. flip_aug: the mirrored picture is cached too."""
    channels, shrink, number = _known(family, LATENTS)
    return channels * (size[0] // shrink) * (size[1] // shrink) * number * (2 if flip_aug else 1) + NPZ_BYTES


def text_bytes(family: str, half: bool = False) -> int:
    """Bytes of one caption's cached text outputs, at most; 0 where a family caches none.

    Args: half: fp16 is stored as it is; bf16 is stored in full precision.
    """
    shapes = TEXTS.get(family, ())
    return sum(tokens * width for tokens, width in shapes) * (2 if half else 4) + NPZ_BYTES if shapes else 0


def lora_bytes(numbers: int, modules: int, save_precision: str | None = "fp16") -> int:
    """Bytes of a LoRA file. Args: numbers: of the adapter (`memory.adapter_numbers`). modules: layers with one, three tensors each."""
    return numbers * NUMBER_BYTES.get(save_precision or "", 4) + 3 * modules * TENSOR_BYTES + METADATA_BYTES


def state_bytes(numbers: int, optimizer_bytes: float) -> int:
    """Bytes of a state to go on from: the adapter in full precision, and what the optimizer remembers of each number."""
    return round(numbers * (4 + optimizer_bytes))


def sample_bytes(size: Size, count: int) -> int:
    """Bytes of so many sample pictures of that size, px."""
    return round(size[0] * size[1] * PNG_BYTES * count)


def cache_needs(family: str, folder: Path, sizes: Iterable[Size], latents: bool, texts: bool, flip_aug: bool = False) -> list[Need]:
    """What the caches of one folder still need; what lies there already is taken off.

    Args:
        sizes: the bucket of each picture, px.
        latents, texts: cache_latents_to_disk, cache_text_encoder_outputs_to_disk.
    """
    buckets, there, found = list(sizes), _present(folder), []
    if latents:
        need = sum(latents_bytes(family, size, flip_aug) for size in buckets) - there["latents"]
        found.append(Need("cached pictures", folder, max(0, need)))
    if texts:
        found.append(Need("cached captions", folder, max(0, text_bytes(family) * len(buckets) - there["texts"])))
    return [need for need in found if need.size]


def check_disk(needs: Sequence[Need], free: Mapping[int, int] | None = None) -> list[Finding]:
    """Does each disk hold what a run writes on it? Folders on the same disk are counted together.

    Args: free: free bytes by the number of a file system (st_dev), for what is not to be measured.
    """
    found, disks = [], _by_disk(needs)
    for disk, wanted in disks.items():
        place, total = wanted[0].folder, sum(need.size for need in wanted)
        left = (free or {}).get(disk, shutil.disk_usage(_existing(place)).free)
        parts = ", ".join(f"{need.what} {_gib(need.size)}" for need in sorted(wanted, key=lambda need: -need.size))
        if total > left:
            found.append(Finding("error", f"The run writes about {_gib(total)} on the disk of {place} ({parts}), where {_gib(left)} are "
                                 "free.", "Free some space, keep fewer files and states, or do not cache to disk."))
        elif total + SPARE > left:
            found.append(Finding("warning", f"After the run about {_gib(left - total)} are left on the disk of {place}; it writes "
                                 f"{_gib(total)} there ({parts}).", "Free some space, or keep fewer files and states."))
        else:
            found.append(Finding("info", f"The run writes about {_gib(total)} on the disk of {place} ({parts}); {_gib(left)} are free."))
    return sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.level))


def _by_disk(needs: Sequence[Need]) -> dict[int, list[Need]]:
    disks: dict[int, list[Need]] = {}
    for need in needs:
        disks.setdefault(_existing(need.folder).stat().st_dev, []).append(need)
    return disks


def _present(folder: Path) -> dict[str, int]:
    """Bytes of the caches that lie in a folder."""
    from core.dataset.captions.files import STALE_CACHES

    found = {"latents": 0, "texts": 0}
    if folder.is_dir():
        for path in folder.glob("*.npz"):
            found["texts" if path.name.endswith(STALE_CACHES) else "latents"] += path.stat().st_size
    return found


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there already."""
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def _known(family: str, table: Mapping[str, tuple[int, int, int]]) -> tuple[int, int, int]:
    if family not in table:
        raise ConfigError(f"No model family is called {family!r}.", f"Known: {', '.join(FAMILIES)}.")
    return table[family]


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB" if size >= 0.05 * GIB else f"{size / 2**20:.0f} MiB"
