"""For which model captions are written: what a person chose, what Trainer says, what the project says; and how long they may be."""

import pytest

from core.base.errors import ConfigError
from core.base.families import CAPTION_FAMILIES, FamilyName, caption_family
from core.base.paths import ROOT
from core.dataset.captions.family_words import RATING_LEVELS
from core.dataset.captions.tags import key_of
from core.dataset.captions.target import CHOICE, Target, choose_family, chosen_family, find_target, plain_target
from core.dataset.captions.tokens import KINDS
from core.dataset.training_file import TRAINING_FILE


def facts(target: Target):
    return target.family.name, target.reads, target.is_set


def keep_training(project, **model):
    from core.training.config import TrainingSettings
    from core.training.kept import keep_settings

    settings = TrainingSettings()
    keep_settings(settings.changed(model=settings.model.changed(**model)), project)


def test_each_family_says_who_reads_its_captions():
    from typing import get_args

    assert tuple(CAPTION_FAMILIES) == get_args(FamilyName)
    for family in CAPTION_FAMILIES.values():
        assert family.readers and all(reader.tokenizer in KINDS and reader.reads > 0 for reader in family.readers)
        assert family.about.endswith(".") and plain_target(family.name).sentence().startswith(f"Captions for {family.title}. ")
        for level, word in (family.ratings or {}).items():
            assert RATING_LEVELS[key_of(word)] == level or (family.name, level) == ("pony", "sensitive")
    with pytest.raises(ConfigError, match="No model family is called 'flux'.*flux1"):
        caption_family("flux")


def test_before_trainer_the_projects_family_holds_and_the_length_that_presets_set(project):
    assert facts(find_target(project)) == ("sd15", 225, False)
    assert "CLIP reads 225 tokens with Trainer's presets" in find_target(project).sentence()
    hats = ", ".join(["hat"] * 120)
    assert find_target(project).measure(hats).words.endswith("239 tokens: more than 225, the rest is cut off")
    assert facts(find_target(project, "flux1")) == ("flux1", 511, False), "of it there is no preset"
    project.write_info(project.info().changed(family="sdxl"))
    assert facts(find_target(project)) == ("sdxl", 225, False)
    project.write_info(project.info().changed(family="something else"))
    assert facts(find_target(project)) == ("sd15", 225, False)


def test_what_is_set_in_trainer_goes_before_it(project):
    keep_training(project, family="sdxl", max_token_length=150)
    assert facts(find_target(project)) == ("sdxl", 150, True) and "as set in Trainer" in find_target(project).sentence()
    keep_training(project, family="sdxl", max_token_length=None)
    assert facts(find_target(project)) == ("sdxl", 75, True)
    keep_training(project, family="sd2", max_token_length=225)
    assert facts(find_target(project)) == ("sd2", 225, True)
    for wrong in ("[model\nfamily", '[data]\nsubsets = [{image_dir="a", =1}]\n'):
        (project.folder / TRAINING_FILE).write_text(wrong)
        assert facts(find_target(project)) == ("sd15", 225, False)


def test_presets_set_the_length_that_the_families_name():
    from core.training.config.presets import load_preset, preset_names

    lengths = {preset: load_preset(preset).model.max_token_length for preset in preset_names() if preset != "demo"}
    assert lengths and set(lengths.values()) == {caption_family("sd15").reader.preset}


def test_what_a_person_chose_for_the_project_goes_before_all_until_it_is_forgotten(project):
    keep_training(project, family="sdxl", max_token_length=150)
    choose_family(project, "pony")
    assert facts(find_target(project)) == ("pony", 150, True), "Pony is trained as SDXL, with the same length"
    choose_family(project, "flux1")
    assert facts(find_target(project)) == ("flux1", 511, False), "max_token_length is CLIP's"
    assert facts(find_target(project, "sd3")) == ("sd3", 255, False)
    assert facts(find_target(project, "auto", 40)) == ("flux1", 40, True)
    choose_family(project, "auto")
    assert chosen_family(project) == "" and facts(find_target(project)) == ("sdxl", 150, True)
    choose_family(project, "auto")
    with pytest.raises(ConfigError):
        choose_family(project, "flux")


@pytest.mark.parametrize("text", ["{", "[]", '{"family": 3}', '{"family": "gone"}', ""])
def test_a_choice_that_cannot_be_read_is_none(project, text):
    (project.hidden / CHOICE).write_text(text)
    assert find_target(project).family.name == "sd15"


def test_the_length_is_told_in_the_familys_own_words():
    hats = ", ".join(["hat"] * 50)  # 99 tokens for CLIP, exactly or not
    plain, set_to_75 = plain_target(), Target(caption_family("sdxl"), 75, True)
    assert "50 of 75 tokens" not in plain.measure("hat").words and plain.measure("hat").words.endswith("1 of 75 tokens")
    assert plain.measure(hats).words.endswith("99 tokens: needs max_token_length 150") and plain.measure(hats).over
    assert set_to_75.measure(hats).words.endswith("99 tokens: more than 75, the rest is cut off")
    assert plain.measure(", ".join(["hat"] * 200)).words.endswith("399 tokens: more than 75, the rest is cut off")
    flux = plain_target("flux1").measure(hats)
    assert "of 511 tokens" in flux.words and flux.words.endswith("CLIP sees the first 75") and not flux.over
    assert "CLIP" not in plain_target("flux1").measure("hat").words
    assert "needs t5xxl_max_token_length 512" in plain_target("sd3").measure(", ".join(["hat"] * 130)).words
    assert plain_target("z_image").measure("hat").words.endswith("of 504 tokens")


def test_who_reads_how_much_is_said_and_whether_it_is_known_exactly():
    words = plain_target("sd3").reading()
    assert words.startswith("T5 reads 255 tokens, CLIP the first 75.")
    assert ("estimated" in words) or words.endswith("75.")


def test_the_page_on_the_dataset_lists_each_family_with_what_it_reads():
    page = (ROOT / "docs" / "dataset.md").read_text(encoding="utf-8")
    for family in CAPTION_FAMILIES.values():
        readers = "; ".join(f"{KINDS[reader.tokenizer].title} {reader.reads}" for reader in family.readers)
        assert f"| `{family.name}` | {family.title} |" in page and f"| {readers} |" in page, family.name
