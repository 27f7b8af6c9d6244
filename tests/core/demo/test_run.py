"""The demo asks fair questions, and it learns."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from core.base.paths import ROOT
from core.base.progress import Progress
from core.dataset.project import named_projects
from core.demo.run import BROKEN, DemoSummary, grid, judged_prompts, make_project, regularisation_prompts
from core.demo.world import TRIGGER
from core.training.saved_loras import saved_loras


def test_only_the_triggered_prompts_bear_the_trigger_word():
    triggered, untriggered, ordinary = judged_prompts()
    assert all(prompt.startswith(f"{TRIGGER}, ") for prompt in triggered.prompts)
    assert [f"{TRIGGER}, {prompt}" for prompt in untriggered.prompts] == triggered.prompts
    assert not any(TRIGGER in prompt for prompt in ordinary.prompts)


def test_regularisation_never_uses_a_judged_prompt_nor_the_trigger():
    judged = {prompt for question in judged_prompts() for prompt in question.prompts}
    prompts = regularisation_prompts()
    assert not judged & set(prompts)
    assert not any(TRIGGER in prompt for prompt in prompts)


@pytest.mark.parametrize(("figures", "learned"), [
    ({"before": 0.0, "after": 0.9, "untriggered": 0.2, "others": 0.95}, True),
    ({"before": 0.2, "after": 0.9, "untriggered": 0.2, "others": 0.95}, False),
    ({"before": 0.0, "after": 0.7, "untriggered": 0.2, "others": 0.95}, False),
    ({"before": 0.0, "after": 0.9, "untriggered": 0.8, "others": 0.95}, False),
    ({"before": 0.0, "after": 0.9, "untriggered": 0.2, "others": 0.7}, False)])
def test_each_figure_alone_can_fail_the_demo(figures, learned):
    from core.demo.run import _learned

    assert _learned(figures) is learned


def test_the_summary_says_it_in_words():
    text = DemoSummary(False, 0.0, 0.5, 0.1, 0.9, 0.9, 0.8, 100.0, "a", "b", "c").sentence()
    assert "did not learn" in text and "50%" in text


class Listener(Progress):
    """What a person reads."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def warn(self, message):
        self.heard.append(message)

    def note(self, message):
        self.heard.append(message)


def test_what_is_said_of_the_broken_picture_is_followed_by_that_it_is_meant(tmp_path):
    listener = Listener()
    make_project(tmp_path, listener)
    place = next(number for number, message in enumerate(listener.heard) if message.startswith(BROKEN))
    assert "damaged" in listener.heard[place] and f"{BROKEN} is damaged is meant" in listener.heard[place + 1]


def test_the_sheet_shows_every_pixel_of_a_picture_as_a_square_of_the_same_size():
    picture = Image.effect_noise((64, 64), 80).convert("RGB")
    sheet = grid([("one", [picture] * 8), ("two", [picture] * 8)])
    assert sheet.width == 2192 and sheet.height == 2 * (256 + 52 + 16) + 16
    shown = sheet.crop((16, 16 + 52, 16 + 256, 16 + 52 + 256))
    assert shown.tobytes() == picture.resize((256, 256), Image.Resampling.NEAREST).tobytes()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_demo_learns_the_character(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(tmp_path / "projects"))
    done = subprocess.run([sys.executable, "-m", "core", "demo", "--folder", str(tmp_path), "--json"], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["learned"] and summary["after"] >= 0.8 and summary["before"] <= 0.1
    assert "data:image" in (tmp_path / "report.html").read_text()
    assert json.loads(done.stdout.splitlines()[-1])["after"] == summary["after"]
    (named,) = named_projects()  # as the notebooks offer it
    assert named[0] == summary["project"] and f"open the project {named[0]} in the panel Project" in DemoSummary(**summary).sentence()
    assert (str(saved_loras(named[1])[0][1]), saved_loras(named[1])[0][0]) == (summary["lora"], f"{named[0]}.safetensors (finished)")
    said = done.stderr.splitlines()
    assert sum(line.startswith("Training: ") and " left" in line for line in said) >= 1 and len(said) <= 80
