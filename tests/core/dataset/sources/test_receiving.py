"""Files that come in pieces: whole or not at all, gone on with after a kill, never over another file."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.base.errors import DatasetError, DiskError
from core.base.paths import ROOT
from core.dataset.sources import receiving
from core.dataset.sources.receiving import OutOfStep, Receiver
from core.dataset.sources.upload import UploadSettings, current_upload, list_uploads
from core.dataset.sources.upload_parts import BLOCK, PARTS, Occupied, Offer, block_digests, root_of, unfinished
from tests.core.dataset.small_things import png_bytes

UPLOAD = "upload_20260101-120000"
HERE = UploadSettings(where="project")
COMPOSED, DECOMPOSED = "\u00e9", "e\u0301"


@pytest.fixture
def receiver(project):
    made = Receiver(project, UPLOAD, HERE)
    yield made
    made.close()


def small(receiver, **files):
    """Send small files; keys are paths, with __ for /."""
    return {outcome.path: outcome for outcome in receiver.take_small(
        [(Offer(path, len(data)), memoryview(data), block_digests(memoryview(data))) for path, data in files.items()])}


def send(receiver, path: str, data: bytes, piece: int = 4 * BLOCK):
    """Send a file as the browser does: what is there is compared, the rest is sent."""
    offer, digests = Offer(path, len(data)), block_digests(memoryview(data))
    standing = receiver.open(offer)
    same = sum(1 for at in range(0, len(standing.digests), 32) if standing.digests[at:at + 32] == digests[at:at + 32])
    at = receiver.go_on(offer, same)
    if not isinstance(at, int):
        return at
    while at < len(data):
        part = memoryview(data)[at:at + piece]
        at = receiver.write(path, at, part, block_digests(part))
    return receiver.finish(path, root_of(digests))


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_large_file_comes_in_pieces_and_nothing_else_is_left(receiver, project):
    data = os.urandom(5 * BLOCK + 17)
    assert send(receiver, "cats/big.zip", data).state == "here"
    receiver.end()
    assert (receiver.folder / "cats" / "big.zip").read_bytes() == data
    assert files_in(project.folder / "uploads") == [f"{UPLOAD}.upload", f"{UPLOAD}/cats/big.zip"] and unfinished(project, HERE) == []


def test_until_the_last_piece_nothing_lies_in_its_place(receiver, project):
    data = os.urandom(3 * BLOCK)
    receiver.open(Offer("a.zip", len(data)))
    receiver.go_on(Offer("a.zip", len(data)), 0)
    receiver.write("a.zip", 0, memoryview(data)[:BLOCK], block_digests(memoryview(data)[:BLOCK]))
    assert not receiver.folder.exists() and [(file.path, file.have) for file in unfinished(project, HERE)] == [("a.zip", BLOCK)]
    with pytest.raises(OutOfStep, match="Not all"):
        receiver.finish("a.zip", root_of(block_digests(memoryview(data))))


def test_a_lost_piece_is_noticed_and_one_that_comes_twice_does_no_harm(receiver):
    data = memoryview(os.urandom(3 * BLOCK))
    offer = Offer("a.zip", len(data))
    receiver.open(offer)
    with pytest.raises(OutOfStep, match="lost"):
        receiver.write("a.zip", BLOCK, data[BLOCK:], block_digests(data[BLOCK:]))
    for _ in range(2):
        assert receiver.write("a.zip", 0, data[:BLOCK], block_digests(data[:BLOCK])) == BLOCK
    receiver.write("a.zip", BLOCK, data[BLOCK:], block_digests(data[BLOCK:]))
    assert receiver.finish("a.zip", root_of(block_digests(data))).state == "here"
    assert receiver.finish("a.zip", root_of(block_digests(data))).state == "here"  # the answer was lost, and it is asked again


def test_a_piece_that_came_out_different_is_not_written(receiver):
    data = memoryview(os.urandom(2 * BLOCK))
    receiver.open(Offer("a.zip", len(data)))
    wrong = bytearray(data)
    wrong[7] ^= 1
    with pytest.raises(OutOfStep, match="different"):
        receiver.write("a.zip", 0, memoryview(wrong), block_digests(data))
    assert receiver.open(Offer("a.zip", len(data))).have == 0


def test_a_file_whose_hash_is_wrong_at_the_end_is_not_kept(receiver, project):
    data = memoryview(os.urandom(BLOCK + 1))
    receiver.open(Offer("a.zip", len(data)))
    receiver.write("a.zip", 0, data, block_digests(data))
    with pytest.raises(DatasetError, match="came out different from what your browser read"):
        receiver.finish("a.zip", "0" * 64)
    assert not receiver.folder.exists() and unfinished(project, HERE) == []


@pytest.mark.parametrize(("offset", "size"), [(5, BLOCK), (0, BLOCK + 5), (0, 9 * BLOCK), (0, 0), (-BLOCK, BLOCK)])
def test_pieces_of_a_wrong_size_are_refused(receiver, offset, size):
    receiver.open(Offer("a.zip", 3 * BLOCK))
    with pytest.raises(DatasetError, match="wrong size"):
        receiver.write("a.zip", offset, memoryview(bytes(size)), block_digests(memoryview(bytes(size))))


def test_another_kernel_goes_on_with_what_really_is_on_the_disk(project):
    data = bytearray(os.urandom(6 * BLOCK + 5))
    before = Receiver(project, UPLOAD, HERE)
    before.open(Offer("a.zip", len(data)))
    before.write("a.zip", 0, memoryview(data)[:4 * BLOCK], block_digests(memoryview(data)[:4 * BLOCK]))
    before.close()
    part = unfinished(project, HERE)[0].place
    with open(part, "r+b") as file:
        file.seek(3 * BLOCK + 1)
        file.write(b"damaged")
        file.seek(4 * BLOCK)
        file.write(b"half a block")
    after = Receiver(project, UPLOAD, HERE)
    standing = after.open(Offer("a.zip", len(data)))
    assert standing.have == 4 * BLOCK and standing.digests[:3 * 32] == block_digests(memoryview(data)[:3 * BLOCK])
    assert standing.digests[3 * 32:] != block_digests(memoryview(data)[3 * BLOCK:4 * BLOCK])
    assert after.go_on(Offer("a.zip", len(data)), 3) == 3 * BLOCK
    assert send(after, "a.zip", bytes(data)).state == "here"
    assert (after.folder / "a.zip").read_bytes() == data


def test_another_file_of_the_same_name_and_size_begins_anew(project):
    first, second = os.urandom(3 * BLOCK), os.urandom(3 * BLOCK)
    before = Receiver(project, UPLOAD, HERE)
    before.open(Offer("a.zip", len(first)))
    before.write("a.zip", 0, memoryview(first)[:BLOCK], block_digests(memoryview(first)[:BLOCK]))
    before.close()
    after = Receiver(project, UPLOAD, HERE)
    assert send(after, "a.zip", second).state == "here" and (after.folder / "a.zip").read_bytes() == second


def test_the_same_file_twice_is_not_stored_twice_and_another_one_gets_another_name(receiver):
    large, picture = os.urandom(2 * BLOCK), png_bytes()
    for state in ("here", "here"):
        assert send(receiver, "a.zip", large).state == state
        assert small(receiver, **{"x/a.png": picture})["x/a.png"].state == state
    assert send(receiver, "a.zip", os.urandom(2 * BLOCK)).name == "a-2.zip"
    assert small(receiver, **{"x/a.png": png_bytes((9, 9, 9))})["x/a.png"].name == "x/a-2.png"
    assert files_in(receiver.folder) == ["a-2.zip", "a.zip", "x/a-2.png", "x/a.png"]


def test_names_are_made_safe_folders_stay_apart_and_captions_stay_with_their_pictures(receiver):
    names = {path: outcome.name for path, outcome in small(receiver, **{
        "a?/x.png": b"1", "a*/x.png": b"2", "a?/x.txt": b"of 1", "a*/x.txt": b"of 2", "猫/é:1.PNG": b"3", "猫/é*1.png": b"4",
        "猫/é*1.txt": b"of 4", "猫/é:1.PNG.txt": b"of 3", "con/aux.png": b"5", "b" * 200 + "x.png": b"6", "b" * 200 + "y.png": b"7",
        "b" * 200 + "y.caption": b"of 7"}).items()}
    stored = {name: (receiver.folder / name).read_bytes() for name in names.values()}
    assert len(stored) == len(names) and len({Path(name).parent for name in stored}) == 5
    for path, caption in (("a?/x.png", "a?/x.txt"), ("a*/x.png", "a*/x.txt"), ("猫/é*1.png", "猫/é*1.txt"),
                          ("b" * 200 + "y.png", "b" * 200 + "y.caption")):
        assert names[path].rsplit(".", 1)[0] == names[caption].rsplit(".", 1)[0]
        assert stored[names[caption]] == b"of " + stored[names[path]]
    assert names["猫/é:1.PNG.txt"] == names["猫/é:1.PNG"] + ".txt"
    assert "_con/_aux.png" in stored


@pytest.mark.parametrize(("path", "words"), [
    ("../a.png", "outside"), ("/a.png", "outside"), ("a/../../b.png", "outside"), ("a//b.png", "outside"), (".hidden.png", "hidden"),
    ("__MACOSX/a.png", "hidden"), ("a.mp4", "video"), ("a.exe", "neither"), ("a", "neither"), ("x/" * 20 + "a.png", "16 folders")])
def test_what_is_no_part_of_a_dataset_is_refused_with_the_reason(receiver, path, words, tmp_path):
    outcomes = small(receiver, **{path: b"x", "good.png": b"y"})
    assert outcomes[path].state == "refused" and words in outcomes[path].reason and outcomes["good.png"].state == "here"
    with pytest.raises(DatasetError, match=words):
        receiver.open(Offer(path, 5 * BLOCK))
    assert files_in(receiver.folder) == ["good.png"] and not (tmp_path / "a.png").exists()


def test_an_empty_file_is_refused(receiver):
    assert small(receiver, **{"a.png": b""})["a.png"].reason == "It is empty."
    with pytest.raises(DatasetError, match="empty"):
        receiver.open(Offer("b.zip", 0))


def test_a_small_file_that_came_out_different_is_asked_for_again(receiver):
    assert receiver.take_small([(Offer("a.png", 1), memoryview(b"x"), block_digests(memoryview(b"y")))])[0].state == "again"
    assert not receiver.folder.exists()


def test_a_full_disk_is_told_before_anything_is_sent(receiver, monkeypatch):
    monkeypatch.setattr(receiving, "SPARE", 2**60)
    with pytest.raises(DiskError, match="No space left in .*are needed.*press Go on"):
        receiver.open(Offer("a.zip", 2**21))
    with pytest.raises(DiskError, match="No space left"):
        small(receiver, **{"a.png": b"x"})


def test_a_disk_that_fills_up_keeps_what_came_and_goes_on_later(receiver, monkeypatch):
    data, write = memoryview(os.urandom(4 * BLOCK)), os.pwrite
    receiver.open(Offer("a.zip", len(data)))
    receiver.write("a.zip", 0, data[:BLOCK], block_digests(data[:BLOCK]))

    def half(handle, piece, offset):
        if len(piece) <= BLOCK:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, piece[:BLOCK], offset)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(DiskError, match="No space left to write"):
        receiver.write("a.zip", BLOCK, data[BLOCK:], block_digests(data[BLOCK:]))
    monkeypatch.setattr(os, "pwrite", write)
    assert receiver.open(Offer("a.zip", len(data))).have == BLOCK
    assert send(receiver, "a.zip", bytes(data)).state == "here"


def test_two_windows_do_not_write_one_file_at_once(project, monkeypatch):
    data = os.urandom(3 * BLOCK)
    first, second = Receiver(project, UPLOAD, HERE), Receiver(project, "upload_20260101-120001", HERE)
    first.open(Offer("a.zip", len(data)))
    with pytest.raises(Occupied, match="another window"):
        second.open(Offer("a.zip", len(data)), [first, second])
    monkeypatch.setattr(receiving, "IDLE", 0.0)
    assert second.open(Offer("a.zip", len(data)), [first, second]).have == 0
    with pytest.raises(OutOfStep, match="not open"):
        first.write("a.zip", 0, memoryview(data), block_digests(memoryview(data)))
    second.close()


def test_nothing_in_the_makers_own_folder_is_changed(project, tmp_path):
    own = tmp_path / "cats"
    own.mkdir()
    (own / "cat.png").write_bytes(png_bytes())
    (own / "dog.png").write_bytes(png_bytes((4, 4, 4)))
    (own / "dog.txt").write_text("a dog")
    (own / "sub").write_text("a file where a folder would be")
    project.write_info(project.info().changed(sources=(str(own),)))
    receiver = Receiver(project, UPLOAD, UploadSettings())
    outcomes = small(receiver, **{"cat.png": png_bytes(), "cat.txt": b"a cat", "dog.jpg": b"another dog", "dog.txt": b"of another dog",
                                  "sub/a.png": b"x", "new.png": b"new"})
    assert {path: (outcome.state, outcome.name) for path, outcome in outcomes.items()} == {
        "cat.png": ("already", "cat.png"), "cat.txt": ("here", "cat.txt"), "dog.jpg": ("here", "dog-2.jpg"),
        "dog.txt": ("here", "dog-2.txt"), "sub/a.png": ("refused", ""), "new.png": ("here", "new.png")}
    assert (own / "dog.txt").read_text() == "a dog" and (own / "sub").read_text().startswith("a file")
    assert send(receiver, "big.zip", os.urandom(2 * BLOCK)).state == "here" and not (own / PARTS).exists()


def test_the_makers_own_folder_dropped_as_a_whole_is_that_folder_and_nothing_is_stored_twice(project, tmp_path):
    own = tmp_path / "cats"
    (own / "sub").mkdir(parents=True)
    (own / "cat.png").write_bytes(png_bytes())
    (own / "sub" / "dog.png").write_bytes(png_bytes((4, 4, 4)))
    project.write_info(project.info().changed(sources=(str(own),)))
    files = {"cats/cat.png": png_bytes(), "cats/sub/dog.png": png_bytes((4, 4, 4)), "cats/new.png": b"new"}
    for upload in (UPLOAD, UPLOAD, "upload_20260101-130000"):
        receiver = Receiver(project, upload, UploadSettings())
        outcomes = small(receiver, **files)
        assert [outcome.name for outcome in outcomes.values()] == ["cat.png", "sub/dog.png", "new.png"]
        big = send(receiver, "cats/big.zip", bytes(2 * BLOCK))
        assert (big.name, files_in(own)) == ("big.zip", ["big.zip", "cat.png", "new.png", "sub/dog.png"])
        receiver.close()
    apart = Receiver(project, "upload_20260101-140000", HERE)
    assert small(apart, **{"cats/cat.png": png_bytes()})["cats/cat.png"].name == "cats/cat.png"


def test_a_subfolder_of_the_folders_own_name_stays_one(project, tmp_path):
    (tmp_path / "cats" / "cats").mkdir(parents=True)
    project.write_info(project.info().changed(sources=(str(tmp_path / "cats"),)))
    assert small(Receiver(project, UPLOAD, UploadSettings()), **{"cats/new.png": b"new"})["cats/new.png"].name == "cats/new.png"


def test_names_that_differ_in_composition_only_are_two_and_each_caption_goes_to_its_own_picture(receiver):
    files = {f"{COMPOSED}.png": b"red", f"{DECOMPOSED}.png": b"blue", f"{COMPOSED}.txt": b"of red", f"{DECOMPOSED}.txt": b"of blue",
             f"{DECOMPOSED}/a.png": b"green", f"{COMPOSED}/a.png": b"grey", f"{COMPOSED}/a.txt": b"of grey",
             f"{DECOMPOSED}/a.txt": b"of green"}
    stored = {outcome.name: files[path] for path, outcome in small(receiver, **files).items()}
    pictures = {name: words for name, words in stored.items() if name.endswith(".png")}
    assert len(stored) == 8 and {name: stored[Path(name).with_suffix(".txt").as_posix()] for name in pictures} == {
        name: b"of " + words for name, words in pictures.items()}


@pytest.mark.parametrize("path", ["{}.{}", "x/{}.{}", "{}/a.{}"])
def test_a_caption_goes_to_the_one_picture_whose_name_differs_in_composition_only(project, path):
    receiver = Receiver(project, UPLOAD, HERE)
    picture = small(receiver, **{path.format(DECOMPOSED, "png"): png_bytes()})[path.format(DECOMPOSED, "png")]
    again = Receiver(project, UPLOAD, HERE)  # also after the kernel was started anew
    caption = path.format(COMPOSED, "txt")
    assert small(again, **{caption: b"words"})[caption].name == picture.name.replace(".png", ".txt")
    assert small(again, **{caption.replace(".txt", ".png.txt"): b"x"}).popitem()[1].name == picture.name + ".txt"


def test_the_makers_own_files_are_known_whatever_the_composition_of_their_names(project, tmp_path):
    own = tmp_path / "cats"
    own.mkdir()
    (own / f"{DECOMPOSED}.png").write_bytes(b"red")
    project.write_info(project.info().changed(sources=(str(own),)))
    outcomes = small(Receiver(project, UPLOAD, UploadSettings()), **{f"{DECOMPOSED}.png": b"red", f"{DECOMPOSED}.txt": b"of red"})
    assert files_in(own) == [f"{DECOMPOSED}.png", f"{DECOMPOSED}.txt"] and outcomes[f"{DECOMPOSED}.png"].state == "already"


@pytest.fixture
def own(project, tmp_path):
    """The maker's own folder: a picture with its caption, an archive."""
    folder = tmp_path / "cats"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"red")
    (folder / "a.txt").write_bytes(b"of red")
    (folder / "big.zip").write_bytes(bytes(2 * BLOCK))
    project.write_info(project.info().changed(sources=(str(folder),)))
    return folder


