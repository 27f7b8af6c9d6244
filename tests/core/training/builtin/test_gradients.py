"""Gradient truth: one step's LoRA gradients against a plain reference with W + scale * up @ down."""

import pytest
import torch
from torch.func import functional_call

from core.diffusion.lora import find_targets
from core.training.builtin.dataset import plan_epoch
from core.training.builtin.shown import noise_seed
from tests.core.training.builtin.making import make_trainer


def reference_loss(trainer, batch, factors):
    """Noise prediction error written out for a plain model whose weights are replaced by W + alpha / rank * up @ down."""
    model = trainer.model
    weights = {"unet": {}, "text_encoder": {}}
    for target in find_targets(model, True):
        if target.name not in factors:
            continue
        down, up, scale = factors[target.name]
        changed = target.module.weight.detach() + scale * (up.flatten(1) @ down.flatten(1)).reshape(target.module.weight.shape)
        root = model.unet if target.part == "unet" else model.text_encoders[0]
        path = next(name for name, module in root.named_modules() if module is target.module)
        weights[target.part][f"{path}.weight"] = changed
    ids = model.tokenizers[0]([image.caption for image in batch.images], padding="max_length", max_length=77, truncation=True,
                              return_tensors="pt").input_ids
    hidden = functional_call(model.text_encoders[0], weights["text_encoder"], (ids,)).last_hidden_state
    latents = trainer.latents.batch(batch, [False] * len(batch.images))
    generator = torch.Generator().manual_seed(noise_seed(batch))
    noise = torch.randn(latents.shape, generator=generator)
    timesteps = torch.randint(0, 1000, (len(latents),), generator=generator)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    kept = torch.cumprod(1 - betas, 0)[timesteps].float().view(-1, 1, 1, 1)
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    prediction = functional_call(model.unet, weights["unet"], (noisy, timesteps, hidden)).sample
    return ((prediction - noise) ** 2).mean()


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_lora_gradients_equal_those_of_a_plain_reference(sd_folder, tmp_path, checkpointing):
    trainer = make_trainer(tmp_path, sd_folder, network_args=["conv_dim=3", "conv_alpha=1"], gradient_checkpointing=checkpointing)
    torch.manual_seed(11)
    for layer in trainer.network.layers.values():
        torch.nn.init.normal_(layer.lora_up.weight, std=0.05)
    batch = plan_epoch(trainer.datasets, trainer.seed, 1)[0]
    loss = trainer.loss(batch)
    loss.backward()
    found = {name: (layer.lora_down.weight.grad, layer.lora_up.weight.grad) for name, layer in trainer.network.layers.items()}

    factors = {name: (layer.lora_down.weight.detach().clone().requires_grad_(), layer.lora_up.weight.detach().clone().requires_grad_(),
                      layer.scale) for name, layer in trainer.network.layers.items()}
    trainer.network.detach()
    trainer.model.unet.disable_gradient_checkpointing()  # it computes again outside functional_call, with the weights of before
    trainer.model.text_encoders[0].gradient_checkpointing_disable()
    expected = reference_loss(trainer, batch, factors)
    expected.backward()
    assert abs(float(loss) - float(expected)) < 1e-5
    assert len(found) == 97 and any("te_" in name for name in found)
    for name, (down, up) in found.items():
        torch.testing.assert_close(down, factors[name][0].grad, atol=1e-5, rtol=1e-4, msg=lambda text, name=name: f"{name} down: {text}")
        torch.testing.assert_close(up, factors[name][1].grad, atol=1e-5, rtol=1e-4, msg=lambda text, name=name: f"{name} up: {text}")
    assert max(float(down.abs().max()) for down, _ in found.values()) > 1e-4


def test_only_lora_parameters_have_gradients(sd_folder, tmp_path):
    trainer = make_trainer(tmp_path, sd_folder)
    trainer.loss(plan_epoch(trainer.datasets, trainer.seed, 1)[0]).backward()
    assert all(parameter.grad is None for module in trainer.model.modules() for parameter in module.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in trainer.network.parameters())


@pytest.mark.slow
def test_sdxl_gradients_reach_both_text_encoders_and_the_unet(sdxl_folder, tmp_path):
    trainer = make_trainer(tmp_path, sdxl_folder, sizes=((96, 64),) * 2)
    for layer in trainer.network.layers.values():
        torch.nn.init.normal_(layer.lora_up.weight, std=0.05)
    trainer.loss(plan_epoch(trainer.datasets, trainer.seed, 1)[0]).backward()
    with_gradient = {name for name, layer in trainer.network.layers.items() if layer.lora_up.weight.grad is not None}
    without = set(trainer.network.layers) - with_gradient
    # The last layer of the first encoder lies behind the hidden state that SDXL uses.
    assert without and all(name.startswith("lora_te1_text_model_encoder_layers_2_") for name in without)
    assert any(name.startswith("lora_te2_") for name in with_gradient)
