"""The hashes by which LoRA files are known elsewhere, all of them from one reading of the file.

Sources: AUTOMATIC1111/stable-diffusion-webui, modules/sd_models.py (model_hash), modules/hashes.py (calculate_sha256,
addnet_hash_safetensors) and extensions-builtin/Lora/network.py (the first 12 letters); kohya-ss/sd-scripts at 48d368fa,
library/train_util.py (precalculate_safetensors_hashes); Civitai calls them AutoV1, AutoV2 (10 letters of the whole file's) and AutoV3
(12 letters of the tensors'), https://github.com/civitai/civitai.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.base.files import explain_disk_errors
from core.base.progress import SILENT, Progress
from core.base.tensor_headers import Header, header_bytes, laid_out, read_header

LEGACY_FROM, LEGACY_TO = 0x100000, 0x110000
"""The 64 KiB at 1 MiB that the oldest hash is of."""
MODEL_HASHES = {"sshs_model_hash": 64, "sshs_legacy_hash": 8}
"""Keys of the metadata, and how many letters their values have."""
BLOCK = 1 << 20


@dataclass(frozen=True)
class Hashes:
    """What a file is called by its contents; all in lower case."""

    sha256: str
    """Of the whole file."""
    tensors: str
    """SHA-256 of what stands behind the header: it stays when the metadata is edited. sd-scripts' sshs_model_hash."""
    autov1: str
    """8 letters, of 64 KiB alone: many files share one."""
    sshs_legacy_hash: str
    """8 letters, as autov1, of the same tensors with no other metadata than that of the training."""

    @property
    def autov2(self) -> str:
        """The first 10 letters of the whole file's, as Civitai and the web UI show it for base models."""
        return self.sha256[:10]

    @property
    def autov3(self) -> str:
        """The first 12 letters of the tensors', as Civitai and the web UI show it for LoRA files."""
        return self.tensors[:12]

    def as_dict(self) -> dict[str, str]:
        """By the names that people know."""
        return {"sha256": self.sha256, "autov1": self.autov1, "autov2": self.autov2, "autov3": self.autov3,
                "sshs_model_hash": self.tensors, "sshs_legacy_hash": self.sshs_legacy_hash}


def hashes_of(path: Path, progress: Progress = SILENT) -> Hashes:
    """Every hash, from one reading. Args: progress: counts MiB. Raises: ModelError: no safetensors file. DiskError, Cancelled."""
    header = read_header(path)
    whole, tensors, window = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    place = 0
    progress.start("Counting hashes", header.size // BLOCK)
    with explain_disk_errors(path), open(path, "rb") as file:
        while block := file.read(BLOCK):
            whole.update(block)
            tensors.update(memoryview(block)[max(0, header.start - place):])
            window.update(memoryview(block)[max(0, LEGACY_FROM - place):max(0, LEGACY_TO - place)])
            place += len(block)
            progress.advance()
    return Hashes(whole.hexdigest(), tensors.hexdigest(), window.hexdigest()[:8], legacy_hash(path, header, header.metadata))


def legacy_hash(path: Path, header: Header, metadata: Mapping[str, str]) -> str:
    """sd-scripts' sshs_legacy_hash for a file's tensors and a metadata, from 64 KiB of it.

    sd-scripts counts it on the file as safetensors would write it with the ss_ keys alone; the tensors lie as they do in the file here.
    """
    kept = {name: value for name, value in metadata.items() if name.startswith("ss_")}
    head = header_bytes(laid_out(header.tensors), kept)
    first = max(0, LEGACY_FROM - len(head))
    with explain_disk_errors(path), open(path, "rb") as file:
        file.seek(header.start + first)
        data = file.read(max(0, LEGACY_TO - len(head) - first))
    return hashlib.sha256(head[LEGACY_FROM:LEGACY_TO] + data).hexdigest()[:8]
