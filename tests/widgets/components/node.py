"""Pure JavaScript of the components, run in one node process: starting one for each expression costs more than the tests."""

from __future__ import annotations

import atexit
import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from widgets.components.assembling import module_text

NODE = shutil.which("node")
LOOP = """
import { createInterface } from "node:readline";
for await (const line of createInterface({ input: process.stdin })) {
  const { module, expression } = JSON.parse(line);
  let answer;
  try {
    const m = await import(module);
    answer = { value: (await new Function("m", `return (async () => (${expression}))()`)(m)) ?? null };
  } catch (error) { answer = { error: String(error?.stack ?? error) }; }
  process.stdout.write(JSON.stringify(answer) + "\\n");
}
"""


@cache
def _process() -> subprocess.Popen[str]:
    assert NODE is not None
    process = subprocess.Popen([NODE, "--input-type=module", "-e", LOOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.kill)
    return process


@cache
def _module(component: str) -> str:
    folder = Path(tempfile.mkdtemp(prefix="lorabook-js-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / f"{component}.mjs"
    path.write_text(module_text(component), encoding="utf-8")
    return path.as_uri()


def evaluated(component: str, expression: str) -> Any:
    """The value of an expression in which the component's exports are in reach as `m`. Fails with what JavaScript says."""
    process = _process()
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps({"module": _module(component), "expression": expression}) + "\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    assert "error" not in answer, answer["error"]
    return answer["value"]
