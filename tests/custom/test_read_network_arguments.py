"""The names that a module of networks looks up in its arguments are read from its source."""

import json
import subprocess
from pathlib import Path

import pytest

from core.base.errors import ConfigError
from custom import read_network_arguments as reader

SD_LORA = '''
def create_network(multiplier, network_dim, **kwargs):
    conv_dim = kwargs.get("conv_dim", None)
    if "rank_dropout" in kwargs and kwargs["module_dropout"]:
        pass
    return of_blocks(network_dim, kwargs)

def of_blocks(dim, nw_kwargs):
    return nw_kwargs.get("down_lr_weight", None), nw_kwargs.pop("up_lr_weight")

def create_network_from_weights(**kwargs):
    return kwargs.get("never_asked_for")
'''
MUSUBI_LORA = '''
def create_network(targets, **kwargs):
    return kwargs.get("loraplus_lr_ratio")
'''
MUSUBI_FAMILY = '''
def create_arch_network(multiplier, **kwargs):
    from . import lora
    kwargs["exclude_patterns"] = kwargs.get("exclude_patterns", None)
    return lora.create_network([], **kwargs)
'''
LYCORIS = '''
OLD = {"disable_conv_cp": "use_tucker"}

def create_network(multiplier, **kwargs):
    for key, value in list(kwargs.items()):
        if key in OLD:
            kwargs[OLD[key]] = value
    return kwargs.get("algo", "lora")
'''


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    texts = {"sd/networks/lora.py": SD_LORA, "sd/networks/merge.py": "def main():\n    pass\n", "lycoris/kohya.py": LYCORIS,
             "musubi/src/musubi_tuner/networks/lora.py": MUSUBI_LORA, "musubi/src/musubi_tuner/networks/lora_zimage.py": MUSUBI_FAMILY}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return [tmp_path / "sd", tmp_path / "musubi", tmp_path / "lycoris"]


def test_names_are_followed_into_functions_and_into_other_modules(folders):
    assert reader.gather(*folders) == {
        "sd-scripts": {"networks.lora": ["conv_dim", "down_lr_weight", "module_dropout", "rank_dropout", "up_lr_weight"],
                       "lycoris.kohya": ["algo", "disable_conv_cp"]},
        "musubi": {"networks.lora_zimage": ["exclude_patterns", "loraplus_lr_ratio"]}}


def test_a_function_that_cannot_be_found_is_an_error_and_nothing_is_left_out(folders):
    module = folders[0] / "networks" / "lora.py"
    module.write_text(SD_LORA.replace("def of_blocks", "def renamed"))
    with pytest.raises(ConfigError, match="no function of_blocks"):
        reader.gather(*folders)


def test_a_folder_without_networks_is_an_error(folders, tmp_path):
    with pytest.raises(ConfigError, match="no module that makes networks"):
        reader.gather(tmp_path / "elsewhere", *folders[1:])


def test_the_file_says_of_which_commits_it_is(folders, tmp_path, capsys):
    for folder in folders[:2]:
        for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"]):
            subprocess.run(["git", "-C", str(folder), *command], check=True)
    assert reader.main([*map(str, folders), "--out", str(tmp_path)]) == 0
    written = json.loads((tmp_path / "network_args.json").read_text())
    assert set(written["commits"]) == {"sd-scripts", "musubi"} and "networks.lora" in written["networks"]["sd-scripts"]
