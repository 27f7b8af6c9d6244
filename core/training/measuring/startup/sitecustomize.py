"""Python imports this file by itself in every process of a short run: it lets `lorabook_memory` tell what torch took.

A file of the same name that the environment has is run as well.
"""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import lorabook_memory

lorabook_memory.begin()
_elsewhere = [place for place in sys.path if Path(place or ".").resolve() != Path(__file__).resolve().parent]
_own = importlib.machinery.PathFinder.find_spec("sitecustomize", _elsewhere)
if _own is not None and _own.loader is not None:
    _own.loader.exec_module(importlib.util.module_from_spec(_own))
