"""The import panel: one kind of source at a time, and a way to look for folders."""

import asyncio
import json
import sys
import types
import zipfile

import pytest

from core.base.jobs import JobStatus, start_job
from core.dataset.sources import SOURCES, places
from core.dataset.sources.gallery import CREDENTIALS
from tests.core.dataset.small_things import picture
from tests.core.dataset.sources.colab import make_colab
from widgets.dataset.importing import KINDS, WORDS, ImportPanel, import_list, skipped_list


@pytest.fixture
def panel(session, monkeypatch, tmp_path) -> ImportPanel:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for options in CREDENTIALS.values():
        for variable in options.values():
            monkeypatch.delenv(variable, raising=False)
    return ImportPanel(session)


def choose(panel: ImportPanel, kind: str) -> None:
    panel.form.control("kind").widget.value = kind


def shown_sections(panel: ImportPanel) -> list[str]:
    return [entry.name for entry in SOURCES if entry.options.get("remote") and panel.form.section_box(entry.name).layout.display != "none"]


def test_every_source_of_the_network_is_a_choice_and_shows_only_its_own_fields(panel):
    shown = [kind for _, kind in panel.form.control("kind").widget.options]
    assert [kind for _, kind in KINDS] == [kind for kind in WORDS if kind != "drive"] == shown
    for _, kind in KINDS:
        choose(panel, kind)
        assert shown_sections(panel) == ([] if kind == "auto" else [kind])
        assert panel.form.control("source").widget.description == WORDS[kind][0]
        assert (panel.browser.view.layout.display != "none") == (kind == "auto")


def test_the_fields_of_the_chosen_kind_reach_the_job(panel, monkeypatch):
    orders = []
    monkeypatch.setattr("widgets.panel.start_job", lambda folder, stage, values: orders.append((stage, values)))
    choose(panel, "huggingface")
    panel.form.control("source").widget.value = "me/cats"
    panel.form.control("huggingface.only").widget.value = "train/*"
    panel.form.control("huggingface.most").widget.value = 7
    panel.main.click()
    stage, values = orders[0]
    assert stage == "import" and (values["kind"], values["source"]) == ("huggingface", "me/cats")
    assert (values["huggingface"]["only"], values["huggingface"]["most"]) == ("train/*", 7)
    assert json.loads(json.dumps(values)) == values


