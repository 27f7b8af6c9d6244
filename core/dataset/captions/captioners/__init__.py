"""Captioners by name. To add one: a class with `CaptionerModel`'s methods, one entry here, one test, one line in docs/dataset.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from core.base.errors import ConfigError, DatasetError
from core.base.hub import is_fetched
from core.base.registry import Entry, Registry
from core.dataset.captions.captioners.prompts import JOY, PROMPTS, TASKS
from core.dataset.curation.vision_models import VisionFiles, find_vision

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Mode = Literal["descriptive", "short", "prompt", "tags", "straightforward", "midjourney", "e621", "rule34", "booru", "art-critic",
               "product-listing", "social-media"]
Precision = Literal["bf16", "8-bit", "4-bit"]


@dataclass(frozen=True)
class Request:
    """How a captioner is opened and asked."""

    precision: Precision = "bf16"
    device: str = "auto"
    model_dir: str = ""
    """A local folder in place of a download."""
    revision: str = ""
    download_dir: str = ""
    max_new_tokens: int = 300
    temperature: float = 0.0
    """0: the likeliest words, the same each time."""
    top_p: float = 0.9
    server_url: str = ""
    server_model: str = ""
    key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the server's key."""
    schema: bool = False
    """Ask for the parts of a character's description as JSON, and join them."""
    parallel: int = 4
    """Requests to a server at a time."""


class CutText(str):
    """A text that ends in the middle, for it became longer than was asked for."""


class PictureDeclined(DatasetError):
    """The captioner answered, but does not want to describe this picture."""


class RequestRefused(DatasetError):
    """The request was refused, for this picture or for all: the next ones tell."""


