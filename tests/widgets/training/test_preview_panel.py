"""The panel that shows a picture as the trainer sees it: never one of a project that is not open any more."""

from PIL import Image

from core.dataset.project import Project
from widgets.training.preview import PreviewPanel


def test_a_picture_that_comes_late_is_not_shown_in_another_project_that_has_one_of_its_name(session, project, monkeypatch):
    other = Project.create(project.folder.parent / "other", "Other", trigger="else")
    Image.new("RGB", (64, 64), "white").save(other.images / "1.png")
    (other.images / "1.txt").write_text("else, white background")
    panel = PreviewPanel(session)
    assert "red background" in panel._found.value
    late = []
    monkeypatch.setattr(panel.loop, "beside", lambda work, then: late.append((work(), then)))
    panel._show()
    monkeypatch.undo()
    session.open(other.folder)
    assert "white background" in panel._found.value
    (found, then), = late
    then(found, None)
    assert "white background" in panel._found.value and "red background" not in panel._found.value
