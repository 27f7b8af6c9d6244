"""The open project is remembered in a file."""

import pytest

from core.base.errors import DatasetError, StudioError
from widgets.session import Session


def test_a_new_kernel_opens_the_project_that_was_open_last(project, tmp_path):
    Session(tmp_path / "memory").open(project.folder)
    later = Session(tmp_path / "memory")
    later.resume()
    assert later.folder == project.folder
    assert later.dataset.project.name == "Small"


def test_a_project_that_is_gone_leaves_the_session_without_one(tmp_path):
    (tmp_path / "memory").write_text(str(tmp_path / "gone"), encoding="utf-8")
    session = Session(tmp_path / "memory")
    session.resume()
    assert session.folder is None


def test_when_the_next_project_is_gone_the_open_one_is_closed_everywhere(project, tmp_path):
    session = Session(tmp_path / "memory")
    session.open(project.folder)
    assert session.training.project.folder == project.folder
    told = []
    session.subscribe(lambda: told.append(session.folder))
    (tmp_path / "memory").write_text(str(tmp_path / "gone"), encoding="utf-8")
    session.resume()
    assert told == [None] and session.lost
    with pytest.raises(StudioError, match="No project is open"):
        _ = session.training


def test_what_is_no_project_is_refused_and_the_open_one_stays(session, tmp_path):
    before = session.folder
    with pytest.raises(DatasetError):
        session.open(tmp_path)
    assert session.folder == before


def test_without_a_project_a_manager_is_refused_with_a_sentence():
    with pytest.raises(StudioError, match="No project is open"):
        _ = Session().training
