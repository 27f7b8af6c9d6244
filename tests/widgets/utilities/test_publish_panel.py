"""Publish: the newest finished file stands there, the check list tells what is fine and what is not, and the token is nowhere."""

import json
import shutil

import pytest
from PIL import Image

from core.base import hub_writing
from core.base.jobs import list_jobs
from tests.core.training.finish.servers import Hub
from tests.widgets.utilities.conftest import choose, finish, press
from widgets.utilities.publish import PublishPanel


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setattr(hub_writing, "PAUSES", (0.01, 0.01))
    with Hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        yield server


@pytest.fixture
def panel(session, lora, hub, monkeypatch, tmp_path):
    monkeypatch.setenv("LORABOOK_LORAS", str(tmp_path / "loras"))
    made = PublishPanel(session)
    yield made
    made.close()


def checked(panel):
    press(next(button for button, _, _ in panel._actions if button.description == "Check first"))
    finish(panel)


def test_the_newest_finished_file_stands_there_and_the_other_panels_do_not_hear_of_it(panel, lora, session):
    assert panel.file == str(lora) and session.chosen_lora == "" and not panel.main.disabled
    choose(panel, shutil.copy(lora, lora.with_name("other.safetensors")))
    assert session.chosen_lora.endswith("other.safetensors")


def test_the_check_list_tells_what_must_be_mended_what_is_fine_and_shows_the_page(panel, lora, tmp_path):
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    panel.form.control("samples").widget.value = f"{tmp_path / 'a.png'} | mika <smile>"
    panel.form.control("description").widget.value = "A <b>girl</b>."
    checked(panel)
    assert panel.status.state == "attention" and "1 thing must be mended first" in panel.status.text
    assert "Must be mended:</b> There is no token for Hugging Face" in panel._findings.value
    assert "Fine:</b> Every value is a number" in panel._findings.value and "mika &lt;smile&gt;" in panel._samples.value
    assert "data:image/jpeg;base64," in panel._samples.value and "A &lt;b&gt;girl" in panel._page.value
    assert "<th>Title</th><td>Mika</td>" in panel._facts.value and panel._seen_box.layout.display == ""


def test_it_is_published_with_the_token_of_the_field_which_stands_in_no_file(panel, hub, tmp_path):
    panel.token.widget.value = "hf_good_token"
    assert panel.token.widget.value == "" and panel.token.widget.placeholder.startswith("taken")
    press(panel.main)
    finish(panel)
    assert panel.status.text.startswith(f"Done: It is at {hub.address}/me/Mika (private): "), panel.log.text
    assert f'href="{hub.address}/me/Mika"' in panel._place.value and "mika.safetensors" in panel._files.value
    assert "mika.safetensors" in hub.repositories["me/Mika"]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"hf_good_token" not in path.read_bytes(), path


@pytest.mark.slow
def test_what_does_not_matter_for_a_folder_is_hidden_and_the_folder_is_told(panel, lora, hub):
    panel.form.control("to").widget.value = "folder"
    assert panel.form.control("repo_id").view.layout.display == "none" == panel.token.view.layout.display
    assert panel.form.control("save_to").view.layout.display == ""
    press(panel.main)
    finish(panel)
    assert "for Civitai, each of them read again" in panel.status.text and (lora.parent / "mika-civitai" / "checklist.txt").is_file()
    assert "checklist.txt" in panel._files.value and hub.asked == []
    press(panel.main)
    finish(panel)
    assert panel.status.state == "attention" and "is there already" in panel.status.text


@pytest.mark.slow
def test_a_refusal_of_the_far_end_is_a_sentence(panel, hub):
    panel.token.widget.value = "hf_read_token"
    press(panel.main)
    finish(panel)
    assert panel.status.state == "attention" and "no right to write" in panel.status.text and "hf_read_token" not in panel.status.text


@pytest.mark.slow
def test_the_newest_job_is_taken_up_again_with_its_settings(panel, session, tmp_path):
    panel.form.control("to").widget.value = "zip"
    checked(panel)
    again = PublishPanel(session)
    finish(again)
    assert again._seen_box.layout.display == "" and "Check list" not in again._findings.value
    assert json.loads((list_jobs(tmp_path / "loras")[0].folder / "settings.json").read_text())["settings"]["to"] == "zip"
    again.close()
