"""Images as a stage sees them."""

import pytest

from core.base.errors import DatasetError
from core.dataset.items import caption_path_of, count_images, folder_items, list_items
from core.dataset.sources.importing import ImportSettings, import_images
from tests.core.dataset.small_things import picture


def test_items_come_in_natural_order_with_size_hash_and_caption(project):
    for name in ("10.png", "2.jpg", "A.webp"):
        picture(project.images / name, size=(50, 30))
    (project.images / "2.txt").write_text("a hat")
    items = list_items(project)
    assert [item.id for item in items] == ["2", "10", "A"]
    assert (items[0].width, items[0].height, items[0].caption, len(items[0].sha256)) == (50, 30, "a hat", 64)
    assert items[1].caption is None


def test_a_changed_file_is_looked_at_again(project):
    path = picture(project.images / "a.png", size=(50, 30))
    first = list_items(project)[0]
    picture(path, colour=(1, 2, 3), size=(70, 30))
    second = list_items(project)[0]
    assert second.width == 70 and first.sha256 != second.sha256


def test_a_broken_image_is_listed_with_size_zero(project):
    (project.images / "a.png").write_bytes(b"<html>")
    assert (list_items(project)[0].width, list_items(project)[0].height) == (0, 0)


def test_hidden_files_and_other_files_are_passed_over(project):
    picture(project.images / ".a.png")
    (project.images / "film.mp4").write_bytes(b"x")
    assert list_items(project) == []


def test_names_with_brackets_and_any_script_are_found(project):
    picture(project.images / "[a] ミカ 😺.png")
    assert [item.id for item in list_items(project)] == ["[a] ミカ 😺"]
    assert caption_path_of(project, "[a] ミカ 😺").name == "[a] ミカ 😺.txt"


def test_a_caption_is_found_without_listing_the_folder_and_never_outside_of_it(project, tmp_path):
    picture(project.images / "a.PNG")
    picture(tmp_path / "secret.png")
    assert caption_path_of(project, "a") == project.images / "a.txt"
    for wrong in ("../secret", "b", "", ".", ".."):
        with pytest.raises(DatasetError, match="No image is called"):
            caption_path_of(project, wrong)


def test_images_are_counted_without_being_opened(project, tmp_path):
    picture(project.images / "a.PNG")
    for name in ("b.jpg", ".c.png", "d.txt"):
        (project.images / name).write_bytes(b"x")
    assert count_images(project.images) == 2 and count_images(tmp_path / "nowhere") == 0


def test_a_link_that_leads_nowhere_is_listed_without_a_size_like_any_image_that_cannot_be_read(project, tmp_path):
    picture(project.images / "a.png")
    (project.images / "b.png").symlink_to(tmp_path / "nowhere.png")
    (project.images / "c.png").symlink_to(project.images / "c.png")
    for items in (list_items(project), list_items(project), folder_items(project.images)):
        assert [(item.id, item.width) for item in items] == [("a", 64), ("b", 0), ("c", 0)]


def test_an_image_whose_name_was_given_to_another_does_not_keep_its_source(project, tmp_path):
    picture(tmp_path / "source" / "a.png")
    import_images(project, ImportSettings(source=str(tmp_path / "source")))
    assert list_items(project)[0].source == str(tmp_path / "source" / "a.png")
    picture(project.images / "a.png", colour=(1, 1, 1))
    assert list_items(project)[0].source == ""


def test_a_plain_folder_is_read_with_its_subfolders_only_when_asked(tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "sub" / "a.png")
    assert [item.id for item in folder_items(tmp_path)] == ["a"]
    assert [item.id for item in folder_items(tmp_path, recursive=True)] == ["a", "sub/a"]
    assert folder_items(tmp_path, caption_extension=".caption")[0].caption_path.name == "a.caption"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DatasetError, match="nowhere does not exist"):
        folder_items(tmp_path / "nowhere")


def test_an_unknown_id_is_named(project):
    with pytest.raises(DatasetError, match="'../x'"):
        caption_path_of(project, "../x")


def old(path, seconds=60):
    """As if it had been written a minute ago, so that its time can be trusted."""
    import os
    import time

    past = time.time_ns() - seconds * 1_000_000_000
    os.utime(path, ns=(past, past))


def captions(project):
    return {item.id: item.caption for item in list_items(project)}


def test_an_unchanged_caption_is_not_read_again(project, monkeypatch):
    from core.dataset import items

    monkeypatch.setattr(items, "SETTLED_NS", -1)
    picture(project.images / "a.png")
    (project.images / "a.txt").write_text("hat")
    assert captions(project) == {"a": "hat"}
    monkeypatch.setattr(items, "read_caption_text", lambda path: pytest.fail(f"{path} was read again"))
    assert captions(project) == {"a": "hat"}


def test_a_caption_of_the_same_length_and_time_is_seen_by_the_time_of_its_change(project, monkeypatch):
    from core.dataset import items

    monkeypatch.setattr(items, "SETTLED_NS", -1)
    picture(project.images / "a.png")
    caption = project.images / "a.txt"
    caption.write_text("hat")
    old(caption)
    assert captions(project) == {"a": "hat"}
    facts = caption.stat()
    caption.write_text("cap")
    import os

    os.utime(caption, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert captions(project) == {"a": "cap"}


def test_a_caption_that_was_written_just_now_is_read_again_as_its_clock_may_not_have_ticked(project):
    from core.dataset.index import Index

    picture(project.images / "a.png")
    (project.images / "a.txt").write_text("hat")
    assert captions(project) == {"a": "hat"}
    with Index(project.hidden / "index.sqlite") as index:
        assert index.captions() == {}


def test_captions_that_are_gone_or_cannot_be_read_are_none(project, monkeypatch):
    from core.dataset import items
    from core.dataset.index import Index

    monkeypatch.setattr(items, "SETTLED_NS", -1)
    for name in ("a", "b", "c"):
        picture(project.images / f"{name}.png")
        (project.images / f"{name}.txt").write_text(name)
    assert captions(project) == {"a": "a", "b": "b", "c": "c"}
    (project.images / "a.txt").unlink()
    (project.images / "b.txt").write_bytes(b"caf\xe9")
    assert captions(project) == {"a": None, "b": None, "c": "c"}
    with Index(project.hidden / "index.sqlite") as index:
        assert "a.txt" not in index.captions()


def test_numbers_in_names_are_ordered_as_numbers_also_very_long_ones(project):
    for name in ("b", "a 10", "a 9", f"a {'1' * 30}", "10 a", "9 a", "A 2"):
        picture(project.images / f"{name}.png")
    assert [item.id for item in list_items(project)] == ["9 a", "10 a", "A 2", "a 9", "a 10", f"a {'1' * 30}", "b"]
