"""Images get other names, and every caption stays with its own picture, whatever comes in between."""

import fcntl
import os
import random
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from core.base.errors import Cancelled, ConfigError, DatasetError
from core.base.locks import locked
from core.base.progress import SILENT, Progress
from core.dataset import renaming
from core.dataset.captions.caption_texts import CaptionSettings
from core.dataset.captions.edit_settings import EditSettings
from core.dataset.captions.editing import edit_captions
from core.dataset.captions.tagging import TagSettings
from core.dataset.history import History, redo_last, undo_last
from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.variants import save_variant
from core.dataset.images.writing import LOCK as VERSIONS_LOCK
from core.dataset.items import list_items
from core.dataset.manager import DatasetManager
from core.dataset.project import trained_on
from core.dataset.rejecting import RejectSettings, RestoreSettings, reject_images, restore_images
from core.dataset.renaming import RenameSettings, plain_stem, plan_rename, rename_images, taken, undo_rename
from core.dataset.renaming_journal import Rename, last_renaming
from core.dataset.renaming_steps import mend, rename_stems
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.importing import import_images
from core.dataset.sources.ledger import fold
from core.dataset.versions import VersionSettings, compare_versions, name_version, plan_restore
from tests.core.dataset.small_things import picture
from tests.dying import killed


