"""The code on the page is code: diffusers has what it names, and a loader for the LoRA."""

import ast

import pytest

from core.utilities.publishing.checking import check_publish
from core.utilities.publishing.using import PIPELINES
from tests.core.utilities.publishing.conftest import settings


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
