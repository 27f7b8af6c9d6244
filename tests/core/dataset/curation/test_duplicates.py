"""Groups of pictures that show the same: real photographs, changed as makers' folders change them."""

import itertools

import numpy
import pytest
from PIL import Image

from core.base.errors import Cancelled
from core.base.progress import Progress
from core.dataset.curation.different import call_alike, call_different
from core.dataset.curation.duplicates import DuplicateSettings, find_duplicates, names_of
from core.dataset.curation.store import Store
from core.dataset.rejecting import RejectSettings, RestoreSettings, reject_images, restore_images
from tests.core.dataset.curation.photographs import as_jpeg, photographs
from tests.core.dataset.small_things import picture

pytestmark = pytest.mark.slow

ONLY_HASHES = DuplicateSettings(embedder="none")


@pytest.fixture
def photos(project):
    """Six photographs, some of them several times."""
    some = photographs()
    for name in ("astronaut", "chelsea", "coffee", "rocket", "china", "flower"):
        some[name].save(project.images / f"{name}.png")
    some["coffee"].save(project.images / "coffee-again.png", compress_level=1)
    some["rocket"].resize((300, 200)).save(project.images / "rocket-small.jpg", quality=40)
    some["flower"].transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(project.images / "flower-mirrored.png")
    china = some["china"]
    edge = china.width // 40
    china.crop((edge, edge, china.width - edge, china.height - edge)).save(project.images / "china-cropped.png")
    (project.images / "astronaut-copy.png").write_bytes((project.images / "astronaut.png").read_bytes())
    return project


def shown(report):
    return {group.best.name: [(member.name, member.tier, member.mirrored) for member in group.others] for group in report.groups}


def test_each_tier_finds_its_own(photos):
    report = find_duplicates(photos, DuplicateSettings())
    found = shown(report)
    assert found["astronaut.png"] == [("astronaut-copy.png", "file", False)]
    assert found["rocket.png"] == [("rocket-small.jpg", "hash", False)]
    assert found["china.png"] == [("china-cropped.png", "embedding", False)]
    assert {("coffee-again.png", "pixels", False), ("coffee.png", "pixels", False)} & {one for rest in found.values() for one in rest}
    assert found.get("flower.png") == [("flower-mirrored.png", "hash", True)] or \
        found["flower-mirrored.png"] == [("flower.png", "hash", True)]
    assert len(found) == 5 and "chelsea.png" not in found
    assert report.sentence() == "10 of 11 pictures are alike, in 5 groups (5 too many)."


def test_mirrored_pictures_are_left_alone_when_that_is_asked_for(photos):
    names = {name for group in find_duplicates(photos, ONLY_HASHES.changed(mirrored=False)).groups for name in
             (member.name for member in group.members)}
    assert "flower.png" not in names and "rocket.png" in names


def test_the_best_is_the_largest_then_the_sharpest_then_the_captioned(project):
    photo = photographs()["coffee"]
    photo.resize((300, 200)).save(project.images / "a-small.png")
    photo.save(project.images / "b-large.png")
    assert find_duplicates(project, ONLY_HASHES).groups[0].best.name == "b-large.png"
    as_jpeg(photo.resize((150, 100)).resize(photo.size), 80).save(project.images / "a-blown-up.png")
    assert find_duplicates(project, ONLY_HASHES).groups[0].best.name == "b-large.png"
    photo.save(project.images / "z-captioned.png")
    (project.images / "z-captioned.txt").write_text("coffee, cup")
    group = find_duplicates(project, ONLY_HASHES).groups[0]
    assert [member.name for member in group.members][:2] == ["z-captioned.png", "b-large.png"] and group.best.tags == 2


@pytest.mark.slow
def test_nobody_is_called_a_copy_of_what_only_a_neighbour_is_like(project):
    """Each is like the next one, the ends are not like each other: the rule must not reject an end for the other's sake."""
    photo = photographs()["coffee"]
    for step in range(9):
        left = step * 12
        photo.crop((left, 0, left + photo.width - 100, photo.height)).save(project.images / f"{step}.png")
    settings = ONLY_HASHES.changed(hash_distance=12)
    report = find_duplicates(project, settings)
    prints = {}
    with Store.of(project) as store:
        from core.dataset.curation.looking import as_table
        from core.dataset.items import list_items

        for item in list_items(project):
            prints[item.name] = int(as_table([store.find("look-1", [item.sha256])[item.sha256]])["phash"][0])

    def bits(first, second):
        return bin(prints[first] ^ prints[second]).count("1")

    assert bits("0.png", "8.png") > 16
    for group in report.groups:
        assert all(bits(group.best.name, member.name) <= 12 for member in group.others)
    kept = set(prints) - set(names_of(report.groups))
    assert len(kept) >= 2
    assert all(bits(first, second) > 12 for first, second in itertools.combinations(kept, 2) if {first, second} <= kept) or \
        find_duplicates(project, settings).groups == report.groups


@pytest.mark.slow
def test_keeping_the_best_leaves_no_two_alike_and_all_can_be_put_back(photos):
    before = {path.name: path.read_bytes() for path in photos.images.iterdir()}
    report = find_duplicates(photos, DuplicateSettings())
    reject_images(photos, RejectSettings(images=tuple(names_of(report.groups)), reason="duplicate"))
    assert find_duplicates(photos, DuplicateSettings()).groups == []
    restore_images(photos, RestoreSettings())
    assert {path.name: path.read_bytes() for path in photos.images.iterdir()} == before
    assert shown(find_duplicates(photos, DuplicateSettings())) == shown(report)


