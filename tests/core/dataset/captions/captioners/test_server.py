"""Captions by a server on loopback: what is sent, what is made of each answer, and that failures leave captions as they were."""

import base64
import io
import json

import pytest
from PIL import Image

from core.base.errors import Cancelled, ConfigError, ModelError
from core.base.progress import Progress
from core.dataset.captions.captioners import server as module
from core.dataset.captions.captioning import CaptionSettings, caption_images
from core.dataset.history import undo_last
from core.dataset.items import folder_items
from tests.core.dataset.captions.captioners.chat_server import Chat
from tests.core.dataset.small_things import RED, picture


@pytest.fixture
def chat(monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Chat() as server:
        yield server


@pytest.fixture
def settings(chat):
    def make(**values) -> CaptionSettings:
        return CaptionSettings.make(**{"captioner": "server", "server_url": chat.url, "server_model": "tiny", "parallel": 1, **values})

    return make


def texts(project) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted(project.images.glob("*.txt"))}


def test_each_picture_gets_its_own_answer(three, settings, chat):
    report = caption_images(three, settings(parallel=3, trigger_word="mika"))
    assert texts(three) == {"a": "mika, A red picture.", "b": "mika, A green picture.", "c": "mika, A blue picture."}
    assert report.sentence() == "3 captions written." and report.provider.startswith("127.0.0.1:") and chat.most > 1
    assert chat.asked[0]["model"] == "tiny" and chat.asked[0]["temperature"] == 0 and "top_p" not in chat.asked[0]


def test_a_question_of_ones_own_knows_the_trigger_word_and_the_tags(three, settings, chat):
    (three.images / "a.txt").write_text("red hair, hat")
    caption_images(three, settings(prompt="Describe {trigger}. Its tags: {caption}.", existing="overwrite", trigger_word="mika"),
                   only=["a"])
    assert chat.asked[0]["messages"][0]["content"][1]["text"] == "Describe mika. Its tags: red hair, hat."


