"""The grid of before and after shows what was drawn last."""

import io
import os

import pytest
from PIL import Image

from core.base.files import write_json
from core.training.run import Run
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
