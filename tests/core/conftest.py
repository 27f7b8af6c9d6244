"""One tiny model of each family for the tests of the folders below; the files are made once."""

import pytest

from tests.tiny_models import make_model_folder


@pytest.fixture(scope="session")
def sd_folder(tmp_path_factory):
    return make_model_folder(tmp_path_factory.mktemp("models") / "sd")


@pytest.fixture(scope="session")
def sdxl_folder(tmp_path_factory):
    return make_model_folder(tmp_path_factory.mktemp("models") / "sdxl", "sdxl")


@pytest.fixture
def sd(sd_folder):
    from core.diffusion import load_model

    return load_model(sd_folder, device="cpu")


@pytest.fixture
def sdxl(sdxl_folder):
    from core.diffusion import load_model

    return load_model(sdxl_folder, device="cpu")
