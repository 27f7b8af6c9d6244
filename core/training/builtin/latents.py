"""Images as latents: read, resized, cut, encoded once and kept in memory or on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import DatasetError, DiskError, TrainingError
from core.base.files import sha256, write_with
from core.training.builtin.dataset import PlannedBatch, TrainImage

if TYPE_CHECKING:
    import torch

    from core.diffusion.model import DiffusionModel

CACHE_FOLDER = ".lorabook/latents"
"""Beside the images; may be deleted at any time."""
DEVICE_LIMIT = 512 << 20
"""Bytes of latents that are kept on the GPU; more stay in the computer's memory."""


def read_pixels(image: TrainImage) -> Any:
    """The image at its training size: upright RGB, resized so that it covers the bucket, its middle cut out.

    Area averaging shrinks, Lanczos enlarges, as in sd-scripts.

    Returns: (h, w, 3) uint8 numpy array.
    Raises: DatasetError: the file cannot be read any more.
    """
    import numpy
    from PIL import Image, ImageOps

    try:
        with Image.open(image.path) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{image.path} cannot be read as an image: {error}", "Repair it or take it out of the folder.") from error
    if picture.size != image.resized:
        shrinks = picture.size[0] > image.resized[0] and picture.size[1] > image.resized[1]
        picture = picture.resize(image.resized, Image.Resampling.BOX if shrinks else Image.Resampling.LANCZOS)
    width, height = image.bucket
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return numpy.asarray(picture.crop((left, top, left + width, top + height)))