def test_what_was_looked_at_once_is_never_opened_again(photos, monkeypatch):
    first = find_duplicates(photos, DuplicateSettings())

    def never(*_: object, **__: object):
        raise AssertionError("a picture was opened again")

    monkeypatch.setattr("core.dataset.curation.looking.open_image", never)
    monkeypatch.setattr("core.dataset.curation.embedding.open_rgb", never)
    assert find_duplicates(photos, DuplicateSettings()).groups == first.groups
    fewer = find_duplicates(photos, DuplicateSettings(hash_distance=0, likeness=1))
    assert len(fewer.groups) < len(first.groups)


def test_only_stored_values_are_used_when_nothing_is_to_be_opened(photos):
    report = find_duplicates(photos, ONLY_HASHES, stored_only=True)
    assert (report.looked, report.unknown, report.groups) == (0, 11, [])
    assert "11 not compared" in report.sentence()


def test_a_changed_picture_is_looked_at_anew(photos):
    find_duplicates(photos, ONLY_HASHES)
    photographs()["chelsea"].save(photos.images / "astronaut-copy.png")
    assert "astronaut.png" not in shown(find_duplicates(photos, ONLY_HASHES))


def test_a_broken_picture_is_named_and_the_rest_goes_on(photos):
    (photos.images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    report = find_duplicates(photos, DuplicateSettings())
    assert [item.name for item in report.skipped] == ["broken.png"] and len(report.groups) == 5
    assert "1 could not be opened" in report.sentence()


def test_cancel_keeps_what_was_looked_at(project):
    for number in range(12):
        picture(project.images / f"{number}.png", (number * 20, 0, 0))

    class Stop(Progress):
        def report_step(self, item: str) -> None:
            if self.done == 5:
                self.cancel()

    with pytest.raises(Cancelled):
        find_duplicates(project, ONLY_HASHES, Stop())
    assert find_duplicates(project, ONLY_HASHES, stored_only=True).looked == 5


def test_plain_pictures_of_different_colours_are_not_the_same(project):
    random = numpy.random.default_rng(0)
    for number in range(6):
        noise = random.integers(0, 256, (64, 64, 3), dtype=numpy.uint8)
        Image.fromarray(noise).save(project.images / f"{number}.png")
    assert find_duplicates(project, DuplicateSettings()).groups == []


def test_one_picture_or_none_is_no_duplicate(project):
    assert find_duplicates(project, ONLY_HASHES).sentence() == "no two of 0 pictures are alike."
    picture(project.images / "a.png")
    assert find_duplicates(project, DuplicateSettings()).groups == []


def test_the_report_can_be_written_as_json(photos):
    import json

    from core.stages import plain

    shown = json.loads(json.dumps(plain(find_duplicates(photos, DuplicateSettings()))))
    assert len(shown["groups"]) == 5 and shown["groups"][0][0]["tier"] == "best" and shown["summary"].startswith("10 of 11")


def hashes(project, *names):
    from core.base.files import sha256

    return [sha256(project.images / name) for name in names]


def test_pictures_that_were_called_different_are_in_no_group_together_and_are_told(photos):
    before = find_duplicates(photos, ONLY_HASHES)
    call_different(photos, hashes(photos, "rocket.png", "rocket-small.jpg"))
    after = find_duplicates(photos, ONLY_HASHES)
    assert set(shown(before)) - set(shown(after)) == {"rocket.png"} and "rocket-small.jpg" not in names_of(after.groups)
    assert [[member.name for member in group.members] for group in after.different] == [["rocket.png", "rocket-small.jpg"]]
    many = f"in {len(after.groups)} groups ({len(names_of(after.groups))} too many)"
    assert after.sentence().endswith(f"{many}; 1 group that you called different is left alone.")
    (photos.images / "rocket.png").rename(photos.images / "other.png")
    assert "other.png" not in shown(find_duplicates(photos, ONLY_HASHES))
    call_alike(photos, hashes(photos, "rocket-small.jpg", "other.png"))
    again = find_duplicates(photos, ONLY_HASHES)
    assert "other.png" in shown(again) and again.different == []


def test_two_that_were_called_different_are_not_both_put_aside_for_a_third(project):
    big = photographs()["rocket"]
    big.save(project.images / "1.png")
    big.resize((300, 200)).save(project.images / "2.png")
    big.resize((240, 160)).save(project.images / "3.png")
    call_different(project, hashes(project, "2.png", "3.png"))
    assert names_of(find_duplicates(project, ONLY_HASHES).groups) == ["2.png"]


def test_copies_of_one_file_can_be_called_different_and_half_a_line_is_passed_over(photos):
    call_different(photos, hashes(photos, "astronaut.png", "astronaut-copy.png"))
    with open(photos.hidden / "different.jsonl", "a", encoding="utf-8") as file:
        file.write('{"event": "alike", "pictures": ["')
    report = find_duplicates(photos, ONLY_HASHES)
    assert "astronaut.png" not in shown(report) and len(report.different) == 1
    (photos.images / "astronaut-copy.png").unlink()
    assert find_duplicates(photos, ONLY_HASHES).different == []
