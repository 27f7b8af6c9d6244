"""Tagging with a real (tiny) ONNX model."""

import pytest

from core.base.errors import Cancelled, ConfigError, DatasetError, ModelError
from core.base.progress import Progress
from core.dataset.captions.tagging import TagSettings, tag_images
from core.dataset.history import undo_last
from core.dataset.items import folder_items
from tests.core.dataset.small_things import RED, picture


@pytest.fixture
def settings(tagger):
    def make(**values) -> TagSettings:
        return TagSettings.make(**{"model_dir": str(tagger), "drop_overlap": False, "device": "cpu", **values})

    return make


def texts(project) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted(project.images.glob("*.txt"))}


def test_each_image_gets_the_tags_of_its_colour(three, settings):
    report = tag_images(three, settings(batch_size=2))
    assert texts(three) == {"a": "red theme, dark red theme, mika (sea)", "b": "green theme", "c": "blue theme"}
    assert (report.written, report.provider, report.skipped) == (3, "CPUExecutionProvider", [])
    assert report.sentence() == "3 captions written on the CPU by the model in tagger/."
    assert report.tags["green theme"] == 1


def test_moving_a_threshold_does_not_run_the_model_again(three, settings):
    tag_images(three, settings())
    report = tag_images(three, settings(general_threshold=0.6, existing="replace"))
    assert (report.remembered, report.provider) == (3, "")
    assert texts(three)["a"] == "red theme, mika (sea)"


def test_tags_of_an_earlier_tagging_that_stay_are_named_and_replace_takes_them_out_but_no_word_of_a_person(three, settings):
    tag_images(three, settings())
    (three.images / "a.txt").write_text("my own words, red theme, dark red theme, mika (sea)")
    report = tag_images(three, settings(general_threshold=0.6))
    assert (report.written, report.unchanged, report.stayed) == (0, 3, 1)
    assert report.sentence() == (
        "0 captions written by the model in tagger/, 3 as before. 1 tag of an earlier tagging stays that would not be written now. Choose "
        "'replace' under 'Existing captions' to take such tags out: your own words stay with it too.")
    replaced = tag_images(three, settings(general_threshold=0.6, existing="replace"))
    assert texts(three)["a"] == "my own words, red theme, mika (sea)" and (replaced.written, replaced.stayed) == (1, 0)
    assert tag_images(three, settings(general_threshold=0.6)).stayed == 0


def test_tags_that_replace_could_not_take_out_are_not_said_to_stay(three, settings):
    tag_images(three, settings())
    (three.images / "b.txt").write_text("green theme, my own words")
    report = tag_images(three, settings(general_threshold=0.999, character_threshold=0.999))
    assert report.stayed == 1, "that of b: without a word of their own, the captions of a and c would be left as they are"
    again = tag_images(three, settings(general_threshold=0.999, character_threshold=0.999, existing="replace"))
    assert texts(three)["b"] == "my own words" and again.written == 1


def test_another_model_is_not_answered_from_the_first_ones_scores(three, settings, tmp_path):
    from tests.core.dataset.small_things import make_tagger

    tag_images(three, settings())
    report = tag_images(three, settings(model_dir=str(make_tagger(tmp_path / "other", size=16))))
    assert report.remembered == 0


class Swap(Progress):
    """Puts another picture in the place of one, after the images were listed and before they are looked at."""

    def __init__(self, path, other: bytes) -> None:
        super().__init__()
        self.path, self.other = path, other

    def report_start(self) -> None:
        self.path.write_bytes(self.other)


def test_scores_of_a_picture_that_was_replaced_meanwhile_are_not_remembered_as_those_of_the_old_one(three, settings):
    red = three.images / "a.png"
    before = red.read_bytes()
    tag_images(three, settings(), Swap(red, (three.images / "b.png").read_bytes()))
    red.write_bytes(before)
    tag_images(three, settings(existing="overwrite"))
    assert texts(three)["a"] == "red theme, dark red theme, mika (sea)"


def test_the_index_may_be_deleted_between(three, settings):
    tag_images(three, settings())
    (three.hidden / "index.sqlite").unlink()
    assert tag_images(three, settings()).unchanged == 3