def dropped(project, number: int, files: dict[str, bytes], large: dict[str, bytes]) -> dict[str, tuple[str, str]]:
    """Another upload of the same files. Returns: path → state and name."""
    receiver = Receiver(project, f"upload_20260101-13{number:02}00", UploadSettings())
    outcomes = [send(receiver, path, data) for path, data in large.items()] + list(small(receiver, **files).values())
    receiver.end()
    return {outcome.path: (outcome.state, outcome.name) for outcome in outcomes}


def test_what_is_dropped_again_is_not_stored_again_though_its_first_name_belongs_to_something_else(project, own):
    files, large = {"a.png": b"red", "a.txt": b"better", "b.png": b"blue"}, {"big.zip": b"x" * (2 * BLOCK)}
    dropped(project, 0, {"a.png": b"another", "a.txt": b"of another"}, {"big.zip": b"y" * (2 * BLOCK)})
    first = dropped(project, 1, files, large)
    assert first == {"a.png": ("already", "a.png"), "a.txt": ("here", "a-3.txt"), "b.png": ("here", "b.png"),
                     "big.zip": ("here", "big-3.zip")}
    before = files_in(own)
    for number in (2, 3, 4):
        assert dropped(project, number, files, large) == {path: ("already", name) for path, (_, name) in first.items()}
    assert files_in(own) == before == ["a-2.png", "a-2.txt", "a-3.txt", "a.png", "a.txt", "b.png", "big-2.zip", "big-3.zip", "big.zip"]


