"""Sample lines as sd-scripts reads them, and captions as token chunks."""

import pytest
import torch

from core.base.errors import ConfigError
from core.diffusion.prompts import PromptLine, join_chunks, parse_prompt_line, read_prompts


def test_a_full_line_is_read():
    line = "mikoneko, 1girl --n low quality, bad --w 768 --h 512 --d 42 --s 20 --l 6.5 --ss euler_a"
    assert parse_prompt_line(line) == PromptLine("mikoneko, 1girl", "low quality, bad", 768, 512, 42, 20, 6.5, "euler_a")


def test_defaults_are_those_of_sd_scripts():
    assert parse_prompt_line("cat") == PromptLine("cat", "", 512, 512, None, 30, 7.5, "")


def test_flags_for_other_models_are_passed_over():
    assert parse_prompt_line("cat --fs 3 --W 64 --rcfg 0.5") == PromptLine("cat", width=64)


def test_a_wrong_line_is_refused_with_its_text():
    with pytest.raises(ConfigError, match="unknown option --q"):
        parse_prompt_line("cat --q 3")
    with pytest.raises(ConfigError, match="--w of the sample prompt 'cat --w wide' must be a number"):
        parse_prompt_line("cat --w wide")


def test_empty_lines_and_comments_are_left_out(tmp_path):
    (tmp_path / "p.txt").write_text("# first\n\ncat --d 1\ndog\n")
    assert [prompt.prompt for prompt in read_prompts(tmp_path / "p.txt")] == ["cat", "dog"]
    with pytest.raises(ConfigError, match="does not exist"):
        read_prompts(tmp_path / "q.txt")


def test_long_captions_become_chunks_with_a_begin_and_an_end_each(sd):
    tokenizer = sd.tokenizers[0]
    text = "red " * 100
    ids = sd.tokenize([text], 150)[0]
    assert ids.shape == (1, 2, 77)
    assert (ids[..., 0] == tokenizer.bos_token_id).all() and (ids[..., -1] == tokenizer.eos_token_id).all()
    red = tokenizer("red").input_ids[1]
    assert (ids == red).sum() == 100 and (ids[0, 0, 1:-1] == red).all()
    assert sd.tokenize([text])[0].shape == (1, 1, 77)


def test_padding_with_another_token_than_the_end_keeps_one_end(sdxl):
    tokenizer = sdxl.tokenizers[1]
    ids = sdxl.tokenize(["red"], 225)[1]
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert ids.shape == (1, 3, 77) and (ids[0, 1:, 1] == tokenizer.eos_token_id).all()


def test_joined_chunks_have_one_begin_and_one_end():
    hidden = torch.arange(2 * 77).reshape(2, 77, 1).float()
    joined = join_chunks(hidden, 2)
    assert joined.shape == (1, 152, 1)
    assert joined[0, 0] == 0 and joined[0, -1] == 153 and joined[0, 75] == 75 and joined[0, 76] == 78
