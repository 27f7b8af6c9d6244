"""Archives that mean well, and those that do not."""

import copy
import gzip
import io
import shutil
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from core.base.errors import DatasetError, DiskError
from core.dataset.sources import archive as archive_source
from core.dataset.sources.import_settings import ImportSettings
from core.dataset.sources.importing import import_images
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
    assert names(project) == ["a-2.png", "a.png", "a.txt"] and report.others == {".md": 1} and report.skipped == []
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


def pack_often(path: Path, size: int, count: int) -> Path:
    """A zip with so many files of `size` zeros, each with bytes of its own; packed once."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0000.png", bytes(size))
        first = archive.filelist[0]
        packed = path.read_bytes()[len(first.FileHeader()):][:first.compress_size]
        for number in range(1, count):
            info = copy.copy(first)
            info.filename = info.orig_filename = f"{number:04}.png"
            info.header_offset = archive.fp.tell()
            archive.fp.write(info.FileHeader() + packed)
            archive.filelist.append(info)
        archive.start_dir = archive.fp.tell()
    return path


def test_a_zip_whose_many_small_members_grow_a_thousandfold_together_is_refused_before_one_is_unpacked(project, tmp_path):
    pack_often(tmp_path / "a.zip", 30 * 2**20, 150)
    assert (tmp_path / "a.zip").stat().st_size < 5 * 2**20
    with pytest.raises(DatasetError, match=r"a\.zip grows more than a thousandfold"):
        bring(project, tmp_path / "a.zip")
    assert list((project.hidden / "unpacked").iterdir()) == []


def test_a_zip_that_does_not_fit_on_the_disk_is_refused_before_one_member_is_unpacked(project, tmp_path, monkeypatch):
    pack_often(tmp_path / "a.zip", 100_000, 5)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(archive_source.shutil, "disk_usage", lambda _: usage._replace(free=archive_source.SPARE + 499_999))
    monkeypatch.setattr(archive_source.ArchiveSource, "_take", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(DiskError, match=r"No space left to unpack a\.zip: 1 MiB are needed"):
        bring(project, tmp_path / "a.zip")


def test_a_zip_whose_members_share_their_bytes_is_refused(project, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", png_bytes())
        archive.filelist.append(copy.copy(archive.filelist[0]))
    with pytest.raises(DatasetError, match="share the same bytes"):
        bring(project, tmp_path / "a.zip")


def as_zip64(path: Path, size: int | None = None, said: int = 0xFFFFFFFF) -> Path:
    """Give a zip the end records that Go writes. Args: size: of the list of contents; said: the same in the old end record."""
    data = path.read_bytes()
    end = data.rindex(b"PK\5\6")
    count, length, offset = struct.unpack("<HII", data[end + 10:end + 20])
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length if size is None else size, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    path.write_bytes(data[:end] + record + locator + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, said, 0xFFFFFFFF, 0))
    return path


def test_a_zip64_is_read_by_what_its_own_record_says(project, tmp_path):
    as_zip64(pack(tmp_path / "a.zip", {"a.png": png_bytes(), "a.txt": b"hat"}))
    assert (len(bring(project, tmp_path / "a.zip").imported), names(project)) == (1, ["a.png", "a.txt"])


def test_a_zip64_with_an_endless_list_of_contents_is_refused_whatever_the_old_record_says(project, tmp_path):
    as_zip64(pack(tmp_path / "a.zip", {"a.png": png_bytes()}), size=65 * 2**20, said=46)
    with pytest.raises(DatasetError, match="list of contents has 65 MiB"):
        bring(project, tmp_path / "a.zip")


def tar_with_header(path: Path, kind: bytes, size: int) -> Path:
    """A picture behind a header of so many zeros."""
    header = tarfile.TarInfo("header")
    header.type, header.size = kind, size
    picture = tarfile.TarInfo("good.png")
    picture.size = len(png_bytes())
    with gzip.open(path, "wb", 1) as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(max(0, size) // 2**20):
            file.write(bytes(2**20))
        file.write(picture.tobuf() + png_bytes().ljust(1024, b"\0") + bytes(1024))
    return path


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
                                  tarfile.GNUTYPE_LONGLINK])
@pytest.mark.parametrize("size", [48 * 2**20, -1024])
def test_a_tar_with_a_header_as_large_as_the_memory_is_refused_unread(project, tmp_path, kind, size):
    tar_with_header(tmp_path / "a.tar.gz", kind, size)
    tracemalloc.start()
    with pytest.raises(DatasetError, match=r"a\.tar\.gz holds a header of -?\d+ KiB"):
        bring(project, tmp_path / "a.tar.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_a_tar_with_a_map_of_holes_without_end_is_refused(project, tmp_path):
    header = tarfile.TarInfo("a.png")
    header.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[482] = 1  # there is more of the map behind it
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    with gzip.open(tmp_path / "a.tar.gz", "wb", 1) as file:
        file.write(block + (b"1" * 504 + b"\1" + bytes(7)) * 20_000)
    with pytest.raises(DatasetError, match="holes"):
        bring(project, tmp_path / "a.tar.gz")


def test_folders_without_end_in_a_tar_are_counted_too(project, tmp_path, monkeypatch):
    monkeypatch.setattr(archive_source, "MAX_ENTRIES", 50)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(60):
            member = tarfile.TarInfo(f"{number}")
            member.type = tarfile.DIRTYPE
            archive.addfile(member)
    with pytest.raises(DatasetError, match="50 entries or more"):
        bring(project, tmp_path / "a.tar")


@pytest.mark.parametrize("length", [12, 40])
def test_a_tar_gz_that_ends_at_once_is_refused_in_words(project, tmp_path, length):
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(b"x" * 5000)[:length])
    with pytest.raises(DatasetError, match=r"a\.tar\.gz is neither"):
        bring(project, tmp_path / "a.tar.gz")


def test_long_names_and_pax_headers_of_an_ordinary_size_are_read(project, tmp_path):
    for number, kind in enumerate((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)):
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=kind) as archive:
            member = tarfile.TarInfo(f"{'long' * 60}/{number}.png")
            member.size = len(png_bytes((number, 0, 0)))
            archive.addfile(member, io.BytesIO(png_bytes((number, 0, 0))))
        assert bring(project, tmp_path / "a.tar.gz").imported[0].source == f"{'long' * 60}/{number}.png"
