"""Wrong settings get a sentence with the name, the value and the bound."""

from typing import Literal

import pytest

from core.base.errors import ConfigError
from core.base.settings import Settings, choices_of, field_extra, setting


class Example(Settings):
    """For these tests."""

    threshold: float = setting(0.35, "Threshold", ge=0, le=1, unit="probability")
    existing: Literal["keep", "merge"] = setting("merge", "Existing captions", level="advanced")


@pytest.mark.parametrize(("values", "sentence"), [
    ({"threshold": 35}, r"Threshold \(threshold\) must be at most 1\.?0?, but is 35"),
    ({"threshhold": 0.1}, "no setting 'threshhold'. Did you mean 'threshold'"),
    ({"existing": "delete"}, "must be one of 'keep' or 'merge', but is 'delete'"),
    ({"threshold": "much"}, "'much'")])
def test_a_wrong_value_is_a_sentence(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Example.make(**values)


def test_a_changed_copy_is_checked_again():
    with pytest.raises(ConfigError):
        Example().changed(threshold=2)


def test_the_declaration_carries_all_that_a_form_needs():
    field = Example.fields()["existing"]
    assert choices_of(field) == ("keep", "merge")
    assert field_extra(field, "level") == "advanced"
