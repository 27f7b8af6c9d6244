"""A base model that draws as a training means it: for the comparison before and after, and for regularisation pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.settings import Settings, setting

if TYPE_CHECKING:
    from core.diffusion.model import DiffusionModel
    from core.training.config import TrainingSettings


class DrawingSettings(Settings):
    """What of a training's settings changes the pictures that its base model draws; sd-scripts' names."""

    family: str | None = setting(None, "Model family", "Empty: read from the model.", level="expert")
    clip_skip: int | None = setting(None, "CLIP skip", "Empty: as in training.", level="expert", ge=1, le=12)
    max_token_length: int | None = setting(None, "Longest prompt", "Empty: as in training.", level="expert", unit="tokens")
    tokenizer_cache_dir: str | None = setting(None, "Tokenizer folder", "Empty: as in training.", level="expert")
    vae: str | None = setting(None, "VAE", "Another VAE than the model's own. Empty: as in training.", level="expert")
    no_half_vae: bool = setting(False, "Full-precision VAE", "Also on where the training had it on.", level="expert")
    v_parameterization: bool = setting(False, "v-prediction", "Also on where the training had it on.", level="expert")
    zero_terminal_snr: bool = setting(False, "Zero terminal SNR", "Also on where the training had it on.", level="expert")

    def filled(self, arguments: Mapping[str, Any], names: tuple[str, ...] = ()) -> dict[str, Any]:
        """The values of these settings, with what is empty or off taken from a training's arguments.

        Args: arguments: a config.toml, its sections flattened. names: only these; empty: all but the family.
        """
        return {name: getattr(self, name) or arguments.get(name, getattr(self, name)) for name in names or AS_TRAINED}


FIELDS = tuple(DrawingSettings.model_fields)
"""What a panel that fills them in hides."""
AS_TRAINED = tuple(name for name in FIELDS if name != "family")
AS_READ = ("clip_skip", "max_token_length", "tokenizer_cache_dir")
"""How prompts are read: the same with another base model."""


def arguments_of(training: TrainingSettings) -> dict[str, Any]:
    """What a training with these settings is told: the config.toml that it would get, flattened."""
    from core.training.config.pair import config_tables, flatten

    return flatten(config_tables(training, Path()))


def load_to_draw(model: str, how: DrawingSettings) -> DiffusionModel:
    """The base model, drawing as it does in training. Args: model: a checkpoint or a diffusers folder. Raises: ModelError."""
    import torch

    from core.diffusion import load_model

    loaded = load_model(model, how.family, vae=how.vae, vae_dtype=torch.float32 if how.no_half_vae else None,
                        tokenizer_dir=how.tokenizer_cache_dir)
    loaded.trained_as(how.v_parameterization, how.zero_terminal_snr)
    return loaded