def test_the_key_is_sent_in_a_header_and_never_to_another_address(three, settings, chat, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret-key")
    caption_images(three, settings(key_variable="MY_KEY"), only=["a"])
    assert chat.headers[0]["Authorization"] == "Bearer secret-key"
    with Chat() as other:
        chat.answers = [(307, "", {"Location": f"{other.url}/chat/completions"})]
        with pytest.raises(ModelError, match="sends to another address"):
            caption_images(three, settings(key_variable="MY_KEY"), only=["b"])
    assert other.asked == [] and "b" not in texts(three)


def test_a_busy_server_is_asked_again_and_one_bad_picture_does_not_stop_the_rest(three, settings, chat):
    chat.answers = [(429, "slow down", {"Retry-After": "0"}), (503, "busy", {}), "First.", *[(500, "broken", {})] * 3]
    (three.images / "b.txt").write_text("mine")
    report = caption_images(three, settings(existing="merge"))
    assert texts(three) == {"a": "First.", "b": "mine", "c": "A blue picture."}
    assert [(one.name, "failed 3 times (HTTP 500: broken)" in one.reason) for one in report.skipped] == [("b.png", True)]


def test_a_captioning_leaves_an_error_that_came_as_an_answer_and_endless_words_out(three, settings, chat):
    (three.images / "a.txt").write_text("mine")
    chat.answers = ["CUDA out of memory. Tried to allocate 2 GiB", "a a a a a a a", 'A sign that says "Error".']
    report = caption_images(three, settings(existing="overwrite"))
    assert texts(three) == {"a": "mine", "c": 'A sign that says "Error".'}
    assert [one.name for one in report.skipped] == ["a.png", "b.png"] and "CUDA out of memory" in report.skipped[0].reason
    assert caption_images(three, settings(existing="overwrite")).remembered == 1


def test_a_text_is_kept_as_it_was_said_and_its_opening_taken_off_where_it_is_written(three, settings, chat):
    own = settings(prompt="Its tags: {caption}.", existing="merge")
    chat.answers = ["The image shows a red cat, on a mat by the door."]
    caption_images(three, own, only=["a"])
    assert texts(three)["a"] == "A red cat, on a mat by the door."
    assert caption_images(three, own, only=["a"]).remembered == 1  # the question is the same: that is the model's own text
    report = caption_images(three, own.changed(existing="overwrite", strip_opening=False), only=["a"])
    assert report.remembered == 1 and texts(three)["a"] == "The image shows a red cat, on a mat by the door."


@pytest.mark.parametrize("answer", ["", "I'm sorry, but I can't help with that.", "<think>hm</think>", '""'])
def test_no_answer_and_a_refusal_are_no_captions(three, settings, chat, answer):
    (three.images / "a.txt").write_text("mine")
    chat.answers = [answer]
    report = caption_images(three, settings(existing="overwrite"))
    assert texts(three)["a"] == "mine" and len(texts(three)) == 3 and [one.name for one in report.skipped] == ["a.png"]


@pytest.mark.parametrize(("status", "words"), [(401, "wants a key"), (404, "does not know the address or the model")])
def test_what_would_fail_for_every_picture_ends_it_at_once_and_says_why(three, settings, chat, status, words):
    chat.answers = [(status, '{"error": "no such thing"}', {})]
    with pytest.raises(ModelError, match=words):
        caption_images(three, settings())
    assert len(chat.asked) == 1 and texts(three) == {}


def test_a_server_that_always_fails_is_given_up(project, settings, chat):
    for number in range(9):
        picture(project.images / f"{number}.png")
    chat.answers = [(500, "broken", {})] * 99
    with pytest.raises(ModelError, match="failed 5 times one after the other"):
        caption_images(project, settings())
    assert len(chat.asked) == 15 and texts(project) == {}


def test_nobody_there_and_a_wrong_address_are_named(three, settings, chat):
    with pytest.raises(ModelError, match="Nobody answers at 127.0.0.1:9"):
        caption_images(three, settings(server_url="http://127.0.0.1:9/v1"))
    for wrong in ("localhost:11434", "", "ftp://x/v1"):
        with pytest.raises(ConfigError, match="must begin with http"):
            caption_images(three, settings(server_url=wrong))
    with pytest.raises(ConfigError, match="environment variable"):
        caption_images(three, settings(server_url="http://me:key@localhost/v1"))
    with pytest.raises(ConfigError, match="No model was named"):
        caption_images(three, settings(server_model=" "))
    chat.answers = [(200, "<html>a web page</html>", {})] * 3
    with pytest.raises(ModelError, match="no chat answer: <html>a web page"):
        caption_images(three, settings())


@pytest.mark.parametrize("status", [400, 403, 422])
def test_what_is_refused_from_the_first_ends_it_after_several_and_says_why(three, settings, chat, status):
    picture(three.images / "d.png", RED)
    chat.answers = [(status, '{"error": "no such thing"}', {})] * 9
    with pytest.raises(ModelError, match=r"3 times one after the other.*refused.*no such thing"):
        caption_images(three, settings())
    assert len(chat.asked) == 3 and texts(three) == {}


def many(project, count: int) -> None:
    for number in range(count):
        picture(project.images / f"{number:02}.png", RED, size=(20 + number, 20))


def test_pictures_that_a_server_refuses_between_others_are_left_out(project, settings, chat):
    many(project, 9)
    chat.answers = ["First.", *[(400, "bad picture", {})] * 6]
    report = caption_images(project, settings())
    assert (report.written, len(report.skipped)) == (3, 6) and "bad picture" in report.skipped[0].reason


@pytest.mark.parametrize("answer", ["I'm sorry, but I can't help with that.", "", "{}", (400, '{"error": {"code": "content_filter"}}', {}),
                                    (403, '{"error": "This picture was flagged by moderation."}', {})])
def test_refusals_of_the_model_never_end_it(project, settings, chat, answer):
    many(project, 8)
    chat.answers = [answer] * 7
    report = caption_images(project, settings(schema_guided=answer == "{}"))
    assert len(report.skipped) == (8 if answer == "{}" else 7) and len(chat.asked) == 8


def test_broken_pictures_do_not_count_towards_giving_up(project, settings, chat):
    many(project, 7)
    for number in range(4):
        (project.images / f"{number:02}.png").write_bytes(b"<html>")
    chat.answers = [(500, "broken", {})] * 3
    assert caption_images(project, settings()).written == 2


def test_a_text_that_was_cut_off_is_told_and_asked_again(three, settings, chat):
    def cut(text: str):
        return (200, json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "length"}]}), {})

    chat.answers = [cut("A red pic"), cut("<think>what is")]
    report = caption_images(three, settings())
    assert texts(three) == {"a": "A red pic", "c": "A blue picture."} and report.cut == 1
    assert report.sentence() == "2 captions written (1 cut off; raise 'Longest text'), 1 skipped."
    assert "thoughts were cut off" in report.skipped[0].reason
    chat.answers = [cut("")]  # a server that keeps the thoughts to itself
    assert "thoughts were cut off" in caption_images(three, settings()).skipped[0].reason
    again = caption_images(three, settings(existing="overwrite"))
    assert (again.remembered, again.cut) == (1, 0) and texts(three)["a"] == "A red picture."


@pytest.mark.parametrize("existing", ["merge", "replace", "overwrite"])
def test_a_question_with_the_caption_is_not_asked_again_about_the_model_s_own_text(three, settings, chat, existing):
    (three.images / "a.txt").write_text("red hair, 1,000 hats")
    own = settings(prompt="Its tags: {caption}.", existing=existing, trigger_word="mika", prefix="photo of")
    chat.answers = ["She wears a hat, and she smiles at the sea."]
    caption_images(three, own, only=["a"])
    assert chat.asked[0]["messages"][0]["content"][1]["text"] == "Its tags: red hair, 1,000 hats."
    before = texts(three)["a"]
    report = caption_images(three, own, only=["a"])
    assert (report.remembered, len(chat.asked)) == (1, 1) and texts(three)["a"] == before
    (three.images / "a.txt").write_text(before + ", bow")
    caption_images(three, own, only=["a"])
    assert len(chat.asked) == 2 and "She wears" not in chat.asked[1]["messages"][0]["content"][1]["text"]
    assert "bow" in chat.asked[1]["messages"][0]["content"][1]["text"]


