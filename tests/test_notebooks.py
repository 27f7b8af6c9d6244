"""Both notebooks run from top to bottom without anybody, and show every documented panel."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from core.base.paths import ROOT
from widgets.dataset import PANELS as MAKER_PANELS
from widgets.training import PANELS as TRAINER_PANELS

NOTEBOOKS = {"Dataset_Maker.ipynb": MAKER_PANELS, "Trainer.ipynb": TRAINER_PANELS}
PROBE = """
from widgets.{module} import NOTEBOOK
import json
print(json.dumps({{name: [panel.number, panel.status.text, panel.log.text] for name, panel in NOTEBOOK.session.panels.items()}}))
"""


def run(notebook: str, monkeypatch: pytest.MonkeyPatch, projects: Path, probe: str):
    monkeypatch.setenv("LORABOOK_PROJECTS", str(projects))
    content = nbformat.read(ROOT / notebook, as_version=4)
    content.cells.append(nbformat.v4.new_code_cell(probe))
    NotebookClient(content, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
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
    content = nbformat.read(ROOT / notebook, as_version=4)
    code = [cell.source for cell in content.cells if cell.cell_type == "code"]
    shown = [source.split('show("')[1].split('"')[0] for source in code[1:]]
    assert shown == list(NOTEBOOKS[notebook].names())


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_the_first_cell_does_nothing_away_from_colab(notebook):
    content = nbformat.read(ROOT / notebook, as_version=4)
    first = next(cell.source for cell in content.cells if cell.cell_type == "code")
    acting = [line for line in first.splitlines() if line and not line.startswith(("#", "import ", " ", 'REPOSITORY = ""'))]
    assert acting == ['if "google.colab" in sys.modules:']
    assert "enable_custom_widget_manager()" in first


def test_every_panel_is_documented():
    page = (ROOT / "docs" / "panels.md").read_text(encoding="utf-8")
    maker, trainer = page.split("## Trainer")
    for part, panels in ((maker, MAKER_PANELS), (trainer, TRAINER_PANELS)):
        for entry in panels:
            assert f'| {entry.title} | `"{entry.name}"` |' in part
