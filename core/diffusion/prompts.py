"""Prompts: sd-scripts' sample lines, and captions as CLIP token chunks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import ConfigError, ModelError
from core.base.files import read_text
from core.base.paths import typed_path

if TYPE_CHECKING:
    import torch

CLIP_LENGTH = 77
"""Tokens of one CLIP chunk with its begin and end."""
FLAGS_FOR_OTHERS = ("cn", "ctr", "rcfg", "fs")
"""Flags of sd-scripts' prompt lines that mean nothing for Stable Diffusion 1.x and SDXL without ControlNet; passed over."""


@dataclass(frozen=True)
class PromptLine:
    """What one line of sample_prompts.txt asks for, with sd-scripts' defaults. Source: line_to_prompt_dict in its train_util.py."""

    prompt: str
    negative: str = ""
    width: int = 512
    height: int = 512
    seed: int | None = None
    steps: int = 30
    guidance: float = 7.5
    sampler: str = ""


def split_prompt_line(line: str) -> tuple[str, dict[str, str]]:
    """The prompt of a line and its flags: "cat --w 512 --n bad hands" gives "cat" and {"w": "512", "n": "bad hands"}."""
    prompt, *parts = line.strip().split(" --")
    flags = (part.strip().partition(" ") for part in parts)
    return prompt.strip(), {name.lower(): value.strip() for name, _, value in flags}


def parse_prompt_line(line: str) -> PromptLine:
    """Read `prompt --n negative --w 512 --h 512 --d seed --s steps --l guidance --ss sampler`.

    Raises: ConfigError: an option that is not known, or no number where one is needed.
    """
    names = {"n": ("negative", str), "w": ("width", int), "h": ("height", int), "d": ("seed", int), "s": ("steps", int),
             "l": ("guidance", float), "g": ("guidance", float), "ss": ("sampler", str)}
    prompt, flags = split_prompt_line(line)
    values: dict[str, Any] = {}
    for key, value in flags.items():
        if key in FLAGS_FOR_OTHERS:
            continue
        if key not in names:
            raise ConfigError(f"The sample prompt {line.strip()!r} has an unknown option --{key}.",
                              "Known: --n --w --h --d --s --l --ss.")
        name, kind = names[key]
        try:
            values[name] = kind(value)
        except ValueError as error:
            raise ConfigError(f"--{key} of the sample prompt {line.strip()!r} must be a number, but is {value!r}.") from error
    if "steps" in values:
        values["steps"] = max(1, min(1000, values["steps"]))
    return PromptLine(prompt, **values)


def read_prompts(path: Path) -> list[PromptLine]:
    """Every prompt of a sample_prompts.txt; empty lines and lines that begin with # are left out.

    Raises: ConfigError: no such file, or a line that cannot be read.
    """
    if not Path(path).is_file():
        raise ConfigError(f"The sample prompts file {path} does not exist.", "Write the prompts again or leave sample_prompts empty.")
    lines = [line.strip() for line in read_text(Path(path)).splitlines()]
    return [parse_prompt_line(line) for line in lines if line and not line.startswith("#")]


def token_chunks(tokenizer: Any, prompts: list[str], max_token_length: int | None = None) -> torch.Tensor:
    """Token ids of each prompt, in chunks that CLIP can take.

    A longer limit (150, 225) is cut into chunks of 75 words, each with its own begin and end, as sd-scripts does.

    Args:
        max_token_length: None or 75, 150 or 225 words.

    Returns: (n, chunks, 77) int64.
    """
    import torch

    length = CLIP_LENGTH if not max_token_length or max_token_length <= CLIP_LENGTH else max_token_length + 2
    ids = tokenizer(prompts, padding="max_length", truncation=True, max_length=length, return_tensors="pt").input_ids
    if length == CLIP_LENGTH:
        return ids[:, None]
    inner = CLIP_LENGTH - 2
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    chunks = []
    for start in range(1, length - 1, inner):
        chunk = torch.cat([ids[:, :1], ids[:, start:start + inner], ids[:, -1:]], dim=1)
        if pad != end:
            cut = (chunk[:, -2] != end) & (chunk[:, -2] != pad)
            chunk[cut, -1] = end
            chunk[chunk[:, 1] == pad, 1] = end
        chunks.append(chunk)
    return torch.stack(chunks, dim=1)


def join_chunks(hidden: torch.Tensor, chunks: int) -> torch.Tensor:
    """Put chunked hidden states together again with one begin and one end.

    Args: hidden: (n * chunks, 77, dim). Returns: (n, 75 * chunks + 2, dim).
    """
    import torch

    if chunks == 1:
        return hidden
    hidden = hidden.reshape(-1, chunks, *hidden.shape[1:])
    inner = hidden[:, :, 1:-1].flatten(1, 2)
    return torch.cat([hidden[:, 0, :1], inner, hidden[:, -1, -1:]], dim=1)


def find_tokenizer(checkpoint: Path, tokenizer_dir: str | Path | None, hub_names: tuple[str, ...], vocabulary: int) -> Any:
    """CLIP's tokenizer for a single-file checkpoint, which carries none.

    Looked for in `tokenizer_dir` (itself, or sd-scripts' folders in it), in a folder `tokenizer` beside the checkpoint,
    then on the hub (its local cache first).

    Args: vocabulary: how many tokens the text encoder knows; a tokenizer of another size is refused.
    Raises: ModelError: none was found, or none fits.
    """
    from transformers import CLIPTokenizer

    folders = [checkpoint.parent / "tokenizer", checkpoint.with_suffix("") / "tokenizer"]
    if tokenizer_dir:
        base = typed_path(tokenizer_dir)
        folders = [base / hub_names[0].replace("/", "_"), base, base / "tokenizer", *folders]
    for folder in folders:
        if (folder / "vocab.json").is_file() or (folder / "tokenizer.json").is_file():
            tokenizer = CLIPTokenizer.from_pretrained(str(folder))
            if len(tokenizer) == vocabulary:
                return tokenizer
    for name, local in [(name, local) for local in (True, False) for name in hub_names]:
        if not local and not _hub_answers():
            break
        try:
            tokenizer = CLIPTokenizer.from_pretrained(name, local_files_only=local)
        except (OSError, ValueError):
            continue
        if len(tokenizer) == vocabulary:
            return tokenizer
    raise ModelError(f"No tokenizer with {vocabulary} entries was found for {checkpoint}.",
                     "Connect to the internet once, set tokenizer_cache_dir, or put a folder 'tokenizer' beside the checkpoint.")


def _hub_answers() -> bool:
    """Whether the hub can be reached, so that a machine without a network does not wait through its retries."""
    import socket
    import urllib.request

    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    if urllib.request.getproxies():
        return True
    try:
        socket.create_connection(("huggingface.co", 443), timeout=5).close()
    except OSError:
        return False
    return True
