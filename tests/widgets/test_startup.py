"""Showing panels imports nothing heavy, in a fresh interpreter."""

import json
import subprocess
import sys

import pytest

from core.base.paths import ROOT

HEAVY = {"torch", "transformers", "diffusers", "PIL", "numpy", "onnxruntime", "peft", "accelerate"}
CODE = """
import importlib, json, sys
notebook = importlib.import_module(sys.argv[1]).NOTEBOOK
for name in sys.argv[2:] or notebook.panels.names():
    notebook.make(name)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("arguments", [["widgets.dataset", "setup"], ["widgets.training", "project"], ["widgets.dataset"],
                                       ["widgets.training"]], ids=" ".join)
def test_showing_panels_imports_nothing_heavy(arguments):
    done = subprocess.run([sys.executable, "-c", CODE, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert HEAVY & set(json.loads(done.stdout)) == set()
