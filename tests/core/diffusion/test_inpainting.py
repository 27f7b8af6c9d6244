"""Painting a part of a picture anew: the same as diffusers' pipelines, with ordinary models and with those that were made for it."""

import json

import diffusers
import numpy
import pytest
import torch
from PIL import Image

from core.base.errors import Cancelled, ModelError
from core.diffusion import load_model
from core.diffusion.inpainting import Repainting, repaint
from core.diffusion.sampling import make_scheduler
from tests.tiny_models import make_model_folder, make_single_file

pytestmark = pytest.mark.slow

SIZE = (48, 64)


def picture():
    height, width = SIZE
    x, y = numpy.meshgrid(numpy.linspace(0, 1, width), numpy.linspace(0, 1, height))
    return Image.fromarray((255 * numpy.stack([x, y, 1 - x * y], axis=2)).astype("uint8"))


def hole():
    found = torch.zeros(SIZE, dtype=torch.bool)
    found[16:32, 20:44] = True
    return found


def tensor(image):
    return torch.from_numpy(numpy.array(image)).permute(2, 0, 1).float() / 127.5 - 1


def widened(folder, inputs=9):
    """The UNet of a folder made to take the mask and the masked picture too."""
    config = json.loads((folder / "unet/config.json").read_text())
    torch.manual_seed(3)
    unet = diffusers.UNet2DConditionModel(**{**{key: value for key, value in config.items() if not key.startswith("_")},
                                             "in_channels": inputs})
    unet.save_pretrained(folder / "unet")
    return folder


def by_diffusers(model, wanted):
    kind = "StableDiffusionXLInpaintPipeline" if model.family == "sdxl" else "StableDiffusionInpaintPipeline"
    parts = {"vae": model.vae, "text_encoder": model.text_encoders[0], "tokenizer": model.tokenizers[0], "unet": model.unet,
             "scheduler": make_scheduler(model.scheduler_config)}
    if model.family == "sdxl":
        parts |= {"text_encoder_2": model.text_encoders[1], "tokenizer_2": model.tokenizers[1]}
    else:
        parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline = getattr(diffusers, kind)(**parts)
    pipeline.set_progress_bar_config(disable=True)
    mask = Image.fromarray(hole().numpy().astype("uint8") * 255)
    made = pipeline(prompt=wanted.prompt, negative_prompt=wanted.negative, image=picture(), mask_image=mask, height=SIZE[0], width=SIZE[1],
                    num_inference_steps=wanted.steps, guidance_scale=wanted.guidance, strength=wanted.strength, output_type="pt",
                    generator=torch.Generator("cpu").manual_seed(wanted.seed))
    return made.images[0] * 2 - 1


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
@pytest.mark.parametrize("inputs", [4, 9])
@pytest.mark.parametrize(("strength", "guidance"), [(0.85, 7.5), (1.0, 7.5), (0.4, 1.0)])
def test_it_paints_what_diffusers_pipelines_paint(tmp_path, family, inputs, strength, guidance):
    folder = make_model_folder(tmp_path / "model", family)
    model = load_model(widened(folder) if inputs == 9 else folder, device="cpu", inpainting=True)
    wanted = Repainting("a red cat", "hair", 6, guidance, strength, 5)
    ours = repaint(model, tensor(picture()), hole(), wanted)
    assert ours.shape == (3, *SIZE) and float((ours - by_diffusers(model, wanted)).abs().max()) < 2e-3


def test_the_seed_decides_and_every_step_is_told_and_can_stop_it(sd):
    image, told = tensor(picture()), []
    first = repaint(sd, image, hole(), Repainting("cat", steps=4, seed=1), lambda *numbers: told.append(numbers))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert torch.equal(first, repaint(sd, image, hole(), Repainting("cat", steps=4, seed=1)))
    assert not torch.equal(first, repaint(sd, image, hole(), Repainting("cat", steps=4, seed=2)))
    assert repaint(sd, image, hole(), Repainting(steps=1, strength=0.1)).isfinite().all()

    def stop(done, total):
        raise Cancelled()

    with pytest.raises(Cancelled):
        repaint(sd, image, hole(), Repainting(steps=4), stop)


def test_a_prompt_of_any_length_is_read(sd):
    image = tensor(picture())
    painted = [repaint(sd, image, hole(), Repainting(prompt, steps=2)) for prompt in ("red " * 70, "red " * 70 + "cat " * 20, "cat " * 400)]
    assert not torch.equal(painted[0], painted[1]) and all(one.isfinite().all() for one in painted)


def test_a_single_file_that_was_made_for_inpainting_is_opened_and_one_for_editing_refused(tmp_path, sd_folder):
    file = make_single_file(sd_folder, tmp_path / "file" / "model.safetensors")
    model = load_model(file, device="cpu", inpainting=True)
    assert repaint(model, tensor(picture()), hole(), Repainting(steps=2)).isfinite().all()
    nine = widened(make_model_folder(tmp_path / "nine"))
    with pytest.raises(ModelError, match="inpainting or editing model"):
        load_model(nine, device="cpu")
    eight = load_model(widened(make_model_folder(tmp_path / "eight"), 8), device="cpu", inpainting=True)
    with pytest.raises(ModelError, match="takes 8 channels"):
        repaint(eight, tensor(picture()), hole(), Repainting(steps=2))


def test_a_vae_that_gives_no_numbers_is_named(sd):
    sd.vae.decoder.conv_out.bias.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="NaN"):
        repaint(sd, tensor(picture()), hole(), Repainting(steps=2))
