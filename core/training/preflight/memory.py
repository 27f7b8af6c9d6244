"""How much GPU memory a run takes, worked out from its parts: weights, adapter, gradients, optimizer, activations, and the other stages.

The activations are those of the real models, counted with tensors that have a shape and no numbers (`custom/count_model_memory`);
the rest is arithmetic. No torch is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.base.buckets import Size
from core.base.findings import Finding
from core.setup.hardware import GIB
from core.training.preflight.facts import COUNTED_RANK, ModelFacts, facts_of

Precision = Literal["float", "half", "fp8", "nf4"]
WEIGHT_BYTES: dict[str, float] = {"float": 4, "half": 2, "fp8": 1, "nf4": 0.5625}
"""Of one number of the base model. nf4: half a byte, and a scale of 4 bytes for each 64 (Dettmers et al. 2023, QLoRA)."""
OPTIMIZER_BYTES: Mapping[str, float] = {
    "AdamW": 8, "AdamW8bit": 2, "PagedAdamW": 8, "PagedAdamW8bit": 2, "PagedAdamW32bit": 8, "Lion": 4, "Lion8bit": 1, "PagedLion8bit": 1,
    "SGDNesterov": 4, "SGDNesterov8bit": 1, "Adafactor": 0.5, "CAME": 4.5, "StableAdamW": 8, "AdamWScheduleFree": 8, "RAdamScheduleFree": 8,
    "SGDScheduleFree": 4, "Prodigy": 16, "ProdigyPlusScheduleFree": 9, "DAdaptation": 16, "DAdaptAdam": 16, "DAdaptAdamPreprint": 16,
    "DAdaptLion": 12, "DAdaptSGD": 12, "DAdaptAdaGrad": 16, "DAdaptAdan": 24, "Compass": 8}
"""What an optimizer keeps of each number that it trains: a state of full precision has 4 bytes, one of 8 bit has 1."""
USUAL_OPTIMIZER_BYTES = 8
"""Of one that is not in the list: two states, as Adam."""
CONTEXT = 0.8 * GIB
"""What CUDA, cuBLAS and cuDNN take before anything is loaded; 0.5 to 1.1 GiB by card and driver."""
BOTH_CLIPS = 12 * 768 + 32 * 1280
TEXT_KEPT = {"sd15": 12 * 768, "sd2": 23 * 1024, "flux1": 12 * 768,
             **dict.fromkeys(("sdxl", "sd3_medium", "sd35_medium", "sd35_large"), BOTH_CLIPS)}
"""Layers times width of the text encoders that can learn."""
TEXT_BYTES = 34
"""Bytes that a layer keeps for each token and each 1 of width (Korthikanti et al. 2022, section 4.1, without the attention's square)."""
TEXT_TOKENS = 227
BELOW, ABOVE = 0.85, 1.2
"""The real peak lies between these shares of the estimate (tests/core/training/preflight/test_memory.py has what it was compared with)."""


@dataclass(frozen=True)
class MemoryPlan:
    """What the memory of a run depends on."""

    family: str
    """One of `facts.FAMILIES`."""
    resolution: Size = (1024, 1024)
    """Width and height of the largest bucket, px."""
    batch_size: int = 1
    network_dim: int = 16
    conv_dim: int = 0
    adapter_numbers: int | None = None
    """Numbers that learn, where it is no plain LoRA or LoCon: `trained.trained_numbers`."""
    whole_model: bool = False
    """The model itself learns, with `adapter_numbers` of it; there is no adapter beside it."""
    fused_backward: bool = False
    """fused_backward_pass: a gradient is gone as soon as its layer is updated."""
    train_unet: bool = True
    train_text_encoders: bool = False
    optimizer: str = "AdamW8bit"
    precision: Precision = "half"
    """Of the base model's weights."""
    text_precision: Precision = "half"
    """Of the text encoders' weights, as their files hold them; without `mixed` it is full precision."""
    mixed: bool = True
    """Half precision while computing (mixed_precision fp16 or bf16)."""
    full_half: bool = False
    """full_fp16 or full_bf16: the adapter and its gradients in half precision too."""
    gradient_checkpointing: bool = True
    blocks_to_swap: int = 0
    cache_latents: bool = True
    vae_batch_size: int = 1
    no_half_vae: bool = False
    cache_text: bool = False
    """Captions are read once, so that the text encoders are not there in training."""
    samples: bool = True
    sample_size: Size | None = None
    """Width and height of the largest sample; None: as in training."""


@dataclass(frozen=True)
class Part:
    """One part of what is on the GPU."""

    name: str
    size: float
    """Bytes."""

    @property
    def gib(self) -> float:
        """In GiB."""
        return self.size / GIB


@dataclass(frozen=True)
class Stage:
    """What is on the GPU at once, in one stage of a run."""

    name: str
    parts: tuple[Part, ...]

    @property
    def gib(self) -> float:
        """All parts together, in GiB."""
        return sum(part.gib for part in self.parts)


@dataclass(frozen=True)
class MemoryEstimate:
    """The stages of a run; the largest one decides."""

    stages: tuple[Stage, ...]

    @property
    def peak(self) -> Stage:
        """The stage that takes most."""
        return max(self.stages, key=lambda stage: stage.gib)

    @property
    def least(self) -> float:
        """GiB that it takes at any rate."""
        return BELOW * self.peak.gib

    @property
    def most(self) -> float:
        """GiB that are certainly enough."""
        return ABOVE * self.peak.gib

    def sentence(self) -> str:
        """The estimate with its parts, in one line."""
        largest_first = sorted(self.peak.parts, key=lambda part: -part.size)
        parts = ", ".join(f"{part.name} {part.gib:.1f}" for part in largest_first if part.gib >= 0.05)
        return f"About {self.peak.gib:.1f} GiB ({self.least:.1f} to {self.most:.1f}) while {self.peak.name}: {parts}."


def estimate_memory(plan: MemoryPlan) -> MemoryEstimate:
    """What a run takes, stage by stage. Raises: ConfigError: the family is not known."""
    facts, stages = facts_of(plan.family), []
    if plan.cache_latents:
        stages.append(Stage("encoding the pictures", (_context(), *_encoding(plan, facts, plan.vae_batch_size))))
    if plan.cache_text:
        stages.append(Stage("reading the captions", (_context(), _texts(plan, facts))))
    stages.append(Stage("training", (_context(), *_standing(plan, facts), *_moving(plan, facts))))
    if plan.samples:
        stages.append(Stage("drawing samples", (_context(), *_standing(plan, facts, sampling=True), *_drawing(plan, facts))))
    return MemoryEstimate(tuple(stages))


def adapter_numbers(plan: MemoryPlan) -> int:
    """Numbers that are trained. Raises: ConfigError: the family is not known."""
    if plan.adapter_numbers is not None:
        return plan.adapter_numbers
    facts, dim = facts_of(plan.family), plan.network_dim
    unet = dim * facts.lora_unet + (dim * facts.lora_small + plan.conv_dim * facts.lora_convolutions if plan.conv_dim else 0)
    return plan.train_unet * unet + plan.train_text_encoders * dim * facts.lora_text


def optimizer_bytes(name: str) -> float:
    """Bytes that an optimizer keeps of each number that it trains. Args: name: of its class, with or without its package."""
    return OPTIMIZER_BYTES.get(name.rpartition(".")[2], USUAL_OPTIMIZER_BYTES)


def check_memory(estimate: MemoryEstimate, gpu_gib: float, plan: MemoryPlan) -> list[Finding]:
    """Whether a GPU holds the run. Args: gpu_gib: its free memory, GiB."""
    if estimate.least > gpu_gib:
        return [Finding("error", f"The GPU has {gpu_gib:.1f} GiB free, the run needs more. {estimate.sentence()}", _remedy(plan, estimate))]
    if estimate.most > gpu_gib:
        return [Finding("warning", f"The GPU has {gpu_gib:.1f} GiB free, which may be too little. {estimate.sentence()}",
                        _remedy(plan, estimate))]
    return [Finding("info", estimate.sentence())]


def _remedy(plan: MemoryPlan, estimate: MemoryEstimate) -> str:
    """What lowers it, that which changes the result least first."""
    family = facts_of(plan.family)
    ways = [(not plan.gradient_checkpointing, "switch 'Save memory' (gradient_checkpointing) on"),
            (not plan.cache_latents, "cache the latents (cache_latents)"),
            (estimate.peak.name == "drawing samples", "draw smaller samples, or none"),
            (plan.batch_size > 1, "lower the batch size and raise 'Accumulate' (gradient_accumulation_steps) as much"),
            (not plan.cache_text and not plan.train_text_encoders, "cache the captions (cache_text_encoder_outputs)"),
            (optimizer_bytes(plan.optimizer) > 2, "use AdamW8bit"),
            (bool(family.blocks) and plan.precision in ("half", "float"), "keep the base model in 8 bit (fp8_base)"),
            (bool(family.blocks) and not plan.blocks_to_swap, "swap blocks (blocks_to_swap)"),
            (True, "lower the resolution")]
    first, *others = [words for fits, words in ways if fits][:3]
    return f"{first[0].upper()}{first[1:]}{''.join(f', or {words}' for words in others)}."


def _context() -> Part:
    return Part("CUDA itself", CONTEXT)


def _texts(plan: MemoryPlan, facts: ModelFacts) -> Part:
    return Part("text encoders", facts.texts * WEIGHT_BYTES[plan.text_precision if plan.mixed else "float"])


def _standing(plan: MemoryPlan, facts: ModelFacts, sampling: bool = False) -> list[Part]:
    """What is there all the time."""
    numbers, own = adapter_numbers(plan), 2 if plan.full_half else 4
    weights = own if plan.whole_model else WEIGHT_BYTES[plan.precision]
    parts = [Part("base model", (facts.parameters - facts.swapped(plan.blocks_to_swap)) * weights),
             Part("adapter", 0 if plan.whole_model else numbers * own), Part("optimizer", numbers * optimizer_bytes(plan.optimizer))]
    if plan.whole_model and plan.train_text_encoders:
        parts.append(Part("text encoders", facts.texts * own))
    elif not plan.cache_text or plan.train_text_encoders:
        parts.append(_texts(plan, facts))
    if not plan.cache_latents and not sampling:
        parts += _encoding(plan, facts, plan.batch_size)
    return parts


def _moving(plan: MemoryPlan, facts: ModelFacts) -> list[Part]:
    """What a step makes."""
    numbers, pixels = adapter_numbers(plan), plan.resolution[0] * plan.resolution[1]
    kind = ("mixed" if plan.mixed else "full") + ("_checkpointed" if plan.gradient_checkpointing else "")
    fixed, slope = facts.kept[kind]
    if plan.mixed:
        fixed -= 2 * COUNTED_RANK * facts.lora_unet  # autocast's copies of the adapter, which are counted below
    gradients = 0 if plan.fused_backward else numbers
    parts = [Part("gradients", gradients * (2 if plan.full_half else 4)),
             Part("activations", plan.batch_size * max(0.0, fixed + slope * pixels))]
    if plan.mixed and not plan.full_half:
        parts.append(Part("what learns in half precision", 2 * numbers))
    if plan.train_text_encoders:
        parts.append(Part("activations of the text encoders",
                          plan.batch_size * TEXT_TOKENS * TEXT_BYTES * TEXT_KEPT.get(plan.family, 0) * (1 if plan.mixed else 2)))
    return parts


def _encoding(plan: MemoryPlan, facts: ModelFacts, batch: int) -> list[Part]:
    scale = 2 if plan.no_half_vae or not plan.mixed else 1
    pixels = plan.resolution[0] * plan.resolution[1]
    return [Part("VAE", facts.vae * 2 * scale), Part("encoding", batch * pixels * facts.encode * scale)]


def _drawing(plan: MemoryPlan, facts: ModelFacts) -> list[Part]:
    scale = 2 if plan.no_half_vae or not plan.mixed else 1
    width, height = plan.sample_size or plan.resolution
    return [Part("VAE", facts.vae * 2 * scale), Part("decoding", width * height * facts.decode * scale)]
