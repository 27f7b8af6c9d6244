"""Fingerprints stay alike where a person sees the same picture, and differ where not."""

import itertools

import pytest
from PIL import Image

from core.dataset.curation.hashes import fingerprint, pixel_digest
from tests.core.dataset.curation.photographs import as_jpeg, photographs

CHANGES = {
    "half the size": lambda picture: picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS),
    "256 pixels wide": lambda picture: picture.resize((256, round(256 * picture.height / picture.width)), Image.Resampling.BICUBIC),
    "twice the size": lambda picture: picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.BILINEAR),
    "JPEG of quality 30": lambda picture: as_jpeg(picture, 30),
}


def bits(first: int, second: int) -> int:
    return bin(first ^ second).count("1")


@pytest.mark.parametrize("change", CHANGES)
def test_scaling_and_compression_change_at_most_six_bits(change):
    for name, picture in photographs().items():
        before, changed = fingerprint(picture, picture), CHANGES[change](picture)
        after = fingerprint(changed, changed)
        assert bits(before.phash, after.phash) <= 6, name
        assert bits(before.dhash, after.dhash) <= 6, name
        assert before.pixels != after.pixels, name


def test_a_mirrored_picture_is_known_by_its_mirrored_hash_alone():
    for name, picture in photographs().items():
        before, turned = fingerprint(picture, picture), picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        after = fingerprint(turned, turned)
        assert bits(before.phash_mirrored, after.phash) <= 4 and bits(before.dhash_mirrored, after.dhash) <= 4, name
        assert bits(before.phash, after.phash) > 12, name


def test_different_photographs_differ_in_more_than_twelve_bits():
    prints = {name: fingerprint(picture, picture) for name, picture in photographs().items()}
    for (name, first), (other, second) in itertools.combinations(prints.items(), 2):
        assert min(bits(first.phash, second.phash), bits(first.phash, second.phash_mirrored)) > 12, (name, other)


def test_the_digest_is_of_pixels_size_and_mode():
    picture = Image.new("RGB", (6, 4), (1, 2, 3))
    other = picture.copy()
    other.putpixel((5, 3), (1, 2, 4))
    digests = {pixel_digest(one) for one in (picture, other, Image.new("RGB", (4, 6), (1, 2, 3)), picture.convert("RGBA"))}
    assert len(digests) == 4 and pixel_digest(picture.copy()) in digests


def test_the_digest_of_a_picture_of_many_strips_is_of_all_of_them():
    picture = Image.new("RGB", (3000, 3000))
    below = picture.copy()
    below.putpixel((2999, 2999), (0, 0, 1))
    assert pixel_digest(picture) != pixel_digest(below)


def test_pictures_of_one_pixel_have_hashes_too():
    picture = Image.new("RGB", (1, 1))
    assert 0 <= fingerprint(picture, picture).phash < 1 << 64
