"""The command line offers every stage, and says what is wrong in one sentence."""

import json

import pytest
from PIL import Image

from core.base.settings import Settings
from core.cli import build_parser, main
from core.stages import STAGES, stage_named


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


@pytest.mark.parametrize(("given", "sentence"), [("225", ""), ("none", ""), ("100", "max_token_length")])
def test_choices_of_numbers_and_none_can_be_given(given, sentence, project, capsys):
    _, out, err = run(capsys, "check", project, "--preset", "sd15_style", "--max_token_length", given, "--json")
    assert sentence in err if sentence else json.loads(out)["findings"]


def test_a_sample_prompt_may_be_a_plain_sentence(project, capsys):
    assert json.loads(run(capsys, "check", project, "--preset", "sd15_style", "--sample_prompts", "mycat, smile", "--json")[1])["findings"]
