"""What is half written: known by its name, taken away when its writer is dead, and never while somebody writes it."""

import os

import pytest

from core.base.files import atomic_write, write_with
from core.base.parts import OLD, clear_old_parts, is_part


def parts_in(folder):
    return sorted(path.name for path in folder.iterdir() if is_part(path.name))


def test_what_a_kill_left_half_written_goes_when_it_is_old_and_nothing_else(tmp_path):
    old, young, hidden, shown, other = (tmp_path / name for name in (".a.png.x1.part", ".b.png.x2.part", ".hidden", "c.part", ".d.partner"))
    for path in (old, young, hidden, shown, other):
        path.write_bytes(b"x")
    for path in (old, hidden, shown, other):
        os.utime(path, (1, 1))
    clear_old_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.png.x2.part", ".d.partner", ".hidden", "c.part"]


def test_names_of_halves_are_those_that_writers_give(tmp_path):
    seen = []
    write_with(tmp_path / "my film.zip", lambda place: (seen.append(place.name), place.write_bytes(b"x")))
    with atomic_write(tmp_path / "a.txt"):
        seen += parts_in(tmp_path)
    assert len(seen) == 2 and all(is_part(name) for name in seen)
    for name in ("my film.zip.part", "model.safetensors.incomplete", "a.part", ".partner", ".a.partly", ".part"):
        assert not is_part(name)


def test_a_writer_takes_away_what_a_killed_one_of_the_same_file_left_and_nothing_of_the_living(tmp_path):
    target = tmp_path / "a.safetensors"
    dead, other = tmp_path / ".a.safetensors.ab12cd3_.part", tmp_path / ".b.safetensors.ab12cd3_.part"
    for path in (dead, other):
        path.write_bytes(b"half")
    with atomic_write(target, clear=True) as living:
        living.write(b"first")
        with atomic_write(target, clear=True) as second:
            second.write(b"second")
            assert len(parts_in(tmp_path)) == 3 and not dead.exists()
        assert target.read_bytes() == b"second"
    assert target.read_bytes() == b"first" and parts_in(tmp_path) == [other.name]


def test_a_folder_of_halves_goes_when_nothing_in_it_is_young(tmp_path):
    folder = tmp_path / ".a.safetensors.ab12cd3_.part"
    folder.mkdir()
    (folder / "one").write_bytes(b"x")
    with atomic_write(tmp_path / "a.safetensors", clear=True):
        assert folder.exists()
    os.utime(folder, (1, 1))
    os.utime(folder / "one", (folder.stat().st_atime, folder.stat().st_ctime - 2 * OLD))
    with atomic_write(tmp_path / "a.safetensors", clear=True):
        assert not folder.exists()


def test_what_was_taken_away_before_it_was_marked_is_begun_anew(tmp_path, monkeypatch):
    import fcntl

    real, taken = fcntl.flock, []

    def flock(handle, kind):
        if not taken:
            taken.extend(parts_in(tmp_path))
            (tmp_path / taken[0]).unlink()
        return real(handle, kind)

    monkeypatch.setattr(fcntl, "flock", flock)
    with atomic_write(tmp_path / "a.safetensors", clear=True) as file:
        file.write(b"whole")
    assert (tmp_path / "a.safetensors").read_bytes() == b"whole" and len(taken) == 1 and parts_in(tmp_path) == []


@pytest.mark.parametrize("replace", [True, False])
def test_a_marked_file_gets_its_name_as_any_other(tmp_path, replace):
    target = tmp_path / "a.safetensors"
    with atomic_write(target, replace=replace, clear=True) as file:
        file.write(b"1")
    assert target.read_bytes() == b"1"
    if not replace:
        with pytest.raises(FileExistsError), atomic_write(target, replace=False, clear=True) as file:
            file.write(b"2")
    assert target.read_bytes() == b"1" and parts_in(tmp_path) == []
