"""The Caption panel: what it says before anything is loaded, one picture tried without writing, texts compared, and the job."""

import asyncio
import json
import os
import time

import pytest
import torch

from core.base.errors import DatasetError
from core.base.jobs import Job, write_order
from core.dataset.captions.captioners import CAPTIONERS
from core.dataset.captions.captioners.prompts import READY
from core.dataset.captions.captioning import CaptionSettings
from core.dataset.captions.told import ToldStore
from core.dataset.items import one_item
from core.dataset.manager import DatasetManager
from core.dataset.project import Project
from tests.core.dataset.captions.captioners.chat_server import Chat
from tests.core.dataset.captions.captioners.tiny_captioners import make_blip
from widgets.dataset.describing import CaptionPanel
from widgets.dataset.one_picture import who


@pytest.fixture
def chat(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Chat() as server:
        yield server


@pytest.fixture
def panel(session, chat):
    panel = CaptionPanel(session)
    panel.form.fill(CaptionSettings.make(captioner="server", server_url=chat.url, server_model="tiny", trigger_word="mychar"))
    yield panel
    panel.close()


def press(panel, words: str) -> None:
    button(panel, words).click()


def button(panel, words: str):
    return next(button for button, *_ in panel._actions if button.description == words)


def caption(project, name: str) -> str:
    return (project.images / f"{name}.txt").read_text(encoding="utf-8")


def texts(panel) -> list[str]:
    return [box.children[0].value for box in panel.one._texts.children]


def is_shown(panel, field: str) -> bool:
    return panel.form.control(field).view.layout.display != "none"


@pytest.mark.parametrize("name", CAPTIONERS.names())
def test_licence_memory_and_disk_are_said_before_anything_is_loaded(session, name):
    panel = CaptionPanel(session)
    panel.form.control("captioner").write(name)
    said = panel.form.control("captioner")._note.value
    assert CAPTIONERS.entry(name).licence in said and "memory" in said and "disk" in said


def test_the_card_follows_the_precision_and_only_what_the_captioner_knows_is_offered(session):
    panel = CaptionPanel(session)
    precision, mode, card = (panel.form.control(name) for name in ("precision", "mode", "captioner"))
    precision.write("4-bit")
    mode.write("tags")
    assert "about 5 GiB" in card._note.value and not is_shown(panel, "server_url")
    card.write("florence-2-base")
    assert precision.read() == "bf16" and "about 1 GiB" in card._note.value and not is_shown(panel, "precision")
    assert mode.read() == "short" and "tags" not in dict(mode.widget.options)
    card.write("blip-base")
    assert not is_shown(panel, "mode")
    card.write("server")
    assert all(is_shown(panel, field) for field in ("server_url", "key_variable", "mode")) and not is_shown(panel, "precision")
    card.write("qwen3-vl-8b")
    assert is_shown(panel, "precision") and not is_shown(panel, "server_url") and "about 20 GiB" in card._note.value


def test_ready_questions_name_the_trigger_word_and_can_be_changed(panel, project, chat):
    question = panel.form.control("prompt")
    assert {"Character", "Style", "Object", "Clothing", "Scene or place"} <= {label for label, _ in question.list.options}
    assert question.read() == "" and question.list.options[0] == ("the kind's own question", "")
    question.list.value = dict(question.list.options)["Character"]
    assert "{trigger}" in question.widget.value
    question.widget.value += ' Begin with "A photo"'
    press(panel, "Try on this picture")
    sent = chat.asked[0]["messages"][0]["content"][1]["text"]
    assert "called mychar" in sent and sent.endswith(' Begin with "A photo"') and "{trigger}" not in sent
    assert question.list.value == question.widget.value  # the changed one stands in the list, too


@pytest.mark.parametrize(("name", "label", "value"), [("blip-base", "Photo", "a photo of {trigger}"),
                                                     ("florence-2-base", "<CAPTION>", "<CAPTION>"), ("joycaption", "Style", None)])
def test_ready_questions_are_those_that_the_captioner_understands(session, name, label, value):
    panel = CaptionPanel(session)
    panel.form.control("captioner").write(name)
    offered = dict(panel.form.control("prompt").list.options)
    assert label in offered and offered[label] == (value or READY[label])
    assert ("Character" in offered) is (name == "joycaption")


def test_joycaption_offers_the_kinds_that_its_makers_name(session):
    panel = CaptionPanel(session)
    mode = panel.form.control("mode")
    assert "art-critic" not in dict(mode.widget.options)
    panel.form.control("captioner").write("joycaption")
    assert {"straightforward", "midjourney", "e621", "rule34", "booru", "art-critic", "product-listing", "social-media"} <= set(
        dict(mode.widget.options))
    mode.write("art-critic")
    panel.form.control("captioner").write("qwen3-vl-4b")
    assert mode.read() == "descriptive"


def test_a_text_that_was_broken_off_is_shown_though_it_is_not_kept(panel, project, chat):
    said = {"choices": [{"message": {"content": "A red pic"}, "finish_reason": "length"}]}
    chat.answers = [(200, json.dumps(said), {})]
    press(panel, "Try on this picture")
    assert "cut off; raise 'Longest text'" in panel.status.text and "A red pic" in panel.status.text and texts(panel) == []


def test_a_try_says_what_would_become_and_writes_nothing(panel, project, chat):
    panel.one.choice.field.value = "2"
    press(panel, "Try on this picture")
    assert "A server (OpenAI-compatible) needed" in panel.status.text and panel.status.text.endswith("nothing was written.")
    assert caption(project, "2") == "mychar, green background" and len(chat.asked) == 1
    assert "A green picture." in texts(panel)[0] and "would become: mychar, green background, A green picture." in texts(panel)[0]
    press(panel, "Try on this picture")
    assert "said this before" in panel.status.text and len(chat.asked) == 1
    press(panel, "Next picture")
    assert panel.one.choice.field.value == "3" and texts(panel) == [] and "blue background" in panel.one._caption.value
    press(panel, "Next picture")
    assert panel.one.choice.field.value == "1"


def test_texts_of_several_captioners_stand_side_by_side_and_one_is_chosen(panel, project):
    press(panel, "Try on this picture")
    panel.form.control("server_model").write("other")
    press(panel, "Try on this picture")
    found = DatasetManager.open(project.folder).told("1")
    assert [who(told) for told in found] == ["A server (OpenAI-compatible), other", "A server (OpenAI-compatible), tiny"]
    assert len(texts(panel)) == 2 and "other" in texts(panel)[0]
    panel.one._texts.children[1].children[1].children[0].click()
    assert caption(project, "1") == "mychar, red background, A red picture." and "the caption of 1 is now" in panel.status.text
    press(panel, "Undo the last change of captions")
    assert caption(project, "1") == "mychar, red background" and "red background" in panel.one._caption.value


def test_a_chosen_text_takes_the_place_of_the_one_before_and_of_no_word_of_a_person(panel, project):
    manager, settings = DatasetManager.open(project.folder), CaptionSettings(captioner="server", trigger_word="mychar")
    said = ("The first one.", "The second one.", "A third.")
    with ToldStore.of(project) as store:
        for text in said:
            store.remember("server", text, [(one_item(project, "1").sha256, "question", text)])
    assert manager.use_text("1", "The first one.", settings) == "mychar, red background, The first one."
    assert manager.use_text("1", "The second one.", settings) == "mychar, red background, The second one."
    assert manager.use_text("1", "A third.", settings.changed(existing="merge")) == "mychar, red background, The second one. A third."


def test_a_text_is_not_written_to_another_picture_that_has_the_name_now(panel, project):
    manager = DatasetManager.open(project.folder)
    press(panel, "Try on this picture")
    (told,) = manager.told("1")
    os.replace(project.images / "2.png", project.images / "1.png")
    with pytest.raises(DatasetError, match=r"was not said of the picture 1\.png as it is now"):
        manager.use_text("1", told.text, CaptionSettings(captioner="server"))
    assert caption(project, "1") == "mychar, red background"


def test_what_cannot_be_asked_is_said_and_nothing_is_sent(panel, chat):
    panel.one.choice.field.value = "no such"
    assert "No image is called" in panel.one._caption.value
    press(panel, "Try on this picture")
    assert "Needs attention: No image is called 'no such'" in panel.status.text
    panel.one.choice.field.value = "1"
    panel.form.fill(CaptionSettings.make(captioner="blip-base", schema_guided=True))
    for words in ("Try on this picture", panel.button):
        press(panel, words)
        assert "BLIP base cannot describe a character in parts" in panel.status.text
    assert chat.asked == [] and panel.job is None


def test_a_refusal_leaves_everything_as_it_was(panel, project, chat):
    chat.answers = ["I'm sorry, but I can't help with that."]
    press(panel, "Try on this picture")
    assert "The model refused" in panel.status.text and caption(project, "1") == "mychar, red background" and texts(panel) == []


def test_the_job_writes_captions_and_names_what_was_skipped(panel, project, chat):
    (project.images / "2.png").write_bytes(b"<html>")
    panel.form.control("existing").write("merge")
    press(panel, panel.button)
    ended(panel.job)
    panel._look()
    assert "2 captions written, 1 skipped." in panel.status.text
    assert caption(project, "1") == "mychar, red background, A red picture." and caption(project, "2") == "mychar, green background"
    assert "<b>2.png</b> was left out" in panel.found.value and "on 127.0.0.1" in panel.found.value
    press(panel, "Undo the last change of captions")
    assert caption(project, "3") == "mychar, blue background"


def copy_of_first(project, name: str) -> None:
    (project.images / name).write_bytes((project.images / "1.png").read_bytes())


def test_pictures_are_only_listed_anew_where_the_folder_changed(panel, session, project):
    long_ago = time.time() - 3600
    os.utime(project.images, (long_ago, long_ago))
    session.tell()
    copy_of_first(project, "4.png")
    os.utime(project.images, (long_ago, long_ago))
    session.tell()
    assert panel.one.choice.names == ["1", "2", "3"]
    os.utime(project.images, (long_ago + 1, long_ago + 1))
    session.tell()
    assert panel.one.choice.names == ["1", "2", "3", "4"]


def test_pictures_are_listed_beside_the_kernel(session, project):
    async def kernel():
        panel = CaptionPanel(session)
        assert panel.one.choice.names == []
        while panel.one.choice.names != ["1", "2", "3"]:
            await asyncio.sleep(0.01)
        copy_of_first(project, "4.png")
        session.tell()
        assert len(panel.one.choice.names) == 3
        while len(panel.one.choice.names) != 4:
            await asyncio.sleep(0.01)
        panel.close()

    asyncio.run(asyncio.wait_for(kernel(), 20))


def test_another_project_brings_its_own_pictures_and_none_takes_them_away(panel, session, projects):
    other = Project.create(projects / "other", "other")
    session.open(other.folder)
    assert panel.one.choice.names == [] and panel.one.choice.field.value == ""


def test_no_model_is_held_by_a_server_nor_before_a_try(panel):
    unload = button(panel, "Unload the model")
    press(panel, "Try on this picture")
    assert unload.disabled and unload.tooltip == "No model is loaded here."


def ended(job: Job) -> None:
    deadline = time.monotonic() + 60
    while not job.status().ended:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_model_stays_loaded_between_tries_and_is_unloaded_by_a_press_and_before_a_captioning(panel, project, tmp_path):
    make_blip(tmp_path / "blip")
    panel.form.fill(CaptionSettings.make(captioner="blip-base", model_dir=str(tmp_path / "blip"), device="cpu", temperature=1.0,
                                         existing="merge"))
    torch.manual_seed(6)
    unload = button(panel, "Unload the model")
    press(panel, "Try on this picture")
    held = panel.one.kept._model
    assert "the model in blip/ needed" in panel.status.text and held is not None and not unload.disabled
    panel.one.choice.field.value = "2"
    press(panel, "Try on this picture")
    assert panel.one.kept._model is held
    unload.click()
    assert "the model in blip/ was unloaded" in panel.status.text and held.model is None and unload.disabled
    panel.one.choice.field.value = "3"
    press(panel, "Try on this picture")
    held = panel.one.kept._model
    press(panel, panel.button)
    assert held.model is None
    ended(panel.job)
    assert panel.job.status().report["remembered"] == 3 and caption(project, "1").startswith("mychar, red background, ")


def test_the_buttons_of_texts_stay_while_nothing_changes_and_are_let_go_when_others_come(panel):
    press(panel, "Try on this picture")
    before = panel.one._texts.children
    panel.session.tell()
    assert before and panel.one._texts.children is before
    press(panel, "Next picture")
    assert before[0].comm is None and before[0].children[1].children[0].comm is None


def test_the_settings_of_the_newest_captioning_come_back_with_the_project(session, project):
    folder = project.folder / "jobs" / "20260101-100000-caption"
    folder.mkdir(parents=True)
    asked = CaptionSettings.make(captioner="qwen3-vl-8b", precision="4-bit", mode="short", existing="merge", ask_again=True, ids=("1",))
    write_order(folder, {"stage": "caption", "project": str(project.folder), "settings": asked.model_dump(mode="json")})
    panel = CaptionPanel(session)
    value = panel.form.value()
    assert (value.captioner, value.precision, value.mode, value.existing) == ("qwen3-vl-8b", "4-bit", "short", "merge")
    assert not value.ask_again and not value.ids
    panel.close()
