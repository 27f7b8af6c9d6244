"""The demo asks fair questions, and it learns."""

import json
import subprocess
import sys

import pytest

from core.base.paths import ROOT
from core.demo.run import DemoSummary, judged_prompts, regularisation_prompts
from core.demo.world import TRIGGER


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
    text = DemoSummary(False, 0.0, 0.5, 0.1, 0.9, 0.9, 0.8, 100.0, "a", "b").sentence()
    assert "did not learn" in text and "50%" in text


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_demo_learns_the_character(tmp_path):
    done = subprocess.run([sys.executable, "-m", "core", "demo", "--folder", str(tmp_path), "--json"], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["learned"] and summary["after"] >= 0.8 and summary["before"] <= 0.1
    assert "data:image" in (tmp_path / "report.html").read_text()
    assert json.loads(done.stdout.splitlines()[-1])["after"] == summary["after"]