def test_keep_leaves_captions_alone_and_still_reaches_the_end(three, settings):
    (three.images / "a.txt").write_text("my own")
    progress = Progress()
    report = tag_images(three, settings(existing="keep"), progress)
    assert texts(three)["a"] == "my own" and (report.kept, report.written) == (1, 2)
    assert (progress.done, progress.total) == (3, 3)


def test_keep_still_tags_what_has_only_the_trigger_word(three, settings):
    three.write_info(three.info().changed(trigger_word="mika"))
    (three.images / "b.txt").write_text("mika")
    tag_images(three, settings(existing="keep"))
    assert texts(three)["b"] == "mika, green theme"


def test_manual_words_survive_a_retag_in_every_order(three, settings):
    tag_images(three, settings())
    (three.images / "a.txt").write_text("sitting, red theme, a blue hat")
    tag_images(three, settings(existing="replace", general_threshold=0.99))
    assert texts(three)["a"] == "sitting, a blue hat"
    tag_images(three, settings(existing="merge"))
    assert texts(three)["a"] == "sitting, a blue hat, red theme"  # the tags that a person took out stay out


@pytest.mark.parametrize("existing", ["keep", "merge", "replace", "overwrite"])
def test_a_caption_file_that_was_deleted_is_written_anew(three, settings, existing):
    """Nobody takes tags out by deleting the file: whoever deletes it wants to begin anew."""
    tag_images(three, settings())
    for path in three.images.glob("*.txt"):
        path.unlink()
    assert tag_images(three, settings(existing=existing)).written == 3
    assert texts(three)["b"] == "green theme"


def test_a_caption_file_that_was_emptied_is_written_anew(three, settings):
    tag_images(three, settings())
    (three.images / "b.txt").write_text("")
    assert tag_images(three, settings()).skipped == []
    assert texts(three)["b"] == "green theme"


def test_what_was_taken_out_of_one_picture_is_not_held_against_another_of_its_name(three, settings):
    picture(three.images / "a.png", RED, size=(60, 60))
    tag_images(three, settings())
    picture(three.images / "a.png", (231, 21, 21), size=(60, 60))
    (three.images / "a.txt").write_text("of another picture")
    tag_images(three, settings())
    assert texts(three)["a"] == "of another picture, red theme, dark red theme, mika (sea)"


def test_undo_knows_its_own_captions_whatever_stands_between_the_tags(three, settings):
    (three.images / "a.txt").write_text("my own")
    tag_images(three, settings(caption_separator=",\t"))
    assert tag_images(three, settings(caption_separator=",\t")).unchanged == 3
    assert undo_last(three).skipped == []
    assert texts(three) == {"a": "my own"}


def test_undo_brings_back_what_was_there(three, settings):
    (three.images / "a.txt").write_text("my own")
    tag_images(three, settings(existing="overwrite"))
    (three.images / "b.txt").write_text("edited after")
    report = undo_last(three)
    assert texts(three) == {"a": "my own", "b": "edited after"}
    assert report.restored == 2 and [item.name for item in report.skipped] == ["b.txt"]
    with pytest.raises(DatasetError, match="no change to undo"):
        undo_last(three)


def test_a_broken_image_and_a_wrong_caption_are_skipped_and_the_rest_is_tagged(three, settings):
    (three.images / "broken.png").write_bytes(b"<html>")
    (three.images / "b.txt").write_bytes("café".encode("cp1252"))
    report = tag_images(three, settings(existing="overwrite"))
    reasons = {item.name: item.reason for item in report.skipped}
    assert "web page" in reasons["broken.png"] and "not UTF-8" in reasons["b.png"]
    assert report.written == 2 and (three.images / "b.txt").read_bytes() == "café".encode("cp1252")


def test_a_link_that_leads_nowhere_is_skipped_with_its_reason(three, settings, tmp_path):
    (three.images / "gone.png").symlink_to(tmp_path / "nowhere.png")
    for target in (three, folder_items(three.images)):
        report = tag_images(target, settings())
        assert [(item.name, "not there" in item.reason) for item in report.skipped] == [("gone.png", True)]


def test_an_image_without_any_tag_keeps_its_caption_and_none_is_written_empty(three, settings):
    (three.images / "a.txt").write_text("own")
    report = tag_images(three, settings(general_threshold=1, character_threshold=1, existing="overwrite"))
    assert texts(three) == {"a": "own"} and len(report.skipped) == 3


