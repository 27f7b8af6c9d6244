"""Reads what sd-scripts' own parsers accept, and writes it as the data that Lorabook's contract check uses.

    python custom/read_sd_scripts_arguments.py trainers/sd-scripts [--out core/training/data]

The source is read, not run, so that neither torch nor any other package of sd-scripts is needed: `setup_parser` of each
script is followed through the functions that it hands its parser to. A construct that this reader does not understand
is an error, never left out.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.base.errors import ConfigError, StudioError
from core.base.files import write_json
from core.base.paths import ROOT

NETWORK_SCRIPTS = tuple(f"{start}train_network.py" for start in ("", "sdxl_", "sd3_", "flux_", "lumina_", "hunyuan_image_", "anima_"))
FULL_SCRIPTS = ("train_db.py", *(f"{start}_train.py" for start in ("sdxl", "sd3", "flux", "lumina", "anima")))
SCRIPTS = (*NETWORK_SCRIPTS, *FULL_SCRIPTS)
DATASET_SOURCE = "library/config_util.py"
ACTIONS = {"store_true": ("StoreTrue", False, True), "store_false": ("StoreFalse", True, False)}


class Module:
    """One source file of the checkout: its functions, constants and imports."""

    source = ""
    """Folder of the checkout in which its packages lie."""

    def __init__(self, checkout: Path, path: Path) -> None:
        self.checkout, self.path, self.root = checkout, path, checkout / self.source
        if not path.is_file():
            raise ConfigError(f"{path} does not exist.", "Give the folder of an sd-scripts checkout.")
        self.body = ast.parse(path.read_text(encoding="utf-8")).body

    def function(self, name: str) -> ast.FunctionDef:
        """A function at the top of the file. Raises: ConfigError: there is none."""
        found = [node for node in self.body if isinstance(node, ast.FunctionDef) and node.name == name]
        if not found:
            raise ConfigError(f"{self.path} has no function {name}.")
        return found[-1]

    def classes(self) -> dict[str, ast.ClassDef]:
        """Classes by name."""
        return {node.name: node for node in self.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def constants(self) -> dict[str, ast.expr]:
        """Names that are given a value at the top of the file."""
        return {target.id: node.value for node in self.body if isinstance(node, ast.Assign)
                for target in node.targets if isinstance(target, ast.Name)}

    @cached_property
    def imports(self) -> dict[str, tuple[str, str]]:
        """Local name to (module, name inside it or ""), those that functions import for themselves too."""
        found: dict[str, tuple[str, str]] = {}
        for node in ast.walk(ast.Module(self.body, [])):
            if isinstance(node, ast.Import):
                found.update({alias.asname or alias.name: (alias.name, "") for alias in node.names})
            elif isinstance(node, ast.ImportFrom):
                beside = self.path.parent.relative_to(self.root).parts if node.level == 1 else ()
                package = ".".join((*beside, *filter(None, (node.module,))))
                found.update({alias.asname or alias.name: (package, alias.name) for alias in node.names})
        return found

    def resolve(self, node: ast.expr) -> tuple[Module, str]:
        """The module and name of a called function: `f`, `module.f`, `package.module.f`. Raises: ConfigError."""
        name = ast.unparse(node)
        if "." not in name:
            if name not in self.imports:
                return self, name
            module, inner = self.imports[name]
            return self._open(module), inner
        owner, _, function = name.rpartition(".")
        if owner not in self.imports:
            raise ConfigError(f"{self.path}:{node.lineno} calls {name}, which is not imported at the top.")
        module, inner = self.imports[owner]
        return self._open(f"{module}.{inner}" if inner else module), function

    def _open(self, name: str) -> Module:
        return type(self)(self.checkout, (self.root / Path(*name.split("."))).with_suffix(".py"))


def read_arguments(module: Module, function: str = "setup_parser", given: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The arguments that a function adds to a parser, in its order.

    Args: given: values of its own parameters, for the branches that depend on them.
    Raises: ConfigError: a construct that this reader does not understand.
    """
    node = module.function(function)
    return _follow(module, node.body, _bound(node, given or {}))


