"""Both notebooks run from top to bottom without anybody, and show every documented panel."""

import json
import subprocess
from pathlib import Path

import pytest

from core.base.errors import MissingDependency
from core.base.paths import ROOT
from widgets.dataset import NOTEBOOK as MAKER_NOTEBOOK
from widgets.dataset import PANELS as MAKER_PANELS
from widgets.training import PANELS as TRAINER_PANELS

NOTEBOOKS = {"Dataset_Maker.ipynb": MAKER_PANELS, "Trainer.ipynb": TRAINER_PANELS}
PROBE = """
from widgets.{module} import NOTEBOOK
import json
print(json.dumps({{name: [panel.number, panel.status.text, panel.log.text] for name, panel in NOTEBOOK.session.panels.items()}}))
"""


def code_of(notebook: str) -> list[str]:
    """The sources of its code cells. `nbformat` takes seconds to be imported, and only what runs a notebook needs it."""
    cells = json.loads((ROOT / notebook).read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def execute(content, place: Path) -> None:
    from nbclient import NotebookClient

    NotebookClient(content, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(place)}}).execute()


def run(notebook: str, monkeypatch: pytest.MonkeyPatch, projects: Path, probe: str):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(projects))
    monkeypatch.setenv("LORABOOK_LORAS", str(projects / "_loras"))
    import nbformat

    content = nbformat.read(ROOT / notebook, as_version=4)
    content.cells.append(nbformat.v4.new_code_cell(probe))
    execute(content, ROOT)
    return content


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_it_runs_from_top_to_bottom_and_shows_each_panel_once(notebook, monkeypatch, tmp_path):
    module = "dataset" if notebook.startswith("Dataset") else "training"
    content = run(notebook, monkeypatch, tmp_path, PROBE.format(module=module))
    shown = json.loads(content.cells[-1].outputs[0].text)
    assert list(shown) == list(NOTEBOOKS[notebook].names())
    assert [number for number, _, _ in shown.values()] == list(range(1, len(shown) + 1))
    assert all(words.startswith(("Ready", "Needs attention: No project is open")) and not log for _, words, log in shown.values())
    for cell in content.cells[:-1]:
        assert all(output.output_type == "display_data" for output in cell.get("outputs", []))


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_there_is_one_cell_for_each_panel_in_order(notebook):
    shown = [source.split('show("')[1].split('"')[0] for source in code_of(notebook)[1:]]
    assert shown == list(NOTEBOOKS[notebook].names())


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_the_first_cell_does_nothing_away_from_colab(notebook):
    first = code_of(notebook)[0]
    idle = ("#", "import ", " ", 'REPOSITORY = ""', "KEEP_ON_DRIVE = True")
    acting = [line for line in first.splitlines() if line and not line.startswith(idle)]
    assert acting == ['if "google.colab" in sys.modules:']
    assert "enable_custom_widget_manager()" in first


COLAB = """
import sys, types
sys.modules["google.colab"] = colab = types.ModuleType("google.colab")
sys.modules.setdefault("google", types.ModuleType("google")).colab = colab
colab.drive = types.SimpleNamespace(mount=lambda place: print("MOUNTED", place))
colab.output = types.SimpleNamespace(enable_custom_widget_manager=lambda: print("WIDGETS ON"))
"""


def run_first_cell_on_colab(notebook: str, place: Path, repository: str, times: int = 1) -> list[str]:
    """What each run of the first cell prints on a stand-in for Colab whose folder /content/lorabook is `place`."""
    import nbformat

    content = nbformat.read(ROOT / notebook, as_version=4)
    first = code_of(notebook)[0].replace("/content/lorabook", str(place)).replace('REPOSITORY = ""', f"REPOSITORY = {repository!r}")
    probe = 'print(os.environ["LORABOOK_PROJECTS"], os.getcwd(), sys.path[0])'
    content.cells = [nbformat.v4.new_code_cell(source) for source in (COLAB, *[first] * times, probe)]
    execute(content, place.parent)
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in content.cells[1:]]


def make_repository(folder: Path, installer: str) -> str:
    folder.mkdir()
    (folder / "installer.py").write_text(installer)
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "-m", "first"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return folder.as_uri()


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_on_colab_the_first_cell_stops_with_a_sentence_when_lorabook_cannot_be_fetched_or_installed(notebook, tmp_path):
    from nbclient.exceptions import CellExecutionError

    place = tmp_path / "lorabook"
    with pytest.raises(CellExecutionError, match=r"AssertionError\S*: Write the address"):
        run_first_cell_on_colab(notebook, place, "")
    with pytest.raises(CellExecutionError, match=r"AssertionError\S*: Lorabook was not fetched"):
        run_first_cell_on_colab(notebook, place, str(tmp_path / "nowhere"))
    assert not place.exists()
    with pytest.raises(CellExecutionError, match=r"AssertionError\S*: Lorabook is not ready"):
        run_first_cell_on_colab(notebook, place, make_repository(tmp_path / "source", "raise SystemExit(1)"))


@pytest.mark.slow
def test_on_colab_the_first_cell_may_be_run_again_and_keeps_projects_on_drive(tmp_path):
    place = tmp_path / "lorabook"
    source = make_repository(tmp_path / "source", "print('INSTALLED')")
    first, second, probe = run_first_cell_on_colab("Trainer.ipynb", place, source, times=2)
    for printed in (first, second):
        assert "MOUNTED /content/drive" in printed and "INSTALLED" in printed and "WIDGETS ON" in printed
    assert probe.split() == ["/content/drive/MyDrive/lorabook", str(place), str(place)]


def test_in_another_kernel_than_lorabooks_the_panels_say_which_one_to_choose(monkeypatch):
    from widgets.notebook import missing_here

    assert missing_here() == []
    monkeypatch.setattr("widgets.notebook.NEEDED", ("pydantic", "no_such_package"))
    with pytest.raises(MissingDependency, match="no_such_package.*choose the kernel 'Lorabook"):
        MAKER_NOTEBOOK.show("setup")


def test_every_panel_is_documented():
    page = (ROOT / "docs" / "panels.md").read_text(encoding="utf-8")
    maker, trainer = page.split("## Trainer")
    for part, panels in ((maker, MAKER_PANELS), (trainer, TRAINER_PANELS)):
        for entry in panels:
            assert f'| {entry.title} | `"{entry.name}"` |' in part
