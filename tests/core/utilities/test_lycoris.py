"""Updates against LyCORIS' own modules, where the package lycoris-lora is installed: what a layer adds as it computes in training."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from core.utilities.files.lora_file import open_lora
from core.utilities.layers.updates import spectrum

pytestmark = pytest.mark.slow  # importing the package takes seconds
MODULES = {"locon": "LoConModule", "loha": "LohaModule", "lokr": "LokrModule"}


def trained_update(module: nn.Module, layer: nn.Module) -> torch.Tensor:
    """(out, in · kernel): the answers to each unit input, with the module and without.

    LyCORIS' own get_diff_weight scales LoHa and LoKr twice.
    """
    shape = layer.weight.shape
    units = torch.eye(shape[1:].numel()).reshape(-1, *shape[1:])
    with torch.no_grad():
        if len(shape) == 2:
            return (layer(units) - module.org_forward(units)).t()
        return (layer(units) - module.org_forward(units))[:, :, shape[2] // 2, shape[3] // 2].t()


@pytest.mark.parametrize("options", [{}, {"use_tucker": True}, {"decompose_both": True, "factor": 4}, {"factor": 4}, {"use_scalar": True},
                                     {"full_matrix": True}], ids=str)
@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("kernel", [0, 1, 3])
def test_an_update_is_what_the_module_adds_in_training(tmp_path, kind, kernel, options):
    lycoris = pytest.importorskip("lycoris.modules")
    torch.manual_seed(1)
    layer = nn.Conv2d(48, 64, kernel, padding=kernel // 2) if kernel else nn.Linear(48, 64)
    name = "lora_unet_down_blocks_0_resnets_0_conv1" if kernel == 3 else "lora_unet_x"
    module = getattr(getattr(lycoris, kind), MODULES[kind])(name, layer, 1.0, lora_dim=4, alpha=2, **options).eval()
    for value in module.parameters():
        nn.init.normal_(value, std=0.3) if value.ndim else nn.init.constant_(value, 0.7)
    module.apply_to()
    state = {f"{name}.{key}": value.detach().clone() for key, value in module.state_dict().items() if not key.startswith("org")}
    save_file(state, tmp_path / "a.safetensors")
    wanted = trained_update(module, layer)
    with open_lora(tmp_path / "a.safetensors") as file:
        found = spectrum(file, file.modules[0], computing="float64")
        up, down = found.cut(len(found.values))
        made = file.scale(file.modules[0]) * (up @ down)
    assert float((made - wanted).norm() / wanted.norm()) < 1e-5
