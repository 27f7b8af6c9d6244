"""What would go wrong in training is found before."""

import pytest

from core.base.errors import Cancelled
from core.base.progress import Progress
from core.dataset.checking import DEMO_MARKER, DEMO_RESOLUTION, RESOLUTIONS, check_dataset
from core.dataset.index import Index
from core.dataset.items import list_items
from core.dataset.project import FAMILIES
from core.dataset.training_file import TRAINING_FILE
from tests.core.dataset.small_things import picture


def found(project) -> dict[str, str]:
    return {finding.what: finding.level for finding in check_dataset(project)}


def level_of(project, words: str) -> str:
    return next((level for what, level in found(project).items() if words in what), "")


def test_a_good_dataset_has_nothing_to_say(project):
    for number in range(12):
        picture(project.images / f"{number}.png", colour=(number, 0, 0), size=(300, 256))
        (project.images / f"{number}.txt").write_text("hat")
    assert check_dataset(project) == []


def test_an_empty_project_is_an_error(project):
    assert list(found(project).values()) == ["error"]


def test_every_caption_fault_is_found_and_its_file_named(project):
    contents = {"empty": b"", "wrong": "café".encode("cp1252"), "lines": b"a\nb", "marked": b"\xef\xbb\xbfa",
                "good": b"a", "utf16": "a".encode("utf-16")}
    for number, (name, data) in enumerate(contents.items()):
        picture(project.images / f"{name}.png", colour=(number, 0, 0))
        (project.images / f"{name}.txt").write_bytes(data)
    picture(project.images / "bare.png")
    (project.images / "orphan.txt").write_text("x")
    (project.images / "bare.caption").write_text("x")
    assert level_of(project, "empty: empty.png") == "error"
    assert level_of(project, "not UTF-8 text: utf16.png, wrong.png") == "error"
    assert level_of(project, "several lines, of which trainers read only the first without wildcards: lines.png") == "warning"
    assert level_of(project, "(BOM)") == "warning"
    assert level_of(project, "without a caption: bare.png") == "warning"
    assert level_of(project, "without an image: orphan.txt") == "info"
    assert level_of(project, ".caption, which is not read: bare.caption") == "info"


def test_images_that_share_a_caption_are_found(project):
    for name in ("a.png", "a.jpg", "B.png", "b.jpg"):
        picture(project.images / name)
    assert level_of(project, "share one caption file") == "error"


def test_broken_and_lying_images_are_found(project):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    picture(project.images / "lying.jpg", exif=exif)
    (project.images / "broken.png").write_bytes(b"x")
    assert level_of(project, "cannot be opened: broken.png") == "error"
    assert level_of(project, "stored lying") == "warning"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
