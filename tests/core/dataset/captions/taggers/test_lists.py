"""The tags that taggers on this machine know."""

import pytest

from core.dataset.captions.taggers import lists
from core.dataset.captions.taggers.lists import listed_tags, tag_lists


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """The folder of a tagger that was fetched; nothing else is on this machine."""
    monkeypatch.setattr(lists, "DEMO_ASSETS", tmp_path)
    folder = tmp_path / "models--SmilingWolf--wd-vit-tagger-v3/snapshots/abc"
    folder.mkdir(parents=True)
    (folder / "selected_tags.csv").write_text(
        "tag_id,name,category,count\n1,general,9,99\n2,long_hair,0,20\n3,mika_(sea),4,5\n4,^_^,0,30\n5,hat,0,40\n", encoding="utf-8")
    return tmp_path


def test_the_most_frequent_tags_come_first_without_ratings_and_without_those_of_the_captions(fetched):
    assert listed_tags([("red dress", 3), ("Hat", 1)], str(fetched)) == ["^_^", "long hair", "mika (sea)"]
    assert listed_tags([("red_dress", 3), ("blue sky", 1), ("Long Hair", 1)], str(fetched)) == ["hat", "^_^", "mika_(sea)"]


def test_the_demo_taggers_list_is_always_there(tmp_path):
    assert [path.parent.name for path in tag_lists(str(tmp_path))] == ["tagger"] and "black hair" in listed_tags([], str(tmp_path))


def test_a_list_that_cannot_be_read_costs_only_its_own_tags(fetched):
    other = fetched / "models--SmilingWolf--wd-swinv2-tagger-v3/snapshots/abc"
    other.mkdir(parents=True)
    (other / "selected_tags.csv").write_bytes(b"name\ncaf\xe9,\n")
    assert listed_tags([], str(fetched))[:2] == ["hat", "^_^"]


def test_a_list_without_counts_keeps_its_order(fetched):
    place = fetched / "models--SmilingWolf--wd-vit-tagger-v3/snapshots/abc/selected_tags.csv"
    place.write_text("name,category\nzebra,0\napple,0\n", encoding="utf-8")
    assert listed_tags([], str(fetched)) == ["zebra", "apple"]
