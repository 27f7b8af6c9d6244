"""sd-scripts' own schema and readers take an export, and see the pictures, captions, repeats and masks that were meant."""

import json
import subprocess
from pathlib import Path

import pytest
import toml
from PIL import Image

from core.base.buckets import Fitter
from core.dataset.export.checking import check_export
from core.dataset.images.training_set import training_set
from core.dataset.project import Project
from core.dataset.training_file import trainer_rule
from core.training.backends.sd_scripts import SdScriptsBackend, checkout, interpreter
from tests.core.dataset.export.exports import export, fill, settings
from tests.core.dataset.small_things import picture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DRAWN, DRAWN_TWICE = [20, 10, 60, 50], [40, 20, 120, 100]
"""Where the mask counts that every export here holds, on its picture and on the version that is twice as large."""


@pytest.fixture(scope="module")
def read():
    if (missing := SdScriptsBackend.missing()) is not None:
        pytest.skip(missing.what)

    def act(*places):
        done = subprocess.run([str(interpreter()), str(Path(__file__).with_name("read_export.py"))], input=json.dumps(places),
                              capture_output=True, text=True, cwd=checkout(), timeout=300, env=None)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])

    return act


@pytest.fixture
def project(tmp_path):
    found = Project.create(tmp_path / "project", "Test")
    fill(found)
    return found


def by_stem(found):
    assert isinstance(found, dict), found
    return {Path(path).stem: one for path, one in found.items()}


def test_kohyas_folders_with_masks_as_files(read, project):
    root = Path(export(project, class_word="girl", parts=True).folder)
    with_masks, by_folders = map(by_stem, read([str(root / "dataset.toml"), True], [str(root / "img"), False]))
    assert with_masks.keys() == by_folders.keys() == {"plain", "lying", "clear", "girl", "girl_face_focus"}
    fitter = Fitter(trainer_rule(project))
    for stem, one in with_masks.items():
        assert one["repeats"] == 40 and one["size"] == one["shape"] and one["mask_fits"]
        assert tuple(one["bucket"]) == fitter.fit(tuple(one["size"])).bucket
        assert Path(one["mask"]) == root / "mask" / "40_mychar girl" / f"{stem}.png" and one["least"] == (0 if stem == "girl" else 255)
        assert one["caption"] == by_folders[stem]["caption"] and by_folders[stem]["class_tokens"] == "mychar girl"
        assert by_folders[stem]["repeats"] == 40
    assert with_masks["girl"]["box"] == DRAWN_TWICE and with_masks["plain"]["box"] == [0, 0, 96, 64]
    assert with_masks["girl_face_focus"]["caption"] == with_masks["girl"]["caption"] == "mychar, girl, red hair"
    assert with_masks["lying"]["size"] == [64, 96] and with_masks["clear"]["corner"] == [255, 255, 255]


def test_kohyas_folders_with_masks_in_the_transparency_and_with_regularisation(read, project):
    picture(project.folder / "regularisation" / "cat.png")
    (project.folder / "regularisation" / "cat.txt").write_text("a cat")
    root = Path(export(project, masks="alpha", regularisation=True, class_word="girl").folder)
    alpha = by_stem(read([str(root / "dataset.toml"), False])[0])
    assert alpha["girl"]["least"] == 0 and alpha["plain"]["least"] == 255 and alpha["girl"]["shape"] == [192, 128]
    assert alpha["girl"]["box"] == DRAWN_TWICE
    exported, source = Image.open(root / "img" / "50_mychar girl" / "girl.png"), Image.open(project.variants / "girl_upscaled.png")
    assert exported.mode == "RGBA" and exported.convert("RGB").tobytes() == source.tobytes()
    assert alpha["cat"]["is_reg"] and alpha["cat"]["caption"] == "a cat" and not alpha["girl"]["is_reg"]


def test_beside_masks_as_files_sd_scripts_reads_no_regularisation_pictures_so_there_are_none(read, project):
    picture(project.folder / "regularisation" / "cat.png")
    wanted = {"regularisation": True, "class_word": "girl"}
    finding = next(one for one in check_export(project, settings(**wanted)).findings if "regularisation" in one.what)
    assert finding.level == "warning" and finding.fix == {"masks": "alpha"}
    root = Path(export(project, **wanted).folder)
    assert "cat" not in by_stem(read([str(root / "dataset.toml"), True])[0]) and not (root / "reg").exists()


def test_in_place_the_projects_own_folder_or_a_list_of_its_versions(read, project):
    lists = Path(export(project, layout="in_place", parts=True).folder)
    own = Path(export(project, layout="in_place", versions="none", folder=str(project.folder.parent / "own")).folder)
    bare = Path(export(project, layout="in_place", versions="none", masks="none", folder=str(project.folder.parent / "bare")).folder)
    listed, with_masks, without = read([str(lists / "dataset.toml"), False], [str(own / "dataset.toml"), True],
                                       [str(bare / "dataset.toml"), False])
    assert set(listed) == {str(project.images / name) for name in ("plain.png", "lying.jpg", "clear.png")} | {
        str(project.variants / name) for name in ("girl_upscaled.png", "girl_face_focus.png")}
    assert set(with_masks) == set(without) == {str(path) for path in project.images.iterdir() if path.suffix != ".txt"}
    for found in (listed, with_masks, without):
        assert by_stem(found)["plain"]["caption"] == "mychar, plain, red hair"
        assert all(one["size"] == one["shape"] and one["repeats"] in (40, 50) for one in found.values())
    assert by_stem(with_masks)["girl"]["least"] == 0 and by_stem(with_masks)["girl"]["box"] == DRAWN
    assert all(one["mask_fits"] for one in with_masks.values())


def test_what_trainer_learns_from_has_masks_that_fit_also_where_a_picture_is_stored_lying(read, project):
    found = training_set(project, masks=True)
    subset = {"image_dir": str(found.images), "conditioning_data_dir": str(found.masks), "caption_extension": ".txt", "num_repeats": 1}
    file = project.folder / "dataset.toml"
    file.write_text(toml.dumps({"datasets": [{"resolution": [512, 512], "enable_bucket": True, "subsets": [subset]}]}))
    seen = by_stem(read([str(file), True])[0])
    assert seen.keys() == {"plain", "lying", "clear", "girl"} and all(one["mask_fits"] for one in seen.values())
    assert seen["lying"]["size"] == [96, 64] and seen["girl"]["least"] == 0 and seen["girl"]["box"] == DRAWN_TWICE


@pytest.mark.parametrize(("trigger", "instead"), [("mychar", "mychar"), ("", "Test")])
def test_pictures_without_a_caption_get_the_trigger_word_or_the_projects_name(read, project, trigger, instead):
    project.change_info(lambda info: info.changed(trigger_word=trigger))
    (project.images / "plain.txt").unlink()
    (project.images / "clear.txt").write_text("")
    places = []
    for number, (layout, masks) in enumerate((("in_place", "none"), ("in_place", "files"), ("kohya", "none"), ("kohya", "files"))):
        folder = str(project.folder.parent / f"export{number}")
        export(project, layout=layout, masks=masks, versions="none", without_caption="trigger", folder=folder)
        places.append([f"{folder}/dataset.toml", masks == "files" and layout == "kohya"])
    for found in map(by_stem, read(*places)):
        assert found["plain"]["caption"] == found["clear"]["caption"] == instead and found["girl"]["caption"] == "mychar, girl, red hair"
