"""What counts as an error, and the noise it is measured with."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.base.settings import SET, setting
from core.training.config.families import FLOW, MUSUBI, UNET
from core.training.config.part import Part

HUBER = ("huber", "smooth_l1")
SAMPLED = tuple(family for family in FLOW if family != "sd3")
"""Families whose noise levels `timestep_sampling` draws."""


class LossSettings(Part):
    """What counts as an error, and the noise that it is measured with."""

    title: ClassVar[str] = "Noise and loss"
    section: ClassVar[str] = "loss"

    loss_type: Literal["l2", "l1", "huber", "smooth_l1"] = setting("l2", "Loss", "l2 is usual; huber forgives outliers.", level="expert")
    huber_schedule: Literal["snr", "exponential", "constant"] = setting(
        "snr", "Huber's schedule", "How the limit between l1 and l2 goes with the noise; snr only for models with a U-Net.",
        level="expert", only={"loss_type": HUBER}, source="https://arxiv.org/abs/2403.16728")
    huber_c: float = setting(0.1, "Huber's limit", "Above it errors count as l1 does.", level="expert", gt=0, only={"loss_type": HUBER})
    huber_scale: float = setting(1.0, "Huber's scale", "A factor on that limit.", level="expert", gt=0,
                                 only={"huber_schedule": ("exponential", "constant")})
    min_snr_gamma: float | None = setting(5.0, "Min-SNR gamma", "Balances easy and hard noise levels: learns faster. Empty: off.",
                                          level="advanced", gt=0, only={"family": UNET},
                                          source="https://arxiv.org/abs/2303.09556; SD 1.5 5, SDXL 8")
    debiased_estimation_loss: bool = setting(False, "Debiased loss", "Weights noise levels by the root of their signal; instead of "
                                             "Min-SNR.", level="expert", only={"family": UNET}, source="https://arxiv.org/abs/2310.08442")
    v_pred_like_loss: float | None = setting(None, "v-prediction-like loss", "A share of the loss that v-prediction would have, for models "
                                             "that predict noise. Empty: off.", level="expert", gt=0, only={"family": UNET})
    noise_offset: float | None = setting(None, "Noise offset",
                                         "Lets the model reach darker and brighter pictures; 0.03 to 0.05. Empty: off.",
                                         level="advanced", ge=0, le=1, only={"family": UNET},
                                         source="https://www.crosslabs.org/blog/diffusion-with-offset-noise")
    noise_offset_random_strength: bool = setting(False, "Random offset", "Draw the offset between 0 and that value each time.",
                                                 level="expert", only={"noise_offset": SET})
    adaptive_noise_scale: float | None = setting(None, "Adaptive offset", "Adds so much of each latent's mean to the offset. Empty: off.",
                                                 level="expert", only={"noise_offset": SET})
    multires_noise_iterations: int | None = setting(None, "Multi-resolution noise", "Coarse noise on top, for richer light; 6 is usual. "
                                                    "Empty: off.", level="advanced", ge=1, le=12, only={"family": UNET},
                                                    source="training-reference: SDXL 6 / 0.3")
    multires_noise_discount: float = setting(0.3, "Its discount", "How fast the coarse noise fades with size.", level="advanced", gt=0,
                                             le=1, only={"multires_noise_iterations": SET})
    ip_noise_gamma: float | None = setting(None, "Input perturbation", "Noise on top of the noise, so that the model bears its own errors; "
                                           "0.1 is usual. Empty: off.", level="expert", gt=0, le=1,
                                           only={"family": (*UNET, "flux1", "chroma", "hunyuan_image", "anima")},
                                           source="https://arxiv.org/abs/2301.11706")
    ip_noise_gamma_random_strength: bool = setting(False, "Random perturbation", "Draw its strength between 0 and that value each time.",
                                                   level="expert", only={"ip_noise_gamma": SET})
    min_timestep: int | None = setting(None, "Lowest noise level", "Train from this timestep on; 0 is a clear picture. Empty: 0.",
                                       level="expert", ge=0, le=999, only={"family": (*UNET, "sd3", *MUSUBI)})
    max_timestep: int | None = setting(None, "Highest noise level", "Train up to this timestep; 1000 is noise alone. Empty: 1000.",
                                       level="expert", ge=1, le=1000, only={"family": (*UNET, "sd3", *MUSUBI)})
    prior_loss_weight: float = setting(1.0, "Weight of regularisation", "How much the regularisation pictures count.", level="advanced",
                                       ge=0)
    masked_loss: bool = setting(False, "Masked loss", "Learn only from what a mask shows: white counts, black does not. The masks lie in "
                                "a folder of their own, named at the folder of pictures, or are the pictures' transparency.",
                                level="advanced")
    zero_terminal_snr: bool = setting(False, "Zero terminal SNR", "For v-prediction models that were trained so (NoobAI v-pred).",
                                      level="expert", only={"family": UNET}, source="https://arxiv.org/abs/2305.08891")
    scale_v_pred_loss_like_noise_pred: bool = setting(False, "Scale the v-prediction loss",
                                                      "Weights noise levels as noise prediction does.",
                                                      level="expert", only={"family": UNET})
    timestep_sampling: Literal["sigma", "uniform", "sigmoid", "shift", "flux_shift", "nextdit_shift", "flux2_shift", "qwen_shift",
                               "logsnr"] = setting(
        "sigmoid", "Noise levels", "How often each noise level is trained; flux_shift (FLUX.1, Kontext), flux2_shift and qwen_shift go "
        "with the picture's size, nextdit_shift is Lumina's. Z-Image: shift.",
        level="advanced", only={"family": SAMPLED})
    sigmoid_scale: float = setting(1.0, "Spread", "Larger: extreme noise levels are trained more often.", level="expert", gt=0,
                                   only={"timestep_sampling": ("sigmoid", "shift", "flux_shift", "flux2_shift", "qwen_shift")})
    discrete_flow_shift: float = setting(3.0, "Shift", "Larger: more training at high noise; for larger pictures.", level="advanced", gt=0,
                                         only={"family": SAMPLED})
    training_shift: float = setting(1.0, "Shift", "Larger: more training at high noise; for larger pictures.", level="expert", gt=0,
                                    only={"family": ("sd3",)})
    weighting_scheme: Literal["sigma_sqrt", "logit_normal", "mode", "cosmap", "none", "uniform"] = setting(
        "uniform", "Weights of noise levels", "How much each noise level counts, and for sigma sampling how often it comes.",
        level="expert", only={"family": FLOW}, source="https://arxiv.org/abs/2403.03206")
    logit_mean: float = setting(0.0, "Its middle", "Of logit_normal.", level="expert", only={"weighting_scheme": ("logit_normal",)})
    logit_std: float = setting(1.0, "Its spread", "Of logit_normal.", level="expert", gt=0, only={"weighting_scheme": ("logit_normal",)})
    mode_scale: float = setting(1.29, "Its scale", "Of mode.", level="expert", only={"weighting_scheme": ("mode",)})
    model_prediction_type: Literal["raw", "additive", "sigma_scaled"] = setting(
        "raw", "Prediction", "What the model's answer is taken for; raw is right for all present models.", level="expert",
        only={"family": ("flux1", "chroma", "lumina2", "hunyuan_image")})
    guidance_scale: float = setting(1.0, "Guidance", "The guidance that FLUX.1 dev is told while it learns: 1. Chroma takes 0.",
                                    level="advanced", ge=0, only={"family": ("flux1", "chroma")})