def test_what_a_picture_site_lacks_is_said_before_the_button_is_pressed(panel, monkeypatch):
    choose(panel, "gallery")
    panel.form.control("gallery.site").widget.value = "gelbooru"
    note = panel.form.control("source")._note
    assert "GELBOORU_API_KEY" in note.value and "Needs attention" in note.value
    panel.form.control("gallery.site").widget.value = "danbooru"
    assert "Needs attention" not in note.value
    monkeypatch.setattr("core.dataset.sources.gallery.importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("core.dataset.sources.gallery.shutil.which", lambda name: None)
    choose(panel, "auto")
    choose(panel, "gallery")
    assert "installer.py --with sources" in panel.form.control("source")._note.value
    choose(panel, "url")
    assert "installer.py" not in panel.form.control("source")._note.value


def test_what_was_given_for_a_kind_comes_back_with_it(panel):
    source = panel.form.control("source").widget
    source.value = "/data/cats"
    choose(panel, "url")
    assert source.value == ""
    source.value = "https://example.org/a.zip"
    choose(panel, "auto")
    assert source.value == "/data/cats"
    choose(panel, "url")
    assert source.value == "https://example.org/a.zip"


def test_a_wrong_range_is_told_at_its_field(panel):
    choose(panel, "gallery")
    panel.form.control("source").widget.value = "cat"
    panel.form.control("gallery.range").widget.value = "first ten"
    panel.main.click()
    assert panel.status.text.startswith("Needs attention: Range") and "Needs attention" in panel.form.control("gallery.range")._note.value


def test_a_folder_is_found_by_walking_to_it(panel, tmp_path):
    picture(tmp_path / "sets" / "cats" / "a.png")
    (tmp_path / "sets" / "cats" / "a.txt").write_text("x")
    with zipfile.ZipFile(tmp_path / "sets" / "more.zip", "w"):
        pass
    browser = panel.browser
    browser.toggle.value = True
    assert browser.listing.folder == tmp_path and browser.listing.folders == ["projects", "sets"]
    browser.list.value = "sets"
    browser.open_button.click()
    assert [value for _, value in browser.list.options] == ["..", "cats", "more.zip"]
    browser.open_button.click()
    assert "1 picture, 1 caption" in browser._here.value
    browser.here_button.click()
    assert panel.form.control("source").widget.value == str(tmp_path / "sets" / "cats") and not browser.toggle.value
    browser.toggle.value = True
    browser.list.value = ".."
    browser.open_button.click()
    browser.list.value = "more.zip"
    browser.take_button.click()
    assert panel.form.control("source").widget.value == str(tmp_path / "sets" / "more.zip")


def test_a_folder_that_cannot_be_read_says_so_and_the_way_up_stays(panel, tmp_path):
    panel.browser.show(tmp_path / "gone")
    assert "cannot be read" in panel.browser._here.value and [value for _, value in panel.browser.list.options] == [".."]


def test_on_colab_the_way_to_google_drive_is_told_until_it_is_mounted(session, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr(places, "DRIVE", tmp_path / "drive")
    assert "Google Drive is not mounted" in ImportPanel(session).form.control("source")._note.value
    (tmp_path / "drive").mkdir()
    panel = ImportPanel(session)
    panel.browser.toggle.value = True
    assert "not mounted" not in panel.form.control("source")._note.value
    assert panel.browser.listing.folder == tmp_path / "drive"


def test_an_address_with_a_password_is_refused_before_anything_is_written(panel):
    choose(panel, "url")
    panel.form.control("source").widget.value = "https://me:s3cret@example.org/cats.zip"
    panel.main.click()
    assert "holds a password" in panel.status.text and "s3cret" not in panel.status.text and panel.job is None
    assert not [path for path in panel.session.folder.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]


def test_google_drive_is_a_row_on_colab_only(panel, session, monkeypatch, tmp_path):
    assert "drive" not in [kind for _, kind in panel.form.control("kind").widget.options]
    make_colab(tmp_path, monkeypatch)
    assert [kind for _, kind in ImportPanel(session).form.control("kind").widget.options][:2] == ["auto", "drive"]


def test_google_drive_is_connected_browsed_and_imported_from(session, monkeypatch, tmp_path):
    drive = make_colab(tmp_path, monkeypatch)
    panel = ImportPanel(session)
    choose(panel, "drive")
    assert "Connect Google Drive first" in panel.form.control("source")._note.value
    assert panel.connect.layout.display == "" and panel.drive_browser.view.layout.display == "none"
    assert panel.browser.view.layout.display == "none"
    panel.connect.click()
    assert panel.status.text.startswith(f"Done: Google Drive is connected as {drive}.")
    assert panel.connect.layout.display == "none" and panel.drive_browser.toggle.value
    assert panel.drive_browser.listing.folder == drive and "first" not in panel.form.control("source")._note.value
    picture(drive / "sets" / "cats" / "a.png")
    panel.drive_browser.show(drive)
    assert [value for _, value in panel.drive_browser.list.options] == ["sets"]  # and no way above
    panel.drive_browser.open_button.click()
    panel.drive_browser.open_button.click()
    panel.drive_browser.here_button.click()
    orders = []
    monkeypatch.setattr("widgets.panel.start_job", lambda folder, stage, values: orders.append(values))
    panel.main.click()
    assert (orders[0]["kind"], orders[0]["source"]) == ("drive", str(drive / "sets" / "cats"))


def test_a_refusal_of_google_is_told_and_the_button_stays(session, monkeypatch, tmp_path):
    make_colab(tmp_path, monkeypatch)
    monkeypatch.setenv("REFUSED", "1")
    panel = ImportPanel(session)
    choose(panel, "drive")
    panel.connect.click()
    assert panel.status.text.startswith("Needs attention: Google Drive was not connected: credential propagation")
    assert panel.connect.layout.display == ""


def test_the_way_up_from_a_shortcut_leads_back_to_my_drive(session, monkeypatch, tmp_path):
    drive = make_colab(tmp_path, monkeypatch)
    picture(drive.parent / ".shortcut-targets-by-id" / "x" / "a.png")
    drive.mkdir()
    (drive / "shared").symlink_to(drive.parent / ".shortcut-targets-by-id" / "x")
    browser = ImportPanel(session).drive_browser
    browser.toggle.value = True
    browser.list.value = "shared"
    browser.open_button.click()
    assert "1 picture" in browser._here.value
    browser.list.value = ".."
    browser.open_button.click()
    assert browser.listing.folder == drive


def test_open_it_opens_what_was_chosen_before_the_press_though_that_comes_later(session, tmp_path):
    for name in ("cats", "dogs"):
        (tmp_path / "sets" / name).mkdir(parents=True)

    async def kernel():
        panel = ImportPanel(session)
        panel.browser.show(tmp_path / "sets")
        panel.browser.take_button.click()
        panel.browser.list.value = "dogs"
        source = panel.form.control("source").widget
        while not source.value:
            await asyncio.sleep(0.02)
        assert source.value == str(tmp_path / "sets" / "dogs")
        panel.close()

    asyncio.run(kernel())


def test_files_of_other_kinds_stand_in_the_list_of_what_was_left_out():
    def listed(**report):
        return skipped_list(JobStatus("done", "", 1, 1, None, "", (), report))

    said = listed(others={".json": 2, ".tags": 1, ".<b>": 1}, skipped=[{"name": "a.png", "reason": "It is damaged."}])
    assert "4 files of other kinds were left out: 2 .json, 1 .&lt;b&gt;, 1 .tags." in said and "a.png" in said
    assert listed(others={}) == listed(ignored=3) == ""


def test_what_the_last_import_left_out_does_not_stand_under_the_next_one(session, project):
    panel = ImportPanel(session)
    panel._skipped.value = "what was left out"
    panel.follow(start_job(project.folder, "import", {"source": "/nowhere"}))
    assert panel.status.state == "working" and panel._skipped.value == ""
    panel.cancel()


def test_what_was_changed_on_the_way_or_there_before_is_named_and_a_long_list_is_cut():
    def image(number, name="", changes=()):
        return {"name": name or f"{number}.jpg", "source": f"in/{number}.jpg", "changes": list(changes)}

    report = {"imported": [image(number, changes=["turned upright"]) for number in range(8)] + [image(8)],
              "already": [image(9), image(10, "<cat>.jpg")],
              "skipped": [{"name": f"{number}.png", "reason": "It is damaged."} for number in range(1234)]}
    said = import_list(JobStatus("done", "", 1, 1, None, "", (), report))
    assert "in/0.jpg, in/1.jpg, in/2.jpg, in/3.jpg, in/4.jpg and 3 more: turned upright." in said
    assert "Already in the project: in/9.jpg, in/10.jpg as &lt;cat&gt;.jpg." in said
    assert said.count("<b>") == 100 and "and 1,134 more" in said
