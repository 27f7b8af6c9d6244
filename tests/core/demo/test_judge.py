"""The trained assets of the demo: judge, model, tagger, data set."""

import csv
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from core.demo.drawing import draw
from core.demo.world import Spec, concept_spec, named_spec, random_spec

torch = pytest.importorskip("torch")
judge = pytest.importorskip("core.demo.judge")

ASSETS = Path(__file__).parents[3] / "assets" / "demo"


def drawings(specs: list[Spec]) -> list[Image.Image]:
    return [draw(spec, 60_000 + i) for i, spec in enumerate(specs)]


@pytest.fixture
def rng() -> Random:
    return Random(2)


def folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_judge_knows_mikoneko_from_the_world(rng: Random) -> None:
    assert judge.judge_concept(drawings([concept_spec(rng) for _ in range(40)])) >= 0.95
    assert judge.judge_concept(drawings([random_spec(rng) for _ in range(40)])) <= 0.02
    assert judge.judge_concept(drawings([named_spec(rng) for _ in range(40)])) <= 0.02


NEAR_MISSES = ({"ears": None}, {"ears": "fox ears"}, {"neck": "red scarf"}, {"mark": "blue jewel"}, {"hair": "black hair"})


@pytest.mark.parametrize("part", NEAR_MISSES)
def test_a_near_miss_is_not_mikoneko(rng: Random, part: dict[str, str | None]) -> None:
    specs = [replace(concept_spec(rng), **part) for _ in range(20)]
    assert judge.judge_concept(drawings(specs)) <= 0.15


def test_judge_reads_attributes(rng: Random) -> None:
    specs = [random_spec(rng) for _ in range(40)]
    assert judge.judge_attributes(drawings(specs), specs) >= 0.93
    assert judge.judge_attributes(drawings(specs), specs[1:] + specs[:1]) <= 0.4


def test_judge_takes_pictures_of_any_size(rng: Random) -> None:
    specs = [concept_spec(rng) for _ in range(6)]
    assert judge.judge_concept([draw(spec, i, 256) for i, spec in enumerate(specs)]) >= 0.8


@pytest.mark.slow
def test_model_loads_as_an_ordinary_pipeline_and_draws() -> None:
    diffusers = pytest.importorskip("diffusers")
    assert folder_bytes(ASSETS / "model") <= 15e6
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(ASSETS / "model", safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    spec = Spec("red hair", "twintails", "blue eyes", "blue dress", "smile", "yellow background")
    generator = torch.Generator().manual_seed(1)
    settings = {"num_inference_steps": 12, "guidance_scale": 3.0, "height": 64, "width": 64, "generator": generator}
    images = pipeline([", ".join(spec.tags)] * 4, **settings).images
    assert judge.judge_attributes(images, [spec] * 4) >= 0.7
    assert judge.judge_concept(images) == 0


def tag_names() -> list[tuple[str, int]]:
    with (ASSETS / "tagger" / "selected_tags.csv").open(encoding="utf-8") as file:
        return [(row["name"], int(row["category"])) for row in csv.DictReader(file)]


def test_tagger_names_what_a_drawing_shows(rng: Random) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert folder_bytes(ASSETS / "tagger") <= 3e6
    session = onnxruntime.InferenceSession(str(ASSETS / "tagger" / "model.onnx"), providers=["CPUExecutionProvider"])
    specs = [random_spec(rng) for _ in range(12)] + [concept_spec(rng) for _ in range(4)]
    pixels = np.stack([np.asarray(draw(spec, i, 256).resize((448, 448), Image.Resampling.BICUBIC)) for i, spec in enumerate(specs)])
    (probabilities,) = session.run(None, {"input": pixels[..., ::-1].astype(np.float32)})
    names = tag_names()
    assert probabilities.shape == (16, len(names))
    right = said = wanted = 0
    for spec, row in zip(specs, probabilities, strict=True):
        tags = {name for (name, category), p in zip(names, row, strict=True) if category == 0 and p > 0.35}
        truth = {tag.replace(" ", "_") for tag in spec.tags}
        right, said, wanted = right + len(tags & truth), said + len(tags), wanted + len(truth)
    assert 2 * right / (said + wanted) >= 0.9


def test_data_set_has_the_faults_that_curation_must_find() -> None:
    pictures = ASSETS / "pictures"
    assert folder_bytes(pictures) < 2e6
    images = [file for file in pictures.iterdir() if file.suffix in {".png", ".jpg"}]
    broken, turned = [], []
    for file in images:
        try:
            with Image.open(file) as image:
                image.load()
                turned += [file.name] if image.getexif().get(0x0112, 1) != 1 else []
        except (OSError, UnidentifiedImageError):
            broken.append(file.name)
    stems = [file.stem for file in images]
    assert broken == ["download_broken.png"]
    assert turned == ["mikoneko_11.jpg"]
    assert len({file.read_bytes() for file in images}) == len(images) - 1
    assert [stem for stem in set(stems) if stems.count(stem) == 2] == ["mikoneko_07"]
    assert sum(not file.with_suffix(".txt").exists() for file in images) >= 3
