"""What a person writes is understood, or answered with a sentence; and what a site answers is told in words."""

import pytest

from core.base.errors import ConfigError, ModelError
from core.base.progress import Progress
from core.models.addresses import read_address, without_token
from core.models.asking import find_source
from core.models.download import download_model
from core.models.settings import SECRET_ADDRESS, DownloadSettings
from core.models.sites import CIVITAI, HUB, token_of
from tests.core.models.fake_sites import SDXL, Blob, weights

SMALL = Blob(weights(SDXL))


@pytest.mark.parametrize(("text", "repo", "revision", "path"), [
    ("owner/name", "owner/name", "main", ""), ("hf://owner/name/a/b.safetensors", "owner/name", "main", "a/b.safetensors"),
    ("https://huggingface.co/owner/name", "owner/name", "main", ""),
    ("https://huggingface.co/owner/name/tree/main", "owner/name", "main", ""),
    ("https://huggingface.co/owner/name/tree/v1/sub", "owner/name", "v1", "sub"),
    ("https://huggingface.co/owner/name/blob/main/x.safetensors", "owner/name", "main", "x.safetensors"),
    ("https://huggingface.co/owner/name/resolve/main/x%20y.safetensors?download=true", "owner/name", "main", "x y.safetensors"),
    (" 'https://hf.co/owner/name/resolve/abc/d/x.ckpt' ", "owner/name", "abc", "d/x.ckpt")])
def test_addresses_of_hugging_face_are_read(text, repo, revision, path):
    wanted = read_address(text)
    assert (wanted.site, wanted.repo, wanted.revision, wanted.path) == (HUB, repo, revision, path)


@pytest.mark.parametrize(("text", "model", "version", "choice"), [
    ("https://civitai.com/models/257749", "257749", "", ()),
    ("https://civitai.com/models/257749/pony-diffusion-v6-xl?modelVersionId=290640", "257749", "290640", ()),
    ("https://civitai.com/api/download/models/290640", "", "290640", ()),
    ("https://www.civitai.com/api/download/models/290640?type=Model&format=SafeTensor", "", "290640",
     (("type", "Model"), ("format", "SafeTensor"))),
    ("https://civitai.com/api/v1/model-versions/290640", "", "290640", ()),
    ("https://civitai.com/model-versions/5", "", "5", ()),
    ("https://civitai.com/api/v1/models/257749", "257749", "", ())])
def test_addresses_of_civitai_are_read(text, model, version, choice):
    wanted = read_address(text)
    assert (wanted.site, wanted.model, wanted.version, wanted.choice) == (CIVITAI, model, version, choice)


@pytest.mark.parametrize(("text", "sentence"), [
    ("", "No address is given"), ("https://me:pass@example.org/a", "holds a password"), ("ftp://example.org/a/b", "is no address"),
    ("https://huggingface.co/datasets/a/b", "is a dataset"), ("https://huggingface.co/spaces/a/b", "is no model of Hugging Face"),
    ("https://civitai.com/images/5", "is no model of Civitai"), ("https://[x/a", "is no address"), ("gpt2", "is no model of Hugging Face")])
def test_what_is_no_model_is_refused_with_a_sentence(text, sentence):
    with pytest.raises(ConfigError, match=sentence) as told:
        read_address(text)
    assert "pass" not in str(told.value) or "password" in str(told.value)


def test_a_secret_in_an_address_is_parted_from_what_may_be_written():
    settings, secrets = DownloadSettings.make(address="https://civitai.com/api/download/models/5?type=Model&token=abc123").apart()
    assert settings.address == "https://civitai.com/api/download/models/5?type=Model" and secrets == {"CIVITAI_API_TOKEN": "abc123"}
    signed = "https://example.org/x.safetensors?X-Amz-Signature=abc123&a=b"
    settings, secrets = DownloadSettings.make(address=signed).apart()
    assert settings.address == "https://example.org/x.safetensors?X-Amz-Signature=***&a=b" and secrets == {SECRET_ADDRESS: signed}
    assert without_token("owner/name") == ("owner/name", "", None)
    for wanted in (read_address(signed), read_address("https://civitai.com/api/download/models/5?token=abc123")):
        assert "abc123" not in repr(wanted) and (wanted.token or wanted.address)
    assert "abc123" not in str(DownloadSettings.make(address=signed).to_keep())


