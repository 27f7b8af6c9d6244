"""Segmenters in ONNX: each model's own preprocessing, exact sizes, and what shows nothing."""

import numpy
import pytest
from PIL import Image

from core.base.errors import ConfigError, ModelError
from core.base.progress import SILENT
from core.dataset.images.masks import share
from core.dataset.images.segmenting import SEGMENTERS
from core.dataset.images.segmenting.onnx_masks import Contract, OwnSegmenter, own_contract
from core.dataset.images.segmenting.settings import MaskSettings
from core.models.image_catalog import IMAGE_CATALOG
from core.models.onnx_sessions import onnx_device
from core.models.warm import WARM
from tests.core.dataset.curation.photographs import photographs
from tests.core.dataset.images.segmenting.small_segmenters import save_segmenter

NAMED = [entry for entry in SEGMENTERS if entry.target.endswith(":NamedSegmenter")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    return tmp_path / "models" / "segmenters"


def found(picture, name="own", **settings):
    made = MaskSettings(segmenter=name, **settings)
    segmenter = SEGMENTERS.load(name)(SEGMENTERS.entry(name), made)
    with segmenter.ready(SILENT):
        return segmenter.finish(picture, segmenter.infer(segmenter.prepare(picture), SILENT))


def half_red(size):
    """Red at the left, black at the right."""
    pixels = numpy.zeros((size[1], size[0], 3), dtype=numpy.uint8)
    pixels[:, : size[0] // 2] = (255, 0, 0)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("entry", NAMED, ids=lambda entry: entry.name)
def test_every_named_segmenter_is_in_the_catalogue_with_its_hash_and_licence(entry):
    model = IMAGE_CATALOG[entry.name]
    assert model.kind == "segmenter" and len(model.sha256) == 64 and model.licence == entry.licence and entry.source
    assert Contract(**entry.options).side in (320, 1024, 2048)


@pytest.mark.parametrize("size", [(1, 700), (5000, 3), (401, 301), (17, 16)])
@pytest.mark.parametrize("contract", [Contract(side=16), Contract(side=16, letterbox=True)], ids=["squeezed", "letterboxed"])
def test_the_mask_has_the_pictures_size_and_lies_where_the_subject_is(size, contract):
    picture = half_red(size) if size[0] > size[1] else half_red(size[::-1]).transpose(Image.Transpose.TRANSPOSE)
    tensor = contract.tensor(picture, 16)
    field = contract.field(tensor[0], picture.size)
    from core.dataset.images.segmenting.segmenter import to_size

    mask = to_size(field, picture.size)
    assert mask.shape == size[::-1] and share(mask) == pytest.approx(0.5, abs=0.07)
    flat = mask.mean(axis=0) if size[0] > size[1] else mask.mean(axis=1)
    assert flat[: len(flat) // 4].min() > 250 and flat[-(len(flat) // 4):].max() < 5


def test_each_makers_preprocessing_is_kept():
    picture = Image.new("RGB", (40, 20), (100, 50, 25))
    values = {name: Contract(**SEGMENTERS.entry(name).options).tensor(picture, 8) for name in ("birefnet-lite", "isnet-general", "u2net")}
    assert values["birefnet-lite"][:, 4, 4] == pytest.approx([(v / 255 - m) / s for v, m, s in
                                                             zip((100, 50, 25), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)])
    assert values["isnet-general"][:, 4, 4] == pytest.approx([v / 255 - 0.5 for v in (100, 50, 25)])
    assert values["u2net"][:, 4, 4] == pytest.approx([(v / 100 - m) / s for v, m, s in
                                                     zip((100, 50, 25), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)])
    anime = Contract(**SEGMENTERS.entry("isnet-anime").options).tensor(picture, 8)
    assert anime[:, 4, 4] == pytest.approx([v / 255 for v in (100, 50, 25)]) and not anime[:, :2].any() and not anime[:, 6:].any()


@pytest.mark.parametrize("entry", NAMED, ids=lambda entry: entry.name)
def test_a_file_of_each_models_interface_finds_the_red_half(entry, folder):
    contract = Contract(**entry.options)
    gives = {"u2net": tuple(f"d{number}" for number in range(7))}.get(entry.name.rstrip("p"), ("output_image",))
    scale, bias = (4.0, 0.0) if contract.activation else (contract.std[0], contract.mean[0])
    save_segmenter(folder / f"{entry.name}.onnx", contract.side, scale, bias, gives=gives)
    mask = found(half_red((401, 301)), entry.name)
    assert mask.shape == (301, 401) and mask[:, :190].min() > 230 and mask[:, 215:].max() < 25


@pytest.mark.parametrize("level", [0, 40, 100])
def test_what_is_nowhere_certain_is_not_stretched_into_noise(folder, level):
    """U-2-Net's makers stretch every answer from its lowest to its highest value, so that an empty picture becomes noise."""
    save_segmenter(folder / "u2net.onnx", 320, 0.229, 0.485, gives=("d0", "d1"))
    pixels = numpy.random.default_rng(0).integers(level, level + 3, (50, 60, 3)).astype(numpy.uint8)
    pixels[0, 0] = 255  # so that the values are not stretched by the picture's own brightest
    mask = found(Image.fromarray(pixels), "u2net")
    assert mask[5:].max() < 128
    full = found(Image.new("RGB", (60, 50), (255, 250, 250)), "u2net")
    assert full.min() > 230


def test_what_is_certain_somewhere_is_stretched_as_its_makers_do():
    contract = Contract(stretch=True)
    field = contract.field(numpy.array([[0.1, 0.3], [0.5, 0.6]], "float32"), (2, 2))
    assert field.ravel().tolist() == pytest.approx([0, 0.4, 0.8, 1])


def test_logits_of_any_height_become_probabilities():
    field = Contract(activation="sigmoid").field(numpy.array([[-1e9, 0], [numpy.nan, 1e9]], "float32"), (2, 2))
    assert field.ravel().tolist() == pytest.approx([0, 0.5, 0.5, 1])


def test_a_file_of_ones_own_is_told_by_its_name_or_the_settings(folder):
    assert own_contract("my_BiRefNet.onnx", 0, (), ()).activation == "sigmoid" and own_contract("isnet-anime2.onnx", 0, (), ()).letterbox
    assert own_contract("what.onnx", 512, (0.5,), (0.25, 0.5, 0.75)) == Contract(512, (0.5,) * 3, (0.25, 0.5, 0.75), activation="auto")
    with pytest.raises(ConfigError, match=r"The deviation is \(0.0,\)"):
        own_contract("what.onnx", 0, (), (0.0,))
    save_segmenter(folder / "what.onnx", 32)
    mask = found(half_red((50, 40)), model_file="what.onnx", mean=(0.0,), std=(1.0,))
    assert mask[:, :20].min() > 240 and mask[:, 30:].max() < 15
    open_sized = save_segmenter(folder / "open.onnx", "side")
    assert open_sized.exists() and found(half_red((50, 40)), model_file="open", mean=(0.0,), std=(1.0,), side=64)[20, 5] > 240


def test_what_is_no_segmenter_is_refused_in_words(folder):
    folder.mkdir(parents=True)
    (folder / "text.onnx").write_text("not a model", encoding="utf-8")
    save_segmenter(folder / "grey.onnx", 16, channels=1)
    save_segmenter(folder / "small.onnx", 16)
    picture = half_red((20, 20))
    for name, words, more in (("text.onnx", "could not be opened as an ONNX model", {}), ("grey.onnx", "not one picture of shape", {}),
                              ("small.onnx", "takes pictures of 16 x 16 pixels, not 32 x 32", {"side": 32}),
                              ("absent.onnx", "No segmenter called 'absent.onnx'.+grey.onnx", {})):
        with pytest.raises(ModelError, match=words):
            found(picture, model_file=name, **more)
    with pytest.raises(ConfigError, match="No file is named"):
        found(picture)


def test_real_photographs_get_masks_of_their_own_size(folder):
    save_segmenter(folder / "own.onnx", 64)
    for name, picture in list(photographs().items())[:4]:
        mask = found(picture, model_file="own.onnx", mean=(0.0,), std=(1.0,))
        reds = numpy.asarray(picture.convert("RGB").resize((64, 64), Image.Resampling.BILINEAR))[..., 0]
        assert mask.shape == picture.size[::-1] and abs(float(mask.mean()) - float(reds.mean())) < 1.5, name


def opened(**settings):
    segmenter = OwnSegmenter(SEGMENTERS.entry("own"), MaskSettings(segmenter="own", model_file="own.onnx", **settings))
    with segmenter.ready(SILENT):
        return segmenter._open


@pytest.mark.slow
def test_a_model_is_open_once_on_each_device_however_it_was_asked_for(folder):
    """Where there is no GPU, "auto" is the CPU; who insists on CUDA is refused also while the model is open."""
    if onnx_device("auto") == "cuda":
        pytest.skip("Here \"auto\" is the GPU.")
    save_segmenter(folder / "own.onnx", 16)
    WARM.unload_all()
    assert opened(device="auto") is opened(device="cpu") and len(WARM.list()) == 1
    with pytest.raises(ConfigError, match="CUDA was asked for"):
        opened(device="cuda")
    WARM.unload_all()


def test_a_failure_lets_go_of_the_model(folder):
    save_segmenter(folder / "own.onnx", 16)
    segmenter = OwnSegmenter(SEGMENTERS.entry("own"), MaskSettings(segmenter="own", model_file="own.onnx"))
    with pytest.raises(ModelError, match="There is no room"), segmenter.ready(SILENT):
        raise ModelError("There is no room.")
    with pytest.raises(RuntimeError, match="not ready"):
        segmenter.infer(half_red((16, 16)), SILENT)
    WARM.unload_all()