def fill(project, *stems: str, suffix: str = ".png") -> None:
    """Each picture's colour and caption tell which it is."""
    for number, stem in enumerate(stems):
        picture(project.images / f"{stem}{suffix}", colour=(number % 250, number // 250, 7), size=(40, 40))
        (project.images / f"{stem}.txt").write_text(f"picture {number}")


def who_is_who(project) -> dict[str, tuple[int, str | None]]:
    """Stem → number in the picture, and caption."""
    found = {}
    for item in list_items(project):
        red, green, _ = Image.open(item.path).convert("RGB").getpixel((3, 3))
        found[item.id] = (red + 250 * green, item.caption)
    return found


def is_whole(project, count: int) -> bool:
    """Whether every picture is there once, each with its own caption."""
    found = who_is_who(project)
    return sorted(number for number, _ in found.values()) == list(range(count)) and all(
        caption == f"picture {number}" for number, caption in found.values())


def rename(project, **settings):
    return rename_images(project, RenameSettings.make(**settings))


def test_images_are_numbered_with_their_captions_in_natural_order(project):
    fill(project, "2", "10", "a b")
    plan = plan_rename(project, RenameSettings.make(name="my cat"))
    assert [(one.old, one.new) for one in plan.renames] == [("2", "my cat_0001"), ("10", "my cat_0002"), ("a b", "my cat_0003")]
    assert plan.sentence() == "Would give 3 of 3 images another name." and list(who_is_who(project)) == ["2", "10", "a b"]
    report = rename(project, name="my cat", plan=plan.mark)
    assert report.sentence() == "3 images were renamed, with their captions."
    assert who_is_who(project) == {"my cat_0001": (0, "picture 0"), "my cat_0002": (1, "picture 1"), "my cat_0003": (2, "picture 2")}
    assert rename(project, name="my cat").done == 0


def test_a_preview_that_is_out_of_date_renames_nothing(project):
    fill(project, "a", "b")
    mark = plan_rename(project, RenameSettings.make(name="x")).mark
    (project.images / "a.png").unlink()
    with pytest.raises(ConfigError, match="others now than in the preview"):
        rename(project, name="x", plan=mark)
    assert list(who_is_who(project)) == ["b"]


def test_names_that_are_taken_by_each_other_are_exchanged(project):
    fill(project, "x_0002", "x_0001", "x_0003")
    time_of = {"x_0002": 1000, "x_0001": 2000, "x_0003": 3000}
    for stem, seconds in time_of.items():
        os.utime(project.images / f"{stem}.png", (seconds, seconds))
    rename(project, name="x", order="time")
    assert who_is_who(project) == {"x_0001": (0, "picture 0"), "x_0002": (1, "picture 1"), "x_0003": (2, "picture 2")}
    undo_rename(project)
    assert who_is_who(project) == {"x_0002": (0, "picture 0"), "x_0001": (1, "picture 1"), "x_0003": (2, "picture 2")}


def test_it_can_be_taken_back_once_and_again(project):
    fill(project, "a", "b")
    before = who_is_who(project)
    rename(project, name="one")
    rename(project, name="two")
    assert last_renaming(project).what == "Numbered: 2 images"
    assert undo_rename(project).sentence() == "2 images were given their old names back, with their captions."
    assert list(who_is_who(project)) == ["one_0001", "one_0002"]
    undo_rename(project)
    assert who_is_who(project) == before
    with pytest.raises(DatasetError, match="No renaming can be taken back"):
        undo_rename(project)


def test_what_went_away_or_lost_its_old_name_keeps_the_new_one_when_it_is_taken_back(project):
    fill(project, "a", "b", "c")
    rename(project, name="x")
    (project.images / "x_0001.png").unlink()
    picture(project.images / "b.png", colour=(99, 0, 7), size=(40, 40))
    report = undo_rename(project)
    assert {item.name: item.reason for item in report.skipped} == {
        "x_0001": "It is not in the project any more.", "x_0002": "Another image is called b now."}
    assert {stem: number for stem, (number, _) in who_is_who(project).items()} == {"b": 99, "c": 2, "x_0002": 1}


def test_everything_of_an_image_goes_along_and_nothing_of_another(project):
    fill(project, "cat", "cat_1")
    for name in ("cat_0512x0768_sd.npz", "cat_te_outputs.npz", "cat.caption", "cat_1_0512x0768_sd.npz"):
        (project.images / name).write_bytes(name.encode())
    for name in ("cat_resized.png", "cat_face_mask.png", "cat_1_resized.png"):
        (project.variants / name).write_bytes(name.encode())
    rename_stems(project, [Rename("cat", "dog")], "one")
    assert sorted(path.name for path in project.images.iterdir() if not path.name.startswith(".")) == [
        "cat_1.png", "cat_1.txt", "cat_1_0512x0768_sd.npz", "dog.caption", "dog.png", "dog.txt", "dog_0512x0768_sd.npz",
        "dog_te_outputs.npz"]
    assert sorted(path.name for path in project.variants.iterdir()) == ["cat_1_resized.png", "dog_face_mask.png", "dog_resized.png"]
    assert (project.images / "dog_te_outputs.npz").read_bytes() == b"cat_te_outputs.npz"


def test_two_images_that_share_a_caption_stay_together(project):
    fill(project, "a")
    picture(project.images / "a.jpg", colour=(50, 50, 50))
    rename(project, name="x")
    assert sorted(path.name for path in project.images.iterdir()) == ["x_0001.jpg", "x_0001.png", "x_0001.txt"]


@pytest.mark.parametrize(("name", "plain"), [
    ("Über Café (1)", "Uber_Cafe_1"), ("日本語 x", "x"), ("日本", "image"), ("a__b-c.d", "a__b-c_d"), ("con", "_con"),
    ("Straße", "Strasse")])
def test_plain_names_have_latin_letters_only(name, plain):
    assert plain_stem(name) == plain


def test_plain_names_that_fall_together_get_numbers_and_who_is_plain_already_keeps_its_own(project):
    fill(project, "a b", "a_b", "a.b", "c")
    rename(project, how="plain")
    assert {stem: number for stem, (number, _) in who_is_who(project).items()} == {"a_b": 1, "a_b-2": 0, "a_b-3": 2, "c": 3}
    assert is_whole(project, 4)


def test_numbers_of_plain_names_pass_over_those_that_others_keep(project):
    fill(project, "x", "x-2", "x y", "x.y", "x_y-2")
    plan = plan_rename(project, RenameSettings.make(how="plain"))
    assert {one.old: one.new for one in plan.renames} == {"x y": "x_y", "x.y": "x_y-3"}


def test_many_of_one_name_are_numbered_without_counting_from_the_first(project, monkeypatch):
    looks = []
    monkeypatch.setattr(renaming, "fold", lambda name: looks.append(name) or fold(name))
    for how in ("plain", "time"):
        fill(project, *(f"a{' ' * number}b" for number in range(1, 41)))
        for path in project.images.glob("*.png"):
            os.utime(path, (1000, 1000))
        looks.clear()
        names = [one.new.rpartition("-")[2] for one in plan_rename(project, RenameSettings.make(how=how)).renames]
        assert names[1:] == [str(number) for number in range(2, 41)] and len(looks) < 8 * 40


def test_the_time_a_picture_was_taken_becomes_its_name(project):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[36867] = "2024:05:06 07:08:09"
    picture(project.images / "a.jpg", exif=exif)
    picture(project.images / "b.jpg", colour=(9, 9, 9), exif=exif)
    picture(project.images / "c.png")
    os.utime(project.images / "c.png", (1_700_000_000, 1_700_000_000))
    (project.images / "b.txt").write_text("b")
    rename(project, how="time", name="cat")
    written = datetime.fromtimestamp(1_700_000_000)
    assert sorted(who_is_who(project)) == sorted(["cat_20240506-070809", "cat_20240506-070809-2", f"cat_{written:%Y%m%d-%H%M%S}"])
    assert (project.images / "cat_20240506-070809-2.txt").read_text() == "b"
    (project.images / "bad.jpg").write_bytes(b"no picture")
    assert taken(project.images / "bad.jpg", 10**18) == datetime.fromtimestamp(10**9)


def test_names_of_rejected_images_are_not_given_away(project):
    fill(project, "x_0001", "b")
    reject_images(project, RejectSettings(images=("x_0001",)))
    rename(project, name="x")
    assert list(who_is_who(project)) == ["x_0002"]
    restore_images(project, RestoreSettings())
    assert who_is_who(project) == {"x_0001": (0, "picture 0"), "x_0002": (1, "picture 1")}


def test_the_history_of_captions_follows_the_names(project):
    fill(project, "b", "a")
    name = VersionSettings.make(name="before")
    name_version(project, name)
    edit_captions(project, EditSettings.make(add_last="hat"))
    rename_stems(project, [Rename("a", "b"), Rename("b", "a")], "exchanged")
    assert who_is_who(project) == {"a": (0, "picture 0, hat"), "b": (1, "picture 1, hat")}
    assert compare_versions(project, "before").sentence() == "2 captions differ, 0 are the same."
    assert {change.file: change.after for change in plan_restore(project, "before").changes} == {"a.txt": "picture 0", "b.txt": "picture 1"}
    assert undo_last(project).restored == 2 and is_whole(project, 2)
    redo_last(project)
    undo_rename(project)
    assert who_is_who(project) == {"b": (0, "picture 0, hat"), "a": (1, "picture 1, hat")}
    assert undo_last(project).restored == 2 and is_whole(project, 2)


def test_an_undo_never_reaches_another_image_that_has_the_name_now(project):
    fill(project, "a", "b")
    for stem in ("a", "b"):
        (project.images / f"{stem}.txt").write_text("same")
    edit_captions(project, EditSettings.make(add_last="hat"))
    for name in ("a.png", "a.txt"):
        (project.images / name).unlink()
    rename_stems(project, [Rename("b", "a")], "onto the old name")
    assert undo_last(project).restored == 1 and (project.images / "a.txt").read_text() == "same"
    assert [change.image for change in History.of(project).entries()[0].changes] == ["a"]


def test_what_a_model_wrote_is_still_known_under_the_new_name(project):
    fill(project, "a", "b")
    with History.of(project).entry("Tagged") as record:
        record.change("a", "a.txt", None, "picture 0", ["red hat"], "")
    rename(project, name="x")
    assert History.of(project).authored({"x_0001": "", "x_0002": ""}) == {"x_0001": {"red hat"}}


def test_where_an_image_came_from_stays_known_and_it_does_not_come_in_again(project, tmp_path):
    for number, stem in enumerate("ba"):
        picture(tmp_path / "source" / f"{stem}.gif", colour=(number, 1, 1), size=(40, 40))
    import_images(project, ImportSettings.make(source=str(tmp_path / "source")))
    rename_stems(project, [Rename("a", "b"), Rename("b", "a")], "exchanged")
    assert {item.id: Path(item.source).name for item in list_items(project)} == {"a": "b.gif", "b": "a.gif"}
    assert len(import_images(project, ImportSettings.make(source=str(tmp_path / "source"))).already) == 2


def test_the_index_knows_them_under_their_new_names_without_reading_them(project, monkeypatch):
    fill(project, "b", "a")
    hashes = {item.id: item.sha256 for item in list_items(project)}
    rename_stems(project, [Rename("a", "b"), Rename("b", "a")], "exchanged")
    monkeypatch.setattr("core.dataset.items._row", lambda *_, **__: pytest.fail("it was read again"))
    assert {item.id: item.sha256 for item in list_items(project)} == {"a": hashes["b"], "b": hashes["a"]}


def test_a_cancel_gives_everybody_the_old_name_back(project):
    class Stop(Progress):
        def report_step(self, item: str) -> None:
            if self.done == 3:
                self.cancel()

    fill(project, *(f"p{number}" for number in range(6)))
    before = who_is_who(project)
    with pytest.raises(Cancelled):
        rename_images(project, RenameSettings.make(name="x"), Stop())
    assert who_is_who(project) == before and last_renaming(project) is None and not mend(project)


def test_while_somebody_imports_or_writes_captions_nothing_is_renamed(project):
    fill(project, "a")
    for lock in ("names.lock", "rejecting.lock"):
        with locked(project.hidden / lock, fcntl.LOCK_SH), pytest.raises(DatasetError, match="imported or moved just now"):
            rename(project, name="x")
    with locked(project.hidden / "captions.lock", fcntl.LOCK_SH), pytest.raises(DatasetError, match="captions of 'Test' are being changed"):
        rename(project, name="x")
    assert rename(project, name="x").done == 1


def test_a_name_that_was_taken_while_a_killed_renaming_waited_is_not_written_over(project, monkeypatch):
    fill(project, "a", "b")
    with monkeypatch.context() as patched:
        patched.setattr("core.dataset.renaming_steps._finish", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rename(project, name="x")
    picture(project.images / "x_0001.png", colour=(77, 0, 7), size=(40, 40))
    (project.images / "x_0002.txt").write_text("somebody's")
    assert mend(project)
    assert who_is_who(project) == {"x_0001": (77, None), "x_0001-2": (0, "picture 0"), "x_0002-2": (1, "picture 1")}
    assert (project.images / "x_0002.txt").read_text() == "somebody's"
    undo_rename(project)
    assert {stem: number for stem, (number, _) in who_is_who(project).items()} == {"a": 0, "b": 1, "x_0001": 77}


class Killed(Progress):
    """Ends a renaming as a kill does, when so many images were staged or placed."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def report_step(self, item: str) -> None:
        if self.done == self.after:
            raise KeyboardInterrupt


def kill_a_renaming(project, after: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        rename_images(project, RenameSettings.make(name="x"), Killed(after))


@pytest.mark.parametrize("after", [1, 3, 4])
def test_what_stands_under_an_old_name_when_a_killed_renaming_is_finished_replaces_nothing(project, after):
    fill(project, "a", "b", "c")
    kill_a_renaming(project, after)
    picture(project.images / "a.png", colour=(77, 0, 7), size=(40, 40))
    (project.images / "a.txt").write_text("copied back")
    assert mend(project)
    assert who_is_who(project) == {"a": (77, "copied back"), "x_0001": (0, "picture 0"), "x_0002": (1, "picture 1"),
                                   "x_0003": (2, "picture 2")}


def test_an_import_gives_no_names_until_a_killed_renaming_was_finished(project, tmp_path):
    fill(project, "a", "b")
    picture(tmp_path / "new" / "a.png", colour=(2, 0, 7), size=(40, 40))
    (tmp_path / "new" / "a.txt").write_text("picture 2")
    kill_a_renaming(project, 1)
    settings = ImportSettings.make(source=str(tmp_path / "new"))
    with locked(project.hidden / "captions.lock", fcntl.LOCK_SH), pytest.raises(DatasetError, match=r"A renaming .* is not finished"):
        import_images(project, settings)
    assert not (project.images / "a.png").exists()
    import_images(project, settings)
    assert is_whole(project, 3) and set(who_is_who(project)) == {"a", "x_0001", "x_0002"}


def test_a_training_begins_when_a_killed_renaming_was_finished_and_not_before(project):
    fill(project, "a", "b")
    kill_a_renaming(project, 1)
    with (locked(project.hidden / "captions.lock", fcntl.LOCK_SH), pytest.raises(DatasetError, match=r"A renaming .* is not finished"),
          trained_on([project.images], "mika", SILENT)):
        pass
    with trained_on([project.images], "mika", SILENT):
        assert set(who_is_who(project)) == {"x_0001", "x_0002"} and is_whole(project, 2)


@pytest.mark.parametrize("stage", [lambda desk: desk.reject(RejectSettings(images=("b",))), lambda desk: desk.restore(RestoreSettings()),
                                   lambda desk: desk.tag(TagSettings.make()), lambda desk: desk.caption(CaptionSettings.make())])
def test_an_open_project_moves_and_tags_nothing_while_a_renaming_is_half_done(project, stage):
    fill(project, "a", "b")
    desk = DatasetManager(project)
    kill_a_renaming(project, 1)
    with locked(project.hidden / "captions.lock", fcntl.LOCK_SH), pytest.raises(DatasetError, match=r"A renaming .* is not finished"):
        stage(desk)
    assert desk.reject(RejectSettings(images=("x_0002",))).done == ["x_0002.png"]


CODE = """
import sys
from core.dataset.project import Project
from core.dataset.renaming_journal import Rename
from core.dataset.renaming_steps import rename_stems
from tests.dying import begin
project, seed = Project.open(sys.argv[1]), int(sys.argv[2])
import random
stems = [path.stem for path in sorted(project.images.glob("*.png"))]
names = list(stems); random.Random(seed).shuffle(names)
begin()
rename_stems(project, [Rename(old, new) for old, new in zip(stems, names) if old != new], f"shuffle {seed}")
"""


@pytest.mark.slow
def test_kills_at_any_moment_never_part_a_picture_from_its_caption(project):
    count = 60
    fill(project, *(f"p{number}" for number in range(count)))
    edit_captions(project, EditSettings.make(add_last="hat"))
    undo_last(project)
    randomly, interrupted = random.Random(5), 0
    for seed in range(14):
        step, seconds = (randomly.randrange(1, 200), 0) if seed % 2 else (0, randomly.uniform(0, 0.025))
        interrupted += killed(CODE, project.folder, seed, step=step, seconds=seconds)
        manager = DatasetManager.open(project.folder)
        assert is_whole(manager.project, count), seed
    assert interrupted >= 5
    assert len(list(project.images.iterdir())) == 2 * count
    while last_renaming(project) is not None:
        undo_rename(project)
    assert {stem: number for stem, (number, _) in who_is_who(project).items()} == {f"p{number}": number for number in range(count)}
    assert redo_last(project).restored == count
    assert all(item.caption == f"picture {item.id[1:]}, hat" for item in list_items(project))


def versions_of(project) -> dict[str, tuple[int, ...]]:
    """Every version with its first pixel: it tells of which picture it is."""
    paths = (path for path in project.variants.rglob("*") if path.is_file())
    return {path.relative_to(project.variants).as_posix(): Image.open(path).getpixel((0, 0)) for path in paths}


def test_what_a_version_replaced_goes_along_when_names_are_exchanged(project):
    fill(project, "a", "b")
    for stem, colours in (("a", ((1, 0, 0), (2, 0, 0))), ("b", ((3, 0, 0),))):
        for colour in colours:
            data = encode(Image.new("RGB", (8, 8), colour), SaveSettings(format="png"), "PNG").data
            save_variant(project, stem, "upscaled", data, ".png")
    before = versions_of(project)
    assert before == {"a_upscaled.png": (2, 0, 0), ".replaced/a_upscaled.png": (1, 0, 0), "b_upscaled.png": (3, 0, 0)}
    rename_stems(project, [Rename("a", "b"), Rename("b", "a")], "exchange")
    assert versions_of(project) == {"b_upscaled.png": (2, 0, 0), ".replaced/b_upscaled.png": (1, 0, 0), "a_upscaled.png": (3, 0, 0)}
    undo_rename(project)
    assert versions_of(project) == before


def test_nothing_is_renamed_while_a_tool_makes_versions(project):
    fill(project, "a")
    with locked(project.hidden / VERSIONS_LOCK), pytest.raises(DatasetError, match="Versions .+ are being made .+ nothing was renamed"):
        rename_stems(project, [Rename("a", "b")], "other")
    assert sorted(who_is_who(project)) == ["a"]
