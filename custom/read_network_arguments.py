"""Reads which network_args the modules of networks know, and writes them as the data that Lorabook's check of them uses.

    python custom/read_network_arguments.py trainers/sd-scripts trainers/musubi LYCORIS_FOLDER [--out core/training/data]

LYCORIS_FOLDER is the folder `lycoris` of the installed package. The source is read, not run: `create_network` of each module asks its
keyword arguments for names, itself or in functions that it hands them to. A module that hands them on in a way that this reader does not
understand is an error, never left out.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import read_musubi_arguments as musubi
import read_sd_scripts_arguments as reader

from core.base.errors import ConfigError, StudioError
from core.base.files import write_json

CREATES = "create_network"
ARCHITECTURE = "create_arch_network"
"""What musubi-tuner calls the same function of a family's module."""


def names_in(module: reader.Module, function: str, parameter: str = "") -> set[str]:
    """Names that a function looks up in its keyword arguments, with those of the functions that it hands them to.

    Args: parameter: the name of the dictionary; empty: that of `**kwargs`.
    Raises: ConfigError: they are handed to something that cannot be followed.
    """
    node = module.function(function)
    given = parameter or (node.args.kwarg.arg if node.args.kwarg else "")
    found = {argument.arg for argument in node.args.kwonlyargs}
    if given:
        for part in ast.walk(node):
            found |= _looked_up(module, part, given)
    return found


def _looked_up(module: reader.Module, part: ast.AST, given: str) -> set[str]:
    """What one piece of code looks up in the dictionary `given`."""
    if isinstance(part, ast.Call):
        if ast.unparse(part.func) in (f"{given}.get", f"{given}.pop") and isinstance(part.args[0], ast.Constant):
            return {part.args[0].value}
        return _handed_on(module, part, given)
    if isinstance(part, ast.Subscript) and ast.unparse(part.value) == given and isinstance(part.slice, ast.Constant):
        return {part.slice.value}
    if isinstance(part, ast.Compare) and isinstance(part.left, ast.Constant) and [ast.unparse(one) for one in part.comparators] == [given]:
        return {part.left.value}
    if isinstance(part, ast.Compare) and ast.unparse(part.left) == "key" and isinstance(part.comparators[0], ast.Name):
        renamed = next((node.value for node in ast.walk(ast.Module(module.body, [])) if isinstance(node, ast.Assign)
                        and ast.unparse(node.targets[0]) == ast.unparse(part.comparators[0])), None)
        return set(ast.literal_eval(renamed)) if isinstance(renamed, ast.Dict) else set()
    return set()


def _handed_on(module: reader.Module, call: ast.Call, given: str) -> set[str]:
    """What the function looks up that is called with the whole dictionary, as `f(kwargs)` or as `f(**kwargs)`."""
    whole = [place for place, argument in enumerate(call.args) if ast.unparse(argument) == given]
    spread = any(keyword.arg is None and ast.unparse(keyword.value) == given for keyword in call.keywords)
    if not (whole or spread) or ast.unparse(call.func) in ("list", "dict", "str", "logger.info", "print"):
        return set()
    owner, function = module.resolve(call.func)
    return names_in(owner, function, owner.function(function).args.args[whole[0]].arg if whole else "")


def gather(sd_scripts: Path, musubi_tuner: Path, lycoris: Path) -> dict[str, dict[str, list[str]]]:
    """Trainer → `network_module` → the names that it knows, sorted; LyCORIS stands with sd-scripts."""
    own = _of_folder(sd_scripts / "networks", lambda path: reader.Module(sd_scripts, path), CREATES)
    own["lycoris.kohya"] = sorted(names_in(reader.Module(lycoris.parent, lycoris / "kohya.py"), CREATES))
    others = _of_folder(musubi_tuner / musubi.PACKAGE / "networks", lambda path: musubi.Module(musubi_tuner, path), ARCHITECTURE)
    return {"sd-scripts": own, "musubi": others}


def _of_folder(folder: Path, opened: Callable[[Path], reader.Module], function: str) -> dict[str, list[str]]:
    modules = {path.stem: opened(path) for path in sorted(folder.glob("*.py"))}
    found = {f"networks.{stem}": sorted(names_in(module, function)) for stem, module in modules.items()
             if _makes_networks(module, function)}
    if not found:
        raise ConfigError(f"{folder} has no module that makes networks ({function}).", "Give the folder of a checkout.")
    return found


def _makes_networks(module: reader.Module, function: str) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == function for node in module.body)


def main(arguments: list[str] | None = None) -> int:
    """Read the three folders and write the file; 0 when it is written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sd_scripts", type=Path, help="folder of an sd-scripts checkout")
    parser.add_argument("musubi_tuner", type=Path, help="folder of a musubi-tuner checkout")
    parser.add_argument("lycoris", type=Path, help="folder lycoris of the installed package")
    parser.add_argument("--out", type=Path, default=reader.ROOT / "core" / "training" / "data", help="folder for the file")
    options = parser.parse_args(arguments)
    try:
        about = {"commits": {"sd-scripts": reader.commit_of(options.sd_scripts), "musubi": reader.commit_of(options.musubi_tuner)}}
        networks = gather(options.sd_scripts, options.musubi_tuner, options.lycoris)
        write_json(options.out / "network_args.json", {**about, "networks": networks})
    except StudioError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{sum(map(len, networks.values()))} modules of networks, written to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
