"""Which files of a folder are images."""

from core.dataset.images.files import count_images
from tests.core.dataset.small_things import picture


def test_images_are_counted_without_being_opened(project, tmp_path):
    picture(project.images / "a.PNG")
    for name in ("b.jpg", ".c.png", "d.txt"):
        (project.images / name).write_bytes(b"x")
    assert count_images(project.images) == 2 and count_images(tmp_path / "nowhere") == 0
