"""Real runs of sd-scripts with other types of networks: the modules in the file prove that the type was trained."""

import pytest

from tests.integration.real_runs import train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SHORT = {"max_train_epochs": 1, "sample_prompts": "[]", "save_every_n_epochs": 1, "batch_size": 4}


def parts(finished):
    """Ends of the tensors' names: what the modules are made of."""
    return {name.rpartition(".")[2] if not name.endswith(".weight") else name.split(".")[-2] for name in finished.tensors}


def test_locon_of_lycoris_teaches_the_convolutions_too(manager):
    finished = train(manager, "sd-scripts", network_type="locon", output_name="locon", lr_scheduler="rex", **SHORT)
    assert finished.metadata["ss_network_module"] == "lycoris.kohya" and parts(finished) == {"alpha", "lora_down", "lora_up"}
    convolutions = [shape for name, (_, shape) in finished.tensors.items() if name.endswith("lora_down.weight") and shape[2:] == (3, 3)]
    assert len(convolutions) > 40 and {shape[0] for shape in convolutions} == {2}
    log = finished.run.log.read_text(encoding="utf-8")
    assert "use lorabook_schedules.Rex" in log and "algo: locon" in log


def test_dora_has_its_own_scale_in_each_module(manager):
    finished = train(manager, "sd-scripts", network_type="dora", output_name="dora", optimizer_type="pytorch_optimizer.CAME",
                     optimizer_args="weight_decay=0.04", lycoris_preset="attn-only", validation_split=0.2, **SHORT)
    scales = [name for name in finished.tensors if name.endswith(".dora_scale")]
    downs = [name for name in finished.tensors if name.endswith(".lora_down.weight")]
    assert len(scales) == len(downs) > 100
    assert "CAME" in finished.metadata["ss_optimizer"] and finished.last.state == "done"


def test_lokr_is_made_of_kronecker_factors(manager):
    finished = train(manager, "sd-scripts", network_type="lokr", output_name="lokr", factor=8, lycoris_preset="attn-mlp", **SHORT)
    assert {"lokr_w1", "alpha"} <= parts(finished) and not {"lora_down", "dora_scale"} & parts(finished)
