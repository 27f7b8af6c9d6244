"""Publishing a second time, and while the far end has its troubles: nothing twice, nothing left over, nothing of somebody else's mixed."""

import pytest

from core.base.cards import BEGIN
from core.base.errors import ConfigError
from core.base.hub_writing import HubError
from tests.core.utilities.publishing.conftest import publish

REPO = "me/Mika"


def lose_answers(hub, part, times=1):
    """What such a request asks for is done, but its answer does not come through."""
    right, left = hub.answer, [times]

    def answer(method, path, key, body):
        told = right(method, path, key, body)
        if part in path and left[0]:
            left[0] -= 1
            return 504, {"error": "the gate waited too long"}
        return told

    hub.answer = answer


def test_a_lost_answer_does_not_make_a_second_pull_request(mika, hub):
    hub.repositories["you/loras"], hub.private["you/loras"] = {}, False
    lose_answers(hub, "/commit/")
    report = publish(mika, repo_id="you/loras", pull_request=True)
    assert len(hub.pulls["you/loras"]) == 1 and report.pull_request.endswith("/discussions/1")


@pytest.mark.parametrize("way", [{"existing": "update"}, {"pull_request": True}])
def test_samples_that_the_page_does_not_show_any_more_go(mika, hub, way):
    publish(mika)
    hub.repositories[REPO] |= {"images/99.png": (1, "x" * 64, True), "images/cover.png": (1, "x" * 64, True)}
    lose_answers(hub, "/commit/")
    report = publish(mika, most_samples=1, **way)
    files = hub.pulls[REPO][0]["files"] if "pull_request" in way else hub.repositories[REPO]
    assert set(files) == {"mika.safetensors", "README.md", "images/01.png", "images/99.png", "images/cover.png"}
    assert [file.name for file in report.files if file.state == "removed"] == ["images/02.png"]
    assert "1 old sample removed" in report.sentence()


def test_where_nothing_may_be_changed_old_samples_stay(mika, hub):
    publish(mika)
    publish(mika, most_samples=1)
    assert "images/02.png" in hub.repositories[REPO]


def test_a_page_that_somebody_wrote_about_something_else_is_not_changed_unasked(mika, hub):
    text = b"---\nlicense: apache-2.0\ntags:\n- audio\n---\n# My speech model, weights follow\n"
    hub.stored["x" * 40], hub.repositories[REPO], hub.private[REPO] = text, {"README.md": (len(text), "x" * 40, False)}, True
    with pytest.raises(ConfigError, match="with a page that somebody else wrote; nothing was sent"):
        publish(mika)
    assert hub.stored[hub.repositories[REPO]["README.md"][1]] == text
    publish(mika, existing="update")
    assert b"speech" in hub.stored[hub.repositories[REPO]["README.md"][1]]


def test_a_page_with_values_alone_as_the_hub_makes_it_is_taken(mika, hub):
    text = b"---\nlicense: mit\n---"
    hub.stored["x" * 40], hub.repositories[REPO], hub.private[REPO] = text, {"README.md": (len(text), "x" * 40, False)}, True
    publish(mika)
    page = hub.stored[hub.repositories[REPO]["README.md"][1]].decode()
    assert page.startswith("---\nlicense: \"creativeml") and page.count("---\n") >= 2 and page.index(BEGIN) > page.index("\n---\n")


@pytest.mark.parametrize("status", [409, 412])
def test_what_somebody_else_wrote_at_the_same_moment_is_read_before_another_try(mika, hub, status):
    publish(mika)
    right, left = hub.answer, [1]

    def answer(method, path, key, body):
        if "/commit/" in path and left[0]:
            left[0] -= 1
            old = hub.stored[hub.repositories[REPO]["README.md"][1]]
            hub.stored["n" * 40] = old.replace(BEGIN.encode(), b"Their words.\n\n" + BEGIN.encode())
            hub.repositories[REPO]["README.md"] = (len(hub.stored["n" * 40]), "n" * 40, False)
            return status, {"error": "the branch was written meanwhile"}
        return right(method, path, key, body)

    hub.answer = answer
    publish(mika, description="New.")
    page = hub.stored[hub.repositories[REPO]["README.md"][1]]
    assert b"Their words." in page and b"New." in page


@pytest.mark.parametrize(("status", "words"), [
    (409, "The commit: somebody else wrote there at the same moment"), (412, "at the same moment"),
    (413, "more than Hugging Face takes at once"),
    (400, r"does not take it: the far end has a bad day \(error 400\)"),
    (422, r"does not take it: the far end has a bad day \(error 422\)")])
def test_a_refusal_is_said_in_words(mika, hub, status, words):
    hub.errors = [("/commit/", status)] * 3
    with pytest.raises(HubError, match=words) as told:
        publish(mika)
    assert told.value.message not in told.value.hint and told.value.hint not in told.value.message and told.value.status == status
