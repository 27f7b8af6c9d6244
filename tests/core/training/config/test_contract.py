"""The contract: what sd-scripts would misread in a pair is found, with the nearest name."""

import pytest

from core.base.errors import ConfigError
from core.training.config import TrainingSettings
from core.training.config.contract import check_dataset, check_pair
from core.training.config.facts import dataset_levels, described_commit, known_arguments
from core.training.config.pair import write_pair


@pytest.fixture
def pair(tmp_path):
    settings = TrainingSettings().with_values(data={"subsets": [{"image_dir": "/p"}]}, sampling={"sample_prompts": ["a girl"]})
    return write_pair(settings, tmp_path)


def test_a_written_pair_has_no_findings(pair):
    assert check_pair(pair, "train_network.py") == []


def test_the_facts_name_their_commit_and_both_scripts():
    assert len(described_commit()) == 40
    assert set(known_arguments("sdxl_train_network.py")) > set(known_arguments("train_network.py"))
    assert dataset_levels()["subset"]["image_dir"]["required"] is True


def test_an_unknown_script_is_named():
    with pytest.raises(ConfigError, match=r"flux_train_network\.py"):
        known_arguments("fluxx_train.py")


@pytest.mark.parametrize(("line", "words"), [
    ("network_dimm = 8", "Did you mean 'network_dim'"),
    ('network_dim = "8"', "network_dim is '8'"),
    ("network_dim = 8.5", "of type int"),
    ("network_dim = true", "of type int"),
    ('cache_latents = "false"', "true or false, without quotes"),
    ('mixed_precision = "fp32"', "knows only no, fp16, bf16"),
    ("max_token_length = 75", "knows only 150, 225"),
    ("resolution = 512", "of type str"),
    ('network_args = "conv_dim=8"', "a list of str"),
    ("optimizer_args = [1, 2]", "a list of str"),
    ('text_encoder_lr = ["1"]', "a list of float"),
])
def test_a_wrong_line_of_the_config_is_found(pair, line, words):
    key = line.split(" ")[0]
    kept = [old for old in pair.config.read_text().splitlines() if not old.startswith(f"{key} =")]
    pair.config.write_text("\n".join([*kept, line]) + "\n")
    findings = check_pair(pair, "train_network.py")
    assert [finding.level for finding in findings] == ["error"]
    assert words in str(findings[0])


@pytest.mark.parametrize("line", ["learning_rate = 1", "text_encoder_lr = 1e-5", "lr_warmup_steps = 0.05", "lr_warmup_steps = 100",
                                  "text_encoder_lr = [1e-5, 2e-5]"])
def test_what_the_parser_takes_is_no_finding(pair, line):
    key = line.split(" ")[0]
    kept = [old for old in pair.config.read_text().splitlines() if not old.startswith(f"{key} =")]
    pair.config.write_text("\n".join([*kept, line]) + "\n")
    assert check_pair(pair, "train_network.py") == []


def test_a_key_in_two_sections_is_found(pair):
    pair.config.write_text(pair.config.read_text() + "\n[more]\nseed = 1\n")
    assert "stands in [saving] and [more]" in str(check_pair(pair, "train_network.py")[0])


def test_a_key_of_sdxl_is_unknown_to_sd15_unless_the_backend_knows_it(pair):
    pair.config.write_text(pair.config.read_text() + "\n[more]\ncache_text_encoder_outputs = true\n")
    assert check_pair(pair, "sdxl_train_network.py") == []
    assert check_pair(pair, "train_network.py", also=("cache_text_encoder_outputs",)) == []
    assert len(check_pair(pair, "train_network.py")) == 1


@pytest.mark.parametrize(("tables", "words"), [
    ({"general": {"image_dir": "/p"}}, "knows no 'image_dir'"),
    ({"genral": {}}, "Did you mean 'general'"),
    ({"datasets": [{"validation_split": 0}]}, "wants float"),
    ({"datasets": [{"resolution": "512,512"}]}, "int | [int, int]"),
    ({"datasets": [{"resolution": 512.0}]}, "int | [int, int]"),
    ({"datasets": [{"subsets": [{"image_dir": "/p", "resolution": 512}]}]}, "knows no 'resolution'"),
    ({"datasets": [{"subsets": [{"image_dir": "/p", "numrepeats": 1}]}]}, "Did you mean 'num_repeats'"),
    ({"datasets": [{"subsets": [{"num_repeats": 1}]}]}, "image_dir is missing"),
    ({"datasets": [{"subsets": [{"image_dir": "/p", "face_crop_aug_range": [1, 2]}]}]}, "[float, float]"),
])
def test_what_sd_scripts_refuses_in_a_dataset_is_found(tables, words):
    """The same probes were put to sd-scripts' own schema."""
    findings = check_dataset(tables)
    assert len(findings) == 1
    assert words in str(findings[0])


@pytest.mark.parametrize("tables", [
    {}, {"datasets": [{}]}, {"general": {"num_repeats": 2}}, {"datasets": [{"resolution": [512, 768], "validation_split": 0.1}]},
    {"datasets": [{"subsets": [{"image_dir": "/p", "caption_dropout_rate": 0, "token_warmup_step": 0.5}]}]},
])
def test_what_sd_scripts_takes_in_a_dataset_is_no_finding(tables):
    assert check_dataset(tables) == []