def test_a_picture_that_is_cut_off_is_found_and_named(project, suffix):
    whole = noise(project.images / f"whole{suffix}").read_bytes()
    (project.images / f"cut{suffix}").write_bytes(whole[:len(whole) * 2 // 3])
    for _ in range(2):
        assert [level for what, level in found(project).items() if what.endswith(f": cut{suffix}.") and "caption" not in what] == ["error"]


def test_a_picture_that_was_whole_is_not_decoded_again_until_it_changes(project):
    path = noise(project.images / "a.png")
    check_dataset(project)
    with Index(project.hidden / "index.sqlite") as index:
        assert index.whole([item.sha256 for item in list_items(project)])
    path.write_bytes(path.read_bytes()[:-5000])
    assert level_of(project, "cut off: a.png") == "error"
    with Index(project.hidden / "index.sqlite") as index:
        index.remember_whole([item.sha256 for item in list_items(project)])
    assert level_of(project, "cut off") == ""  # what the index says is believed, so that nothing was decoded


def test_a_picture_that_was_mended_during_the_check_does_not_make_the_cut_one_whole(project):
    class Mend(Progress):
        def report_start(self) -> None:
            path.write_bytes(whole)

    path = noise(project.images / "a.png")
    whole = path.read_bytes()
    path.write_bytes(whole[:-5000])
    check_dataset(project, Mend())
    path.write_bytes(whole[:-5000])
    assert level_of(project, "cut off: a.png") == "error"


def test_what_was_decoded_before_a_cancel_is_remembered(project):
    class Stop(Progress):
        def report_step(self, item: str) -> None:
            self.cancel()

    for number in range(30):
        picture(project.images / f"{number}.png", colour=(number, 0, 0))
    with pytest.raises(Cancelled):
        check_dataset(project, Stop())
    with Index(project.hidden / "index.sqlite") as index:
        assert index.whole([item.sha256 for item in list_items(project)])


def test_a_picture_too_large_to_be_decoded_is_not_called_damaged(project, monkeypatch):
    picture(project.images / "large.png", size=(300, 300))
    monkeypatch.setattr("core.dataset.checking.MAX_PIXELS", 80_000)
    assert level_of(project, "not looked at whole: large.png") == "warning"
    assert level_of(project, "cut off") == ""


def test_a_link_that_leads_nowhere_is_named(project, tmp_path):
    (project.images / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert level_of(project, "cannot be opened: gone.png") == "error"


def noise(path, side=120):
    import numpy
    from PIL import Image

    pixels = numpy.random.default_rng(0).integers(0, 255, (side, side, 3), dtype="uint8")
    Image.fromarray(pixels).save(path)
    return path


def test_a_missing_caption_that_sd_scripts_may_borrow_is_named(project):
    picture(project.images / "a_b_c_d_e.png")
    assert level_of(project, "four or more underscores") == "warning"


def test_captions_without_the_trigger_word_in_front_are_found(project):
    project.write_info(project.info().changed(trigger_word="mika"))
    for name, caption in (("a", "mika, hat"), ("b", "hat, mika")):
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text(caption)
    assert level_of(project, "do not begin with the trigger word 'mika': 1 (b)") == "warning"


def test_captions_of_the_trigger_word_alone_are_found(project):
    project.write_info(project.info().changed(trigger_word="mika"))
    for name, caption in (("a", "mika, hat"), ("b", "Mika,"), ("c", "mika")):
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text(caption)
    assert level_of(project, "hold only the trigger word 'mika': 2 (b, c)") == "warning"


@pytest.mark.parametrize(("trigger", "level"), [("girl", "warning"), ("red_hair", "warning"), ("mika", ""), ("", "")])
def test_a_trigger_word_of_ordinary_english_is_found(project, trigger, level):
    project.write_info(project.info().changed(trigger_word=trigger))
    picture(project.images / "a.png")
    assert level_of(project, f"The trigger word {trigger!r} is ordinary English") == level


def tiny(project) -> str:
    return next((str(finding) for finding in check_dataset(project) if "tiny" in finding.what), "")


def test_tiny_pictures_are_counted_for_the_resolution_of_the_family(project):
    for name, size in (("small", (200, 300)), ("exact", (256, 256)), ("panorama", (2000, 200)), ("large", (600, 500))):
        picture(project.images / f"{name}.png", size=size)
    (project.images / "broken.png").write_bytes(b"x")
    said = tiny(project)
    assert "1 of 5 pictures is tiny for a training at 512 px, which is usual for this model family" in said
    assert "shorter side is below 256 px (small.png)" in said and "enlarges" in said
    project.write_info(project.info().changed(family="sdxl"))
    assert "4 of 5 pictures are tiny for a training at 1024 px" in tiny(project)


@pytest.mark.parametrize(("kept", "said"), [
    ("[data]\nresolution = 768\n", "1 of 1 picture is tiny for a training at 768 px, as set in Trainer"),
    ("[data]\nresolution = 1024\nresolution_height = 256\n", ""), ("[data]\nresolution = 768\nbucket_no_upscale = true\n", ""),
    ("[data]\nresolution = 768\nbucket_no_upscale = true\nenable_bucket = false\n", "1 of 1 picture is tiny for a training at 768 px"),
    ("[data]\nresolution = 'large'\n", ""), ("not toml", ""), ("", "")])
def test_a_resolution_that_was_set_in_trainer_counts(project, kept, said):
    picture(project.images / "a.png", size=(300, 300))
    (project.folder / "training.toml").write_text(kept)
    assert said in tiny(project) if said else not tiny(project)


def test_the_small_pictures_of_the_demo_are_not_called_tiny(project):
    from core.demo.run import MARKER, PRESET, SIZE
    from core.training.config.presets import load_preset
    from core.training.kept import FILE

    assert (DEMO_MARKER, DEMO_RESOLUTION, TRAINING_FILE) == (MARKER, SIZE, FILE)
    assert load_preset(PRESET).data.resolution == DEMO_RESOLUTION
    (project.hidden / MARKER).write_text("x")
    picture(project.images / "a.png", size=(SIZE, SIZE))
    assert not tiny(project)


def test_the_usual_resolutions_are_those_of_the_presets():
    from core.training.config.presets import load_preset, preset_names

    assert {family: load_preset(preset_names(family)[0]).data.resolution for family in FAMILIES} == RESOLUTIONS


def test_a_caption_that_cannot_be_read_does_not_stop_the_check(project):
    for name in ("a", "b"):
        picture(project.images / f"{name}.png")
    (project.images / "a.txt").mkdir()
    assert level_of(project, "cannot be read: a.png") == "error"
    assert level_of(project, "without a caption: b.png") == "warning"


def test_a_family_that_is_not_known_is_found(project):
    project.write_info(project.info().changed(family="flux"))
    picture(project.images / "a.png")
    assert level_of(project, "names the model family 'flux', which is not known") == "error"


def test_long_lists_are_cut(project):
    for number in range(9):
        picture(project.images / f"{number}.png", colour=(number, 0, 0))
    assert any("4.png and 4 more" in what for what in found(project))
