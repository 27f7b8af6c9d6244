"""The code on the page is code: diffusers has what it names, and a loader for the LoRA."""

import ast

import pytest
import yaml
from PIL import Image

from core.base.cards import split_card
from core.utilities.publishing.checking import check_publish
from core.utilities.publishing.using import PIPELINES
from tests.core.utilities.layers import layer, write
from tests.core.utilities.publishing.conftest import ATTENTION, SAID, settings


@pytest.mark.parametrize("pipeline", sorted(set(PIPELINES.values())))
def test_diffusers_has_the_pipeline_and_it_loads_loras(pipeline):
    import diffusers

    assert hasattr(getattr(diffusers, pipeline), "load_lora_weights") and hasattr(getattr(diffusers, pipeline), "from_pretrained")


def test_the_code_on_the_page_parses_and_names_model_file_and_prompt(mika):
    page = check_publish(settings(mika, repo_id="me/mika", strength=0.7)).card
    code = page.partition("```python\n")[2].partition("```")[0]
    calls = {ast.unparse(node) for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)}
    assert "pipe.load_lora_weights('me/mika', weight_name='mika.safetensors', adapter_name='lora')" in calls
    assert "pipe.set_adapters(['lora'], adapter_weights=[0.7])" in calls and "pipe('mika, smile')" in calls


def test_what_a_file_says_is_no_markdown_and_no_html_on_the_page(mika):
    evil = "lora_unet_<img src=x onerror=alert(1)>_![p](http://evil/x.png)"
    write(mika, {f"{ATTENTION}1_to_q": layer("linear")[0], evil: layer("linear")[0]},
          {**SAID, "ss_x|`y": "a`b [x](javascript:alert(1)) ![p](http://evil/x.png) <b>|</b>"})
    page = check_publish(settings(mika, repo_id="me/mika")).card
    html = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table").render(split_card(page)[1])
    assert "diffusers</strong> loads" in html and "javascript" in html and "evil" in html
    assert not any(f"<{tag}" in html for tag in ("img", "a href=\"javascript", "a href=\"http://evil", "b>"))
    row = next(line for line in html.split("<tr>") if "javascript" in line)
    assert row.count("<td>") == 2


def test_a_prompt_with_odd_letters_leaves_the_top_of_the_page_readable(mika, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    for letter in "\x7f\x85\x9f\u2028\ufffe":
        page = check_publish(settings(mika, samples=(f"{tmp_path / 'a.png'} | a{letter}cat",), trigger="mika")).card
        assert yaml.safe_load(split_card(page)[0])["widget"][0]["text"] == f"a{letter}cat"
