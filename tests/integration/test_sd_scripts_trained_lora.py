"""LoRA files that sd-scripts itself trained, through every LoRA tool, and loaded by diffusers and PEFT: SD_SCRIPTS_DIR."""

import pytest

from core.utilities.inspecting.inspecting import InspectSettings, inspect_lora
from tests.core.utilities.in_diffusers import Bench, check_every_tool
from tests.integration.real_runs import train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_every_tools_file_of_what_sd_scripts_trained_draws_as_weights_changed_by_hand(manager, home, tmp_path):
    done = train(manager, "sd-scripts", network_dim=4, network_alpha=2, conv_dim=4, conv_alpha=1, save_every_n_epochs=1,
                 learning_rate=0.01, text_encoder_lr=0.01, output_name="tools")
    first, last = (done.run.checkpoints / name for name in ("tools-000001.safetensors", "tools.safetensors"))
    report = inspect_lora(InspectSettings.make(file=str(last), device="cpu"))
    assert (report.family.name, report.family.conflict) == ("sd15", "")
    assert [str(finding) for finding in report.findings if finding.level == "error"] == []
    assert [(program.program, program.loaded == program.total) for program in report.programs] == [
        ("A1111", True), ("Forge", True), ("ComfyUI", True), ("diffusers", True)]
    base = home / "model" / "model.safetensors"
    assert check_every_tool(Bench(base, home / "model" / "tokenizers"), first, last, 4, None, tmp_path / "out") == 10
