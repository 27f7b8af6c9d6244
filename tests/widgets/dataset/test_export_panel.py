"""The panels Export and Send: a check whose buttons mend, an export that is shown, and a token that nobody writes down."""

import time
from pathlib import Path

import pytest
from PIL import Image

from core.base.jobs import list_jobs
from core.dataset.project import Project
from tests.core.training.finish.servers import Hub
from widgets.dataset.exporting import ExportPanel
from widgets.dataset.handover import HandoverPanel
from widgets.dataset.sending import SendPanel
from widgets.session import Session

pytestmark = pytest.mark.slow


def wait(panel, seconds=60.0):
    deadline = time.monotonic() + seconds
    while panel.working() and time.monotonic() < deadline:
        time.sleep(0.05)
        panel.refresh()
    panel.refresh()
    return panel.status.text


def press(panel, words):
    next(button for button, *_ in panel._actions if button.description.startswith(words)).click()
    return wait(panel)


def found(panel) -> str:
    return "".join(line.children[0].value for line in panel._findings.children)


def shown(panel, name) -> bool:
    return panel.form.control(name).view.layout.display != "none"


def test_a_finding_is_mended_at_one_press_and_the_export_says_what_it_made(session, project):
    (project.images / "2.txt").unlink()
    panel = ExportPanel(session)
    assert press(panel, "Check first").startswith("Needs attention: 1 thing must be mended before the export")
    assert "Pictures without a caption: 2.png." in found(panel) and not (project.folder / "export").exists()
    press(panel, "Export")
    assert wait(panel).startswith("Needs attention: 1 thing must be mended before the export")
    mend = next(line for line in panel._findings.children if "without a caption" in line.children[0].value).children[1].children[0]
    assert mend.description == "Leave them out"
    mend.click()
    assert "can be exported" in wait(panel) and "without a caption" not in found(panel)
    panel.form.control("zip").widget.value = True
    assert press(panel, "Export").startswith("Done: 2 pictures and 2 captions are in ")
    assert panel.status.state == "blocked" and "Pictures that are enlarged in training" in found(panel)
    assert panel._shown.layout.display == "" and "<td>2</td>" in panel._numbers.value and "Left out" in panel._numbers.value
    assert bytes(panel._sheet.value[:4]) == b"RIFF" and "Small_kohya.zip (" in panel._links.value
    assert press(panel, "Export").endswith("nothing changed. Left out: 2.png.")


def test_only_what_matters_for_a_layout_is_shown_and_a_wrong_choice_is_told_at_its_field(session):
    panel = ExportPanel(session)
    assert shown(panel, "class_word") and shown(panel, "zip")
    panel.form.control("layout").widget.value = "in_place"
    assert not shown(panel, "class_word") and not shown(panel, "zip") and shown(panel, "num_repeats")
    panel.form.control("layout").widget.value = "onetrainer"
    assert not shown(panel, "num_repeats") and shown(panel, "zip")
    panel.form.control("masks").widget.value = "alpha"
    assert "Masks in the transparency are read by kohya and ai_toolkit" in press(panel, "Export")


def test_a_new_kernel_shows_the_newest_export_and_its_settings(session, project):
    panel = ExportPanel(session)
    panel.form.control("layout").widget.value = "onetrainer"
    press(panel, "Export")
    again = Session()
    again.open(project.folder)
    later = ExportPanel(again)
    assert later.form.value().layout == "onetrainer" and "<td>3</td>" in later._numbers.value
    assert later.status.text.startswith("Done: 3 pictures")


def test_another_project_is_begun_anew(session, project, projects):
    panel = ExportPanel(session)
    press(panel, "Export")
    other = Project.create(projects / "Other", "Other")
    Image.new("RGB", (64, 64)).save(other.images / "a.png")
    session.open(other.folder)
    panel.refresh()
    assert panel._shown.layout.display == "none" and not panel._findings.children


def test_the_token_leaves_the_field_reaches_the_far_end_and_stands_in_no_file(session, project, tmp_path, monkeypatch):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    export = ExportPanel(session)
    export.form.control("layout").widget.value = "imagefolder"
    press(export, "Export")
    with Hub() as hub:
        hub.large = (".png",)
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        panel = SendPanel(session)
        assert press(panel, "Send it") == "Needs attention: No data set on Hugging Face is named. Write it as owner/name, or a name alone."
        panel.form.control("repo_id").widget.value = "me/cats"
        assert "There is no token for Hugging Face" in press(panel, "Send it")
        panel.token.widget.value = "hf_good_token"
        assert panel.token.widget.value == "" and panel.token.widget.placeholder.startswith("taken")
        assert press(panel, "Send it").startswith(f"Done: The data set is at {hub.address}/datasets/me/cats (private): ")
        assert f'href="{hub.address}/datasets/me/cats"' in panel._place.value and hub.private == {"me/cats": True}
    assert len(list_jobs(project.folder)) == 3
    for path in project.folder.rglob("*"):
        assert not path.is_file() or b"hf_good_token" not in path.read_bytes(), path


def test_the_packed_dataset_is_a_link_where_the_server_shows_it(session, project, tmp_path, monkeypatch):
    from tests.widgets.test_download_links import server

    for name, value in server(tmp_path / "run", Path(project.folder).parent, base="/").items():
        monkeypatch.setenv(name, value)
    panel = HandoverPanel(session)
    press(panel, "Pack pictures")
    assert 'href="/files/Small/Small_dataset.zip?download=1"' in panel._where.value
