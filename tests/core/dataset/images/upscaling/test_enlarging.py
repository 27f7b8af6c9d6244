"""One picture through a network: transparency, memory that does not suffice, numbers that are none, a stop in the middle."""

import numpy
import pytest
from PIL import Image

from core.base.errors import Cancelled, ModelError
from core.base.progress import Progress
from core.dataset.images.upscaling.alpha import bled
from core.dataset.images.upscaling.enlarging import WHOLE, Enlarger
from core.dataset.images.upscaling.network import Network, open_image_model, precision_for
from core.dataset.images.upscaling.weights import open_network
from tests.tiny_upscalers import make_compact, make_swinir, open_tiny, save_network


def photo(width, height):
    from skimage import data

    return Image.fromarray(data.astronaut()).resize((width, height), Image.Resampling.LANCZOS)


def cut_out(width, height):
    """A photograph of which a disc is seen; around it lies garish green that nobody sees."""
    y, x = numpy.mgrid[:height, :width]
    far = numpy.hypot(x - width / 2, y - height / 2)
    alpha = numpy.clip((min(width, height) / 3 - far) * 64 + 128, 0, 255).astype("uint8")
    pixels = numpy.dstack([numpy.asarray(photo(width, height)), alpha])
    pixels[alpha == 0, :3] = (0, 255, 0)
    return Image.fromarray(pixels)


@pytest.fixture
def network(tmp_path):
    return open_tiny(make_compact(2), tmp_path)


class Cramped(Network):
    """A network on a device with room for so many pixels, which says so in torch's own words."""

    room = 64 * 64

    def start(self, pixels):
        import torch

        if pixels.shape[0] * pixels.shape[1] > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return super().start(pixels)


def cramped(tmp_path, room, make=make_compact):
    network = open_tiny(make(), tmp_path)
    smaller = Cramped(network.described, "cpu")
    smaller.room, smaller._memory = room, 1e-9
    return smaller


def test_what_is_opaque_stays_opaque_and_no_hidden_colour_is_seen(network, monkeypatch):
    image, given, start = cut_out(96, 80), [], network.start
    monkeypatch.setattr(network, "start", lambda pixels: given.append(pixels) or start(pixels))
    made = numpy.asarray(Enlarger(40).enlarge(network, image))
    assert made.shape == (160, 192, 4)
    alpha = numpy.asarray(image)[..., 3]
    y, x = numpy.mgrid[:160, :192]
    far = numpy.hypot(x - 96, y - 80)
    assert (made[far < 40, 3] == 255).all() and (made[far > 66, 3] == 0).all() and 0 < alpha.mean() < 255
    assert given and not any((pixels == (0, 255, 0)).all(axis=2).any() for pixels in given)


def test_a_cut_out_in_tiles_is_the_same_as_whole_where_it_is_seen(network):
    image = cut_out(130, 90)
    whole, tiled = (numpy.asarray(Enlarger(side, 24).enlarge(network, image)).astype(float) for side in (WHOLE, 64))
    weight = whole[..., 3:] / 255
    assert (whole[..., 3] == tiled[..., 3]).all() and numpy.abs((whole - tiled)[..., :3] * weight).max() <= 1


def test_tiles_of_which_nothing_is_seen_are_not_computed(network, monkeypatch):
    image = Image.new("RGBA", (200, 200), (9, 200, 9, 0))
    image.paste((255, 0, 0, 255), (0, 0, 20, 20))
    began = []
    start = network.start
    monkeypatch.setattr(network, "start", lambda pixels: began.append(1) or start(pixels))
    enlarger = Enlarger(64)
    enlarger._fits = 64
    made = enlarger.enlarge(network, image)
    assert made.size == (400, 400) and len(began) == 1 and made.getpixel((399, 399))[3] == 0


def test_hidden_pixels_get_the_nearest_colour_that_is_seen():
    pixels = numpy.zeros((1, 5, 4), dtype="uint8")
    pixels[0, 0], pixels[0, 4] = (10, 0, 0, 255), (90, 0, 0, 1)
    pixels[0, 1:4, 1] = 255
    filled = bled(pixels)
    assert filled[0, :, 0].tolist()[:2] == [10, 10] and filled[0, 3, 0] == 90 and filled[..., 1].max() == 0
    assert bled(numpy.zeros((2, 2, 4), dtype="uint8")) is None


@pytest.mark.slow
def test_where_memory_does_not_suffice_tiles_shrink_and_the_job_remembers(tmp_path):
    network = cramped(tmp_path, 64 * 64)
    enlarger = Enlarger(256)
    made = enlarger.enlarge(network, photo(200, 200))
    assert enlarger.shrunk == 40 and made.size == (400, 400)  # 200 px whole, then 80 (at most 100), then 40
    reference = open_tiny(make_compact(), tmp_path)
    whole = Enlarger(WHOLE).enlarge(reference, photo(200, 200))
    assert numpy.abs(numpy.asarray(made).astype(int) - numpy.asarray(whole)).max() <= 1
    tries = []
    start = network.start
    network.start = lambda pixels: tries.append(pixels.shape[:2]) or start(pixels)
    enlarger.enlarge(network, photo(100, 100))
    assert max(max(one) for one in tries) <= 64  # not tried large again