def _bound(node: ast.FunctionDef, given: dict[str, Any]) -> dict[str, Any]:
    names = [argument.arg for argument in node.args.args]
    defaults = dict(zip(names[len(names) - len(node.args.defaults):], map(ast.literal_eval, node.args.defaults), strict=True))
    positional = {names[int(place)]: value for place, value in given.items() if place.isdigit()}
    return {**defaults, **positional, **{name: value for name, value in given.items() if not name.isdigit()}}


def _follow(module: Module, body: list[ast.stmt], values: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for node in body:
        if isinstance(node, ast.If):
            found += _follow(module, node.body if _test(module, node.test, values) else node.orelse, values)
        elif isinstance(node, (ast.Expr, ast.Assign, ast.Return)) and isinstance(node.value, ast.Call):
            found += _call(module, node.value, values)
        elif not isinstance(node, (ast.FunctionDef, ast.Return, ast.Expr, ast.Pass)):
            raise ConfigError(f"{module.path}:{node.lineno} is not understood: {ast.unparse(node)[:80]}")
    return found


def _test(module: Module, test: ast.expr, values: dict[str, Any]) -> bool:
    if isinstance(test, ast.Name) and test.id in values:
        return bool(values[test.id])
    raise ConfigError(f"{module.path}:{test.lineno} branches on {ast.unparse(test)}, which is not known.")


def _call(module: Module, call: ast.Call, values: dict[str, Any]) -> list[dict[str, Any]]:
    name = ast.unparse(call.func)
    if name == "parser.add_argument":
        return [_definition(module, call)]
    takes_parser = bool(call.args) and isinstance(call.args[0], ast.Name) and call.args[0].id == "parser"
    if not takes_parser and not name.endswith("setup_parser"):
        if name == "argparse.ArgumentParser":
            return []
        raise ConfigError(f"{module.path}:{call.lineno} calls {name}, which is not understood.")
    owner, function = module.resolve(call.func)
    given: dict[str, Any] = {str(place): _value(module, argument, values) for place, argument in enumerate(call.args) if place}
    given.update({keyword.arg: _value(module, keyword.value, values) for keyword in call.keywords if keyword.arg})
    return read_arguments(owner, function, given)


def _value(module: Module, node: ast.expr, values: dict[str, Any] | None = None) -> Any:
    """A literal, a parameter, or a constant of the file. Raises: ConfigError."""
    if isinstance(node, ast.Name):
        if values and node.id in values:
            return values[node.id]
        if node.id in module.constants:
            return _value(module, module.constants[node.id])
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ConfigError(f"{module.path}:{node.lineno} has {ast.unparse(node)[:60]}, which is no plain value.") from error


def _definition(module: Module, call: ast.Call) -> dict[str, Any]:
    """One `add_argument` as argparse would store it."""
    options = [ast.literal_eval(argument) for argument in call.args]
    given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg and keyword.arg != "help"}
    known = {"action", "type", "default", "choices", "nargs", "const", "required", "dest", "metavar"}
    if unknown := set(given) - known:
        raise ConfigError(f"{module.path}:{call.lineno} uses {', '.join(unknown)} in add_argument, which is not understood.")
    values = {name: _value(module, node) for name, node in given.items() if name != "type"}
    kind = ast.unparse(given["type"]).rpartition(".")[2] if "type" in given else None
    long_name = next((option for option in options if option.startswith("--")), options[0])
    result = {"options": options, "dest": values.get("dest", long_name.lstrip("-").replace("-", "_")), "action": "Store",
              "type": kind or "str", "default": values.get("default"), "choices": values.get("choices"), "nargs": values.get("nargs"),
              "const": values.get("const"), "required": values.get("required", False)}
    if "action" in values:
        if values["action"] not in ACTIONS:
            raise ConfigError(f"{module.path}:{call.lineno} has the action {values['action']!r}, which is not understood.")
        action, default, const = ACTIONS[values["action"]]
        result.update(action=action, type=None, default=values.get("default", default), nargs=0, const=const)
    return result


def read_script(checkout: Path, script: str) -> list[dict[str, Any]]:
    """The arguments of a script. Raises: ConfigError: a construct that this reader does not understand."""
    return read_arguments(Module(checkout, checkout / script))