def test_a_picture_that_lies_there_with_a_number_keeps_its_caption_with_it(project, own):
    for number in range(3):
        outcomes = dropped(project, number, {"a.png": b"blue", "a.txt": b"of blue"}, {})
        assert [name for _, name in outcomes.values()] == ["a-2.png", "a-2.txt"]
    (own / "a-2.txt").unlink()
    assert dropped(project, 3, {"a.png": b"blue", "a.txt": b"of red"}, {})["a.txt"] == ("here", "a-2.txt")
    assert dropped(project, 4, {"a.jpg": b"green", "a.txt": b"of red"}, {}) == {"a.jpg": ("here", "a-3.jpg"), "a.txt": ("here", "a-3.txt")}


def test_a_caption_is_not_taken_for_that_of_another_picture(project, own):
    (own / "a-2.png").write_bytes(b"blue")
    (own / "a-2.txt").write_bytes(b"better")
    assert dropped(project, 0, {"a.png": b"red", "a.txt": b"better"}, {})["a.txt"] == ("here", "a-3.txt")


def test_two_pictures_of_one_name_here_are_known_again_in_either_order(project, own):
    files = {f"{COMPOSED}.png": b"1", f"{DECOMPOSED}.png": b"2", f"{COMPOSED}.png.txt": b"of 1", f"{DECOMPOSED}.png.txt": b"of 2"}
    dropped(project, 0, files, {})
    before = files_in(own)
    again = dropped(project, 1, dict(sorted(files.items())), {})  # the decomposed one first
    assert {state for state, _ in again.values()} == {"already"} and files_in(own) == before


