"""The history survives a kill in the middle and never undoes more than it did."""

from core.dataset.history import History, undo_last


def test_half_a_line_is_passed_over(project):
    history = History.of(project)
    with history.entry("One") as record:
        record.change("a", "a.txt", None, "x", ["x"])
    with open(history.path, "a") as file:
        file.write('{"event": "change", "ent')
    (project.images / "a.txt").write_text("x")
    assert [entry.what for entry in history.entries()] == ["One"]
    assert undo_last(project).restored == 1 and not (project.images / "a.txt").exists()


def test_a_change_that_was_noted_and_not_made_is_undone_without_harm(project):
    (project.images / "a.txt").write_text("before")
    with History.of(project).entry("One") as record:
        record.change("a", "a.txt", "before", "after")
    assert undo_last(project).restored == 0
    assert (project.images / "a.txt").read_text() == "before"


def test_an_entry_without_changes_is_none(project):
    with History.of(project).entry("Nothing"):
        pass
    assert History.of(project).entries() == []


def test_it_knows_which_tags_a_model_wrote_last_and_forgets_what_was_undone(project):
    history = History.of(project)
    for tags in (["hat"], ["bow", "Red_Hair"]):
        with history.entry("Tagged") as record:
            record.change("a", "a.txt", None, ", ".join(tags), tags)
    assert history.authored() == {"a": {"bow", "red hair"}}
    undo_last(project)
    assert history.authored() == {"a": {"hat"}}


def test_a_plain_folder_has_no_history(tmp_path):
    with History(None).entry("Tagged") as record:
        record.change("a", "a.txt", None, "x", ["x"])
    assert History(None).entries() == [] and list(tmp_path.iterdir()) == []
