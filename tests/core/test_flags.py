"""What is said on the command line names flags; a person's own words stay as they are."""

import json
import re
from pathlib import Path

import pytest

from core.cli import main
from core.dataset.project import Project
from core.flags import remedy_in_flags, what_in_flags
from core.training.config import TrainingSettings
from core.training.finish import checking as of_finish
from core.utilities.files.metadata import MetadataSettings
from core.utilities.publishing.checking import NO_TOKEN
from core.utilities.publishing.settings import PublishSettings
from core.utilities.publishing.told import SWITCH
from tests.core.utilities.layers import layer, write

OWN = "/home/me/under Title/into Tags/x.safetensors"


@pytest.mark.parametrize(("words", "told"), [
    ("Choose another name under Save as, or move it.", "Choose another name with --save_to, or move it."),
    ("Write it into Trigger words if it is another.", "Write it with --trigger if it is another."),
    (f"{SWITCH}.", "Give --clean_metadata."),
    ("Make it private, or switch 'Private repository' off.", "Make it private, or give --no-private."),
    ("Lower 'Longest side of samples'.", "Lower --sample_size."),
    ("Choose 'stop' under 'If the name is taken'.", "Choose 'stop' with --existing."),
    (NO_TOKEN, "Write one with the right to write into HF_TOKEN in the environment."),
    (f"Look at {OWN}.", f"Look at {OWN}."), ("Look at 'Title', under Title.safetensors.", "Look at 'Title', under Title.safetensors.")])
def test_a_remedy_names_flags_and_no_path_is_changed(words, told):
    assert remedy_in_flags(words, PublishSettings) == told


def test_the_words_of_the_finish_for_its_token_fit_too():
    words = re.sub(r'"\s+"', "", Path(of_finish.__file__).read_text(encoding="utf-8"))
    sentence = next(line for line in words.splitlines() if "into the field Token" in line)
    assert "the field" not in remedy_in_flags(sentence) and "notebook" not in remedy_in_flags(sentence)


def test_what_is_wrong_keeps_a_persons_own_words():
    assert what_in_flags("Title is 'x': too long.", MetadataSettings) == "--name is 'x': too long."
    for own in (f"{OWN} is there already.", "mika.safetensors: Title is 'x'", "Choose it under Title."):
        assert what_in_flags(own, MetadataSettings) == own
    assert what_in_flags("Restarts must be at least 1.", TrainingSettings) == "Restarts must be at least 1."  # two flags have this title


def test_a_report_keeps_paths_and_tables_and_errors_keep_paths(tmp_path, capsys):
    folder = tmp_path / "under Title" / "under Save as"
    folder.mkdir(parents=True)
    path = write(folder / "a.safetensors", {"lora_unet_x": layer("linear")[0]}, {"modelspec.title": "put under Save as"})
    assert main(["lora-metadata", "--file", str(path), "--save_to", str(folder / "b.safetensors"), "--author", "me"]) == 0
    assert main(["lora-metadata", "--file", str(path), "--save_to", str(folder / "b.safetensors")]) == 1
    told = capsys.readouterr()
    assert f"{folder}/b.safetensors is there already. Choose another name with --save_to" in told.err and "with --" not in told.out
    assert main(["inspect-lora", "--file", str(path)]) == 0
    assert main(["check-publish", "--file", str(path), "--trigger", "put under Save as", "--to", "zip"]) in (0, 1)
    assert "put under Save as" in capsys.readouterr().out


def test_check_publish_names_no_field_of_the_panel(tmp_path, capsys):
    path = write(tmp_path / "mika.safetensors", {"lora_unet_x": layer("linear")[0]})
    main(["check-publish", "--file", str(path)])
    out = capsys.readouterr().out
    assert "with --trigger" in out and not re.search(r"into Trigger words|the field Token|under Samples|Switch '", out)


@pytest.mark.parametrize("command", ["train", "check"])
def test_training_commands_name_flags_too(tmp_path, capsys, command):
    project = Project.create(tmp_path / "p", "P")
    assert main([command, str(project.folder), "--network_dim", "0", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert "--network_dim" in told["error"], told
