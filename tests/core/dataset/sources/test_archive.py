"""Archives that mean well, and those that do not."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from core.base.errors import DatasetError
from core.dataset.sources.importing import ImportSettings, import_images
from tests.core.dataset.small_things import png_bytes


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def bring(project, source: Path):
    return import_images(project, ImportSettings(source=str(source)))


def names(project) -> list[str]:
    return sorted(path.name for path in project.images.iterdir())


def test_a_zip_brings_images_and_captions_of_all_folders(project, tmp_path):
    pack(tmp_path / "a.zip", {"x/a.png": png_bytes(), "x/a.txt": b"hat", "y/a.png": png_bytes((9, 9, 9)), "readme.md": b"x",
                              "__MACOSX/x/._a.png": b"x", "x/.DS_Store": b"x", "Thumbs.db": b"x"})
    report = bring(project, tmp_path / "a.zip")
    assert names(project) == ["a-2.png", "a.png", "a.txt"] and report.ignored == 1 and report.skipped == []
    assert list((project.hidden / "unpacked").iterdir()) == []
    assert bring(project, tmp_path / "a.zip").imported == []


def test_names_that_point_outside_write_nothing_there(project, tmp_path):
    pack(tmp_path / "a.zip", {"../../evil.png": png_bytes(), "/etc/evil.png": png_bytes((1, 1, 1)), "C:\\evil.png": png_bytes((2, 2, 2)),
                              "..\\up.png": png_bytes((3, 3, 3)), "good.png": png_bytes((4, 4, 4))})
    report = bring(project, tmp_path / "a.zip")
    assert names(project) == ["good.png"]
    assert len(report.skipped) == 4 and all("outside" in item.reason for item in report.skipped)
    assert not list(tmp_path.rglob("evil*")) and not list(tmp_path.rglob("up.png"))


def test_links_in_an_archive_are_not_followed(project, tmp_path):
    (tmp_path / "secret.png").write_bytes(png_bytes((8, 8, 8)))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, str(tmp_path / "secret.png"))
        archive.writestr("good.png", png_bytes())
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"t{kind.decode()}.png")
            member.type, member.linkname = kind, str(tmp_path / "secret.png")
            archive.addfile(member)
        good = tarfile.TarInfo("tar.png")
        good.size = len(png_bytes((5, 5, 5)))
        archive.addfile(good, io.BytesIO(png_bytes((5, 5, 5))))
    assert "link" in bring(project, tmp_path / "a.zip").skipped[0].reason
    assert len(bring(project, tmp_path / "a.tar.gz").skipped) == 3
    assert names(project) == ["good.png", "tar.png"]


def test_a_member_that_grows_a_thousandfold_is_refused(project, tmp_path):
    pack(tmp_path / "a.zip", {"bomb.png": bytes(40 * 2**20), "good.png": png_bytes()})
    assert (tmp_path / "a.zip").stat().st_size < 100_000
    report = bring(project, tmp_path / "a.zip")
    assert names(project) == ["good.png"] and "thousandfold" in report.skipped[0].reason


def test_a_damaged_member_is_skipped_and_a_damaged_archive_is_named(project, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", png_bytes())
        archive.writestr("b.png", png_bytes((1, 1, 1)))
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[45] ^= 255
    (tmp_path / "a.zip").write_bytes(data)
    report = bring(project, tmp_path / "a.zip")
    assert names(project) == ["b.png"] and "damaged inside the archive" in report.skipped[0].reason
    (tmp_path / "b.zip").write_bytes(data[:60])
    with pytest.raises(DatasetError, match=r"b\.zip is neither a folder nor"):
        bring(project, tmp_path / "b.zip")


def test_a_cut_off_tar_gives_what_stood_before_the_cut(project, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(3):
            data = png_bytes((number, 0, 0), size=(300, 300))
            member = tarfile.TarInfo(f"{number}.png")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    whole = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:2400])
    report = bring(project, tmp_path / "a.tar")
    assert "0.png" in names(project) and len(names(project)) < 3
    assert any("damaged" in item.reason for item in report.skipped)


@pytest.mark.parametrize(("text", "encoding"), [("测试", "gbk"), ("ひと", "shift_jis"), ("日本", "utf-8"), ("über", "cp437")])
def test_names_without_an_encoding_are_guessed(project, tmp_path, text, encoding):
    name = text.encode(encoding) + b".png"
    raw = pack(tmp_path / "a.zip", {"x" * len(name): png_bytes()}).read_bytes()
    (tmp_path / "a.zip").write_bytes(raw.replace(b"x" * len(name), name))
    assert [image.source for image in bring(project, tmp_path / "a.zip").imported] == [f"{text}.png"]


def test_a_locked_member_is_skipped_with_its_reason(project, tmp_path):
    pack(tmp_path / "a.zip", {"a.png": png_bytes(), "b.png": png_bytes((1, 1, 1))})
    raw = bytearray((tmp_path / "a.zip").read_bytes())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(raw)
    report = bring(project, tmp_path / "a.zip")
    assert names(project) == ["b.png"] and "password" in report.skipped[0].reason


def test_an_archive_without_images_and_one_of_another_kind_are_refused_in_words(project, tmp_path):
    pack(tmp_path / "a.zip", {"a.md": b"x", "inner.zip": b"x"})
    with pytest.raises(DatasetError, match="holds no images"):
        bring(project, tmp_path / "a.zip")
    (tmp_path / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    with pytest.raises(DatasetError, match="7z archive"):
        bring(project, tmp_path / "a.7z")
