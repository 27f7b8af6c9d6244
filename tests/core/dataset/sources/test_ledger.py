"""Names that the ledger gives: never one that something has, however many images of one name come."""

from pathlib import Path

from core.dataset.sources import ledger as ledgers
from core.dataset.sources.ledger import ImportRecord, Ledger, fold, read_ledger
from tests.core.dataset.small_things import picture


def take(ledger: Ledger, content: str, stem: str) -> str:
    """Claim a name as an import does, and record it."""
    name = ledger.claim(content, stem, ".png")
    ledger.record(ImportRecord(name, content, f"{content}/{stem}.png", 1, 1, content))
    return name


def test_many_of_one_name_are_numbered_without_counting_from_the_first(project, monkeypatch):
    looks = []
    monkeypatch.setattr(ledgers, "fold", lambda name: looks.append(name) or fold(name))
    ledger = Ledger(project, [])
    names = [take(ledger, f"{number}", "Image" if number % 2 else "image") for number in range(1, 41)]
    assert [Path(name).stem for name in names] == ["Image", *(f"{'iI'[n % 2]}mage-{n}" for n in range(2, 41))] and len(looks) < 10 * 40


def test_a_name_that_was_claimed_and_not_used_is_given_again(project):
    ledger = Ledger(project, [])
    for content in "abc":
        assert ledger.claim(content, "image", ".png") == "image.png"
    assert [take(ledger, content, "image") for content in "abc"] == ["image.png", "image-2.png", "image-3.png"]


def test_numbers_pass_over_what_lies_there_and_over_what_came_meanwhile(project):
    picture(project.images / "image-2.png")
    (project.images / "image-3.txt").write_text("a caption")
    ledger = Ledger(project, [])
    assert [take(ledger, content, "image") for content in "ab"] == ["image.png", "image-4.png"]
    (project.images / "image-5.txt").write_text("a caption")
    assert take(ledger, "c", "image") == "image-6.png" and read_ledger(project)[-1].name == "image-6.png"
    assert Ledger(project, []).claim("d", "other", ".png") == "other.png"
