"""Upscaling as a stage: exact sizes, any kind of picture, nothing done twice, no picture touched."""

import hashlib
import threading

import numpy
import pytest
from PIL import Image

from core.base.errors import Cancelled, ConfigError, ModelError
from core.base.progress import Progress
from core.dataset.images.manager import ImagesManager
from core.dataset.images.upscaling.tool import Upscaler, UpscaleSettings, goal_of, passes, upscale_images
from core.dataset.images.working import keep, try_on
from core.models.warm import WARM
from tests.tiny_upscalers import make_compact, save_network

pytestmark = pytest.mark.slow


def settings(**values):
    return UpscaleSettings.make(**{"model": "tiny", "side": 128, **values})


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """A folder of models with one upscaler of 2x."""
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    save_network(make_compact(), tmp_path / "models" / "upscalers" / "tiny.safetensors")
    yield tmp_path / "models" / "upscalers"
    WARM.unload_all()


@pytest.fixture
def photo():
    from skimage import data

    return Image.fromarray(data.astronaut())


def made(project):
    folder = project.variants
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []


@pytest.mark.parametrize(("size", "values", "expected"), [
    ((100, 80), {"mode": "shortest", "side": 128}, (160, 128)), ((100, 80), {"mode": "longest", "side": 128}, (128, 102)),
    ((300, 128), {"mode": "shortest", "side": 128}, (300, 128)), ((1, 7), {"mode": "longest", "side": 128}, (18, 128)),
    ((101, 33), {"mode": "factor", "scale": 1.5}, (152, 50)), ((101, 33), {"mode": "model"}, None)])
def test_the_size_is_exact(size, values, expected):
    given = settings(**values)
    assert goal_of(size, given.mode, given.side, given.scale) == expected


@pytest.mark.parametrize(("size", "goal", "scale", "expected"), [
    ((100, 100), (150, 150), 2, 1), ((100, 100), (200, 200), 2, 1), ((100, 100), (201, 201), 2, 2), ((100, 100), (1600, 1600), 2, 2),
    ((100, 100), (1600, 1600), 4, 2), ((100, 100), (300, 300), 1, 1), ((100, 100), None, 4, 1)])
def test_a_picture_goes_through_the_model_as_often_as_it_must(size, goal, scale, expected):
    assert passes(size, goal, scale) == expected


def test_versions_are_made_beside_and_no_picture_is_touched(project, photo):
    photo.resize((100, 80)).save(project.images / "small.jpg", quality=95)
    photo.save(project.images / "large.png")
    before = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in project.images.iterdir()}
    report = ImagesManager(project).upscale(settings())
    assert [(one.name, one.before, one.after, one.note) for one in report.made] == [("small_upscaled.jpg", (100, 80), (160, 128), "")]
    assert report.unneeded == ["large.png"] and report.skipped == [] and "128 px or more" in report.reasons["large.png"]
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in project.images.iterdir()} == before
    again = upscale_images(project, settings(scale=3.0))  # which the mode does not use
    assert again.made == [] and again.there == ["small.jpg"]
    other = upscale_images(project, settings(side=256))
    assert [(one.before, one.after) for one in other.made] == [((100, 80), (320, 256))]  # of the picture, not of its version


def test_another_model_under_the_same_name_makes_it_anew(project, photo, models):
    photo.resize((64, 64)).save(project.images / "a.png")
    upscale_images(project, settings())
    save_network(make_compact(seed=1), models / "tiny.safetensors")
    assert len(upscale_images(project, settings()).made) == 1 and upscale_images(project, settings(precision="fp32")).made == []


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 5)])
def test_however_thin_or_tiny_a_picture_is(project, photo, size):
    photo.resize(size).save(project.images / "a.png")
    report = upscale_images(project, settings(mode="model"))
    assert [one.after for one in report.made] == [(2 * size[0], 2 * size[1])]
    report = upscale_images(project, settings(mode="shortest", side=64))
    assert [min(one.after) for one in report.made] == [64]
    assert size[0] * size[1] > 100 or ("the rest is enlarged plainly" in report.made[0].note) == (min(size) * 4 < 64)


def test_palette_cmyk_16_bit_grey_and_animated_pictures(project, photo):
    small = photo.resize((70, 50))
    small.convert("P").save(project.images / "palette.png")
    small.convert("CMYK").save(project.images / "cmyk.jpg")
    Image.fromarray(numpy.asarray(small.convert("L")).astype("uint16") * 257).save(project.images / "deep.png")
    small.convert("1").save(project.images / "bits.png")
    small.save(project.images / "moving.webp", save_all=True, append_images=[small.rotate(90)], lossless=True)
    small.convert("P").save(project.images / "see.png", transparency=3)
    report = upscale_images(project, settings(mode="model"))
    assert report.skipped == [] and {one.after for one in report.made} == {(140, 100)} and len(report.made) == 6
    for one in report.made:
        assert Image.open(project.variants / one.name).mode in ("RGB", "RGBA")


def test_what_would_become_too_large_is_left_out_with_the_reason(project):
    Image.new("RGB", (9000, 40)).save(project.images / "long.png")
    Image.new("RGB", (8000, 8000)).save(project.images / "huge.png")
    report = upscale_images(project, settings(side=5000, mode="shortest"))
    assert {one.name for one in report.skipped} == {"long.png"} and "limit is 120 million" in report.skipped[0].reason
    report = upscale_images(project, settings(mode="model", images=("huge",)))
    assert "16000 x 16000" in report.skipped[0].reason and "less than 2 times" in report.skipped[0].reason


