"""A picture that is shown on a page, and how it was drawn as A1111, Forge and Civitai write it into pictures.

Sources: AUTOMATIC1111/stable-diffusion-webui, modules/processing.py (create_infotext), modules/images.py (`parameters` in PNG, in JPEG and
WebP the EXIF UserComment as UTF-16) and extensions-builtin/Lora/extra_networks_lora.py ("Lora hashes"); civitai/civitai,
src/utils/metadata/automatic.metadata.ts: it reads a text that has "Steps: " in it, and links what stands under "Lora hashes" by its AutoV3.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.base.errors import ConfigError, require
from core.utilities.publishing.private import Private, cleaned, find_private

SAMPLERS = {"ddim": "DDIM", "pndm": "PLMS", "lms": "LMS", "euler": "Euler", "euler_a": "Euler a", "heun": "Heun", "dpm_2": "DPM2",
            "dpm_2_a": "DPM2 a", "dpmsolver": "DPM++ 2M", "dpmsolver++": "DPM++ 2M", "dpmsingle": "DPM++ SDE"}
"""sd-scripts' names and A1111's."""
USER_COMMENT, EXIF_IFD = 0x9286, 0x8769
UNICODE = b"UNICODE\0"
"""Beginning of a comment in UTF-16 (Exif 2.3, UserComment)."""
NEGATIVE = "Negative prompt: "
NOT_IN_NAMES = re.compile(r"[^\w.\-]", re.ASCII)
"""What Civitai does not read in the name of a LoRA in a prompt."""
SMALLER_QUALITY = 95
JPEG = ("JPEG", ".jpg")
ENDINGS = {"PNG": ("PNG", ".png"), "WEBP": ("WEBP", ".webp")}
"""Kind and ending of a copy by the picture's own kind; of all others JPEG."""


@dataclass(frozen=True)
class Sample:
    """One picture, and how it was drawn as far as that is known."""

    path: Path
    prompt: str = ""
    negative: str = ""
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    sampler: str = ""
    """sd-scripts' name."""
    size: tuple[int, int] | None = None
    strength: float = 1.0
    """With which the LoRA was applied."""
    by: str = ""
    """What drew it: "epoch 10", a file's name; empty: not known."""
    exact: bool = True
    """Whether the published file itself drew it; False: another state of the same training."""
    own_text: str = ""
    """What the picture itself says of its making, where another program drew it."""
    private: tuple[Private, ...] = ()
    """What its words tell, or told, of somebody's machine."""

    def looked_through(self, cleans: bool) -> Sample:
        """The same, with what its words tell of a machine. Args: cleans: whether that is taken out of them."""
        words = {"prompt": self.prompt, "negative": self.negative, "own_text": self.own_text}
        private = find_private({name.replace("_", " "): text for name, text in words.items()}, ())
        words = cleaned(words, ()) if cleans else words
        return replace(self, prompt=words["prompt"], negative=words["negative"], own_text=words["own_text"], private=tuple(private))


def parameters_text(sample: Sample, hashes: Mapping[str, str], model: str = "") -> str:
    """How it was drawn, as A1111 writes it, with the LoRA's AutoV3; empty where the steps are not known, for then nobody could read it.

    Args: hashes: a LoRA's name → its AutoV3; the first drew it. model: name of the base model.
    """
    if sample.own_text and not sample.steps:
        return _with_hashes(sample.own_text, hashes)
    if not sample.steps:
        return ""
    name = next(iter(hashes), "")
    facts = {"Steps": sample.steps, "Sampler": SAMPLERS.get(sample.sampler.removeprefix("k_"), sample.sampler),
             "CFG scale": f"{sample.guidance:g}" if sample.guidance is not None else "", "Seed": sample.seed,
             "Size": f"{sample.size[0]}x{sample.size[1]}" if sample.size else "", "Model": model.replace(",", " ").replace(":", " ")}
    line = ", ".join(f"{key}: {value}" for key, value in facts.items() if value not in ("", None))
    called = f" <lora:{prompt_name(name)}:{sample.strength:g}>" if name and "<lora:" not in sample.prompt else ""
    lines = [_one_line(sample.prompt) + called, *([NEGATIVE + _one_line(sample.negative)] if sample.negative else []), line]
    return _with_hashes("\n".join(lines), hashes)


