"""Enhance as a stage: only what is chosen is done, real faces are found and changed, the rest of the picture stays."""

import numpy
import pytest
from PIL import Image

from core.base.errors import ConfigError, MissingDependency, ModelError
from core.dataset.images.enhancing.restoring import open_restorer
from core.dataset.images.enhancing.tool import EnhanceSettings, enhance_images
from core.dataset.images.manager import ImagesManager
from core.dataset.images.upscaling.tool import UpscaleSettings, upscale_images
from core.dataset.images.variants import read_made
from core.models.warm import WARM
from tests.tiny_upscalers import make_compact, make_restorer, save_network

pytestmark = pytest.mark.slow


def settings(**values):
    return EnhanceSettings.make(**{"model": "tiny", "restorer": "tiny-face", "upscale": False, "side": 300, **values})


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """A folder of models with a tiny upscaler and a tiny restorer of faces."""
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    save_network(make_compact(), tmp_path / "models" / "upscalers" / "tiny.safetensors")
    save_network(make_restorer(), tmp_path / "models" / "restorers" / "tiny-face.safetensors")
    yield tmp_path / "models"
    WARM.unload_all()


@pytest.fixture
def person(project):
    """A real photograph of a person; her face lies around 220, 130."""
    from skimage import data

    image = Image.fromarray(data.astronaut())
    image.save(project.images / "person.png")
    return image


def open_version(project, name="person_upscaled.png"):
    return Image.open(project.variants / name)


@pytest.mark.slow
def test_a_face_is_restored_and_the_rest_of_the_picture_stays(project, person):
    report = ImagesManager(project).enhance(settings(faces=True, face_strength=1.0))
    assert [(one.after, one.note) for one in report.made] == [((512, 512), "1 face restored")]
    changed = numpy.abs(numpy.asarray(open_version(project)).astype(int) - numpy.asarray(person)).max(axis=2) > 2
    rows, columns = numpy.nonzero(changed)
    assert 0.01 < changed.mean() < 0.15 and 150 < columns.mean() < 290 and 70 < rows.mean() < 190
    assert enhance_images(project, settings(faces=True, face_strength=1.0)).there == ["person.png"]


@pytest.mark.slow
def test_enlarged_with_its_face(project, person):
    person.resize((256, 256), Image.Resampling.LANCZOS).save(project.images / "person.png")
    report = enhance_images(project, settings(upscale=True, faces=True, face_strength=1.0, contrast=0.01, denoise=2.0))
    assert [(one.before, one.after, one.note) for one in report.made] == [((256, 256), (300, 300), "1 face restored")]
    steps = [step.tool for step in read_made(project.variants / "person_upscaled.png").steps]
    assert steps == ["enhance"]


def test_a_picture_without_a_face_needs_no_version_and_says_why(project):
    from skimage import data

    Image.fromarray(data.coffee()).save(project.images / "coffee.png")
    report = enhance_images(project, settings(faces=True))
    assert report.made == [] and "No face" in str([*report.reasons.values(), *(one.reason for one in report.skipped)])


def test_nothing_chosen_is_said_and_what_is_large_enough_needs_none(project, person):
    with pytest.raises(ConfigError, match="Nothing is chosen"):
        enhance_images(project, settings())
    report = enhance_images(project, settings(upscale=True))
    assert report.unneeded == ["person.png"] and "300 px or more" in report.reasons["person.png"]


def test_noise_and_contrast_keep_size_and_transparency(project, person):
    person.putalpha(Image.linear_gradient("L").resize(person.size))
    person.save(project.images / "person.png")
    report = enhance_images(project, settings(contrast=0.02, denoise=4.0))
    made = open_version(project)
    assert [one.after for one in report.made] == [(512, 512)] and made.mode == "RGBA"
    assert made.getchannel("A").tobytes() == person.getchannel("A").tobytes()


def test_it_goes_on_from_what_was_upscaled(project, person):
    upscale_images(project, UpscaleSettings.make(model="tiny", mode="factor", scale=1.5))
    report = enhance_images(project, settings(contrast=0.01))
    assert [(one.before, one.after) for one in report.made] == [((768, 768), (768, 768))]
    assert [step.tool for step in read_made(project.variants / "person_upscaled.png").steps] == ["upscale", "enhance"]


def test_settings_that_are_not_used_make_nothing_anew(project, person):
    enhance_images(project, settings(contrast=0.01))
    assert enhance_images(project, settings(contrast=0.01, side=2048, model="other", face_strength=0.1)).there == ["person.png"]


def test_a_file_that_restores_no_faces_is_refused_and_so_is_a_restorer_as_an_upscaler(project, person, models):
    save_network(make_compact(), models / "restorers" / "up.pth")
    with pytest.raises(ModelError, match="up.pth is no face restorer: it is a model that enlarges pictures"):
        enhance_images(project, settings(faces=True, restorer="up"))
    save_network(make_restorer(), models / "upscalers" / "face.pth")
    with pytest.raises(ModelError, match="face.pth is no upscaler: it is a model that restores faces .RestoreFormer.+Enhance"):
        upscale_images(project, UpscaleSettings.make(model="face"))


def test_codeformer_needs_a_package_that_a_person_installs_and_says_its_licence(tmp_path):
    with pytest.raises(MissingDependency, match="forbids commercial use.+pip install spandrel_extra_arches"):
        open_restorer(save_network(make_restorer(), tmp_path / "codeformer.pth"), extra=True)


@pytest.mark.slow
def test_a_face_that_is_large_already_is_left_as_it_is(project, person):
    person.crop((120, 20, 320, 260)).resize((1600, 1920), Image.Resampling.LANCZOS).save(project.images / "person.png")
    report = enhance_images(project, settings(faces=True))
    assert report.made == [] and len(report.unneeded) + len(report.skipped) == 1


@pytest.mark.slow
def test_gfpgan_gets_and_gives_faces_from_minus_one_to_one(tmp_path):
    """Its real architecture with random weights."""
    import torch
    from spandrel.architectures.GFPGAN import GFPGAN

    torch.manual_seed(0)
    seen: list[torch.Tensor] = []
    restorer = open_restorer(save_network(GFPGAN(), tmp_path / "gfpgan.safetensors"))
    assert restorer.title == "GFPGAN"
    restorer.described.model.conv_body_first.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    face = Image.linear_gradient("L").resize((512, 512)).convert("RGB")
    made = restorer.restore(face)
    assert made.size == (512, 512)
    assert float(seen[0].min()) == -1 and float(seen[0].max()) == 1
    with torch.inference_mode():
        told = restorer.described.model(seen[0], return_rgb=False, randomize_noise=False)[0]
    assert numpy.abs(numpy.asarray(made) - ((told[0].permute(1, 2, 0).numpy() + 1) * 127.5).clip(0, 255)).max() <= 0.6
