"""Wrong settings get a sentence with the name, the value and the bound."""

from typing import Literal

import pytest

from core.base.errors import ConfigError
from core.base.settings import Settings, choices_of, field_extra, setting


class Example(Settings):
    """For these tests."""

    threshold: float = setting(0.35, "Threshold", ge=0, le=1, unit="probability")
    epochs: int = setting(10, "Epochs", ge=1)
    rank: int | None = setting(None, "Rank", ge=4)
    seed: int = setting(12345678, "Seed")
    limit: int | None = setting(None, "Limit", examples=[75])
    flip: bool = setting(False, "Mirror")
    words: list[int] = setting([], "Words")
    existing: Literal["keep", "merge"] = setting("merge", "Existing captions", level="advanced")


@pytest.mark.parametrize(("values", "sentence"), [
    ({"threshold": 35}, r"Threshold must be at most 1\.?0?, but is 35"),
    ({"threshhold": 0.1}, "no setting 'threshhold'. Did you mean 'threshold'"),
    ({"existing": "delete"}, "must be one of 'keep' or 'merge', but is 'delete'"),
    ({"threshold": "much"}, "^Threshold must be a number, such as 0.35, but is 'much'.$"),
    ({"epochs": "ten"}, "^Epochs must be a whole number, such as 10, but is 'ten'.$"),
    ({"epochs": ""}, "^Epochs must be a whole number, such as 10, but is empty.$"),
    ({"epochs": 2.5}, "^Epochs must be a whole number, such as 10, but is 2.5.$"),
    ({"rank": "many"}, "^Rank must be a whole number, such as 4, but is 'many'.$"),
    ({"seed": "mine"}, "such as 12345678, but"),
    ({"limit": "far"}, "^Limit must be a whole number, such as 75, but is 'far'.$"),
    ({"flip": "maybe"}, r"^Mirror must be on or off \(true or false\), but is 'maybe'.$"),
    ({"words": [1, "two"]}, r"^Words \(1\) must be a whole number, but is 'two'.$")])
def test_a_wrong_value_is_a_sentence(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Example.make(**values)


def test_what_must_be_given_is_named_with_an_example_where_it_is_a_number():
    class Asked(Settings):
        name: str = setting(..., "Name")
        width: int = setting(..., "Width", ge=8)

    with pytest.raises(ConfigError, match=r"^Name must be given. Width must be given, such as 8.$"):
        Asked.make()


def test_a_changed_copy_is_checked_again():
    with pytest.raises(ConfigError):
        Example().changed(threshold=2)


def test_the_declaration_carries_all_that_a_form_needs():
    field = Example.fields()["existing"]
    assert choices_of(field) == ("keep", "merge")
    assert field_extra(field, "level") == "advanced"