def test_a_token_is_not_given_away_unencrypted(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert token_of(HUB) == "hf_good" and token_of(None) == ""
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example.org")
    assert token_of(HUB) == ""


def test_the_token_of_hf_auth_login_is_found(monkeypatch, tmp_path, sites):
    (tmp_path / "token").write_text("hf_stored\n")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "token"))
    assert token_of(HUB) == "hf_stored" and token_of(CIVITAI) == ""
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", "hf_other")
    assert token_of(HUB) == "hf_other"


def refused(models, address, **settings):
    with pytest.raises(ModelError) as told:
        download_model(models, DownloadSettings.make(address=address, **settings))
    return str(told.value)


def test_a_gated_model_says_how_to_get_it(sites, models, monkeypatch):
    sites.repos["maker/model"] = {"model.safetensors": SMALL}
    sites.gated.add("maker/model")
    said = refused(models, "maker/model")
    assert said.startswith("The makers of maker/model ask you to accept their licence first. Open ")
    assert f"{sites.hub.address}/maker/model, log in and accept it" in said and "HF_TOKEN" in said
    sites.tokens.add("hf_other")
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    assert "its licence was not accepted there yet" in refused(models, "maker/model")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "Hugging Face does not accept this token" in refused(models, "maker/model")
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert download_model(models, DownloadSettings.make(address="maker/model")).files[0].checked


@pytest.mark.parametrize("page", [False, True])
def test_civitai_says_that_one_must_log_in(sites, models, monkeypatch, page):
    sites.versions["7"], sites.login_page = SMALL, page
    sites.login.add("7")
    said = refused(models, "https://civitai.com/api/download/models/7")
    assert said.startswith("Civitai gives model.safetensors only to those who log in.") and "CIVITAI_API_TOKEN" in said
    monkeypatch.setenv("CIVITAI_API_TOKEN", "civ_wrong")
    assert "does not let the account of this token download model.safetensors" in refused(models, "https://civitai.com/models/1?modelVersionId=7")


def test_what_is_not_there_is_said_to_be_so(sites, models):
    sites.repos["maker/model"] = {"model.safetensors": SMALL}
    assert "There is no nobody/nothing on Hugging Face, or it is private." in refused(models, "nobody/nothing")
    assert "maker/model has no file other.safetensors (revision main)." in refused(models, "maker/model/other.safetensors")
    assert "Civitai has no version 5 (any more)." in refused(models, "https://civitai.com/api/download/models/5")
    assert "Civitai has no model 6 (any more)." in refused(models, "https://civitai.com/models/6")
    assert "is not there (404)" in refused(models, f"{sites.civitai.address.replace('127.0.0.1', 'localhost')}/nothing.safetensors")


def test_a_web_page_in_place_of_a_file_is_told(sites, models):
    address = sites.signed(Blob(b"<html></html>", kind="text/html; charset=utf-8"))
    said = refused(models, address)
    assert "gives a web page, not a model" in said and "cdnsecret" not in said


def test_a_server_that_is_away_is_told(models, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "127.0.0.1 could not be reached" in refused(models, "maker/model")


def test_a_repository_with_one_model_gives_that_and_one_with_several_asks(sites, models):
    sites.repos["maker/one"] = {"README.md": SMALL, "model.safetensors": SMALL, "old.ckpt": SMALL}
    assert find_source(read_address("maker/one"), Progress()).name == "model.safetensors"
    sites.repos["maker/two"] = {"a.safetensors": SMALL, "b.safetensors": SMALL}
    with pytest.raises(ConfigError, match=r"has 2 files with weights: a.safetensors \(0 KiB\), b.safetensors .*File in the repository"):
        find_source(read_address("https://huggingface.co/maker/two/tree/main"), Progress())
    assert find_source(read_address("maker/two", "b.safetensors"), Progress()).name == "b.safetensors"
    sites.repos["maker/none"] = {"README.md": SMALL}
    assert "has no file with a model's weights" in refused(models, "maker/none")


def test_the_file_that_an_address_of_civitai_chooses_is_taken(sites):
    sites.versions["7"] = SMALL
    assert find_source(read_address("https://civitai.com/api/download/models/7?type=VAE"), Progress()).name == "vae.safetensors"
    found = find_source(read_address("https://civitai.com/api/download/models/7?type=Model&format=SafeTensor&fp=fp16"), Progress())
    assert (found.name, found.sha256, found.base_model) == ("model.safetensors", SMALL.sha256, "Illustrious")
