"""Files of weights: told by their tensors, never run; what is no upscaler is refused with a sentence that says what it is."""

import os
import pickle

import pytest

from core.base.errors import MissingDependency, ModelError
from core.dataset.images.upscaling.network import open_image_model
from core.dataset.images.upscaling.weights import open_network
from core.models.image_catalog import RESTORERS, UPSCALERS
from tests.tiny_upscalers import make_compact, make_esrgan, make_swinir, save_network

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning"),
              pytest.mark.filterwarnings("ignore::UserWarning:torch")]


@pytest.mark.parametrize(("make", "scale", "title"), [(make_compact, 2, "RealESRGAN Compact"), (make_esrgan, 4, "ESRGAN"),
                                                      (make_swinir, 2, "SwinIR")])
@pytest.mark.parametrize("name", ["own.safetensors", "own.pth", "own.pt", "own.ckpt"])
def test_an_upscaler_is_known_by_its_tensors(tmp_path, make, scale, title, name):
    network = open_image_model(save_network(make(), tmp_path / name), "cpu")
    assert network.scale == scale and network.title == title and network.memory() > 0


def test_a_lora_under_an_upscalers_name_is_said_to_be_one(tmp_path):
    import torch
    from safetensors.torch import save_file

    lora = {f"lora_unet_down.{number}.lora_{way}.weight": torch.zeros(4, 4) for number in range(3) for way in ("down", "up")}
    save_file(lora, tmp_path / "style.safetensors")
    torch.save(lora, tmp_path / "style.pth")
    for name in ("style.safetensors", "style.pth"):
        with pytest.raises(ModelError, match=f"{name} is no upscaler: it is a LoRA"):
            open_image_model(tmp_path / name, "cpu")


def test_a_base_model_is_refused_before_its_weights_are_read(tmp_path, sd_folder, monkeypatch):
    from tests.tiny_models import make_single_file

    file = make_single_file(sd_folder, tmp_path / "base.safetensors")
    monkeypatch.setattr("safetensors.torch.load_file", lambda path: pytest.fail("its weights were read"))
    with pytest.raises(ModelError, match="it is a base model of the family Stable Diffusion 1"):
        open_image_model(file, "cpu")


def test_an_upscaler_in_a_torchscript_archive_is_read_without_its_code(tmp_path, monkeypatch):
    """By the same rules as any other file of weights."""
    import torch

    torch.jit.save(torch.jit.trace(make_compact(2), torch.rand(1, 3, 8, 8)), tmp_path / "own.pt")
    monkeypatch.setattr("torch.jit.load", lambda *given, **more: pytest.fail("its code was loaded"))
    assert open_image_model(tmp_path / "own.pt", "cpu").scale == 2


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.system, (f"touch {self.place}",)


@pytest.mark.parametrize("ending", [".pth", ".pt", ".ckpt", ".bin"])
def test_code_in_a_file_never_runs(tmp_path, ending):
    import torch

    mark = tmp_path / "ran"
    for number, write in enumerate((lambda path: torch.save({"params": Trap(mark)}, path),
                                    lambda path: path.write_bytes(pickle.dumps({"params": Trap(mark)}, 2)),
                                    lambda path: path.write_bytes(pickle.dumps({"params": Trap(mark)})))):
        file = tmp_path / f"trap{number}{ending}"
        write(file)
        words = "holds more than weights .it names (posix|os).system.+safetensors" if number < 2 else "no weights that can be read"
        with pytest.raises(ModelError, match=words) as caught:
            open_image_model(file, "cpu")
        assert not mark.exists() and file.name in str(caught.value)


def test_what_holds_no_weights_is_refused_in_words(tmp_path):
    import torch

    (tmp_path / "text.pth").write_text("no model at all", encoding="utf-8")
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "page.safetensors").write_text("<html>Not found</html>", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    torch.save({}, tmp_path / "nothing.pth")
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(3, 3, 3)), tmp_path / "script.pt")
    torch.save({"body.0.weight": torch.zeros(4, 3, 3, 3), "body.1.weight": torch.zeros(4)}, tmp_path / "half.pth")
    torch.save({"encoder.weight": torch.zeros(4, 4)}, tmp_path / "other.pth")
    whole = save_network(make_compact(), tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    told = {"text.pth": "no weights that can be read", "empty.pth": "no weights that can be read", "page.safetensors": "page",
            "notes.txt": "ends with .txt", "tensor.pth": "holds a Tensor", "nothing.pth": "holds a dict",
            "script.pt": "no network that is known",
            "half.pth": "fit no network", "other.pth": "no network that is known", "cut.pth": "damaged"}
    for name, words in told.items():
        with pytest.raises(ModelError, match=words) as caught:
            open_image_model(tmp_path / name, "cpu")
        assert name in str(caught.value) and "\n" not in str(caught.value), name


def test_a_model_for_another_work_is_said_to_be_one(tmp_path):
    import torch
    from spandrel.architectures.LaMa import LaMa

    with torch.device("meta"):
        shapes = {name: value.shape for name, value in LaMa().state_dict().items()}
    torch.save({name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}, tmp_path / "lama.pth")
    with pytest.raises(ModelError, match="no upscaler: it is a model that fills holes in pictures"):
        open_image_model(tmp_path / "lama.pth", "cpu")


def test_architectures_with_narrower_licences_need_a_package_that_a_person_installs(tmp_path):
    file = save_network(make_compact(), tmp_path / "own.pth")
    with pytest.raises(MissingDependency, match="spandrel_extra_arches"):
        open_network(file, ("SR",), "upscaler", extra=True)


def test_named_models_are_pinned_and_say_their_licence():
    for model in (*UPSCALERS, *RESTORERS):
        assert len(model.sha256) == 64 and model.licence and model.size > 10**6 and model.address.startswith("https://")
        assert "/resolve/main/" not in model.address
    assert "not for commercial use" in next(one.licence for one in UPSCALERS if one.name == "4x-ultrasharp")
