"""Captioners that run here: the real classes with random weights are loaded, asked, kept open, and give their memory back."""

import gc
import os
import shutil
import weakref
from collections import namedtuple
from dataclasses import replace

import pytest
import torch
from PIL import Image

from core.base.errors import ConfigError, DatasetError, DiskError, ModelError
from core.dataset.captions.captioners import CAPTIONERS, CutText, Request, card_of, identity_of, loading, open_captioner, prompt_of
from core.dataset.captions.captioners.chat import ChatCaptioner
from core.dataset.captions.captioners.keeping import KeptCaptioner
from core.dataset.captions.captioning import CaptionSettings, caption_images, describe_image, texts_of_image
from tests.core.dataset.captions.captioners.tiny_captioners import MAKERS
from tests.core.dataset.small_things import picture

PICTURES = [Image.new("RGB", size, colour) for size, colour in (((60, 40), "red"), ((40, 90), "green"), ((64, 64), "white"))]
SEEDS = {"blip-base": 6, "florence-2-base": 8, "qwen3-vl-4b": 19, "joycaption": 8}
"""With these each says some words of its own accord, and no token that is not shown."""
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder for each class, with the same weights at every run."""
    made = {}
    for name, make in MAKERS.items():
        made[name] = tmp_path_factory.mktemp(name)
        torch.manual_seed(0)
        make(made[name])
    return made


def request(folder, **values) -> Request:
    return Request(**{"model_dir": str(folder), "device": "cpu", "max_new_tokens": 12, **values})


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_each_picture_gets_the_text_that_it_gets_alone(folders, name):
    model = open_captioner(name, request(folders[name]))
    prompt = prompt_of(name, "short")
    together = model.describe(PICTURES, [prompt] * 3)
    assert together == [model.describe([one], [prompt])[0] for one in PICTURES] and any(together)
    assert not any("<" in text or "[" in text for text in together)  # neither the question's marks nor the end's
    assert model.provider == "cpu" and model.parallel == 1
    model.close()
    assert model.model is None


@pytest.mark.slow
def test_the_beginning_of_a_sentence_is_gone_on_with_by_blip(folders):
    model = open_captioner("blip-base", request(folders["blip-base"]))
    texts = model.describe(PICTURES[:2], ["a picture of", "the girl with"])
    assert texts[0].startswith("a picture of") and texts[1].startswith("the girl with")


def test_a_question_is_not_part_of_the_answer_and_the_length_is_kept(folders):
    for name in ("qwen3-vl-4b", "joycaption"):
        answer, = open_captioner(name, request(folders[name], max_new_tokens=3)).describe(PICTURES[:1], ["describe the cat user user"])
        assert len(answer.split()) <= 3 and "describe the cat" not in answer


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKERS)
def test_a_text_that_was_broken_off_is_told_from_one_that_ends_just_at_the_limit(folders, name):
    model, prompt = open_captioner(name, request(folders[name])), prompt_of(name, "short")
    assert all(isinstance(text, CutText) for text in model.describe(PICTURES, [prompt] * 3))  # the likeliest words go on and on

    def said(limit: int) -> str:
        model.request = request(folders[name], max_new_tokens=limit, temperature=1.0)
        torch.manual_seed(SEEDS[name])
        return model.describe(PICTURES[:1], [prompt])[0]

    whole = said(300)
    needed = len(whole.split()) + 1  # its words and its end
    assert not isinstance(whole, CutText) and 2 < needed < 100
    assert said(needed) == whole and not isinstance(said(needed), CutText)
    assert said(needed - 1) == whole and isinstance(said(needed - 1), CutText)
    assert isinstance(said(needed - 2), CutText) and whole.startswith(said(needed - 2))


def test_the_beginning_that_blip_is_given_does_not_count_as_its_text(folders):
    model, given = open_captioner("blip-base", request(folders["blip-base"])), "a picture of the cat"

    def said(limit: int) -> str:
        model.request = request(folders["blip-base"], max_new_tokens=limit, temperature=1.0)
        torch.manual_seed(SEEDS["blip-base"])
        return model.describe(PICTURES[:1], [given])[0]

    needed = len(said(300).removeprefix(given).split()) + 1
    assert not isinstance(said(needed), CutText) and isinstance(said(needed - 1), CutText) and said(needed - 1) == said(needed)


@pytest.mark.slow
def test_a_text_that_was_broken_off_is_told_in_the_report_and_asked_again(project, folders):
    for number, one in enumerate(PICTURES):
        one.save(project.images / f"{number}.png")
    settings = CaptionSettings.make(captioner="blip-base", model_dir=str(folders["blip-base"]), device="cpu", max_new_tokens=8,
                                    existing="overwrite")
    report = caption_images(project, settings)
    assert (report.written, report.cut) == (3, 3) and "(3 cut off; raise 'Longest text')" in report.sentence()
    assert texts_of_image(project, "0") == [] and caption_images(project, settings).remembered == 0
    described = describe_image(project, "0", settings)
    assert described.cut == 1 and "cut off" in described.sentence() and type(described.text) is str


def test_joycaption_is_asked_as_its_card_says(folders):
    model = open_captioner("joycaption", request(folders["joycaption"]))
    said = model.processor.batch_decode(model._inputs(PICTURES[0], "what is the cat")["input_ids"])[0]
    assert "system You are a helpful image captioner" in said and "what is the cat assistant" in said and said.count("<image>") == 4


def test_likeliest_words_are_the_same_each_time_and_a_temperature_varies_them(folders):
    model = open_captioner("qwen3-vl-4b", request(folders["qwen3-vl-4b"]))
    assert len({model.describe(PICTURES[:1], ["a"])[0] for _ in range(3)}) == 1
    model.request = request(folders["qwen3-vl-4b"], temperature=2.0, top_p=1.0)
    assert len({model.describe(PICTURES[:1], ["a"])[0] for _ in range(6)}) > 1


@pytest.mark.slow
def test_captions_are_written_by_a_model_of_this_machine(project, folders):
    for number, one in enumerate(PICTURES):
        one.save(project.images / f"{number}.png")
    (project.images / "broken.png").write_bytes(b"<html>")
    settings = CaptionSettings.make(captioner="florence-2-base", model_dir=str(folders["florence-2-base"]), device="cpu", temperature=1.0,
                                    trigger_word="mika")
    torch.manual_seed(0)
    report = caption_images(project, settings)
    assert (report.written, [one.name for one in report.skipped], report.provider) == (3, ["broken.png"], "cpu")
    assert (project.images / "0.txt").read_text().startswith("mika, ")
    described = describe_image(project, "0", settings)
    assert described.remembered == 1 and described.provider == "" and texts_of_image(project, "0")[0].text == described.text
    assert described.sentence() == f"the model in {folders['florence-2-base'].name}/ says, as it said before: {described.text}"
    assert report.sentence().startswith(f"3 captions written by the model in {folders['florence-2-base'].name}/")


@pytest.mark.slow
def test_a_kept_captioner_is_loaded_once_and_gives_its_memory_back(project, folders):
    picture(project.images / "a.png")
    kept, settings = KeptCaptioner(), CaptionSettings.make(captioner="florence-2-base", model_dir=str(folders["florence-2-base"]),
                                                           device="cpu", temperature=1.0)
    torch.manual_seed(0)
    assert kept.holds == ""
    assert describe_image(project, "a", settings, kept).provider == "cpu" and kept.holds.startswith("the model in florence")
    first = kept._model
    describe_image(project, "a", settings.changed(max_new_tokens=299), kept)
    assert kept._model is first and first.request.max_new_tokens == 299
    weights = weakref.ref(first.model)
    other = settings.changed(captioner="blip-base", model_dir=str(folders["blip-base"]))
    describe_image(project, "a", other, kept)
    gc.collect()
    assert weights() is None and kept.holds.startswith("the model in blip")
    kept.close()
    assert kept.holds == "" and not (project.images / "a.txt").exists()


def test_a_picture_of_a_shape_that_the_model_does_not_take_is_skipped(project, folders):
    picture(project.images / "a.png", size=(1000, 2))
    picture(project.images / "b.png")
    report = caption_images(project, CaptionSettings.make(captioner="qwen3-vl-4b", model_dir=str(folders["qwen3-vl-4b"]), device="cpu",
                                                          max_new_tokens=8))
    assert [(one.name, "Qwen3-VL 4B failed on it" in one.reason) for one in report.skipped] == [("a.png", True)] and report.written == 1


def test_a_picture_that_is_gone_and_one_that_is_broken_are_named(project, folders):
    (project.images / "a.png").write_bytes(b"<html>")
    settings = CaptionSettings.make(captioner="blip-base", model_dir=str(folders["blip-base"]), device="cpu")
    for name, words in (("a", "a.png is not an image"), ("b", "No image is called 'b'")):
        with pytest.raises(DatasetError, match=words):
            describe_image(project, name, settings)


def test_what_cannot_be_loaded_is_said_in_a_sentence(tmp_path, folders, monkeypatch):
    with pytest.raises(ModelError, match="has no config.json"):
        open_captioner("blip-base", request(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="BLIP base could not be fetched or opened"):
        open_captioner("blip-base", request(tmp_path))
    with pytest.raises(ConfigError, match="4-bit needs an NVIDIA GPU"):
        open_captioner("qwen3-vl-4b", request(folders["qwen3-vl-4b"], precision="4-bit"))
    monkeypatch.setattr(loading.shutil, "disk_usage", lambda _: Usage(0, 0, 2**30))
    monkeypatch.setattr(loading, "memory_gib", lambda: (64.0, 64.0))
    with pytest.raises(DiskError, match=r"Qwen3-VL 4B takes 8.9 GiB to download, but .* has 1.0 GiB free"):
        open_captioner("qwen3-vl-4b", Request(device="cpu", download_dir=str(tmp_path / "models" / "new")))


@pytest.mark.parametrize(("variable", "below"), [("HF_HOME", "hub"), ("HF_HUB_CACHE", "")])
def test_room_is_looked_for_on_the_disk_that_the_environment_names(tmp_path, monkeypatch, variable, below):
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "large disk"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(loading, "memory_gib", lambda: (64.0, 64.0))
    monkeypatch.setattr(loading.shutil, "disk_usage", lambda place: Usage(0, 0, 2**30 if place == tmp_path else 2**40))
    with pytest.raises(DiskError, match=f"but {tmp_path} has 1.0 GiB free") as caught:
        open_captioner("qwen3-vl-4b", Request(device="cpu"))
    assert "set HF_HOME" in caught.value.hint
    weights = tmp_path / "large disk" / below / "models--Qwen--Qwen3-VL-4B-Instruct" / "snapshots" / "1" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.touch()
    monkeypatch.setattr(loading.shutil, "disk_usage", lambda place: Usage(0, 0, 0))
    with pytest.raises(ModelError):  # it is tried to open: what is there takes no room
        open_captioner("qwen3-vl-4b", Request(device="cpu"))


def in_cache(cache, repo: str, commit: str, fill) -> None:
    """A repository as Hugging Face's cache holds it, at its newest commit."""
    place = cache / f"models--{repo.replace('/', '--')}"
    (place / "refs").mkdir(parents=True, exist_ok=True)
    (place / "refs" / "main").write_text(commit)
    fill(place / "snapshots" / commit)


