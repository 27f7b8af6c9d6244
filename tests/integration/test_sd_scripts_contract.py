"""sd-scripts' own parsers and dataset schema take the pair of every family of it, type, method and preset, with every field that acts.

The families of musubi-tuner are judged by its own: `tests/core/training/backends/test_musubi_own_reader.py`.
"""

import json
import subprocess
from pathlib import Path

import pytest

from core.training.backends.sd_scripts import SdScriptsBackend, checkout, interpreter
from core.training.config.families import SD_SCRIPTS, script_for
from core.training.config.pair import write_pair
from core.training.config.presets import find_presets
from tests.core.training.config.test_every_family import METHODS, TYPES, base, everything

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def trainer():
    if (missing := SdScriptsBackend.missing()) is not None:
        pytest.skip(missing.what)
    return checkout(), interpreter()


def complaints(trainer, pairs):
    folder, python = trainer
    listed = json.dumps([[script, str(pair.config), str(pair.dataset)] for script, pair in pairs])
    judged = subprocess.run([str(python), str(Path(__file__).with_name("judge_pairs.py"))], input=listed, capture_output=True, text=True,
                            cwd=folder, timeout=600)
    assert judged.returncode == 0, judged.stderr[-2000:]
    return json.loads(judged.stdout)


def test_every_type_and_every_field_that_acts(trainer, tmp_path):
    wanted = [(family, "lora", {"network_type": kind}, False) for family, kind in TYPES if family in SD_SCRIPTS]
    wanted += [(family, method, {}, True) for family, method in METHODS if family in SD_SCRIPTS]
    assert {family for family, *_ in wanted} == set(SD_SCRIPTS)
    pairs = []
    for number, (family, method, network, whole) in enumerate(wanted):
        settings = base(family, model={"method": method}, network=network)
        if whole:
            settings = everything(settings)
        if family in ("sd15", "sd2"):  # the built-in trainer's own
            settings = settings.with_values(data={"cache_text_encoder_outputs": False, "cache_text_encoder_outputs_to_disk": False})
        pairs.append((script_for(family, method), write_pair(settings, tmp_path / str(number))))
    found = complaints(trainer, pairs)
    assert {str(what): said for what, said in zip(wanted, found, strict=True) if said} == {}


def test_every_preset(trainer, tmp_path):
    pairs, presets = [], {name: preset for name, preset in find_presets().items() if preset.family in SD_SCRIPTS}
    for name, preset in presets.items():
        settings = preset.settings.with_values(data={"subsets": [{"image_dir": "/p"}]})
        pairs.append((script_for(preset.family), write_pair(settings, tmp_path / name)))
    assert {name: said for name, said in zip(presets, complaints(trainer, pairs), strict=True) if said} == {}


def test_a_wrong_pair_is_complained_of(trainer, tmp_path):
    pair = write_pair(base(), tmp_path)
    pair.config.write_text(pair.config.read_text() + "\n[more]\nno_such_thing = 1\n")
    pair.dataset.write_text(pair.dataset.read_text().replace("num_repeats", "num_repeatz"))
    said = " ".join(complaints(trainer, [("train_network.py", pair)])[0])
    assert "no_such_thing is unknown" in said and "dataset:" in said
