"""LaMa: spandrel's architecture with random weights; what is asserted does not hang on what it learnt."""

import numpy
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from core.base.errors import ModelError
from core.base.progress import SILENT
from core.dataset.images.inpainting import PAINTERS
from core.dataset.images.inpainting.lama import open_lama
from core.dataset.images.inpainting.painter import Wish
from core.dataset.images.inpainting.painting import Inpainter, inpaint_images
from core.dataset.images.inpainting.settings import InpaintSettings
from core.dataset.images.working import try_on
from core.models.warm import WARM
from tests.core.dataset.images.inpainting.conftest import marked

pytestmark = pytest.mark.slow

WISH = Wish("", lambda done, total: None)


def settings(lama, **values):
    return InpaintSettings.make(method="lama", lama_model=lama, **values)


@pytest.mark.slow
def test_only_marked_pixels_change_and_the_model_is_opened_once(project, photo, lama):
    Image.fromarray(photo[:120, :97]).save(project.images / "other.png")
    hole = marked(project, "photo", (40, 50, 90, 61), (230, 200, 251, 233))
    marked(project, "other", (5, 5, 30, 30))
    report = inpaint_images(project, settings(lama, grow=0))
    made = numpy.array(Image.open(project.variants / "photo_inpainted.png"))
    assert len(report.made) == 2 and (made[~hole] == photo[~hole]).all() and (made[hole] != photo[hole]).any(axis=1).mean() > 0.9
    (warm,) = WARM.list()
    assert warm.name == "LaMa (random.safetensors)" and not warm.is_used and warm.device in ("cpu", "cuda")
    assert inpaint_images(project, settings(lama, grow=0)).there == ["other.png", "photo.png"]


def test_what_it_paints_is_what_the_architecture_gives(photo, lama, random_lama):
    from spandrel.architectures.LaMa import LaMa

    network = LaMa(in_nc=4, out_nc=3).eval()
    network.load_state_dict(load_file(random_lama))
    hole = numpy.zeros((64, 72), dtype=bool)
    hole[10:30, 20:50] = True
    pixels = numpy.ascontiguousarray(photo[:64, :72])
    with torch.inference_mode():
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        expected = (network(image, torch.from_numpy(hole)[None, None].float())[0] * 255).round().permute(1, 2, 0).numpy()
    with PAINTERS.load("lama").opened(settings(lama), PAINTERS.entry("lama"), SILENT) as painter:
        made = painter.fill(pixels, hole, WISH)
        assert (painter.multiple, painter.least) == (8, 16)
    assert made.dtype == numpy.uint8 and numpy.abs(made - expected).max() <= 1 and (made[~hole] == pixels[~hole]).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_an_archive_with_code_gives_the_same_network_without_running_it(tmp_path, random_lama):
    from spandrel.architectures.LaMa import LaMa

    class Wrapped(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.generator = network

        def forward(self, image, mask):
            return self.generator(image, mask)

    network = LaMa(in_nc=4, out_nc=3).eval()
    network.load_state_dict(load_file(random_lama))
    example = (torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16))
    torch.jit.save(torch.jit.trace(Wrapped(network.model), example, check_trace=False), tmp_path / "big-lama.pt")
    opened = open_lama(tmp_path / "big-lama.pt", "cpu")
    expected = network.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in opened.model.state_dict().items())


def test_a_file_that_is_no_lama_is_named(tmp_path, random_lama):
    weights = load_file(random_lama)
    save_file({"conv.weight": torch.ones(3)}, tmp_path / "other.safetensors")
    save_file({name: value for name, value in weights.items() if ".10." not in name}, tmp_path / "half.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(random_lama.read_bytes()[:10_000])
    for name, words in (("other", "is no LaMa"), ("half", "another size or kind"), ("cut", "damaged"), ("none", "not there")):
        with pytest.raises(ModelError, match=words):
            open_lama(tmp_path / f"{name}.safetensors", "cpu")


def test_a_model_that_is_not_here_ends_the_work_with_a_sentence(project, photo):
    marked(project, "photo", (40, 50, 90, 61))
    with pytest.raises(ModelError, match=r"No inpainter called 'mine.pt' lies in .+inpainters"):
        inpaint_images(project, settings("mine.pt"))


def test_too_little_memory_makes_the_piece_smaller_and_at_last_a_sentence(project, photo, lama, monkeypatch):
    marked(project, "photo", (40, 50, 90, 61))
    seen = []

    def fill(most):
        def painted(self, pixels, hole, wish):
            seen.append(max(hole.shape))
            if max(hole.shape) > most:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return pixels // 2
        return painted

    monkeypatch.setattr("core.dataset.images.inpainting.lama.Lama.fill", fill(200))
    (file,) = try_on(project, Inpainter(settings(lama)), "photo").files
    assert seen[0] > 200 >= seen[-1] and file.size == (251, 233)
    monkeypatch.setattr("core.dataset.images.inpainting.lama.Lama.fill", fill(0))
    with pytest.raises(ModelError, match="too little memory"):
        try_on(project, Inpainter(settings(lama)), "photo")


def test_any_other_failure_of_the_model_is_told(project, photo, lama, monkeypatch):
    marked(project, "photo", (40, 50, 90, 61))

    def fill(self, pixels, hole, wish):
        raise RuntimeError("Expected 4 channels")

    monkeypatch.setattr("core.dataset.images.inpainting.lama.Lama.fill", fill)
    report = inpaint_images(project, settings(lama))
    assert report.skipped[0].reason == "The model failed (Expected 4 channels). Try another model."


@pytest.mark.slow
def test_numbers_that_are_none_and_black_are_no_pictures(project, photo, lama):
    marked(project, "photo", (40, 50, 90, 61))
    tool = Inpainter(settings(lama))
    with tool.ready(SILENT):
        head = tool._painter.model.model.model.model[-2]
        kept = head.bias.data.clone()
        head.bias.data.fill_(float("nan"))
        with pytest.raises(ModelError, match="NaN"):
            try_on(project, Inpainter(settings(lama)), "photo")
        head.weight.data.zero_()
        head.bias.data = torch.full_like(kept, -20.0)
        with pytest.raises(ModelError, match="is black"):
            try_on(project, Inpainter(settings(lama)), "photo")
