"""Reads what musubi-tuner's own parsers accept, and writes it as the data that Lorabook's contract check uses.

    python custom/read_musubi_arguments.py trainers/musubi [--out core/training/data]

As `read_sd_scripts_arguments.py`, whose reader it uses: the source is followed, not run. What differs: the package lies under `src/`,
and a script builds its parser in `main`.
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import read_sd_scripts_arguments as reader

from core.base.errors import ConfigError, StudioError
from core.base.files import write_json

FAMILIES = ("flux_2", "qwen_image", "zimage", "flux_kontext")
STAGES = ("cache_latents", "cache_text_encoder_outputs", "train_network")
SCRIPTS = tuple(f"{family}_{stage}.py" for family in FAMILIES for stage in STAGES)
DATASET_SOURCE = "dataset/config_utils.py"
PACKAGE = "src/musubi_tuner"
DYNAMO_BACKENDS = ["NO", "EAGER", "AOT_EAGER", "INDUCTOR", "AOT_TS_NVFUSER", "NVPRIMS_NVFUSER", "CUDAGRAPHS", "OFI", "FX2TRT", "ONNXRT",
                   "TENSORRT", "AOT_TORCHXLA_TRACE_ONCE", "TORCHXLA_TRACE_ONCE", "IPEX", "TVM", "HPU_BACKEND"]
"""accelerate 1.6.0's DynamoBackend, from which one argument takes its choices."""


class Module(reader.Module):
    """A source file of the package; a function that it only passes on is found where it is written."""

    source = "src"

    def resolve(self, node: ast.expr) -> tuple[reader.Module, str]:
        """As `reader.Module.resolve`, through modules that only import the function."""
        module, name = super().resolve(node)
        while name in module.imports and not any(isinstance(one, ast.FunctionDef) and one.name == name for one in module.body):
            place, name = module.imports[name]
            module = self._open(place)
        return module, name


def read_script(checkout: Path, script: str) -> list[dict[str, Any]]:
    """The arguments of a script: what `main` does to its parser before it parses. Raises: ConfigError: a construct is not understood."""
    module = Module(checkout, checkout / PACKAGE / script)
    found: list[dict[str, Any]] = []
    for node in module.function("main").body:
        if "parse_args(" in ast.unparse(node):
            return found
        if not isinstance(node, (ast.Assign, ast.Expr)) or not isinstance(node.value, ast.Call):
            raise ConfigError(f"{module.path}:{node.lineno} is not understood: {ast.unparse(node)[:80]}")
        found += _call(module, node.value)
    raise ConfigError(f"{module.path} parses nothing in main.")


def _call(module: reader.Module, call: ast.Call) -> list[dict[str, Any]]:
    """The arguments that one call adds: to the parser itself, or by a function that is given it or makes it."""
    name = ast.unparse(call.func)
    if name == "parser.add_argument":
        return [_definition(module, call)]
    if name in ("argparse.ArgumentParser", "parser.set_defaults"):
        return []
    owner, function = module.resolve(call.func)
    found: list[dict[str, Any]] = []
    for node in owner.function(function).body:
        if isinstance(node, (ast.Assign, ast.Expr, ast.Return)) and isinstance(node.value, ast.Call) and "parser" in ast.unparse(node):
            found += _call(owner, node.value)
    return found


def _definition(module: reader.Module, call: ast.Call) -> dict[str, Any]:
    """One `add_argument`; choices that are computed are looked up."""
    for keyword in call.keywords:
        if keyword.arg == "choices" and not isinstance(keyword.value, (ast.List, ast.Tuple)):
            keyword.value = ast.parse(repr(_choices(module, keyword.value)), mode="eval").body
    definition = reader._definition(module, call)
    if definition["type"]:
        definition["type"] = definition["type"].removeprefix("_")
    return definition


def _choices(module: reader.Module, node: ast.expr) -> list[str]:
    if "DynamoBackend" in ast.unparse(node):
        return DYNAMO_BACKENDS
    versions = module.constants.get("FLUX2_MODEL_INFO")
    if isinstance(node, ast.Name) and isinstance(versions, ast.Dict):
        return [ast.literal_eval(key) for key in versions.keys if key is not None]
    raise ConfigError(f"{module.path}:{node.lineno} has the choices {ast.unparse(node)[:60]}, which are not understood.")


def gather_dataset_keys(checkout: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Keys of its dataset TOML: general, and of a dataset of pictures."""
    module = Module(checkout, checkout / PACKAGE / DATASET_SOURCE)
    groups = {target.id: node.value for node in module.classes()["ConfigSanitizer"].body if isinstance(node, ast.Assign)
              for target in node.targets if isinstance(target, ast.Name) and isinstance(node.value, ast.Dict)}
    general = _schema(groups["DATASET_ASCENDABLE_SCHEMA"])
    return {"general": general, "dataset": {**general, **_schema(groups["IMAGE_DATASET_DISTINCT_SCHEMA"])}}


def _schema(node: ast.Dict) -> dict[str, dict[str, Any]]:
    return {ast.literal_eval(key): {"type": "list" if isinstance(value, ast.List) else reader._kind(value), "required": False}
            for key, value in zip(node.keys, node.values, strict=True) if key is not None}


def main(arguments: list[str] | None = None) -> int:
    """Read a checkout and write the file; 0 when it is written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path, help="folder of a musubi-tuner checkout")
    parser.add_argument("--out", type=Path, default=reader.ROOT / "core" / "training" / "data", help="folder for the file")
    parser.add_argument("--scripts", nargs="+", default=SCRIPTS, help="the scripts to read")
    parser.add_argument("--commit", default="", help="the commit, where the folder is no git checkout")
    options = parser.parse_args(arguments)
    try:
        facts = {"commit": options.commit or reader.commit_of(options.checkout), "repository": "https://github.com/kohya-ss/musubi-tuner",
                 **reader.gather_arguments(options.checkout, tuple(options.scripts), read_script),
                 "dataset": {"source": DATASET_SOURCE, "levels": gather_dataset_keys(options.checkout)}}
        write_json(options.out / "musubi_args.json", facts)
    except StudioError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(facts['definitions'])} arguments of {len(facts['scripts'])} scripts, commit {facts['commit'][:8]}, "
          f"written to {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
