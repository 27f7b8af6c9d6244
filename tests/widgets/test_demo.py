"""What counts as the demo project."""

import pytest

from core.base.errors import Cancelled
from core.base.progress import Progress
from core.dataset.project import Project
from core.demo.run import make_project
from widgets.demo import is_demo, open_demo


class StopAtOnce(Progress):
    def report_step(self, item: str) -> None:
        self.cancel()


def test_a_project_that_a_person_named_demo_is_not_the_demo(projects):
    own = Project.create(projects / "demo-of-my-cat", "demo-of-my-cat")
    assert not is_demo(own.folder) and not is_demo(None)
    folder = open_demo()
    assert folder != own.folder and is_demo(folder)
    assert open_demo() == folder


def test_a_demo_that_was_stopped_half_way_is_not_opened_again(projects):
    with pytest.raises(Cancelled):
        make_project(projects, StopAtOnce())
    half = next(projects.glob("demo-*"))
    assert not is_demo(half)