def test_a_tag_that_was_taken_out_does_not_come_back_after_a_captioning(three, settings, chat, tagger):
    from core.dataset.captions.tagging import TagSettings, tag_images

    tags = TagSettings.make(model_dir=str(tagger), device="cpu", drop_overlap=False)
    tag_images(three, tags)
    (three.images / "a.txt").write_text("red theme")
    caption_images(three, settings(existing="merge"))
    tag_images(three, tags)
    assert texts(three)["a"] == "red theme, A red picture."


def test_where_everything_is_kept_the_report_says_what_to_choose(three, settings, chat):
    for name in "abc":
        (three.images / f"{name}.txt").write_text("mine")
    assert caption_images(three, settings()).sentence() == \
        "0 captions written, 3 kept. To change these, choose replace or merge under 'Existing captions'."


def test_a_broken_picture_is_skipped_and_not_sent(three, settings, chat):
    (three.images / "a.png").write_bytes(b"<html>")
    report = caption_images(three, settings())
    assert [one.name for one in report.skipped] == ["a.png"] and len(chat.asked) == 2


def test_what_was_answered_is_not_asked_again_until_it_is_wished(three, settings, chat):
    caption_images(three, settings())
    undo_last(three)
    report = caption_images(three, settings(prefix="photo of"))
    assert (report.remembered, report.provider, len(chat.asked)) == (3, "", 3) and texts(three)["a"] == "photo of, A red picture."
    caption_images(three, settings(existing="overwrite", mode="short"))
    assert len(chat.asked) == 6
    caption_images(three, settings(existing="overwrite", ask_again=True))
    assert len(chat.asked) == 9


class StopAfter(Progress):
    def report_step(self, item: str) -> None:
        if self.done == 1:
            self.cancel()


def test_pictures_of_one_content_with_captions_of_their_own_keep_their_own_answers(project, settings, chat):
    for name, words in (("a", "hat"), ("b", "bow")):
        picture(project.images / f"{name}.png", RED, size=(60, 60))
        (project.images / f"{name}.txt").write_text(words)
    asked = settings(prompt="Say it anew: {caption}", existing="merge")
    chat.answers = ["she wears a hat.", "she wears a bow."]
    caption_images(project, asked)
    assert texts(project) == {"a": "hat, she wears a hat.", "b": "bow, she wears a bow."}
    undo_last(project)
    assert caption_images(project, asked).remembered == 2 and len(chat.asked) == 2
    assert texts(project) == {"a": "hat, she wears a hat.", "b": "bow, she wears a bow."}


def test_cancel_keeps_what_is_done_and_the_next_run_goes_on(three, settings, chat):
    with pytest.raises(Cancelled):
        caption_images(three, settings(), StopAfter())
    assert texts(three) == {"a": "A red picture."}
    report = caption_images(three, settings())
    assert report.kept == 1 and len(texts(three)) == 3


def test_missing_ones_alone_are_captioned_by_default(three, settings, chat):
    (three.images / "b.txt").write_text("mine")
    progress = Progress()
    report = caption_images(three, settings(), progress)
    assert texts(three)["b"] == "mine" and (report.kept, report.written) == (1, 2) and (progress.done, progress.total) == (3, 3)


def test_a_character_is_described_in_parts(three, settings, chat):
    parts = {"subject": "a girl", "appearance": "red hair, blue eyes.", "clothing": "", "pose": "sitting", "style": "photograph"}
    chat.answers = [f"```json\n{json.dumps(parts)}\n```", "no json at all"]
    report = caption_images(three, settings(schema_guided=True), only=["a", "b"])
    assert texts(three) == {"a": "a girl, red hair, blue eyes, sitting, photograph"} and len(report.skipped) == 1
    schema = chat.asked[0]["response_format"]["json_schema"]["schema"]
    assert "clothing" in schema["required"] and '"clothing"' in chat.asked[0]["messages"][0]["content"][1]["text"]


def test_a_large_picture_is_sent_small(project, settings, chat):
    picture(project.images / "a.jpg", RED, size=(3000, 1500))
    caption_images(project, settings(largest_side=300))
    address = chat.asked[0]["messages"][0]["content"][0]["image_url"]["url"].split(",")[1]
    assert Image.open(io.BytesIO(base64.b64decode(address))).size == (300, 150)


def test_a_plain_folder_is_captioned_without_a_project(tmp_path, settings):
    picture(tmp_path / "plain" / "a.png", RED)
    assert caption_images(folder_items(tmp_path / "plain"), settings()).written == 1
    assert sorted(path.name for path in (tmp_path / "plain").iterdir()) == ["a.png", "a.txt"]
