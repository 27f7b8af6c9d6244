"""The command line offers every stage, says how far it is, and what is wrong in one sentence."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from core.base.paths import ROOT
from core.base.settings import Settings
from core.cli import build_parser, main
from core.stages import STAGES, stage_named
from core.terminal import TerminalProgress
from tests.core.utilities.layers import layer, write


def run(capsys, *argv):
    code = main(list(argv))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def project(tmp_path, capsys):
    source = tmp_path / "source"
    source.mkdir()
    Image.new("RGB", (80, 60), "red").save(source / "a.png")
    (source / "a.txt").write_text("red square")
    code, out, _ = run(capsys, "create", "cats", "--parent", str(tmp_path), "--trigger", "mycat", "--json")
    assert code == 0
    folder = json.loads(out)["project"]
    assert run(capsys, "import", folder, "--source", str(source), "--json")[0] == 0
    return folder


@pytest.mark.parametrize("name", STAGES)
def test_each_stage_is_a_command_with_its_settings_as_flags(name):
    text = build_parser()._subparsers._group_actions[0].choices[name].format_help()
    for field, about in stage_named(name).settings_class().fields().items():
        inner = about.annotation.fields() if isinstance(about.annotation, type) and issubclass(about.annotation, Settings) else [field]
        assert all(f"--{one}" in text for one in inner)


def test_the_usage_names_the_command_that_the_readme_names():
    assert build_parser().format_usage().startswith("usage: ./jupyter.sh core ")


def test_a_file_whose_name_is_no_utf8_does_not_spoil_the_answer(project, tmp_path, capsys):
    (tmp_path / "source" / os.fsdecode(b"caf\xe9.png")).write_bytes(b"<html>")
    for form in ((), ("--json",)):
        code, out, err = run(capsys, "import", project, "--source", str(tmp_path / "source"), *form)
        assert code == 0 and "caf\\udce9.png" in out + err
    assert json.loads(out)["skipped"][0]["name"] == os.fsdecode(b"caf\xe9.png")


def test_a_project_is_made_filled_and_checked(project, capsys):
    assert run(capsys, "trigger", project, "--trigger_word", "mycat", "--json")[0] == 0
    code, out, _ = run(capsys, "check-dataset", project, "--json")
    findings = json.loads(out)["findings"]
    assert code == int(any(finding["level"] == "error" for finding in findings))
    with open(f"{project}/images/a.txt", encoding="utf-8") as file:
        assert file.read().startswith("mycat")


def test_a_bulk_change_is_taken_back(project, capsys):
    run(capsys, "trigger", project, "--trigger_word", "other")
    assert run(capsys, "undo", project)[0] == 0
    with open(f"{project}/images/a.txt", encoding="utf-8") as file:
        assert file.read().strip() == "red square"


def test_a_wrong_value_is_one_sentence_and_no_traceback(project, capsys):
    code, out, err = run(capsys, "tag", project, "--tagger", "demo", "--general_threshold", "35", "--json")
    assert code == 1 and "must be at most 1" in err and "Traceback" not in err
    assert "must be at most 1" in json.loads(out)["error"]


def test_a_missing_project_says_where_it_was_looked_for(tmp_path, capsys):
    code, _, err = run(capsys, "check-dataset", str(tmp_path / "nowhere"))
    assert code == 1 and "nowhere" in err


def test_presets_are_listed_by_family(capsys):
    code, out, _ = run(capsys, "presets", "--json")
    assert code == 0 and "sdxl_style" in json.loads(out)["sdxl"]


def test_single_settings_of_a_preset_are_changed_by_flags(project, capsys):
    code, out, _ = run(capsys, "check", project, "--preset", "sd15_character", "--pretrained_model_name_or_path", "/nowhere.safetensors",
                       "--json")
    assert code == 1
    assert any("/nowhere.safetensors" in finding["what"] for finding in json.loads(out)["findings"])


@pytest.mark.parametrize(("given", "sentence"), [("225", ""), ("none", ""), ("100", "--max_token_length must be one of 150 or 225")])
def test_choices_of_numbers_and_none_can_be_given(given, sentence, project, capsys):
    _, out, err = run(capsys, "check", project, "--preset", "sd15_style", "--max_token_length", given, "--json")
    assert sentence in err if sentence else json.loads(out)["findings"]


def test_a_sample_prompt_may_be_a_plain_sentence(project, capsys):
    assert json.loads(run(capsys, "check", project, "--preset", "sd15_style", "--sample_prompts", "mycat, smile", "--json")[1])["findings"]


@pytest.mark.parametrize(("flags", "prompts"), [([], ["mycat"]), (["--sample_prompts", "a dog"], ["a dog"]),
                                                (["--sample_prompts", "[]"], [])])
def test_without_the_flag_sample_prompts_are_proposed_and_an_empty_list_is_a_choice(project, flags, prompts):
    from core.training_commands import _training_settings

    given = build_parser().parse_args(["train", project, "--preset", "sd15_style", *flags])
    assert [prompt.prompt for prompt in _training_settings(given).sampling.sample_prompts] == prompts


def test_without_a_preset_the_kept_settings_are_taken(project):
    from core.dataset.project import Project
    from core.training.config import TrainingSettings
    from core.training.kept import keep_settings
    from core.training_commands import _training_settings

    keep_settings(TrainingSettings.from_values({"network": {"network_dim": 12}, "data": {"resolution": 640}}), Project(Path(project)))
    settings = _training_settings(build_parser().parse_args(["check", project, "--resolution", "576"]))
    assert (settings.network.network_dim, settings.data.resolution, settings.sampling.sample_prompts) == (12, 576, [])


def test_a_preset_leaves_the_projects_own_model_alone(project):
    from core.dataset.project import Project
    from core.training.config import TrainingSettings
    from core.training.kept import keep_settings
    from core.training_commands import _training_settings

    kept = {"model": {"pretrained_model_name_or_path": "/models/mine.safetensors"}, "network": {"network_dim": 12}}
    keep_settings(TrainingSettings.from_values(kept), Project(Path(project)))
    settings = _training_settings(build_parser().parse_args(["train", project, "--preset", "sd15_style"]))
    assert settings.model.pretrained_model_name_or_path == "/models/mine.safetensors" and settings.network.network_dim != 12


def test_without_an_id_the_newest_run_is_meant(project, capsys):
    from core.training.config import TrainingSettings
    from core.training.run import Run

    code, _, err = run(capsys, "status", project)
    assert code == 1 and "has no run yet" in err and "Traceback" not in err
    made = [Run.create(Path(project), TrainingSettings(), "builtin").id for _ in range(2)]
    (Path(project) / "runs" / made[0]).rename(Path(project) / "runs" / "19990101_000000")
    assert json.loads(run(capsys, "status", project, "--json")[1])["run"] == made[1]


class Terminal(io.StringIO):
    """What a terminal would be sent."""

    def isatty(self):
        return True


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def work(stream, total, seconds, monkeypatch, warn_at=None):
    """A phase of so many items in so many seconds."""
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    progress = TerminalProgress(stream)
    progress.start("Training", total)
    for number in range(total):
        clock.now += seconds / total
        progress.advance(f"step {number + 1}")
        if number == warn_at:
            progress.warn("something")
    progress.close()
    return stream.getvalue()


def on_screen(sent):
    """What stands on the terminal in the end: a line is begun anew by carriage return and erased."""
    return [line.rpartition("\r\x1b[K")[2] for line in sent.split("\n")]


def test_on_a_terminal_one_line_renews_itself_with_count_share_and_time_left(monkeypatch):
    sent = work(Terminal(), 400, 80.0, monkeypatch)
    assert on_screen(sent) == ["Training: 400 of 400 (100 %), took 80 s", ""]
    assert "Training: 100 of 400 (25 %), step 100, 60 s left" in sent and sent.count("\r") <= 402


def test_a_note_never_stands_in_the_middle_of_the_line(monkeypatch):
    sent = work(Terminal(), 40, 80.0, monkeypatch, warn_at=20)
    assert on_screen(sent) == ["Note: something", "Training: 40 of 40 (100 %), took 80 s", ""]


def test_a_phase_that_ends_early_leaves_its_line_and_the_next_begins_its_own():
    stream = Terminal()
    progress = TerminalProgress(stream)
    progress.start("Drawing", 3)
    progress.start("Saving")
    progress.close()
    assert on_screen(stream.getvalue()) == ["Drawing …", "Saving …", ""]


def test_elsewhere_a_long_phase_is_told_every_tenth_or_every_15_seconds(monkeypatch):
    lines = work(io.StringIO(), 400, 80.0, monkeypatch).splitlines()
    assert lines[0] == "Training …" and lines[-1] == "Training: 400 of 400 (100 %), took 80 s"
    assert [int(re.search(r"\((\d+) %\)", line).group(1)) for line in lines[1:]] == list(range(10, 101, 10))
    slow = work(io.StringIO(), 100, 3600.0, monkeypatch).splitlines()
    assert 90 <= len(slow) - 1 <= 101  # an item takes 36 s: each is told


def test_elsewhere_a_short_phase_is_one_line(monkeypatch):
    assert work(io.StringIO(), 40, 1.0, monkeypatch).splitlines() == ["Training …"]


def test_where_a_stage_tells_more_of_its_place_it_stands_in_the_line(monkeypatch):
    stream, clock = io.StringIO(), Clock()
    monkeypatch.setattr("time.monotonic", clock)
    progress = TerminalProgress(stream)
    progress.start("Training", 10)
    clock.now += 30
    progress.advance("epoch 2 of 5", by=5)
    assert stream.getvalue().splitlines()[-1] == "Training: 5 of 10 (50 %), epoch 2 of 5, 30 s left"
    clock.now += 6
    progress.advance("picture_07.png")
    assert stream.getvalue().splitlines()[-1] == "Training: 6 of 10 (60 %), 24 s left"


def test_a_start_tells_everything_that_the_check_found(project, capsys):
    Image.new("RGB", (64, 64)).save(Path(project) / "images" / "without.png")
    code, _, err = run(capsys, "train", project, "--preset", "sd15_style", "--pretrained_model_name_or_path", "/nowhere.safetensors")
    assert code == 1 and "/nowhere.safetensors" in err
    assert "have no caption" in err or "has no caption" in err


def test_presets_are_listed_in_words_with_the_demos(capsys):
    lines = run(capsys, "presets")[1].splitlines()
    assert next(line for line in lines if line.startswith("sd15:")).split(", ")[-1] == "demo"
    assert not any("[" in line for line in lines)


@pytest.mark.parametrize(("flag", "meant"), [("--network_dimm", "--network_dim"), ("--learning-rate", "--learning_rate"),
                                             ("--max_epochs=3", "--max_train_epochs"), ("--colour_of_hair", "")])
def test_a_flag_that_nobody_knows_is_named_with_the_one_that_was_meant(flag, meant, tmp_path, capsys):
    assert main(["train", str(tmp_path), flag, "5"]) == 1
    said = capsys.readouterr().err
    assert flag.partition("=")[0] in said and len(said.splitlines()) == 1
    assert (f"Did you mean {meant}?" in said) if meant else "Did you mean" not in said


@pytest.fixture
def pictures(project):
    """One more that is damaged, and a large one."""
    Image.new("RGB", (900, 700), "green").save(f"{project}/images/large.png")
    with open(f"{project}/images/broken.png", "wb") as file:
        file.write(b"no picture")
    return project


def test_a_picture_tool_says_of_each_picture_why_it_was_left_out(pictures, capsys):
    code, out, err = run(capsys, "mask", pictures, "--segmenter", "plain")
    assert code == 0 and "3 left out" in out
    assert "broken.png was left out: broken.png is not an image" in err
    assert "a.png was left out: Nothing was found" in err and "large.png was left out: Nothing was found" in err
    code, out, err = run(capsys, "crop", pictures, "--smallest", "16")
    assert "large.png was left out: Nobody was found" in err


def test_the_plan_of_bulk_by_size_is_told_picture_by_picture(pictures, capsys):
    code, out, _ = run(capsys, "by-size", pictures, "--plan_only", "--small", "100", "--target", "400", "--large", "600")
    lines = [line.split("  ") for line in out.splitlines()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert code == 0 and "2 pictures: 1 upscaled, 0 stay, 1 shrunk" in out
    assert rows[-3:] == [["picture", "size", "plan", "becomes"], ["a.png", "80 x 60", "upscale", "533 x 400"],
                         ["large.png", "900 x 700", "resize", "514 x 400"]]
    code, out, _ = run(capsys, "by-size", pictures, "--small", "16", "--target", "400", "--large", "600")
    assert out.splitlines()[-1].split("  ")[-1].strip() == "large_resized.png, 514 x 400"
    assert json.loads(run(capsys, "by-size", pictures, "--plan_only", "--json")[1])["table"][0]["picture"] == "a.png"


@pytest.mark.parametrize(("flags", "said"), [
    (["--new_rank", "0"], "--new_rank must be at least 1"), (["--new_conv_rank", "0"], "--new_conv_rank must be at least 1"),
    (["--save_to", "x.pt"], "Only safetensors files are written."), (["--new_rank", "2"], "Choose another name with --save_to, or move")])
def test_a_refused_command_names_flags_and_not_the_fields_of_a_panel(tmp_path, capsys, flags, said):
    path = write(tmp_path / "a.safetensors", {"lora_unet_x": layer("linear")[0]})
    (tmp_path / "a-r2.safetensors").write_bytes(b"")
    code, out, err = run(capsys, "resize-lora", "--file", str(path), "--device", "cpu", *flags, "--json")
    assert code == 1 and said in err and "Save as" not in err
    assert said in " ".join(json.loads(out).values())


def test_a_command_loads_no_other_ones_settings():
    code = ("import sys; from core.cli import build_parser; print(build_parser().parse_args(['inspect-lora', '--file', 'x']).file, "
            "'core.utilities.inspecting.inspecting' in sys.modules, 'core.training.guards' in sys.modules, "
            "'core.dataset.sources.import_settings' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["x", "True", "False", "False"]


def test_a_mistyped_command_and_a_file_without_its_flag_are_told_what_was_meant(capsys, tmp_path):
    assert main(["inspect-lorra", "--file", "x"]) == 1
    assert capsys.readouterr().err.startswith("inspect-lorra is no command. Did you mean inspect-lora? Every command: ")
    assert main(["inspect-lora", str(tmp_path / "a.safetensors")]) == 1
    assert f"Did you mean --file {tmp_path / 'a.safetensors'}?" in capsys.readouterr().err


def test_where_a_new_file_lies_is_told(capsys, tmp_path):
    write(tmp_path / "a.safetensors", {"lora_unet_up_blocks_1_attentions_0_proj_in": layer("linear", 1)[0]})
    assert main(["resize-lora", "--file", str(tmp_path / "a.safetensors"), "--new_rank", "1"]) == 0
    assert f"It lies in {tmp_path}." in capsys.readouterr().out
