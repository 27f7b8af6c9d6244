"""What a grid says of versions."""

from PIL import Image

from core.dataset.images.saving import SaveSettings, encode
from core.dataset.images.variants import save_variant
from core.dataset.listing import scan
from widgets.dataset import badges
from widgets.dataset.badges import Badges

DATA = encode(Image.new("RGB", (8, 8)), SaveSettings(), "PNG").data


def test_versions_masks_and_parts_are_told_in_few_words(project):
    seen = Badges(project)
    assert seen.of(scan(project)) == {}
    for kind, label in (("resized", ""), ("upscaled", ""), ("mask", ""), ("part", "face_focus"), ("part", "crop")):
        save_variant(project, "1", kind, DATA, ".png", label)
    save_variant(project, "2", "transparent", DATA, ".png")
    assert seen.of(scan(project)) == {"1.png": "Upscaled, mask, 2 parts", "2.png": "no background"}


def test_the_folder_is_listed_again_only_when_it_changed(project, monkeypatch):
    listed, listing = [], scan(project)
    monkeypatch.setattr(badges, "list_variants", lambda *given: listed.append(given) or {})
    seen, before = Badges(project), Badges(project).mark()
    for _ in range(3):
        seen.of(listing)
    assert len(listed) == 1
    save_variant(project, "1", "upscaled", DATA, ".png")
    seen.of(listing)
    assert len(listed) == 2 and seen.mark() != before
