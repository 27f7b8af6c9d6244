"""A LoRA tool that was killed: what it had written goes when the same is done again."""

import json
import subprocess
import sys

import pytest

from core.base.parts import is_part
from core.base.paths import ROOT
from core.stages import stage_named
from tests.core.utilities.test_full_disk import TOOLS, sources  # noqa: F401  (a fixture)

KILL = """
import json, os, sys
from pathlib import Path
from core.base import files
from core.stages import stage_named
def die(handle):
    os.kill(os.getpid(), 9)
files.os.fsync = die
stage = stage_named(sys.argv[1])
stage.run(Path(sys.argv[2]), stage.settings_class().make(**json.loads(sys.argv[3])))
"""


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["resize-lora", "lora-metadata", "extract-lora", "convert-pickled"])
def test_what_a_kill_left_goes_with_the_next_run(tool, sources, tmp_path):  # noqa: F811
    values = TOOLS[tool](sources)
    killed = subprocess.run([sys.executable, "-c", KILL, tool, str(tmp_path / "jobs"), json.dumps(values)], cwd=ROOT)
    assert killed.returncode == -9
    left = [path for path in tmp_path.iterdir() if is_part(path.name)]
    assert len(left) == 1 and left[0].stat().st_size > 1000
    stage = stage_named(tool)
    stage.run(tmp_path / "jobs", stage.settings_class().make(**values))
    assert [path for path in tmp_path.iterdir() if is_part(path.name)] == []