def test_a_repository_is_named_by_its_commit_and_opened_at_it(tmp_path, folders, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    repo, asked = CAPTIONERS.entry("blip-base").options["repo_id"], Request(device="cpu", download_dir=str(tmp_path), max_new_tokens=8)
    names = []
    for commit in ("a" * 40, "b" * 40):
        in_cache(tmp_path, repo, commit, lambda place: shutil.copytree(folders["blip-base"], place))
        names.append(identity_of("blip-base", asked))
    assert [f"{repo}@{letter * 40}" in name for letter, name in zip("ab", names, strict=True)] == [True, True]
    assert identity_of("blip-base", replace(asked, revision="a" * 40)) == names[0]
    assert open_captioner("blip-base", asked).describe(PICTURES[:1], [""])[0]


def test_a_folder_is_named_by_its_files(tmp_path, folders):
    shutil.copytree(folders["blip-base"], tmp_path / "model")
    before = identity_of("blip-base", request(tmp_path / "model"))
    os.utime(tmp_path / "model" / "model.safetensors", ns=(1, 1))
    assert identity_of("blip-base", request(tmp_path / "model")) != before
    (tmp_path / "model" / "config.json").unlink()
    with pytest.raises(ModelError, match="has no config.json"):
        identity_of("blip-base", request(tmp_path / "model"))


def test_without_a_gpu_twice_the_memory_is_needed_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "memory_gib", lambda: (30.0, 21.0))
    monkeypatch.setattr(loading.shutil, "disk_usage", lambda _: Usage(0, 0, 2**30))
    asked = Request(device="cpu", download_dir=str(tmp_path))
    with pytest.raises(ConfigError, match=r"Qwen3-VL 4B takes about 22 GiB without a GPU, but this machine has 21\.0 GiB free"):
        open_captioner("qwen3-vl-4b", asked)
    for free in (23.0, 0.0):  # 0: it is not known
        monkeypatch.setattr(loading, "memory_gib", lambda free=free: (free and 30.0, free))
        with pytest.raises(DiskError):
            open_captioner("qwen3-vl-4b", asked)
    assert "Without a GPU: about 22 GiB." in card_of("qwen3-vl-4b").sentence()
    assert "Without" not in card_of("qwen3-vl-4b", "4-bit").sentence() + card_of("server").sentence()


