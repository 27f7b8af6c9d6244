"""The words of the pages are the words of the screen, and what they name exists."""

import ast
import json
import re
import shlex
from pathlib import Path

import pytest

from core.base.paths import ROOT
from core.cli import build_parser
from core.dataset.project import ProjectInfo
from core.demo.run import PICTURES
from core.stages import STAGES
from core.training.config import TrainingSettings
from core.training.config.presets import find_presets
from widgets.dataset import PANELS as MAKER_PANELS
from widgets.form_level import FOLDS
from widgets.training import PANELS as TRAINER_PANELS

README = (ROOT / "README.md").read_text(encoding="utf-8")
PANELS_PAGE = (ROOT / "docs" / "panels.md").read_text(encoding="utf-8")
OTHERS = {"Run", "Run All Cells", "File", "New", "Terminal", "Runtime", "Change runtime type", "Upload notebook", "Download", "Trash",
          "Lorabook (Python …)"}
"""Menus and buttons of JupyterLab, Google Colab and Google Drive."""


def emphasised(text: str) -> list[str]:
    """What stands between single asterisks, outside of code."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    text = re.sub(r"`[^`]*`", "`", text).replace("**", "")
    return re.findall(r"(?<!\w)\*([^*\n]+(?:\n[^*\n]+)?)\*", text)


def notebook_words(name: str) -> str:
    cells = json.loads((ROOT / name).read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def words_on_screen() -> set[str]:
    """Every text in the panels' code, and the title of every setting."""
    found = {f"Show {words}" for words in FOLDS.values()}
    for path in (ROOT / "widgets").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        found |= {f"Show {node.args[0].value}" for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
                  and node.func.id == "Fold" and isinstance(node.args[0], ast.Constant)}
        found |= {"".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                  for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)}
    for path in (ROOT / "widgets").rglob("*.js"):
        found |= {one for pair in re.findall(r'"([^"\n]+)"|`([^`\n]+)`', path.read_text(encoding="utf-8")) for one in pair if one}
    found |= {f"Show {field.annotation.title}" for field in TrainingSettings.fields().values()}
    return found | fields_on_screen()


def fields_on_screen() -> set[str]:
    """The titles of the settings that panels have forms for."""
    kinds = [ProjectInfo, *(STAGES[name].settings_class() for name in STAGES)]
    kinds += [field.annotation for field in TrainingSettings.fields().values()]
    return {field.title for kind in kinds for field in kind.fields().values() if field.title}


def buttons_on_screen() -> set[str]:
    """The words of every panel's buttons."""
    found = {panels.load(name).button for panels in (MAKER_PANELS, TRAINER_PANELS) for name in panels.names()}
    for path in (ROOT / "widgets").rglob("*.py"):
        found |= set(re.findall(r'\.action\(\s*"([^"]+)"', path.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("place", ["README.md", "docs/panels.md", "docs/demo.md", "Dataset_Maker.ipynb", "Trainer.ipynb"])
def test_every_panel_button_and_field_that_a_page_names_is_called_so_on_screen(place):
    text = notebook_words(place) if place.endswith(".ipynb") else (ROOT / place).read_text(encoding="utf-8")
    named = {" ".join(words.split()) for words in emphasised(text) if not words.rstrip().endswith(".")}  # a sentence is a caption
    assert sorted(named - OTHERS - words_on_screen()) == []


def test_what_the_readme_says_to_press_is_a_button_and_what_it_says_to_fill_is_a_field():
    assert sorted(set(re.findall(r"[Pp]ress \*([^*]+)\*", README)) - buttons_on_screen()) == []
    assert sorted(set(re.findall(r"into\s+\*([^*]+)\*", README)) - fields_on_screen()) == []


@pytest.mark.parametrize("panels", [MAKER_PANELS, TRAINER_PANELS])
def test_a_panel_bears_one_name_in_the_list_and_on_screen(panels):
    assert [entry.title for entry in panels] == [panels.load(name).title for name in panels.names()]


def test_the_readme_names_every_panel_in_the_order_of_its_notebook():
    steps = README.split("## What to do next")[1].split("\n## ")[0]
    maker, trainer = steps.split("**Trainer**")
    for part, panels in ((maker, MAKER_PANELS), (trainer, TRAINER_PANELS)):
        named = [" ".join(words.split()) for words in emphasised(part)]
        places = [named.index(entry.title) for entry in panels]
        assert places == sorted(places)


def test_the_pages_count_the_demos_pictures_as_they_come_in(tmp_path):
    from core.dataset.manager import DatasetManager

    report = DatasetManager.create("demo", parent=tmp_path).import_from(PICTURES)
    assert len(report.imported) == 17 and [item.name for item in report.skipped] == ["download_broken.png"]
    for page in (README, PANELS_PAGE, (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")):
        assert re.search(r"\bseventeen\b", page, re.IGNORECASE) and "dozen" not in page


def test_the_readme_says_from_where_a_name_without_a_folder_is_read():
    assert re.search(r"^### Paths$", README, re.MULTILINE)


def commands() -> list[list[str]]:
    """Every `./jupyter.sh core …` of the pages, as words, without its optional parts."""
    found = []
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        lines = re.findall(r"^\./jupyter\.sh core (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        found += [shlex.split(re.sub(r"[\[\]]", "", line)) for line in lines]
    return [words for words in found if words != ["--help"]]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_of_the_pages_is_understood(words):
    given = build_parser().parse_args(words)
    assert getattr(given, "preset", "NAME") in {"NAME", *find_presets()}


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_every_link_of_a_page_leads_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if "://" in target:
            continue
        file, _, mark = target.partition("#")
        other = (ROOT / page).parent / file if file else ROOT / page
        assert other.exists(), target
        if mark:
            assert mark in anchors(other), target


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