def to_tensor(pixels: Sequence[Any]) -> torch.Tensor:
    """(n, 3, h, w) float32 in [-1, 1] from uint8 arrays."""
    import numpy
    import torch

    return torch.from_numpy(numpy.stack(pixels)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


class LatentStore:
    """Latents of a batch, from the cache or encoded now.

    Args:
        model: its VAE encodes.
        to_disk: keep them beside the images as well; a file is used only if the image's content, its training size
            and the VAE are the same, so an edited image is encoded anew.
        batch_size: images per VAE pass (vae_batch_size).
        warn: receives a sentence when the disk cache cannot be written.
    """

    def __init__(self, model: DiffusionModel, to_disk: bool, batch_size: int, warn: Callable[[str], None]) -> None:
        self.model, self.to_disk, self.batch_size, self.warn = model, to_disk, max(1, batch_size), warn
        self._kept: dict[tuple[Path, tuple[int, int], bool], torch.Tensor] = {}
        self._vae_mark = ""
        self.encoded = 0
        """Images that went through the VAE; the rest came from the disk."""

    def cache(self, images: Iterable[TrainImage], check: Callable[[], None] = lambda: None,
              tell: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Encode every image (and its mirror where flip_aug asks for it), sizes together.

        Args:
            check: called between images and between batches; raises to stop.
            tell: receives how many are encoded, and of how many that neither memory nor disk had.
        Raises: TrainingError: the VAE gives NaN. DatasetError: an image cannot be read.
        """
        import torch

        wanted: dict[tuple[int, int], list[tuple[TrainImage, bool]]] = {}
        for image in {(image.path, image.bucket): image for image in images}.values():
            check()  # finding it on the disk means to read the whole picture
            for flipped in (False, True) if image.subset.flip_aug else (False,):
                if (image.path, image.bucket, flipped) not in self._kept and not self._load(image, flipped):
                    wanted.setdefault(image.bucket, []).append((image, flipped))
        done, total = 0, sum(len(entries) for entries in wanted.values())
        for entries in wanted.values():
            for start in range(0, len(entries), self.batch_size):
                check()
                tell(done, total)
                part = entries[start:start + self.batch_size]
                for (image, flipped), latent in zip(part, self._encode(part), strict=True):
                    self._kept[image.path, image.bucket, flipped] = latent
                    self._save(image, flipped, latent)
                done += len(part)
        tell(done, total)
        size = sum(latent.numel() * latent.element_size() for latent in self._kept.values())
        if self.model.device.type != "cpu" and size <= DEVICE_LIMIT:
            self._kept = {key: latent.to(self.model.device) for key, latent in self._kept.items()}
        elif self.model.device.type == "cuda":
            self._kept = {key: latent.pin_memory() for key, latent in self._kept.items()}
        torch.cuda.empty_cache() if self.model.device.type == "cuda" else None

    def batch(self, batch: PlannedBatch, flips: Sequence[bool], pixels: Sequence[Any] | None = None) -> torch.Tensor:
        """(n, c, h, w) float32 on the model's device. Args: pixels: what `read_pixels` gave, for images that are not cached."""
        import torch

        keys = [(image.path, image.bucket, flipped) for image, flipped in zip(batch.images, flips, strict=True)]
        if all(key in self._kept for key in keys):
            return torch.stack([self._kept[key] for key in keys]).to(self.model.device, non_blocking=True)
        entries = list(zip(batch.images, flips, strict=True))
        return torch.stack(self._encode(entries, pixels)).to(self.model.device)

    def _encode(self, entries: Sequence[tuple[TrainImage, bool]], pixels: Sequence[Any] | None = None) -> list[torch.Tensor]:
        import torch

        arrays = [(pixels[index] if pixels is not None else read_pixels(image)) for index, (image, _) in enumerate(entries)]
        arrays = [array[:, ::-1] if flipped else array for array, (_, flipped) in zip(arrays, entries, strict=True)]
        found = []
        for start in range(0, len(arrays), self.batch_size):
            part = entries[start:start + self.batch_size]
            # Drawn from the VAE's distribution as sd-scripts does; each seed comes from the picture alone, so that neither the cache
            # nor the neighbours matter.
            generators = [torch.Generator(self.model.vae.device).manual_seed(_seed_of(*entry)) for entry in part]
            latents = self.model.encode_images(to_tensor(arrays[start:start + self.batch_size]), generators).cpu()
            for (image, _), latent in zip(part, latents, strict=True):
                if not torch.isfinite(latent).all():
                    raise TrainingError(f"The VAE gives NaN for {image.path.name}.", "Set no_half_vae, or choose another VAE.")
            found += list(latents)
        self.encoded += len(entries)
        return found

    def _mark(self) -> str:
        """What tells this VAE from others."""
        if not self._vae_mark:
            digest = hashlib.sha256(str(self.model.vae.config).encode())
            for name, value in self.model.vae.state_dict().items():
                if name.startswith("encoder"):
                    digest.update(value.detach().float().cpu().numpy().tobytes())
            self._vae_mark = digest.hexdigest()[:12]
        return self._vae_mark

    def _file(self, image: TrainImage, flipped: bool) -> Path:
        content = hashlib.sha256(f"{sha256(image.path)}/{image.resized}/{self._mark()}".encode()).hexdigest()[:16]
        side = "-flip" if flipped else ""
        return image.path.parent / CACHE_FOLDER / f"{image.path.name}_{image.bucket[0]}x{image.bucket[1]}{side}_{content}.safetensors"

    def _load(self, image: TrainImage, flipped: bool) -> bool:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        if not self.to_disk:
            return False
        file = self._file(image, flipped)
        if not file.is_file():
            return False
        try:
            self._kept[image.path, image.bucket, flipped] = load_file(file)["latents"]
        except (SafetensorError, KeyError, OSError):
            return False  # a damaged cache file is made again
        return True

    def _save(self, image: TrainImage, flipped: bool, latent: torch.Tensor) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        if not self.to_disk:
            return
        file = self._file(image, flipped)
        try:
            write_with(file, lambda place: save_file({"latents": latent.contiguous()}, place))
        except (DiskError, OSError, SafetensorError) as error:
            self.to_disk = False
            self.warn(f"Latents are kept in memory only: {error}")
            return
        for old in file.parent.glob(f"{_escape(file.name.rsplit('_', 1)[0])}_*.safetensors"):
            if old != file:
                old.unlink(missing_ok=True)


def _escape(name: str) -> str:
    import glob

    return glob.escape(name)


def _seed_of(image: TrainImage, flipped: bool) -> int:
    return int.from_bytes(hashlib.sha256(f"{image.path.name}{flipped}".encode()).digest()[:7], "little")