@pytest.mark.slow
@pytest.mark.parametrize(("native", "kind"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_that_only_imitates_bf16_is_given_fp16(monkeypatch, native, kind):
    pytest.importorskip("bitsandbytes")
    import transformers

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or native)
    for precision in ("bf16", "8-bit", "4-bit"):
        captioner = object.__new__(ChatCaptioner)
        captioner.entry, captioner.request, captioner.provider = CAPTIONERS.entry("joycaption"), Request(precision), "cuda"
        given = captioner._precision(torch, transformers)
        assert given["dtype"] is kind
    assert given["quantization_config"].bnb_4bit_compute_dtype is kind


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16", "8-bit", "4-bit"])
@pytest.mark.parametrize("name", ["qwen3-vl-4b", "joycaption"])
def test_transformers_is_given_what_belongs_to_the_precision(folders, monkeypatch, name, precision):
    pytest.importorskip("bitsandbytes")
    import transformers

    kind = getattr(transformers, CAPTIONERS.load(name).model_class)
    load, given = kind.from_pretrained, {}

    def from_pretrained(place, **values):
        given.update(values)
        return load(place, local_files_only=True)  # here is no GPU that could take it in 8 or 4 bit

    monkeypatch.setattr(kind, "from_pretrained", from_pretrained)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    moved = []
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, *place: moved.append(place) or self)
    captioner = object.__new__(CAPTIONERS.load(name))
    captioner.entry, captioner.request = CAPTIONERS.entry(name), request(folders[name], precision=precision)
    captioner.provider = "cuda"
    captioner._load(torch)
    assert given["dtype"] is torch.bfloat16
    if precision == "bf16":
        assert "quantization_config" not in given and "device_map" not in given and ("cuda",) in moved
        return
    config = given["quantization_config"]
    assert given["device_map"] == {"": 0} and ("cuda",) not in moved  # a model in 8 or 4 bit cannot be moved
    assert (config.load_in_8bit, config.load_in_4bit) == (precision == "8-bit", precision == "4-bit")
    assert config.llm_int8_skip_modules == (["vision_tower", "multi_modal_projector"] if name == "joycaption" else None)
    if precision == "4-bit":
        assert (config.bnb_4bit_quant_type, config.bnb_4bit_use_double_quant) == ("nf4", True)
        assert config.bnb_4bit_compute_dtype is torch.bfloat16


def test_parts_of_a_character_are_refused_where_the_model_takes_no_questions(project):
    picture(project.images / "a.png")
    for name in ("blip-base", "florence-2-large", "joycaption"):
        with pytest.raises(ConfigError, match=f"{CAPTIONERS.entry(name).title} cannot describe a character in parts"):
            caption_images(project, CaptionSettings.make(captioner=name, schema_guided=True))
    assert not (project.hidden / "history.jsonl").exists()