def test_a_file_that_is_no_upscaler_ends_the_work_before_any_version(project, photo, models):
    (models / "notes.pth").write_text("no model", encoding="utf-8")
    photo.resize((64, 64)).save(project.images / "a.png")
    with pytest.raises(ModelError, match="notes.pth.+no weights that can be read"):
        upscale_images(project, settings(model="notes.pth"))
    with pytest.raises(ModelError, match="No upscaler called 'nobody'.+notes.pth, tiny.safetensors"):
        upscale_images(project, settings(model="nobody"))
    assert made(project) == []


def test_without_a_gpu_cuda_is_refused_in_words(project, photo, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    photo.resize((64, 64)).save(project.images / "a.png")
    with pytest.raises(ConfigError, match="CUDA was asked for"):
        upscale_images(project, settings(device="cuda"))
    assert len(upscale_images(project, settings(device="auto")).made) == 1


def test_a_cancel_in_the_middle_of_one_picture_leaves_nothing_half_done(project, photo):
    photo.resize((64, 64)).save(project.images / "a.png")
    photo.save(project.images / "b.png")

    class Impatient(Progress):
        def report_step(self, item):
            if "tile 2" in item:
                self.cancel()

    with pytest.raises(Cancelled):
        upscale_images(project, settings(mode="model", tile=64), Impatient())
    assert made(project) in ([], ["a_upscaled.png"])
    assert len(upscale_images(project, settings(mode="model", tile=64)).made) == 2 - len(made(project)) or len(made(project)) == 2


def test_the_same_job_twice_at_once_makes_each_version_once(project, photo):
    for number in range(3):
        photo.resize((60 + number, 60)).save(project.images / f"{number}.png")
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(upscale_images(project, settings()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((len(report.made), len(report.there)) for report in reports) == [(0, 3), (3, 0)]


def test_one_picture_is_tried_and_its_model_stays_warm(project, photo):
    photo.resize((64, 64)).save(project.images / "a.png")
    tried = try_on(project, Upscaler(settings(mode="model")), "a")
    assert tried.files[0].size == (128, 128) and made(project) == []
    assert [one.name for one in WARM.list()] == ["tiny.safetensors"] and not WARM.list()[0].is_used
    keep(project, tried)
    assert made(project) == ["a_upscaled.png"] and upscale_images(project, settings(mode="model")).there == ["a.png"]
    assert WARM.unload_all() == 1


def test_shrunk_tiles_are_told_in_the_report(project, photo, monkeypatch):
    import torch

    from core.dataset.images.upscaling.network import Network

    start = Network.start

    def cramped(self, pixels):
        if pixels.shape[0] * pixels.shape[1] > 10_000:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return start(self, pixels)

    monkeypatch.setattr(Network, "start", cramped)
    photo.resize((200, 150)).save(project.images / "a.png")
    report = upscale_images(project, settings(mode="model"))
    assert report.made[0].after == (400, 300) and report.made[0].note.startswith("memory sufficed for tiles of ")


def psnr(one, other):
    error = numpy.mean((numpy.asarray(one).astype(float) - numpy.asarray(other)) ** 2)
    return 10 * numpy.log10(255**2 / error)


@pytest.mark.slow
def test_a_model_that_was_trained_for_a_moment_is_better_than_bicubic(project, models, tmp_path):
    """On a photograph that it has not seen; through the stage, from file to file."""
    import torch
    from skimage import data
    from sklearn.datasets import load_sample_images

    def halves(image):
        return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)

    photos = [Image.fromarray(one) for one in (data.coffee(), data.chelsea(), data.rocket(), *load_sample_images().images)]
    seen = [(halves(one.crop((0, 0, one.width // 2 * 2, one.height // 2 * 2))), one.crop((0, 0, one.width // 2 * 2, one.height // 2 * 2)))
            for one in photos]
    pairs = [tuple(torch.from_numpy(numpy.array(side)).permute(2, 0, 1).float() / 255 for side in pair) for pair in seen]
    torch.manual_seed(0)
    model = make_compact(2, 24, 3).train()
    optimiser, dice = torch.optim.Adam(model.parameters(), 2e-3), numpy.random.default_rng(0)
    steps = 700
    for step in range(steps):
        small, large = [], []
        for _ in range(8):
            low, high = pairs[dice.integers(len(pairs))]
            x, y = dice.integers(low.shape[2] - 24), dice.integers(low.shape[1] - 24)
            small.append(low[:, y:y + 24, x:x + 24])
            large.append(high[:, 2 * y:2 * y + 48, 2 * x:2 * x + 48])
        loss = (model(torch.stack(small)) - torch.stack(large)).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 if step < 490 else 4e-4
    save_network(model.eval(), models / "trained.safetensors")
    unseen = Image.fromarray(data.astronaut())
    halves(unseen).save(project.images / "a.png")
    upscale_images(project, settings(model="trained", mode="model", tile=128))
    result = Image.open(project.variants / "a_upscaled.png")
    plain = halves(unseen).resize(unseen.size, Image.Resampling.BICUBIC)
    print(f"{steps} steps, bicubic {psnr(plain, unseen):.2f} dB, model {psnr(result, unseen):.2f} dB")
    assert result.size == unseen.size and psnr(result, unseen) > psnr(plain, unseen) + 0.5
