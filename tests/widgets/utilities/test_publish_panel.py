"""Publish: the newest finished file stands there, the check list tells what is fine and what is not, and the token is nowhere."""

import json
import shutil

import pytest
from PIL import Image

from core.base import hub_writing
from core.base.jobs import list_jobs
from core.dataset.project import Project, folder_for
from tests.core.training.finish.servers import Hub
from tests.widgets.utilities.conftest import choose, finish, press
from widgets.jobs_view import settings_of
from widgets.session import Session
from widgets.training.finish import FinishPanel
from widgets.utilities import publish_texts
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


@pytest.mark.slow
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
    assert "Published" in panel._heading.children[0].value
    assert f'href="{hub.address}/me/Mika"' in panel._place.value and "mika.safetensors" in panel._files.value
    assert "mika.safetensors" in hub.repositories["me/Mika"]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"hf_good_token" not in path.read_bytes(), path


@pytest.mark.slow
def test_what_does_not_matter_for_a_folder_is_hidden_and_the_folder_is_told(panel, lora, hub, session):
    panel.form.control("to").widget.value = "folder"
    assert panel.form.control("repo_id").view.layout.display == "none" == panel.token.view.layout.display
    assert panel.form.control("save_to").view.layout.display == ""
    press(panel.main)
    finish(panel)
    written = session.folder / "published" / "mika-civitai"
    assert "for Civitai, each of them read again" in panel.status.text and (written / "checklist.txt").is_file()
    assert panel.status.state == "blocked" and "No picture is in it" in panel.status.text  # not in the colour of what is done
    assert "checklist.txt" in panel._files.value and hub.asked == []
    assert "Written" in panel._heading.children[0].value and "checklist.txt (" in panel._place.value
    press(panel.main)
    finish(panel)
    assert (session.folder / "published" / "mika-civitai-2").is_dir() and written.is_dir()  # mended and written again: the first one stays


@pytest.mark.slow
def test_a_refusal_of_the_far_end_is_a_sentence(panel, hub):
    panel.token.widget.value = "hf_read_token"
    press(panel.main)
    finish(panel)
    assert panel.status.state == "attention" and "no right to write" in panel.status.text and "hf_read_token" not in panel.status.text


def write_words(panel, **words):
    for name, text in words.items():
        panel.form.control(name).widget.value = text


def words_of(panel):
    return [panel.form.present(name) for name in ("name", "description", "trigger", "tags", "licence", "strength", "repo_id")]


WORDS = {"name": "Mika the cat", "description": "Draws her.", "trigger": "mika", "tags": "anime", "licence": "mit", "strength": 0.8,
         "repo_id": "me/cats"}


def test_each_file_has_its_own_words_and_none_goes_over_to_another(panel, lora):
    nothing = words_of(panel)
    write_words(panel, **WORDS, to="zip")
    choose(panel, lora.with_name("other.safetensors"))
    assert words_of(panel) == nothing and panel.form.present("to") == "zip"
    assert "What you wrote for mika.safetensors is kept with that file." in panel.form.control("file")._note.value
    write_words(panel, name="Another", repo_id="no name at all")  # wrong, and still nobody's but its own
    choose(panel, lora)
    assert words_of(panel) == list(WORDS.values()) and "What you last wrote for this file" in panel.form.control("file")._note.value
    choose(panel, lora.with_name("other.safetensors"))
    assert (panel.form.present("name"), panel.form.present("repo_id")) == ("Another", "no name at all")


def test_what_is_being_written_is_not_swept_away_by_a_choice_in_another_panel(panel, lora, session):
    other = lora.with_name("other.safetensors")
    other.write_bytes(lora.read_bytes())
    write_words(panel, name="Mika the cat")
    session.chosen_lora = str(other)
    session.tell()
    assert panel.file == str(lora) and panel.form.present("name") == "Mika the cat"
    write_words(panel, name="")
    session.chosen_lora = str(other)
    session.tell()
    session.chosen_lora = str(lora)
    session.tell()
    session.chosen_lora = str(other)
    session.tell()
    assert panel.file == str(other)


def test_words_that_are_written_before_a_file_is_chosen_are_meant_for_it(session, hub, monkeypatch, tmp_path, lora):
    monkeypatch.setenv("LORABOOK_LORAS", str(tmp_path / "loras"))
    outside = lora.rename(tmp_path / "mika.safetensors")
    panel = PublishPanel(session)
    assert panel.file == ""
    write_words(panel, name="Mika the cat")
    choose(panel, outside)
    assert panel.form.present("name") == "Mika the cat"
    panel.close()