def gather_arguments(checkout: Path, scripts: tuple[str, ...] = SCRIPTS, read: Callable[[Path, str], list[dict[str, Any]]] | None = None
                     ) -> dict[str, Any]:
    """Scripts with the ids of their arguments, and each definition once: id = dest, or dest@N where definitions differ.

    Args: read: reads the arguments of one script; None: what its `setup_parser` adds.
    """
    read = read or read_script
    definitions: dict[str, dict[str, Any]] = {}
    listed: dict[str, dict[str, list[str]]] = {}
    for script in scripts:
        ids = []
        for definition in read(checkout, script):
            name, number = definition["dest"], 2
            while name in definitions and definitions[name] != definition:
                name, number = f"{definition['dest']}@{number}", number + 1
            definitions[name] = definition
            ids.append(name)
        listed[script] = {"args": ids}
    return {"scripts": listed, "definitions": definitions}


def gather_dataset_keys(checkout: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Keys of the dataset TOML per level, as `ConfigSanitizer` merges them for `train_network.py` and its kin."""
    module = Module(checkout, checkout / DATASET_SOURCE)
    sanitizer = module.classes()["ConfigSanitizer"]
    groups = {target.id: _schema(node.value) for node in sanitizer.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
              for target in node.targets if isinstance(target, ast.Name) and target.id.endswith("_SCHEMA")}

    def merged(*names: str) -> dict[str, Any]:
        return {key: facts for name in names for key, facts in groups[f"{name}_SCHEMA"].items()}

    general = ("DATASET_ASCENDABLE", "SUBSET_ASCENDABLE", "DB_SUBSET_ASCENDABLE", "DO_SUBSET_ASCENDABLE")
    subset = ("SUBSET_ASCENDABLE", "DB_SUBSET_DISTINCT", "DB_SUBSET_ASCENDABLE", "DO_SUBSET_ASCENDABLE")
    return {"general": merged(*general), "dataset": merged(*general), "subset": merged(*subset)}


def _schema(node: ast.Dict) -> dict[str, dict[str, Any]]:
    found = {}
    for key, value in zip(node.keys, node.values, strict=True):
        required = isinstance(key, ast.Call) and ast.unparse(key.func) == "Required"
        name = ast.literal_eval(key.args[0] if isinstance(key, ast.Call) else key)  # type: ignore[arg-type]
        found[name] = {"type": _kind(value), "required": required}
    return found


def _kind(node: ast.expr) -> str:
    """A voluptuous schema in words: "bool", "float | int", "[float, float]", "int | [int, int]"."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Constant) and node.value is None:
        return "null"
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "Any":
        return " | ".join(_kind(argument) for argument in node.args)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "functools.partial":
        kind = _kind(node.args[1])
        return f"{kind} | [{kind}, {kind}]" if "scalar" in ast.unparse(node.args[0]) else f"[{kind}, {kind}]"
    raise ConfigError(f"The dataset schema has {ast.unparse(node)}, which is not understood.")


def commit_of(checkout: Path) -> str:
    """The commit that is checked out. Raises: ConfigError: it is no git checkout."""
    done = subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    top = subprocess.run(["git", "-C", str(checkout), "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=False)
    if done.returncode or Path(top.stdout.strip()).resolve() != checkout.resolve():
        raise ConfigError(f"{checkout} is no git checkout of its own.", "Say its commit with --commit.")
    return done.stdout.strip()


def main(arguments: list[str] | None = None) -> int:
    """Read a checkout and write both files; 0 when they are written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path, help="folder of an sd-scripts checkout")
    parser.add_argument("--out", type=Path, default=ROOT / "core" / "training" / "data", help="folder for the two files")
    parser.add_argument("--scripts", nargs="+", default=SCRIPTS, help="the scripts to read")
    parser.add_argument("--commit", default="", help="the commit, where the folder is no git checkout")
    options = parser.parse_args(arguments)
    try:
        about = {"commit": options.commit or commit_of(options.checkout), "repository": "https://github.com/kohya-ss/sd-scripts"}
        args = {**about, **gather_arguments(options.checkout, tuple(options.scripts))}
        keys = {**about, "source": DATASET_SOURCE, "levels": gather_dataset_keys(options.checkout)}
        write_json(options.out / "sd_scripts_args.json", args)
        write_json(options.out / "sd_scripts_dataset_schema.json", keys)
    except StudioError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(args['definitions'])} arguments of {len(args['scripts'])} scripts, commit {about['commit'][:8]}, written to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
