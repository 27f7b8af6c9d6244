"""Every panel of Dataset_Maker in its order, on real photographs, in a real browser."""

import pytest

from core.dataset.items import list_items
from core.dataset.project import Project
from core.dataset.rejected import rejected_images
from tests.core.dataset.curation.photographs import photographs
from tests.e2e.whole_way import keep_pictures, on_the_way

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_whole_way_on_real_photographs(tmp_path):
    source = tmp_path / "my pictures"
    source.mkdir()
    for name, photo in photographs().items():
        photo.save(source / f"{name}.jpg", quality=92)
        (source / f"{name}.txt").write_text(f"photo of {name}", encoding="utf-8")
    photographs()["astronaut"].resize((300, 300)).save(source / "astronaut small.png")
    (source / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    count = len(photographs())
    with on_the_way(tmp_path) as way:
        way.begin(source)
        assert f"{count + 1} images imported" in way.said["import"] and "1 skipped" in way.said["import"]
        way.curate()
        way.caption()
        way.end()
        keep_pictures(way, "whole_way")
        project = Project(next((tmp_path / "projects").glob("Whole*")))
        items = {item.id: item.caption for item in list_items(project)}
        assert [item.path.stem for item in rejected_images(project)] == ["astronaut small"] and len(items) == count
        assert all(f"photo of {name}" in caption and caption.startswith("mychar") for name, caption in items.items())
        assert [name for name, caption in items.items() if caption.endswith("by hand")] == [next(iter(items))]
        assert not any("studio photo" in caption for caption in items.values())  # taken back
        assert {path.name: path.read_bytes() for path in source.iterdir()} == before