def test_a_large_file_begins_anew_where_another_of_its_name_and_size_lies(project, own):
    data = bytes(BLOCK) + os.urandom(BLOCK)
    receiver = Receiver(project, UPLOAD, UploadSettings())
    offer, first = Offer("big.zip", len(data)), memoryview(data)[:BLOCK]
    assert receiver.open(offer).have == len(data) and receiver.go_on(offer, 1) == 0
    receiver.write("big.zip", 0, first, block_digests(first))
    assert receiver.open(offer).have == BLOCK  # asked again after a lost answer: its own part, not the other file
    assert send(receiver, "big.zip", data).name == "big-2.zip" and (own / "big-2.zip").read_bytes() == data
    receiver.close()


def test_however_many_have_one_name_each_is_compared_with_one_file_only(project, own, monkeypatch):
    files = {f"{'x' * 90}{number}.png": str(number).encode() for number in range(40)}
    dropped(project, 0, files, {})
    looks, has = [], receiving.has_content
    monkeypatch.setattr(receiving, "has_content", lambda *given: looks.append(given[0].name) or has(*given))
    assert {state for state, _ in dropped(project, 1, files, {}).values()} == {"already"}
    assert len(looks) == 40


def test_a_link_in_the_way_is_not_followed(receiver, tmp_path):
    receiver.folder.mkdir(parents=True)
    (receiver.folder / "a.png").symlink_to(tmp_path / "nowhere.png")
    assert small(receiver, **{"a.png": b"x"})["a.png"].name == "a-2.png" and not (tmp_path / "nowhere.png").exists()


