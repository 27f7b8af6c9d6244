"""Which files of a folder are images."""

import pytest

from core.dataset.images.files import count_images, has_images, image_files
from tests.core.dataset.small_things import picture


def test_images_are_counted_without_being_opened(project, tmp_path):
    picture(project.images / "a.PNG")
    for name in ("b.jpg", ".c.png", "d.txt"):
        (project.images / name).write_bytes(b"x")
    assert count_images(project.images) == 2 and count_images(tmp_path / "nowhere") == 0


@pytest.mark.parametrize(("names", "has"), [((), False), (("a.txt", ".hidden.png"), False), (("a.txt", "B.PNG"), True)])
def test_whether_there_is_an_image_at_all(tmp_path, names, has):
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    assert has_images(tmp_path) is has and not has_images(tmp_path / "nowhere")
    assert count_images(tmp_path) == int(has)


def test_a_link_to_itself_stops_no_listing(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "loop.png").symlink_to("loop.png")
    for recursive in (False, True):
        assert [path.name for path in image_files(tmp_path, recursive)] == ["a.png", "loop.png"]
