"""Without a copy: what stands in place of a caption is what a trainer reads, and masks are never written for nobody."""

import json
from pathlib import Path

import pytest
import toml

from core.dataset.export.checking import check_export
from tests.core.dataset.export.exports import drawn, export, fill, names, settings

WITHOUT = {"layout": "in_place", "versions": "none", "without_caption": "trigger"}


@pytest.fixture
def filled(project):
    fill(project)
    return project


def captions(root: Path) -> dict[str, str]:
    """Of every picture, by its stem, as sd-scripts reads them from the list that the dataset file names."""
    subset = toml.loads((root / "dataset.toml").read_text(encoding="utf-8"))["datasets"][0]["subsets"][0]
    lines = [json.loads(line) for line in Path(subset["metadata_file"]).read_text(encoding="utf-8").splitlines()]
    return {Path(line["image_path"]).stem: line["caption"] for line in lines}


def masks_told(project, **values) -> list[str]:
    found = check_export(project, settings(**values)).findings
    return [finding.press for finding in found if finding.what.startswith("Without a copy masks")]


@pytest.mark.parametrize(("trigger", "instead"), [("mychar", "mychar"), ("", "Test")])
@pytest.mark.parametrize("masks", ["files", "none"])
@pytest.mark.parametrize("missing", ["no file", "an empty file"])
def test_what_stands_in_place_of_a_caption_is_listed(filled, trigger, instead, masks, missing):
    filled.change_info(lambda info: info.changed(trigger_word=trigger, name="Test"))
    place = filled.images / "plain.txt"
    place.unlink() if missing == "no file" else place.write_text(" \n")
    report = export(filled, masks=masks, **WITHOUT)
    assert captions(Path(report.folder)) == {
        "plain": instead, **{stem: f"mychar, {stem}, red hair" for stem in ("lying", "clear", "girl")}}
    assert (report.captions, report.masks) == (4, 0) and not (Path(report.folder) / "mask").exists()
    assert masks_told(filled, masks=masks, **WITHOUT) == (["Export a copy for kohya"] if masks == "files" else [])


@pytest.mark.parametrize("values", [{"images": ("plain", "girl")}, {"without_caption": "leave_out"}, {"anyway": True}])
def test_where_a_list_is_needed_no_masks_are_written_and_that_is_said(filled, values):
    if "without_caption" in values:
        (filled.images / "plain.txt").unlink()
    if "anyway" in values:
        (filled.images / "plain.png").write_bytes(b"no picture")
    values = {"layout": "in_place", "versions": "none", **values}
    report = export(filled, **values)
    root = Path(report.folder)
    assert report.masks == 0 and "girl" in captions(root) and not [name for name in names(root) if "mask" in name]
    assert masks_told(filled, **values) == ["Export a copy for kohya"]


def test_two_pictures_that_share_a_caption_are_listed_without_masks_and_that_is_said(filled):
    drawn(filled.images / "plain.jpg", seed=5)
    report = export(filled, layout="in_place", versions="none")
    assert report.masks == 0 and masks_told(filled, layout="in_place", versions="none")


def test_what_is_not_masked_is_not_said_to_lose_masks(filled):
    (filled.variants / "girl_mask.png").unlink()
    (filled.images / "plain.txt").unlink()
    assert masks_told(filled, **WITHOUT) == [] and captions(Path(export(filled, **WITHOUT).folder))["plain"] == "mychar"


@pytest.mark.parametrize(("layout", "without_caption", "is_said"), [
    ("kohya", "stop", True), ("in_place", "stop", False), ("in_place", "trigger", True), ("onetrainer", "stop", False),
    ("imagefolder", "trigger", True)])
def test_that_the_projects_name_stands_for_the_trigger_word_is_said_where_it_does(filled, layout, without_caption, is_said):
    filled.change_info(lambda info: info.changed(trigger_word=""))
    (filled.images / "plain.txt").unlink()
    found = check_export(filled, settings(layout=layout, without_caption=without_caption)).findings
    assert any("its name stands in its place" in finding.what for finding in found) == is_said