class CaptionerModel(Protocol):
    """A captioner, opened for use."""

    provider: str
    """What really computes: "cuda", "cpu", or the server's address."""
    batch_size: int
    """Pictures that it looks at together."""
    parallel: int
    """Calls of `describe` that may run at a time; more than 1 only for servers."""
    request: Request
    """How it is asked; length, temperature and top p may be changed while it is open."""

    def describe(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[str]:
        """RGB pictures, each with its prompt → one text each, as the model gave it; `CutText` where it was cut off.

        Raises: DatasetError: it failed on these (`PictureDeclined`, `RequestRefused`); ModelError: it will fail on all.
        """

    def close(self) -> None:
        """Let go of its memory."""


@dataclass(frozen=True)
class Card:
    """What a person should know of a captioner before it is loaded."""

    title: str
    licence: str
    source: str
    memory: float
    """GiB of the GPU at the chosen precision; 0: none here."""
    disk: float
    """GiB to download."""
    note: str = ""
    without_gpu: float = 0.0
    """GiB of the machine's memory where there is no GPU; 0: it needs one, or takes nothing of this machine."""
    missing: tuple[str, ...] = ()
    """Packages that are not installed."""

    def sentence(self) -> str:
        """All of it in a few words."""
        room = f"about {self.memory:g} GiB of memory, {self.disk:g} GiB on disk" if self.memory else "no memory and no disk of this machine"
        missing = f" It needs {', '.join(self.missing)}, which is not installed." if self.missing else ""
        instead = f" Without a GPU: about {self.without_gpu:g} GiB." if self.without_gpu else ""
        return f"{self.title}: licence {self.licence}; {room}.{instead}{' ' + self.note if self.note else ''}{missing}"


HERE = "core.dataset.captions.captioners"
TORCH = ("torch", "transformers", "PIL")
WITHOUT_GPU = 2
"""How much more memory the weights take on a CPU, where they are float32."""
ALL = {"bf16": 1.0, "8-bit": 1.0, "4-bit": 1.0}


def _local(name: str, kind: str, title: str, repo: str, licence: str, disk: float, memory: dict[str, float], note: str = "",
           prompts: dict[str, str] | None = None, **options: Any) -> Entry:
    return Entry(name, f"{HERE}.{kind}", title, source=f"https://huggingface.co/{repo}", needs=TORCH, licence=licence, note=note,
                 options={"repo_id": repo, "disk": disk, "memory": memory, "prompts": PROMPTS if prompts is None else prompts, **options})


CAPTIONERS: Registry[Any] = Registry(
    "captioner",
    _local("qwen3-vl-4b", "chat:ChatCaptioner", "Qwen3-VL 4B", "Qwen/Qwen3-VL-4B-Instruct", "Apache-2.0", 8.9,
           {"bf16": 11, "8-bit": 7, "4-bit": 5}, "A good first choice."),
    _local("qwen3-vl-8b", "chat:ChatCaptioner", "Qwen3-VL 8B", "Qwen/Qwen3-VL-8B-Instruct", "Apache-2.0", 17.5,
           {"bf16": 20, "8-bit": 12, "4-bit": 8}),
    _local("qwen2.5-vl-3b", "chat:ChatCaptioner", "Qwen2.5-VL 3B", "Qwen/Qwen2.5-VL-3B-Instruct", "Qwen Research (not commercial)", 7.5,
           {"bf16": 9, "8-bit": 6, "4-bit": 4.5}),
    _local("qwen2.5-vl-7b", "chat:ChatCaptioner", "Qwen2.5-VL 7B", "Qwen/Qwen2.5-VL-7B-Instruct", "Apache-2.0", 16.6,
           {"bf16": 19, "8-bit": 11, "4-bit": 7.5}),
    _local("joycaption", "chat:JoyCaptioner", "JoyCaption Beta One", "fancyfeast/llama-joycaption-beta-one-hf-llava",
           "Llama 3.1 Community", 17,
           {"bf16": 17, "8-bit": 10, "4-bit": 7}, "Made for captions of training pictures; knows drawings and adult pictures.", JOY,
           skip=("vision_tower", "multi_modal_projector")),
    _local("florence-2-base", "small:FlorenceCaptioner", "Florence-2 base", "florence-community/Florence-2-base", "MIT", 0.5,
           {"bf16": 1}, "Small and quick; knows no tags.", TASKS),
    _local("florence-2-large", "small:FlorenceCaptioner", "Florence-2 large", "florence-community/Florence-2-large", "MIT", 1.6,
           {"bf16": 2.5}, "Small and quick; knows no tags.", TASKS),
    _local("blip-base", "small:BlipCaptioner", "BLIP base", "Salesforce/blip-image-captioning-base", "BSD-3-Clause", 1.0, {"bf16": 1.2},
           "One short sentence; runs anywhere. A prompt is the beginning of the sentence.", {}),
    _local("blip-large", "small:BlipCaptioner", "BLIP large", "Salesforce/blip-image-captioning-large", "BSD-3-Clause", 1.9, {"bf16": 2},
           "One short sentence; runs anywhere. A prompt is the beginning of the sentence.", {}),
    Entry("server", f"{HERE}.server:ServerCaptioner", "A server (OpenAI-compatible)", source="https://platform.openai.com/docs/api-reference/chat",
          needs=("PIL",), licence="that of the model which it serves", note="vLLM, Ollama, LM Studio, OpenRouter and others.",
          options={"prompts": PROMPTS, "disk": 0.0, "memory": dict.fromkeys(ALL, 0.0)}),
)

CaptionerName = Literal[CAPTIONERS.names()]  # type: ignore[valid-type]
"""The names above, as a choice for a settings class."""


def card_of(name: str, precision: str = "bf16") -> Card:
    """What a captioner is and takes, before it is loaded. Raises: ConfigError: no such captioner, or not at this precision."""
    entry = CAPTIONERS.entry(name)
    memory = entry.options["memory"]
    if precision not in memory:
        raise ConfigError(f"{entry.title} cannot be loaded in {precision}.", f"It is small: choose {', '.join(memory)}.")
    needs = (*entry.needs, "bitsandbytes", "accelerate") if precision != "bf16" and memory[precision] else entry.needs
    return Card(entry.title, entry.licence, entry.source, memory[precision], entry.options["disk"], entry.note,
                WITHOUT_GPU * memory[precision] if precision == "bf16" else 0.0, replace(entry, needs=needs).missing())


def prompt_of(name: str, mode: str) -> str:
    """What a captioner is asked in a mode; empty where it takes no question. Raises: ConfigError: it does not know that mode."""
    entry = CAPTIONERS.entry(name)
    prompts: dict[str, str] = entry.options["prompts"]
    if prompts and mode not in prompts:
        raise ConfigError(f"{entry.title} knows no mode {mode!r}.", f"Choose one of: {', '.join(prompts)}.")
    return prompts.get(mode, "")


def identity_of(name: str, request: Request) -> str:
    """Names the model without opening it: kept texts of another are never used for it. Raises: ModelError: it cannot be found."""
    if name == "server":
        return f"{request.server_url.strip().rstrip('/')} {request.server_model.strip()}"
    return find_captioner(name, request).identity


def find_captioner(name: str, request: Request) -> VisionFiles:
    """Where the files of a captioner are; its weights are fetched when it is opened. Raises: ModelError: as `find_vision`."""
    return find_vision(CAPTIONERS.entry(name).options["repo_id"], request.model_dir, request.revision, request.precision,
                       request.download_dir)


def has_weights(entry: Entry, download_dir: str = "") -> bool:
    """Whether some version of a captioner's weights lies on this machine."""
    return any(is_fetched(entry.options["repo_id"], f"*{ending}", download_dir) for ending in (".safetensors", ".bin"))


def open_captioner(name: str, request: Request) -> CaptionerModel:
    """Load a captioner, or prepare to talk to a server.

    Raises: ModelError: it cannot be fetched or opened. ConfigError, MissingDependency, DiskError.
    """
    card_of(name, request.precision)
    model: CaptionerModel = CAPTIONERS.load(name)(CAPTIONERS.entry(name), request)
    return model
