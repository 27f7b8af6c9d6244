"""The grid of before and after shows what was drawn last."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from core.base.files import write_json
from core.training.evaluation import EvaluationSettings, settings_for
from core.training.run import Run
from tests.core.utilities.layers import layer, write
from tests.widgets.utilities.conftest import finish, press
from widgets.training.choice import read_settings
from widgets.training.evaluation import EvaluationPanel


@pytest.fixture
def run(session, project) -> Run:
    return Run.create(project.folder, read_settings(session), "builtin")


def draw(run: Run, colour: str, time_ns: int) -> None:
    """What a comparison leaves, under the same names each time."""
    folder = run.folder / "evaluation"
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (32, 32), colour).save(folder / "00_00_1.png")
    os.utime(folder / "00_00_1.png", ns=(time_ns, time_ns))
    write_json(folder / "evaluation.json", {"grid": "grid.png", "model": "m", "warnings": [], "columns": [{"label": "x", "lora": "x"}],
                                            "pictures": [{"path": "00_00_1.png", "column": 0, "prompt": "a cat", "seed": 1}]})


def draw_strengths(run: Run) -> Path:
    """A LoRA drawn at 0.8 and 1."""
    lora = write(run.checkpoints / "mika.safetensors", {"lora_unet_up_blocks_1_attentions_0_proj_in": layer("linear")[0]})
    draw(run, "red", 10**18)
    columns = [{"label": "without", "lora": ""}] + [
        {"label": f"finished, strength {weight:g}", "lora": str(lora), "weight": weight, "changed": weight / 10} for weight in (0.8, 1.0)]
    write_json(run.folder / "evaluation" / "evaluation.json", {
        "grid": "grid.png", "model": "m", "warnings": [], "columns": columns,
        "pictures": [{"path": "00_00_1.png", "column": number, "prompt": "a cat", "seed": 1} for number in range(3)]})
    return lora


def shown(panel: EvaluationPanel):
    """The colour of the first picture, loaded as the browser asks for it."""
    sent = []
    panel.grid.send = lambda content, buffers: sent.append((content, buffers))
    panel.grid._asked(panel.grid, {"want": panel.grid.pictures[0]["key"]}, [])
    ((content, buffers),) = sent
    return Image.open(io.BytesIO(buffers[0])).getpixel((0, 0)) if content["there"] else None


def test_a_picture_that_was_drawn_again_has_another_key_so_that_the_browser_asks_anew(session, run):
    draw(run, "red", 10**18)
    panel = EvaluationPanel(session)
    first = panel.grid.pictures[0]["key"]
    assert shown(panel) == (255, 0, 0)
    panel.refresh()
    assert panel.grid.pictures[0]["key"] == first
    draw(run, "blue", 10**18 + 1)
    panel.refresh()
    assert panel.grid.pictures[0]["key"] != first and shown(panel) == (0, 0, 255)


def test_a_picture_that_is_gone_is_told_and_is_no_error(session, run):
    draw(run, "red", 10**18)
    (run.folder / "evaluation" / "00_00_1.png").unlink()
    panel = EvaluationPanel(session)
    assert shown(panel) is None and panel.log.text == ""


@pytest.mark.slow
def test_the_best_strength_is_written_into_a_file_of_its_own(session, run, project):
    run.checkpoints.mkdir(exist_ok=True)
    lora = draw_strengths(run)
    before = lora.read_bytes()
    panel = EvaluationPanel(session)
    assert panel._weighing.layout.display == "" and [words for words, _ in panel.best.options] == [
        "choose the best of them", "finished, strength 0.8 (the pictures change by 8.0 %)",
        "finished, strength 1 (the pictures change by 10.0 %)"]
    assert panel.best.value == -1 and panel.write.disabled and panel.write.tooltip == "Choose the best one first."
    panel.best.value = 2
    assert panel.write.disabled and "at strength 1, which the file does already" in panel.write.tooltip
    panel.best.value = 1
    press(panel.write)
    finish(panel)
    made = project.output / "mika-w0.8.safetensors"
    assert "at 1 as before at 0.8" in panel.status.text and made.is_file() and made.name in panel._written.value
    assert lora.read_bytes() == before and len(panel.grid.pictures) == 3
    press(panel.write)
    finish(panel)
    assert panel.status.state == "attention" and "is there already: it was written before" in panel.status.text
    assert made.name in panel._written.value  # at the button, too
    made.write_bytes(b"another run's, of the same name")
    press(panel.write)
    finish(panel)
    assert made.read_bytes().startswith(b"another") and (project.output / "mika-w0.8-2.safetensors").is_file()


def test_one_strength_of_1_leaves_nothing_to_write(session, run):
    draw(run, "red", 10**18)
    panel = EvaluationPanel(session)
    assert panel._weighing.layout.display == "none"


def test_how_many_pictures_it_draws_and_how_long_is_told_before(session, project):
    settings = read_settings(session).with_values(sampling={"sample_prompts": [{"prompt": "a cat"}, {"prompt": "a dog"}]})
    run = Run.create(project.folder, settings, "builtin")
    panel = EvaluationPanel(session)
    assert panel._amount.value == ""
    for name in ("-000001", "-000002", ""):
        write(run.checkpoints / f"{settings.saving.output_name}{name}.safetensors",
              {"lora_unet_up_blocks_1_attentions_0_proj_in": layer("linear")[0]})
    panel.refresh()
    assert "This draws 16 pictures: 2 prompts × 2 seeds × 4 columns (3 LoRA files, and one without)." in panel._amount.value
    panel.form.control("weights").widget.value = "0.6, 0.8, 1"
    assert "This draws 40 pictures: 2 prompts × 2 seeds × 10 columns (3 LoRA files × 3 strengths, and one without)." in panel._amount.value
    panel.form.control("every_epoch").widget.value = False
    assert "This draws 16 pictures" in panel._amount.value and "1 LoRA file × 3 strengths" in panel._amount.value
    keep_drawn(session, run, seconds=80.0, pictures=16)
    panel.refresh()
    assert "This draws 16 pictures, about 80 s: " in panel._amount.value
    panel.form.control("seeds").widget.value = "1, 2, 3, 4"
    assert "This draws 32 pictures, about 3 min: " in panel._amount.value
    panel.form.control("weights").widget.value = "0"
    assert panel._amount.value == ""


def keep_drawn(session, run, seconds, pictures):
    """What a comparison left that took so long."""
    settings = settings_for(run, EvaluationSettings.make(run=run.id))
    (run.folder / "evaluation").mkdir(exist_ok=True)
    write_json(run.folder / "evaluation" / "evaluation.json", {
        "grid": "grid.png", "model": "m", "warnings": [], "columns": [{"label": "x", "lora": "x"}], "seconds": seconds,
        "settings": settings.model_dump(mode="json"),
        "pictures": [{"path": "00_00_1.png", "column": 0, "prompt": "a cat", "seed": number} for number in range(pictures)]})
