"""While a picture tool makes versions nobody moves pictures, and it is named."""

import os

import pytest

from core.base.errors import DatasetError
from core.base.files import write_json
from core.base.jobs import append_event, write_order
from core.base.locks import locked
from core.base.process import mark_of
from core.dataset.images.not_worked_on import not_worked_on
from core.dataset.images.writing import LOCK


def work_as_a_job(project, stage, name):
    folder = project.jobs / name
    folder.mkdir(parents=True)
    write_order(folder, {"stage": stage, "project": str(project.folder), "settings": {}})
    write_json(folder / "process.json", mark_of(os.getpid()).as_dict())
    append_event(folder, "start", what="Working", total=3, done=0)


def test_the_tool_that_is_at_work_is_named_and_other_work_is_not(project):
    work_as_a_job(project, "upscale", "1-upscale")
    work_as_a_job(project, "import", "2-import")
    (project.jobs / "3-damaged").mkdir()
    (project.jobs / "3-damaged" / "settings.json").write_text("{")
    with locked(project.hidden / LOCK), pytest.raises(DatasetError, match=r"made \(Upscale\), so nothing was renamed"), \
            not_worked_on(project, "nothing was renamed"):
        raise AssertionError("it was let in")


def test_who_is_let_in_keeps_the_tools_out(project):
    with not_worked_on(project, "nothing was renamed"), pytest.raises(DatasetError, match="another program"), \
            not_worked_on(project, "nothing was moved"):
        raise AssertionError("it was let in")
