"""What counts as an error, and the noise it is measured with."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.base.settings import setting
from core.training.config.part import Part


class LossSettings(Part):
    """What counts as an error, and the noise that it is measured with."""

    title: ClassVar[str] = "Noise and loss"
    section: ClassVar[str] = "loss"

    loss_type: Literal["l2", "l1", "huber", "smooth_l1"] = setting("l2", "Loss", "l2 is usual; huber forgives outliers.", level="expert")
    min_snr_gamma: float | None = setting(5.0, "Min-SNR gamma", "Balances easy and hard noise levels: learns faster. Empty: off.",
                                          level="advanced", gt=0, source="https://arxiv.org/abs/2303.09556; SD 1.5 5, SDXL 8")
    noise_offset: float | None = setting(None, "Noise offset",
                                         "Lets the model reach darker and brighter pictures; 0.03 to 0.05. Empty: off.",
                                         level="advanced", ge=0, le=1, source="https://www.crosslabs.org/blog/diffusion-with-offset-noise")
    multires_noise_iterations: int | None = setting(None, "Multi-resolution noise", "Coarse noise on top, for richer light; 6 is usual. "
                                                    "Empty: off.", level="advanced", ge=1, le=12, source="training-reference: SDXL 6 / 0.3")
    multires_noise_discount: float = setting(0.3, "Its discount", "How fast the coarse noise fades with size.", level="advanced", gt=0,
                                             le=1)
    prior_loss_weight: float = setting(1.0, "Weight of regularisation", "How much the regularisation pictures count.", level="advanced",
                                       ge=0)
    zero_terminal_snr: bool = setting(False, "Zero terminal SNR", "For v-prediction models that were trained so (NoobAI v-pred).",
                                      level="expert", source="https://arxiv.org/abs/2305.08891")
    scale_v_pred_loss_like_noise_pred: bool = setting(False, "Scale the v-prediction loss",
                                                      "Weights noise levels as noise prediction does.",
                                                      level="expert")