def test_where_not_even_the_smallest_tile_has_room_a_sentence_says_so(tmp_path):
    for overlap in (16, 100):
        with pytest.raises(ModelError, match="no room for a tile of .+ px with RealESRGAN Compact"):
            Enlarger(64, overlap).enlarge(cramped(tmp_path, 4), photo(600, 600))


def test_the_tile_is_chosen_by_the_free_memory(tmp_path, monkeypatch, network):
    monkeypatch.setattr("core.models.warm.WARM._free", lambda device: int(2 * 130 * 130 * network.memory()))
    enlarger = Enlarger()
    enlarger.enlarge(network, photo(20, 20))
    assert enlarger._fits == 128
    monkeypatch.setattr("core.models.warm.WARM._free", lambda device: 64 * 2**30)
    enlarger = Enlarger()
    enlarger.enlarge(network, photo(20, 20))
    assert enlarger._fits == 512


def test_a_failure_of_another_kind_names_the_picture(network, monkeypatch):
    def broken(pixels):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied\nmore")

    monkeypatch.setattr(network, "start", broken)
    with pytest.raises(ModelError, match="failed on a.png: mat1 and mat2 shapes cannot be multiplied[.]"):
        Enlarger().enlarge(network, photo(20, 20), "a.png")


def test_what_overflows_in_half_precision_is_computed_in_full(tmp_path):
    import torch

    model = make_compact()
    with torch.no_grad():
        model.body[0].weight.mul_(1e3)
        model.body[2].weight.mul_(1e3)
        model.body[4].weight.mul_(1e-3)
        model.body[6].weight.mul_(1e-3)
    file = save_network(model, tmp_path / "a.pth")
    half, full = open_image_model(file, "cpu", "fp16"), open_image_model(file, "cpu")
    wanted = Enlarger().enlarge(full, photo(32, 32))
    made = Enlarger().enlarge(half, photo(32, 32))
    assert half.dtype == torch.float32 and numpy.abs(numpy.asarray(made).astype(int) - numpy.asarray(wanted)).max() <= 2


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_is_close_to_full(tmp_path, precision):
    file = save_network(make_compact(), tmp_path / "a.pth")
    made = Enlarger().enlarge(open_image_model(file, "cpu", precision), photo(64, 64))
    whole = Enlarger().enlarge(open_image_model(file, "cpu"), photo(64, 64))
    assert numpy.abs(numpy.asarray(made).astype(int) - numpy.asarray(whole)).max() <= (1 if precision == "fp16" else 4)


def test_a_precision_that_the_network_does_not_bear_is_refused(tmp_path):
    with pytest.raises(ModelError, match="SwinIR does not bear fp16"):
        open_image_model(save_network(make_swinir(), tmp_path / "a.pth"), "cpu", "fp16")


def test_numbers_that_are_none_are_no_picture(tmp_path):
    import torch

    model = make_compact()
    with torch.no_grad():
        model.body[0].bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="computes what is no number"):
        Enlarger().enlarge(open_tiny(model, tmp_path), photo(20, 20))


def test_a_network_for_grey_pictures_takes_each_colour_by_itself(tmp_path):
    network = open_tiny(make_compact(channels=1), tmp_path)
    red = Image.merge("RGB", (photo(40, 30).convert("L"), Image.new("L", (40, 30), 7), Image.new("L", (40, 30), 200)))
    made = numpy.asarray(Enlarger().enlarge(network, red))
    assert made.shape == (60, 80, 3) and made[..., 0].std() > 20 and made[..., 1].mean() < made[..., 0].mean() < made[..., 2].mean() + 60


def test_a_stop_between_two_tiles_of_one_picture(network):
    class Impatient(Progress):
        def __init__(self):
            super().__init__()
            self.told = []

        def report_step(self, item):
            self.told.append(item)
            if len(self.told) == 3:
                self.cancel()

    impatient = Impatient()
    with pytest.raises(Cancelled):
        Enlarger(64).enlarge(network, photo(300, 300), "a.png", impatient)
    assert impatient.told == [f"a.png: tile {number} of 49" for number in (1, 2, 3)] and impatient.done == 0


def test_transparency_is_enlarged_smoothly(network):
    image = photo(40, 30)
    image.putalpha(Image.linear_gradient("L").resize((40, 30)))
    alpha = Enlarger(WHOLE).enlarge(network, image).getchannel("A")
    assert alpha.tobytes() == image.getchannel("A").resize((80, 60), Image.Resampling.LANCZOS).tobytes()


@pytest.mark.parametrize(("half", "short", "is_known", "wanted"), [
    (True, True, True, "float16"), (True, False, False, "float16"), (False, True, True, "bfloat16"), (False, True, False, "float32"),
    (False, False, True, "float32")])
def test_on_a_gpu_the_precision_is_half_where_the_network_bears_it(tmp_path, monkeypatch, half, short, is_known, wanted):
    import torch

    described = open_network(save_network(make_compact(), tmp_path / "a.pth"), ("SR",), "upscaler")
    described.supports_half, described.supports_bfloat16 = half, short
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: is_known)
    assert precision_for(described, "cuda", "auto") == getattr(torch, wanted)
    assert precision_for(described, "cpu", "auto") == precision_for(described, "cuda", "fp32") == torch.float32
