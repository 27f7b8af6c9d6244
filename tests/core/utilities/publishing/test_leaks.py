"""Nothing of a person's machine is published: neither by what a sample says of itself, nor by settings, nor to whom it should not be."""

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.base.errors import ConfigError
from core.utilities.publishing.checking import check_publish
from tests.core.utilities.publishing.conftest import publish, settings

TOLD = ("mika <lora:/home/asmith/loras/mika:1>\nNegative prompt: C:\\Users\\asmith\\bad.pt\n"
        "Steps: 20, Sampler: Euler, VAE: /home/asmith/models/vae.pt, Size: 64x64, key: hf_abcdefghijklmnopqrst")


@pytest.fixture
def picture(tmp_path):
    info = PngInfo()
    info.add_text("parameters", TOLD)
    Image.new("RGB", (64, 64)).save(tmp_path / "own.png", pnginfo=info)
    return tmp_path / "own.png"


def levels(report, words):
    return [finding.level for finding in report.findings if words in finding.what]


def test_what_a_sample_says_of_itself_is_published_without_places(mika, picture):
    values = {"samples": (str(picture),), "to": "folder"}
    publish(mika, **values)
    folder = mika.parent / "mika-civitai"
    assert not [path for path in folder.rglob("*") if path.is_file() and (b"asmith" in path.read_bytes() or b"hf_abc" in path.read_bytes())]
    said = Image.open(folder / "images" / "01.png").info["parameters"]
    assert "<lora:mika:1>" in said and "VAE: vae.pt, Size: 64x64" in said
    report = check_publish(settings(mika, **{**values, "to": "hub"}))
    assert levels(report, "own.png tells a place on a disk") == levels(report, "own.png tells a token") == ["info"]
    assert "asmith" not in report.card and "asmith" not in report.samples[0]["prompt"]
    report = check_publish(settings(mika, **values, clean_metadata=False))
    assert (levels(report, "own.png tells a place"), levels(report, "own.png tells a token")) == (["warning"], ["error"])
    with pytest.raises(ConfigError, match="own.png tells a token"):
        publish(mika, **values, clean_metadata=False, save_to=str(mika.parent / "b"))


def test_the_prompts_of_a_trainer_are_published_without_places(mika):
    (mika.parent / "sample_prompts.txt").write_text("mika /home/asmith/x.txt --n ~/bad --s 20\nmika\n")
    report = check_publish(settings(mika))
    assert report.samples[0]["prompt"] == "mika x.txt" and "asmith" not in report.card and "~/bad" not in report.card


@pytest.mark.parametrize(("base", "name"), [
    ("/home/asmith/models/pony v9.safetensors", "pony v9"), (r"C:\Users\asmith\mix.ckpt", "mix"),
    ("asmith/mixes/my mix.safetensors", "my mix"),
    ("models/own.safetensors", "own"), ("/home/asmith/models/sdxl-diffusers", "sdxl-diffusers"),
    ("asmith/mix", "asmith/mix"), ("Own mix 1.5", "Own mix 1.5")])
def test_of_a_base_model_that_is_given_as_a_file_its_name_is_told(mika, base, name):
    report = check_publish(settings(mika, base=base, base_licence="mit"))
    assert ("Base model", name) in report.facts and (name.count("/") == 1) == (f"base_model: \"{name}\"" in report.card)
    assert name.count("/") == 1 or "asmith" not in report.card


def test_the_finished_page_is_looked_through_at_last(mika):
    report = check_publish(settings(mika, description="Put it into D:\\ComfyUI\\models. I keep mine in /home/asmith/loras."))
    assert levels(report, "The page tells a place on a disk: D:\\ComfyUI\\models") == ["warning"]
    assert levels(report, "The page tells whose machine it is: /home/asmith/loras") == ["error"]
    for values in ({"description": "hf_abcdefghijklmnopqrst"}, {"author": "/home/asmith"}, {"licence": "see /home/asmith/licence.txt"}):
        for to in ("hub", "folder"):
            errors = [one.what for one in check_publish(settings(mika, to=to, **values)).findings if one.level == "error"]
            assert any(one.startswith("The page tells") and "hf_abcdefg" not in one for one in errors), (values, to)
    with pytest.raises(ConfigError, match="whose machine it is"):
        publish(mika, to="folder", description="in /home/asmith/loras")
    assert not any("The page" in one.what for one in check_publish(settings(mika)).findings)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
def test_no_comment_and_no_other_note_of_a_picture_is_published(mika, tmp_path, kind):
    path = tmp_path / f"a.{kind.lower()}"
    extra = {"comment": b"/home/asmith/workflow", "xmp": b"<x>asmith</x>"} if kind != "PNG" else {"pnginfo": PngInfo()}
    if kind == "PNG":
        extra["pnginfo"].add_text("Comment", "/home/asmith/workflow")
    Image.new("RGB", (64, 64), "red").save(path, kind, **extra)
    assert b"asmith" in path.read_bytes() or kind == "WEBP"
    publish(mika, to="folder", samples=(f"{path} | a cat",))
    copies = list((mika.parent / "mika-civitai" / "images").iterdir())
    assert len(copies) == 1 and b"asmith" not in copies[0].read_bytes()


@pytest.mark.parametrize(("private", "told"), [(False, True), (True, False)])
def test_a_pull_request_into_what_everybody_sees_is_told_before_and_after(mika, hub, private, told):
    hub.repositories["you/loras"], hub.private["you/loras"] = {}, private
    report = check_publish(settings(mika, repo_id="you/loras", pull_request=True))
    assert ("everybody can see" in report.facts[-1][1]) == told
    assert levels(report, "you/loras can be seen by everybody, and so can a pull request") == (["warning"] if told else [])
    assert {method for method, _, _ in hub.asked} == {"GET"}
    done = publish(mika, repo_id="you/loras", pull_request=True)
    assert ("everybody can see it" in done.sentence()) == told and any("so can a pull request" in one.what for one in done.findings) == told


def test_a_pull_request_whose_repository_cannot_be_looked_at_warns(mika, hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    report = check_publish(settings(mika, repo_id="you/loras", pull_request=True))
    assert levels(report, "Whether everybody can see you/loras could not be looked at") == ["warning"]
