"""The rules of the house, read from the code itself: who may import whom, and what may stand where."""

import ast
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from core.base.paths import ROOT

HEAVY = {"torch", "torchvision", "transformers", "diffusers", "peft", "accelerate", "onnxruntime", "onnx", "PIL", "numpy", "cv2",
         "bitsandbytes", "prodigyopt", "tensorboard", "huggingface_hub", "safetensors"}
SIDES = ("dataset", "training", "setup", "models", "diffusion", "utilities")


def modules(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path, top_only: bool = False) -> list[tuple[str, int]]:
    """Names that a module imports, with their lines; `top_only`: only those that run when it is imported."""
    found: list[tuple[str, int]] = []

    def visit(node: ast.AST, late: bool) -> None:
        for child in ast.iter_child_nodes(node):
            is_type_check = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            inner = late or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or is_type_check
            if isinstance(child, ast.Import) and not (top_only and inner):
                found.extend((alias.name, child.lineno) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and not (top_only and inner) and child.module and not child.level:
                found.append((child.module, child.lineno))
                found.extend((f"{child.module}.{alias.name}", child.lineno) for alias in child.names)
            visit(child, inner)

    visit(parsed(path), False)
    return found


def breaches(folder: str, forbidden, top_only: bool = False) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{line} imports {name}" for path in modules(folder)
            for name, line in imports(path, top_only) if forbidden(path, name)]


def test_base_knows_only_the_standard_library_and_pydantic():
    allowed = set(sys.stdlib_module_names) | {"pydantic", "typing_extensions", "toml"}

    def forbidden(path: Path, name: str) -> bool:
        return not name.startswith("core.base") and name != "core" and name.split(".")[0] not in allowed

    assert breaches("core/base", forbidden) == []


@pytest.mark.parametrize("folder", ["core", "custom"])
def test_nothing_below_the_screen_imports_widgets(folder):
    assert breaches(folder, lambda path, name: name.split(".")[0] in {"widgets", "ipywidgets", "anywidget", "IPython"}) == []


@pytest.mark.parametrize("folder", ["core", "widgets"])
def test_nobody_imports_custom(folder):
    assert breaches(folder, lambda path, name: name.split(".")[0] == "custom") == []


def test_widgets_never_import_heavy_packages_nor_start_processes():
    assert breaches("widgets", lambda path, name: name.split(".")[0] in HEAVY | {"subprocess"}) == []


def test_components_know_nothing_of_core():
    assert breaches("widgets/components", lambda path, name: name.split(".")[0] == "core") == []


def test_the_dataset_side_does_not_know_the_training_side():
    draws = "core/dataset/images/inpainting/diffusion.py"  # the one place that draws with a base model

    def forbidden(path: Path, name: str) -> bool:
        is_drawing = path.relative_to(ROOT).as_posix() == draws and name.startswith("core.diffusion")
        return name.startswith(("core.training", "core.diffusion")) and not is_drawing

    assert breaches("core/dataset", forbidden) == []


def test_models_know_neither_side():
    assert breaches("core/models", lambda path, name: name.startswith(("core.dataset", "core.training"))) == []


def test_the_lora_tools_know_of_a_training_only_what_its_file_says_and_of_models_only_names():
    open_rooms = ("core.training.config", "core.training.importing", "core.diffusion.names", "core.diffusion.kinds",
                  "core.dataset.images.opening")
    of_projects = {"heaps.py", "housekeeping.py", "found_samples.py", "origins.py"}  # these look into projects and runs too

    def forbidden(path: Path, name: str) -> bool:
        if path.name in of_projects or name.startswith(open_rooms):
            return False
        return name.startswith(("core.training.", "core.dataset", "core.diffusion.", "core.models"))

    assert breaches("core/utilities", forbidden) == []


def test_the_training_side_knows_of_the_dataset_only_pictures_captions_and_versions():
    open_rooms = ("core.dataset.project", "core.dataset.items", "core.dataset.images", "core.dataset.captions.files",
                  "core.dataset.captions.statistics", "core.dataset.captions.tokens", "core.dataset.versions")

    def forbidden(path: Path, name: str) -> bool:
        return name.startswith("core.dataset.") and not name.startswith(open_rooms)

    assert breaches("core/training", forbidden) == []


def test_heavy_packages_are_imported_at_the_point_of_use():
    """What a panel, a manager or the command line may import stays light; the trainer's own rooms are a process of their own."""
    own_process = ("core/training/builtin/", "core/training/backends/inside/", "core/diffusion/", "core/demo/")

    def forbidden(path: Path, name: str) -> bool:
        inside = path.relative_to(ROOT).as_posix().startswith(own_process)
        return not inside and name.split(".")[0] in HEAVY

    assert breaches("core", forbidden, top_only=True) == []


def test_setup_and_installer_need_only_the_standard_library():
    allowed = set(sys.stdlib_module_names) | {"core"}
    here = [path for path in modules("core/setup") if path.name != "manager.py"] + [ROOT / "installer.py"]
    bad = [f"{path.name}:{line} {name}" for path in here for name, line in imports(path, top_only=True)
           if name.split(".")[0] not in allowed]
    assert bad == []


@pytest.mark.parametrize("notebook", ["Dataset_Maker.ipynb", "Trainer.ipynb"])
def test_notebooks_hold_no_output_and_no_logic(notebook):
    content = json.loads((ROOT / notebook).read_text(encoding="utf-8"))
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    for cell in content["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == [] and cell["execution_count"] is None
        source = "".join(cell["source"])
        first = cell is next(c for c in content["cells"] if c["cell_type"] == "code")
        assert first or len(source.splitlines()) <= 4, source


def test_every_module_says_what_it_is():
    silent = [str(path.relative_to(ROOT)) for folder in ("core", "widgets", "custom", "benchmarks") for path in modules(folder)
              if not ast.get_docstring(parsed(path))]
    assert silent == []


def test_nothing_of_the_product_is_ignored_by_git():
    """A pattern that is too wide leaves a room out of every clone, and only a clone would show it."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    rooms = ["core", "custom", "widgets", "assets", "docs", "tests", "benchmarks"]
    command = ["git", "ls-files", "--others", "--ignored", "--exclude-standard", *rooms]
    ignored = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [path for path in ignored if "__pycache__" not in path and ".ipynb_checkpoints" not in path and "_cache/" not in path] == []