def prompt_name(name: str) -> str:
    """A LoRA's name as it can stand in a prompt: letters, digits, "_", "-" and "."."""
    return NOT_IN_NAMES.sub("_", name)


def _with_hashes(text: str, hashes: Mapping[str, str]) -> str:
    if "Lora hashes:" in text or "Steps: " not in text or not hashes:
        return text
    told = ", ".join(f"{prompt_name(name)}: {digest}" for name, digest in list(hashes.items())[:1])
    return f'{text}, Lora hashes: "{told}"'


def _one_line(words: str) -> str:
    return " ".join(words.split())


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A picture, as Pillow gives it. Raises: ConfigError: it cannot be opened."""
    image = require("PIL.Image", needed_for="The samples")
    try:
        with image.open(path) as opened:
            yield opened
    except image.DecompressionBombError as error:
        raise ConfigError(f"The picture {path} is too large to be opened: {error}", "Save it smaller, or choose another one.") from error
    except (OSError, ValueError, SyntaxError) as error:  # SyntaxError: Pillow's, of a broken PNG
        raise ConfigError(f"The picture {path} cannot be opened: {error}", "Choose another one, or save it again.") from error


def read_text_of(path: Path) -> str:
    """What A1111 or Forge wrote into a picture; empty: nothing. Raises: ConfigError: it cannot be opened."""
    with _opened(path) as opened:
        if isinstance(text := opened.info.get("parameters"), str):
            return text
        comment = opened.getexif().get_ifd(EXIF_IFD).get(USER_COMMENT, b"")
    if isinstance(comment, bytes) and comment.startswith(UNICODE):
        return comment[len(UNICODE):].decode("utf-16-be", "replace")
    return ""


def size_of(path: Path) -> tuple[int, int]:
    """Width and height, px. Raises: ConfigError: it cannot be opened."""
    with _opened(path) as opened:
        return int(opened.width), int(opened.height)


def copy_with_text(path: Path, target: Path, text: str, longest: int) -> None:
    """A copy that says how it was drawn, and nothing else: other notes, such as a workflow with its folders, stay behind.

    The pixels of a PNG are the same, unless it is made smaller. Args: longest: of its sides, px.
    Raises: ConfigError: it cannot be opened. OSError: it cannot be written.
    """
    image, operations = (require(f"PIL.{name}", needed_for="The samples") for name in ("Image", "ImageOps"))
    with _opened(path) as opened:
        kind = ENDINGS.get(opened.format, JPEG)[0]
        picture = operations.exif_transpose(opened)
        picture.load()
    if max(picture.size) > longest:
        picture.thumbnail((longest, longest), image.Resampling.LANCZOS)
    clear = picture.info.get("transparency")
    picture.info.clear()
    if kind == "PNG":
        info = require("PIL.PngImagePlugin", needed_for="The samples").PngInfo()
        if text:
            info.add_text("parameters", text)
        picture.save(target, kind, pnginfo=info, **({"transparency": clear} if clear is not None else {}))
        return
    exif = image.Exif()
    if text:
        exif.get_ifd(EXIF_IFD)[USER_COMMENT] = UNICODE + text.encode("utf-16-be")
    picture = _on_white(picture, clear) if kind == JPEG[0] else picture
    picture.save(target, kind, quality=SMALLER_QUALITY, exif=exif)


def _on_white(picture: Any, clear: Any) -> Any:
    """A picture as JPEG can hold it. Args: clear: the colour of a palette or of plain pixels that is seen through; None: none is."""
    if picture.mode in ("RGB", "L"):
        return picture
    if clear is not None:
        picture.info["transparency"] = clear
    see_through = picture.convert("RGBA")
    white = see_through.copy()
    white.paste((255, 255, 255, 255), (0, 0, *white.size))
    white.alpha_composite(see_through)
    return white.convert("RGB")


def ending_of(path: Path) -> str:
    """Ending of a copy, after what the picture is and not after its name. Raises: ConfigError: it cannot be opened."""
    with _opened(path) as opened:
        return ENDINGS.get(opened.format, JPEG)[1]