class StopAfter(Progress):
    def report_step(self, item: str) -> None:
        if self.done == 1:
            self.cancel()


def test_cancel_keeps_what_is_done_and_it_is_one_entry_to_undo(three, settings):
    with pytest.raises(Cancelled):
        tag_images(three, settings(batch_size=1), StopAfter())
    assert list(texts(three)) == ["a"]
    undo_last(three)
    assert texts(three) == {}


def test_only_named_images_are_tagged(three, settings):
    tag_images(three, settings(), only=["b"])
    assert list(texts(three)) == ["b"]


def test_a_plain_folder_is_tagged_without_a_project(tmp_path, settings):
    picture(tmp_path / "plain" / "sub" / "a.jpg", RED)
    report = tag_images(folder_items(tmp_path / "plain", recursive=True), settings(use_rating_tags=True, trigger_word="mika"))
    assert (tmp_path / "plain" / "sub" / "a.txt").read_text().startswith("mika, general")
    assert report.written == 1 and sorted(path.name for path in (tmp_path / "plain" / "sub").iterdir()) == ["a.jpg", "a.txt"]


def test_no_images_and_an_unusable_folder_are_named(project, settings, tmp_path):
    with pytest.raises(DatasetError, match="no images to tag"):
        tag_images(project, settings())
    picture(project.images / "a.png")
    with pytest.raises(ModelError, match="does not exist"):
        tag_images(project, settings(model_dir=str(tmp_path / "nothing")))
    with pytest.raises(ModelError, match=r"has no model\.onnx and no selected_tags\.csv"):
        tag_images(project, settings(model_dir=str(tmp_path)))
    with pytest.raises(ConfigError, match="one tag without commas"):
        tag_images(project, settings(trigger_word="a, b"))


