"""Tokens are counted with CLIP's vocabulary where it lies here, else estimated, and the answer says which."""

import json
import shutil
from collections import Counter

import pytest

from core.base.paths import DEMO_ASSETS
from core.dataset.captions.tokens import KINDS, VOCABULARY, estimate_tokens, estimator, read_counter, token_counter
from core.dataset.listing import read_captions, scan, tag_counts
from tests.core.dataset.small_things import picture


def make_clip_folder(folder, entries=VOCABULARY):
    """A vocabulary of CLIP's size in which the merges make "hair" and "hat" one token each."""
    merges = ["h a", "i r</w>", "ha ir</w>", "ha t</w>"]
    words = ["h", "a", "i", "r</w>", "t</w>", "ha", "ir</w>", "hair</w>", "hat</w>", ",</w>", "l", "_</w>", "1</w>", "a</w>", "h</w>"]
    vocab = {word: number for number, word in enumerate(words)}
    vocab |= {f"filler{number}": number for number in range(len(vocab), entries - 1)} | {"<|endoftext|>": entries - 1}
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps(vocab))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    return folder


def test_a_vocabulary_that_is_clips_counts_exactly(tmp_path):
    counter = read_counter(make_clip_folder(tmp_path / "clip"))
    assert counter.exact
    assert counter.count("Hair,  HAT") == 3 and counter.count("hair_11") == 4 and counter.count("") == 0


def test_another_models_vocabulary_and_a_damaged_one_are_not_taken_for_clips(tmp_path):
    assert read_counter(make_clip_folder(tmp_path / "small", 500)) is None
    assert read_counter(DEMO_ASSETS / "model" / "tokenizer") is None
    assert read_counter(tmp_path / "nothing") is None
    (tmp_path / "small" / "tokenizer.json").write_text("{")
    assert read_counter(tmp_path / "small") is None


def make_qwen_folder(folder, entries=151643):
    """A vocabulary of Qwen's size in bytes, in which the merges make " hair" one token and "hat" another."""
    merges = ["\u0120 h", "a i", "ai r", "\u0120h air", "h a", "ha t"]
    words = ["\u0120", "h", "a", "i", "r", "t", ",", "\u0120h", "ai", "air", "\u0120hair", "ha", "hat", "1"]
    vocab = {word: number for number, word in enumerate(words)}
    vocab |= {f"filler{number}": number for number in range(len(vocab), entries)}
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps(vocab))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    return folder


def make_t5_folder(folder, entries=32100, limit=None):
    """A sentence-piece vocabulary of T5's size, as transformers writes it; it may cut at its model's length, as some files do."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0), ("\u2581hat", -3.0), ("\u2581hair", -3.0), (",", -2.5),
              ("s", -4.0)]
    pieces += [(f"\u2581filler{number}", -9.0) for number in range(len(pieces), entries)]
    tokenizer = Tokenizer(models.Unigram(pieces, 2))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    if limit:
        tokenizer.enable_truncation(limit)
        tokenizer.enable_padding(length=limit)
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_qwen_counts_bytes_and_its_words_hold_the_space_before_them(tmp_path):
    counter = read_counter(make_qwen_folder(tmp_path / "qwen"), "qwen")
    assert counter.exact
    assert counter.count("hat, hair hat") == 6, "hat | , | ( hair) | ( h) | a | t"
    assert counter.count("hat 11") == 4, "each digit is one, and so is a space before it"
    assert read_counter(tmp_path / "qwen", "clip") is None and read_counter(tmp_path / "qwen", "t5") is None


def test_t5_counts_pieces_and_is_not_cut_at_its_models_length(tmp_path):
    counter = read_counter(make_t5_folder(tmp_path / "t5", limit=4), "t5")
    assert counter.exact and counter.count("hat, hats") == 4 and counter.count("hat " * 49 + "hat") == 50
    assert read_counter(tmp_path / "t5", "qwen") is None and read_counter(make_t5_folder(tmp_path / "other", 900), "t5") is None


def test_what_a_folder_says_of_itself_saves_opening_it(tmp_path):
    folder = make_t5_folder(tmp_path / "t5")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "T5TokenizerFast"}')
    assert read_counter(folder, "t5").exact
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "GemmaTokenizer"}')
    assert read_counter(folder, "t5") is None
    (folder / "tokenizer_config.json").write_text("[")
    assert read_counter(folder, "t5").exact


@pytest.mark.slow
def test_a_tokenizer_is_found_among_models_in_the_hubs_cache_and_with_a_trainer(tmp_path, monkeypatch):
    for name in ("HF_HOME", "LORABOOK_MODELS", "LORABOOK_TRAINERS"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    make_t5_folder(tmp_path / "LORABOOK_TRAINERS" / "sd-scripts" / "configs" / "t5_old")
    make_qwen_folder(tmp_path / "LORABOOK_MODELS" / "hub" / "models--Qwen--Qwen-Image" / "snapshots" / "abc" / "tokenizer")
    make_clip_folder(tmp_path / "LORABOOK_MODELS" / "anything" / "tokenizer")
    token_counter.cache_clear()
    try:
        assert [name for name in KINDS if token_counter(name).exact] == ["clip", "t5", "qwen"]
        assert token_counter("t5").count("hat, hats") == 4
        assert token_counter("gemma").count("hat") == estimator("gemma").count("hat") == 1
        shutil.rmtree(tmp_path / "LORABOOK_MODELS" / "anything")
        token_counter.cache_clear()
        assert not token_counter("clip").exact
        make_clip_folder(tmp_path / "LORABOOK_MODELS" / "tokenizers" / "openai_clip-vit-large-patch14")
        token_counter.cache_clear()
        assert token_counter("clip").exact, "as sd-scripts keeps them"
    finally:
        token_counter.cache_clear()


def test_each_family_has_an_estimate_of_its_own():
    text = "A young woman with shoulder-length auburn hair stands on a cobblestone street at dusk, in the rain."
    for name in KINDS:
        assert 18 <= estimate_tokens(text, name) <= 32
    assert estimate_tokens("黒髪の少女", "qwen") == 5 and estimate_tokens("", "t5") == 0


@pytest.mark.parametrize(("text", "low", "high"), [
    ("", 0, 0), ("1girl, solo, long hair, blue eyes", 10, 12), ("looking at viewer", 3, 3),
    ("school uniform, serafuku, pleated skirt", 8, 12),
    ("a photograph of an extraordinarily complicated contraption", 8, 13), ("^_^", 1, 3), ("黒髪", 2, 6)])
def test_an_estimate_is_near(text, low, high):
    assert low <= estimate_tokens(text) <= high


def test_tags_for_completion_come_by_frequency_with_their_usual_spelling(project):
    for number, caption in enumerate(["mychar, long hair", "mychar, Long_Hair, hat", "mychar, long hair"]):
        picture(project.images / f"{number}.png")
        (project.images / f"{number}.txt").write_text(caption, encoding="utf-8")
    counts = tag_counts(read_captions(scan(project)))
    assert Counter(dict(counts)) == Counter({"mychar": 3, "long hair": 3, "hat": 1}) and counts[-1] == ("hat", 1)
    assert tag_counts(read_captions(scan(project)), most=1) == counts[:1]
