"""Links to files: only where the server that started the kernel shows them."""

import json
from pathlib import Path

from widgets.download_links import download_links, link_to


def server(runtime: Path, root: Path, pid: int = 77, base: str = "/user/me/") -> dict[str, str]:
    runtime.mkdir(exist_ok=True)
    (runtime / f"jpserver-{pid}.json").write_text(json.dumps({"root_dir": str(root), "base_url": base, "pid": pid}))
    return {"JUPYTER_RUNTIME_DIR": str(runtime), "JPY_PARENT_PID": "77"}


def test_a_file_that_the_server_shows_has_an_address(tmp_path):
    environ = server(tmp_path / "run", tmp_path / "root")
    place = tmp_path / "root" / "my cats" / "a&b.zip"
    assert link_to(place, environ) == "/user/me/files/my%20cats/a%26b.zip?download=1"
    assert link_to(tmp_path / "elsewhere.zip", environ) == "" and link_to(tmp_path / "root" / ".hidden" / "a.zip", environ) == ""


def test_without_a_server_or_with_a_damaged_note_the_way_is_told_in_words(tmp_path, monkeypatch):
    for name, value in server(tmp_path / "run", tmp_path, pid=78).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "a<b.zip").write_bytes(b"x" * 2048)
    words = download_links([tmp_path / "a<b.zip", tmp_path / "gone.zip"])
    assert "a&lt;b.zip (2 KiB), in " in words and "<a " not in words and "gone" not in words and "offers Download" in words
    (tmp_path / "run" / "jpserver-77.json").write_text("{")
    assert link_to(tmp_path / "a<b.zip") == "" and download_links([]) == ""


def test_of_a_file_outside_of_the_servers_folder_no_file_list_is_named(tmp_path, monkeypatch):
    for name, value in server(tmp_path / "run", tmp_path / "root").items():
        monkeypatch.setenv(name, value)
    (tmp_path / "a.safetensors").write_bytes(b"x" * 2048)
    words = download_links([tmp_path / "a.safetensors"])
    assert "at the left" not in words and f"Copy it into {tmp_path / 'root'}" in words and "<a " not in words
