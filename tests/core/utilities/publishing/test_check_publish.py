"""The check before a publication: what must be mended, what is worth a look, and that nothing leaves the machine."""

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from core.base.errors import ConfigError, ModelError
from core.cli import main
from core.utilities.publishing.checking import check_publish
from core.utilities.publishing.private import cleaned, find_private
from tests.core.utilities.layers import layer, write
from tests.core.utilities.publishing.conftest import ATTENTION, SAID, draw_samples, make, publish, settings

TOKEN = "hf_abcdefghijklmnopqrst"


def check(path, **values):
    return check_publish(settings(path, **{"to": "folder", **values}))


def found(path, level, **values):
    return [str(finding) for finding in check(path, **values).findings if finding.level == level]


def test_a_good_file_has_nothing_against_it_and_shows_what_will_be_said(mika):
    report = check(mika, description="A girl.", trigger="mika")
    assert report.sentence() == "Nothing stands against publishing it."
    assert ("Base model", "Stable Diffusion 1.5") in report.facts and ("Licence", "CreativeML Open RAIL-M") in report.facts
    assert [sample["prompt"] for sample in report.samples] == ["mika, smile", "mika"] and report.samples[0]["by"] == "epoch 10"
    assert "A girl." in report.card and sorted(path.name for path in mika.parent.iterdir()) == ["mika.safetensors", "sample",
                                                                                                 "sample_prompts.txt"]


