"""Which files of a folder are images."""

import pytest

from core.dataset.images.files import count_images, has_images
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