def used(panel):
    """Send it off, as a press does, and do not wait."""
    panel.form.control("to").widget.value = "zip"
    panel._check().cancel()


def test_what_was_written_since_the_last_job_stays_when_another_project_is_opened(panel, session, lora):
    write_words(panel, description="First draft.")
    used(panel)
    write_words(panel, description="An hour's work.", name="Mika v2")
    session.open(Project.create(folder_for("Second"), "Second", trigger="x").folder)
    assert (panel.form.present("description"), panel.form.present("name")) == ("An hour's work.", "Mika v2")
    assert panel.file == str(lora)


def test_a_choice_of_where_to_stays_too_and_a_draft_comes_back_over_the_jobs_words(panel, session, lora):
    write_words(panel, description="First draft.")
    used(panel)
    panel.form.control("to").widget.value = "folder"
    session.open(Project.create(folder_for("Second"), "Second", trigger="x").folder)
    assert panel.form.present("to") == "folder"
    used(panel)
    write_words(panel, name="Mika v2")
    choose(panel, lora.with_name("nowhere.safetensors"))
    session.chosen_lora = ""
    session.open(Project.create(folder_for("Third"), "Third", trigger="x").folder)  # takes the job's file up again
    assert panel.file == str(lora)
    assert (panel.form.present("description"), panel.form.present("name")) == ("First draft.", "Mika v2")


def test_it_follows_the_other_panels_again_once_the_words_were_used(panel, session, lora):
    other = shutil.copy(lora, lora.with_name("other.safetensors"))
    write_words(panel, description="A girl.")
    assert not panel.is_free()
    used(panel)
    assert panel.is_free()
    session.chosen_lora = str(other)
    session.tell()
    assert panel.file == str(other) and panel.form.present("description") == ""
    choose(panel, lora)
    assert panel.form.present("description") == "A girl."


def test_settings_of_old_jobs_are_read_once_only(panel, lora, monkeypatch):
    write_words(panel, description="A girl.")
    used(panel)
    others = [lora.with_name(f"{name}.safetensors") for name in "abc"]
    read = []
    monkeypatch.setattr(publish_texts, "settings_of", lambda job, kind: read.append(job.id) or settings_of(job, kind))
    for file in (*others, lora):
        choose(panel, file)
    assert len(read) == 1 and panel.form.present("description") == "A girl."


def test_one_token_serves_publish_and_what_follows_the_runs(panel, session):
    finish_panel = FinishPanel(session)
    finish_panel.form.control("repo_id").widget.value = "me/cats"
    assert "no token for Hugging Face" in finish_panel._plan.value
    panel.token.widget.value = "hf_good_token"
    assert "no token" not in finish_panel._plan.value and finish_panel.token.widget.placeholder.startswith("taken")
    finish_panel.token.widget.value = "hf_other_token"
    assert panel.token.take() == session.training.hub_token == "hf_other_token"
    finish_panel.close()


@pytest.mark.slow
def test_after_a_rerun_everything_that_the_last_job_used_stands_there_again_but_the_token(panel, session, tmp_path, lora):
    write_words(panel, **WORDS, to="folder", private=False)
    panel.token.widget.value = "hf_good_token"
    checked(panel)
    session = Session()  # of a kernel that was started anew
    session.open(panel.session.folder)
    again = PublishPanel(session)
    finish(again)
    assert words_of(again) == list(WORDS.values())
    assert (again.form.present("to"), again.form.present("private"), again.file) == ("folder", False, str(lora))
    assert again.token.widget.value == "" and again.token.take() == ""
    choose(again, lora.with_name("other.safetensors"))
    assert again.form.present("name") == "" and again.form.present("repo_id") == ""
    choose(again, lora)
    assert words_of(again) == list(WORDS.values())
    again.close()


@pytest.mark.slow
def test_the_newest_job_is_taken_up_again_with_its_settings(panel, session, tmp_path):
    panel.form.control("to").widget.value = "zip"
    checked(panel)
    again = PublishPanel(session)
    finish(again)
    assert again.form.present("to") == "zip"
    assert again._seen_box.layout.display == "" and "Check list" not in again._findings.value
    assert json.loads((list_jobs(tmp_path / "loras")[0].folder / "settings.json").read_text())["settings"]["to"] == "zip"
    again.close()