def test_a_tagger_that_cannot_be_fetched_leaves_every_caption_as_it_was(three, settings, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (three.images / "a.txt").write_text("own")
    with pytest.raises(ModelError, match="could not be fetched"):
        tag_images(three, settings(model_dir="", download_dir=str(tmp_path / "hub")))
    assert texts(three) == {"a": "own"}


def test_an_ensemble_joins_what_its_taggers_find_and_each_looks_only_once(three, settings, tmp_path):
    both = settings(more_taggers=("demo",), batch_size=2, model_thresholds={"demo": "0.9"})
    progress = Progress()
    report = tag_images(three, both, progress)
    assert report.written == 3 and " and " in report.tagger and (progress.done, progress.total) == (6, 6)
    assert {"red theme", "dark red theme", "mika (sea)"} < set(texts(three)["a"].split(", "))
    again = tag_images(three, both.changed(general_threshold=0.6, existing="replace"))
    assert (again.remembered, again.provider) == (3, "") and "dark red theme" not in texts(three)["a"] and "red theme" in texts(three)["a"]
    alone = tag_images(three, settings(existing="replace"))
    assert alone.remembered == 3 and texts(three)["b"] == "green theme"


def test_a_tagger_that_joins_later_runs_alone_on_what_the_first_has_seen(three, settings):
    tag_images(three, settings())
    progress = Progress()
    report = tag_images(three, settings(more_taggers=("demo",)), progress)
    assert (report.remembered, report.provider, progress.total) == (0, "CPUExecutionProvider", 3)


def test_an_ensemble_in_a_plain_folder_needs_nothing_kept(tmp_path, settings):
    picture(tmp_path / "plain" / "a.jpg", RED)
    (tmp_path / "plain" / "b.jpg").write_bytes(b"<html>")
    report = tag_images(folder_items(tmp_path / "plain"), settings(more_taggers=("demo",), model_thresholds={"demo": "1"}))
    assert report.written == 1 and [item.name for item in report.skipped] == ["b.jpg"]
    assert "red theme" in (tmp_path / "plain" / "a.txt").read_text()


def test_a_cancelled_tagging_goes_on_where_it_stopped(three, settings):
    with pytest.raises(Cancelled):
        tag_images(three, settings(batch_size=1), StopAfter())
    report = tag_images(three, settings(batch_size=1))
    assert report.remembered >= 1 and report.written == 2 and len(texts(three)) == 3


def test_the_settings_may_name_the_images(three, settings):
    tag_images(three, settings(ids=("c",)))
    assert list(texts(three)) == ["c"]


@pytest.mark.slow
def test_moving_a_threshold_rewrites_two_thousand_captions_in_seconds(project, settings):
    """Ten thousand take a few seconds; the model would take minutes."""
    import time

    from core.dataset.captions.scores import ScoreStore
    from core.dataset.captions.scoring import find_taggers
    from core.dataset.items import list_items

    first = picture(project.images / "0000.png", size=(8, 8)).read_bytes()
    for number in range(1, 2000):
        (project.images / f"{number:04}.png").write_bytes(first + number.to_bytes(4, "big"))
    scores = {"general": {f"tag_{number}": 0.3 + number / 100 for number in range(40)}, "rating": {"general": 0.9}}
    files = find_taggers(settings())["wd-eva02-large-v3"]
    with ScoreStore.of(project) as store:
        store.remember(files.identity, "wd-eva02-large-v3", {item.sha256: scores for item in list_items(project)})
    tag_images(project, settings())
    started = time.monotonic()
    report = tag_images(project, settings(general_threshold=0.5, existing="replace"))
    assert (report.written, report.provider) == (2000, "") and time.monotonic() - started < 6
    assert (project.images / "1234.txt").read_text().split(", ")[-1] == "tag 20"


def test_what_something_else_wrote_while_the_model_looked_is_joined_not_lost(three, settings):
    class Meanwhile(Progress):
        def report_step(self, item: str) -> None:
            (three.images / "c.txt").write_text("written meanwhile")

    tag_images(three, settings(batch_size=1), Meanwhile())
    assert texts(three)["c"] == "written meanwhile, blue theme" or texts(three)["c"] == "written meanwhile"


class Lock(Progress):
    """Another program takes the file of the scores for itself, at the beginning or at the first step."""

    def __init__(self, project, at_step: bool) -> None:
        super().__init__()
        self.path, self.at_step = project.hidden / "scores.sqlite", at_step
        self.other = None

    def take(self) -> None:
        import sqlite3

        if self.other is None:
            self.other = sqlite3.connect(self.path)
            self.other.execute("BEGIN EXCLUSIVE")

    def report_start(self) -> None:
        if not self.at_step:
            self.take()

    def report_step(self, item: str) -> None:
        self.take()


@pytest.mark.slow
def test_kept_scores_that_cannot_be_read_are_no_answer_without_tags(three, settings):
    tag_images(three, settings())
    before, lock = texts(three), Lock(three, at_step=False)
    report = tag_images(three, settings(existing="replace"), lock)
    lock.other.close()
    assert texts(three) == before and (report.remembered, report.provider, report.skipped) == (0, "CPUExecutionProvider", [])
    assert lock.done == lock.total == 3


def test_a_kept_score_whose_words_are_lost_is_found_again_by_the_model(three, settings):
    import sqlite3

    tag_images(three, settings())
    before, other = texts(three), sqlite3.connect(three.hidden / "scores.sqlite")
    with other:
        other.execute("DELETE FROM words WHERE tag = 'green_theme'")
    other.close()
    report = tag_images(three, settings(existing="replace"))
    assert texts(three) == before and report.provider and report.remembered < 3


@pytest.mark.slow
def test_where_one_of_two_answers_is_lost_the_caption_stays(three, settings):
    (three.images / "a.txt").write_text("mine")
    lock = Lock(three, at_step=True)
    report = tag_images(three, settings(existing="replace", more_taggers=("demo",)), lock)
    lock.other.close()
    assert report.written == 0 and texts(three) == {"a": "mine"}
    assert len(report.skipped) == 3 and "could not be read" in report.skipped[0].reason


def test_a_folder_that_is_used_in_place_of_the_tagger_is_named_by_itself(three, settings, tagger):
    report = tag_images(three, settings())
    assert report.sentence() == f"3 captions written on the CPU by the model in {tagger.name}/."
    assert undo_last(three).what == f"Tagged with the model in {tagger.name}/"
    assert settings(model_dir="", repo_id="me/mine", more_taggers=["wd-vit-v3"]).called == "the model of me/mine and WD ViT v3"
    assert settings(model_dir="").called == "WD EVA02-Large v3"