def test_the_command_ends_with_1_where_something_must_be_mended(mika, capsys):
    assert main(["check-publish", "--file", str(mika), "--to", "zip", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["facts"][0] == ["Title", "Mika"]
    assert main(["check-publish", "--file", str(mika), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["findings"]
    assert any("no token for Hugging Face" in one["what"] and "HF_TOKEN" in one["remedy"] for one in told)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_stop_it(mika, value):
    kinds = layer("linear")[0]
    kinds[".lora_up.weight"][0, 0] = value
    write(mika, {f"{ATTENTION}1_to_q": kinds}, SAID)
    assert any("no numbers" in one and f"{ATTENTION}1_to_q.lora_up.weight" in one for one in found(mika, "error"))
    with pytest.raises(ConfigError, match="Nothing was published.*no numbers"):
        publish(mika, to="folder")
    assert not (mika.parent / "mika-civitai").exists()


@pytest.mark.parametrize(("content", "words"), [(b"<html>no</html>", "not a safetensors file"), (b"PK\x03\x04" + b"x" * 20, "pickled|zip"),
                                                (None, "does not exist")])
def test_what_is_no_lora_file_is_said(tmp_path, content, words):
    path = tmp_path / "a.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=words):
        check(path)


def test_a_base_model_is_no_lora(tmp_path):
    save_file({"model.diffusion_model.x": torch.ones(2)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="no layers of a LoRA"):
        check(tmp_path / "a.safetensors")


PRIVATE = {
    "ss_sd_model_name": "/home/anna/models/a.safetensors", "ss_vae_name": r"C:\Users\Anna B\vae.pt",
    "ss_dataset_dirs": json.dumps({r"D:\sets\10_mika": {"img_count": 3}}), "lora_adapter_metadata": json.dumps(
        {"unet.base_model_name_or_path": "/mnt/data/anna/sdxl", "unet.r": 4}),
    "ss_datasets": json.dumps([{"subsets": [{"image_dir": "~/pictures/10_mika", "metadata_file": r"\\nas\anna\meta.json"}]}]),
    "ss_sample_prompts": "file:///home/anna/prompts.txt", "ss_network_args": '{"a": "C:/ai/x"}', "ss_training_comment": "made by anna"}
PUBLIC = {
    "ss_network_module": "networks.lora", "hub": "black-forest-labs/FLUX.1-dev", "url": "https://huggingface.co/a/b",
    "emoji": "/o/, \\o/, :/",
    "tags": r"mika \(girl\), 1/2, mask/face", "ss_output_name": "anna", "modelspec.author": "anna", "res": "512/768", "time": "12:30:00",
    "modelspec.thumbnail": "data:image/jpeg;base64,/9j/4AAQ/home/anna/ee==", "ss_tag_frequency": '{"10_anna": {"anna": 3}}'}


def test_places_on_a_disk_user_names_and_tokens_are_found_wherever_they_stand():
    private = find_private({**PRIVATE, **PUBLIC, "token": TOKEN, "key": "api_key=abcdef0123456789"}, ("anna",))
    assert {one.key for one in private} == {*PRIVATE, "token", "key"}
    assert {one.shown for one in private if one.kind == "a token"} == {"hf_ab…", "abcde…"}
    new = cleaned({**PRIVATE, **PUBLIC, "token": TOKEN}, ("anna",))
    assert find_private(new, ("anna",)) == [] and {name: new[name] for name in PUBLIC} == PUBLIC
    assert new["ss_sd_model_name"] == "a.safetensors" and json.loads(new["ss_dataset_dirs"]) == {"10_mika": {"img_count": 3}}
    assert json.loads(new["lora_adapter_metadata"]) == {"unet.base_model_name_or_path": "sdxl", "unet.r": 4}
    assert json.loads(new["ss_datasets"])[0]["subsets"][0] == {"image_dir": "10_mika", "metadata_file": "meta.json"}


def test_private_places_warn_and_tokens_stop_it_unless_they_are_taken_out(mika):
    make(mika, {**SAID, **PRIVATE})
    told = found(mika, "info")
    assert any("tells a place on a disk: " in one and "ss_sd_model_name" in one and "taken out of the published" in one for one in told)
    assert found(mika, "error", clean_metadata=False) == []
    assert any("'Take private places out' on" in one for one in found(mika, "warning", clean_metadata=False))
    make(mika, {**SAID, "ss_training_comment": TOKEN})
    assert found(mika, "error") == []
    wrong = found(mika, "error", clean_metadata=False)
    assert len(wrong) == 1 and "make a new one" in wrong[0] and TOKEN not in wrong[0]
    assert TOKEN not in check(mika, clean_metadata=False, to="hub").card


@pytest.mark.parametrize(("base", "licence", "level", "words"), [
    ("flux1-dev", "mit", "error", "does not allow MIT"), ("flux1-dev", "", "info", "not used for money"),
    ("pony-v6", "cc0-1.0", "error", "does not allow CC0"), ("sdxl-1.0", "mit", "warning", "does not hold the restrictions"),
    ("sdxl-1.0", "creativeml-openrail-m", "", ""), ("flux1-schnell", "mit", "", ""),
    ("somebody/model", "", "warning", "licence of somebody/model is not known"), ("somebody/model", "", "warning", "No licence is named")])
def test_a_licence_that_the_base_model_does_not_allow_stops_it(mika, base, licence, level, words):
    told = {one: [str(finding) for finding in check(mika, base=base, licence=licence).findings if finding.level == one]
            for one in ("error", "warning", "info")}
    if level:
        assert any(words in one for one in told[level]), told
    else:
        assert told["error"] == [] and not any("licence" in one.lower() for one in told["warning"])


def test_a_base_model_that_only_its_family_tells_is_worth_a_look(mika):
    make(mika, {**SAID, "ss_sd_model_name": "my_own_mix.safetensors"})
    assert any("taken to be Stable Diffusion 1.5" in one and "my_own_mix" in one for one in found(mika, "warning"))
    assert ("Base model", "somebody/mix") in check(mika, base="somebody/mix").facts
    write(mika, {"some.layer": layer("linear")[0]}, {})
    assert any("base model is not known" in one for one in found(mika, "warning"))


def test_what_a_page_lacks_is_worth_a_look(mika, tmp_path):
    bare = make(tmp_path / "bare" / "x.safetensors", {})
    told = "\n".join(found(bare, "warning"))
    assert "no samples" in told and "No trigger words" in told
    Image.new("RGB", (9000, 10)).save(tmp_path / "large.png")
    told = [str(one) for one in check(bare, samples=(str(tmp_path / "large.png"),)).findings]
    assert any("without a prompt" in one for one in told) and any("larger than 2048 pixels" in one for one in told)
    assert any("not known how they were drawn" in one for one in told)


def test_a_wrong_hash_and_layers_that_a_program_does_not_find_are_told(mika):
    make(mika, {**SAID, "sshs_model_hash": "0" * 64})
    assert any("another hash" in one for one in found(mika, "warning"))
    write(mika, {f"{ATTENTION}1_to_q": layer("linear")[0], "lora_unet_nowhere": layer("linear")[0]}, SAID)
    report = check(mika, to="hub")
    assert any("A1111 would use 1 of the 2 layers" in str(one) for one in report.findings)
    assert "**diffusers** loads 0 of its 2 layers" in report.card and "load_lora_weights" not in report.card


def test_words_that_are_not_for_everybody_ask_for_the_mark(mika):
    make(mika, {**SAID, "ss_tag_frequency": '{"10_mika": {"nude": 3}}'})
    assert any("'nude' stands in its tags" in one for one in found(mika, "warning"))
    assert not any("nude" in one for one in found(mika, "warning", adults=True))
    assert "not-for-all-audiences" in check(mika, adults=True, to="hub").card


def test_samples_of_the_files_own_epoch_are_shown_and_others_are_told(mika):
    epoch = make(mika.with_name("mika-000005.safetensors"))
    assert {sample["by"] for sample in check(epoch).samples} == {"epoch 5"}
    other = make(mika.with_name("mika-000007.safetensors"))
    assert any("not of the very file" in one for one in found(other, "info"))
    draw_samples(mika.parent / "sample", name="somebody")
    assert all("mika" in sample["path"] for sample in check(mika).samples)


@pytest.mark.parametrize(("values", "words"), [
    ({"samples": ("/nowhere/a.png",)}, "does not exist"), ({"samples": (__file__,)}, "is no picture"), ({"file": " "}, "No LoRA file"),
    ({"repo_id": "a b"}, "'a b' is not"), ({"strength": 9}, "at most 4")])
def test_a_wrong_setting_is_a_sentence(mika, values, words):
    with pytest.raises(ConfigError, match=words):
        check(**{"path": mika, **{name: value for name, value in values.items() if name != "file"}}) if "file" not in values else \
            check_publish(settings(" "))


def test_a_broken_picture_is_a_sentence(mika, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"a\.png cannot be opened"):
        check(mika, samples=(str(tmp_path / "a.png"),))


def test_two_files_come_onto_one_page_and_two_of_one_name_do_not(mika, tmp_path):
    epoch = make(mika.with_name("mika-000005.safetensors"), seed=3)
    assert check(mika, further=(str(epoch),)).facts[2][0] == "File 2"
    with pytest.raises(ConfigError, match="are called mika.safetensors"):
        check(mika, further=(str(make(tmp_path / "else" / "mika.safetensors")),))


def test_a_file_of_the_demo_model_is_told_and_the_command_names_flags(mika, capsys):
    write(mika, {f"{ATTENTION}1_to_q": layer("linear")[0]}, {"ss_base_model_version": "lorabook_demo", "ss_output_name": "mika"})
    assert any("mika.safetensors was made with Lorabook's demo model: it loads in Lorabook alone." in one for one in found(mika, "warning"))
    assert main(["check-publish", "--file", str(mika), "--to", "zip"]) == 0
    words = capsys.readouterr().out
    assert "Choose it with --base." in words and "under Base model" not in words and "loads in Lorabook alone" in words