def test_an_interrupted_upload_goes_on_in_its_folder_and_an_ended_one_does_not(project):
    first = Receiver(project, current_upload(project, HERE), HERE)
    small(first, **{"a*.png": b"1"})
    again = Receiver(project, current_upload(project, HERE), HERE)
    assert again.upload == first.upload and small(again, **{"a?.png": b"2", "a*.txt": b"of 1"})["a*.txt"].name == "a_.txt"
    again.end()
    assert current_upload(project, HERE) != first.upload and len(list_uploads(project)) == 1


KILLED = """
import os, sys
from pathlib import Path
from core.dataset.project import Project
from tests.core.dataset.sources.test_receiving import *
receiver = Receiver(Project(Path(sys.argv[1])), UPLOAD, HERE)
data = open(sys.argv[2], "rb").read()
print("go", flush=True)
while True:
    small(receiver, **{f"{n}.png": data[n * 100:n * 100 + 5000] for n in range(200)})
    send(receiver, "big.zip", data, BLOCK)
    for path in (receiver.folder / "big.zip", *receiver.folder.glob("*.png")):
        path.unlink()
    receiver.record.path.unlink()
    receiver = Receiver(receiver.project, UPLOAD, HERE)
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_only_whole_files(project, tmp_path):
    data = os.urandom(12 * BLOCK)
    (tmp_path / "data").write_bytes(data)
    for moment in range(12):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(project.folder), str(tmp_path / "data")], cwd=ROOT,
                                 stdout=subprocess.PIPE, start_new_session=True)
        assert child.stdout.readline() == b"go\n"
        time.sleep(0.013 * moment)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        folder = project.folder / "uploads" / UPLOAD
        for path in folder.rglob("*.png"):
            assert path.read_bytes() == data[int(path.stem) * 100:int(path.stem) * 100 + 5000]
        assert not (folder / "big.zip").exists() or (folder / "big.zip").read_bytes() == data
    receiver = Receiver(project, UPLOAD, HERE)
    assert send(receiver, "big.zip", data).state in ("here", "already")
    receiver.close()
