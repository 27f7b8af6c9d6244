"""A form is made from a settings class and speaks its values."""

from pathlib import Path
from typing import Literal

import ipywidgets as ipw
import pytest

from core.base.errors import ConfigError
from core.base.settings import Settings, setting
from widgets.controls import Suggestions
from widgets.form import Form


class Colour(Settings):
    name: str = setting("red", "Colour name")


class Brush(Settings):
    title = "Brush"

    width: int = setting(3, "Width", "How broad the line is.", ge=1, le=9, unit="px")
    rate: float = setting(1e-4, "Rate", gt=0)
    kind: Literal["round", "flat"] = setting("round", "Kind")
    soft: bool = setting(False, "Soft edge")
    words: list[str] = setting([], "Words")
    seeds: list[int] = setting([1, 2], "Seeds", min_length=1)
    limit: int | None = setting(None, "Limit", ge=1)
    folder: Path = setting(Path("here"), "Folder")
    hidden_value: int = setting(7, "Deep", level="advanced", le=10)
    rare: str = setting("x", "Rare", level="expert")
    colours: list[Colour] = setting([], "Colours")
    tips: tuple[Literal["oak", "ash", "elm"], ...] = setting((), "Tips", "What it is made of.")


class Picture(Settings):
    name: str = setting(..., "Name", min_length=1)
    brush: Brush = setting(Brush(), "Brush")


def test_an_untouched_form_gives_the_defaults():
    assert Form(Brush).value() == Brush()


def test_every_kind_of_control_gives_back_what_it_was_filled_with():
    brush = Brush(width=5, rate=3e-6, kind="flat", soft=True, words=["a b", "c"], seeds=[4], limit=12, folder=Path("/tmp/x"),
                  hidden_value=9, rare="y", colours=[Colour(name="blue")], tips=("elm", "oak"))
    form = Form(Brush)
    form.fill(brush)
    assert form.value() == brush
    form.open_folds()
    assert form.value() == brush
    assert Form(brush).value() == brush


def test_labels_help_and_units_come_from_the_fields():
    control = Form(Brush).control("width")
    assert control.widget.description == "Width (px)"
    assert control.widget.tooltip == "How broad the line is."
    assert "How broad the line is." in control.view.children[1].value


def test_a_value_out_of_bounds_is_a_sentence_at_its_field_and_is_not_changed():
    form = Form(Brush)
    form.control("width").widget.value = 35
    with pytest.raises(ConfigError, match="must be at most 9, but is 35"):
        form.value()
    control = form.control("width")
    assert "Needs attention: Width must be at most 9" in control.view.children[1].value
    assert control.widget.value == 35
    control.widget.value = 4
    assert form.value().width == 4
    assert "Needs attention" not in control.view.children[1].value


def test_two_wrong_values_are_told_each_at_its_own_field():
    form = Form(Brush)
    form.control("width").widget.value = 35
    form.control("rate").widget.value = -1.0
    with pytest.raises(ConfigError):
        form.value()
    assert "Rate" not in form.control("width").view.children[1].value
    assert "more than 0" in form.control("rate").view.children[1].value


def test_of_a_list_of_choices_several_can_be_chosen_or_none():
    form = Form(Brush)
    control = form.control("tips")
    assert isinstance(control.widget, ipw.SelectMultiple) and form.value().tips == ()
    control.widget.value = ("ash", "elm")
    assert form.value().tips == ("ash", "elm")
    assert "Ctrl" in control.view.children[1].value


def test_a_cleared_optional_field_is_none_and_scientific_notation_is_read():
    form = Form(Brush)
    form.control("limit").widget.value = "1e1"
    with pytest.raises(ConfigError):
        form.value()
    form.control("limit").widget.value = "12"
    assert form.value().limit == 12
    form.control("limit").widget.value = "  "
    assert form.value().limit is None


def test_a_missing_value_is_asked_for_by_its_label():
    with pytest.raises(ConfigError, match=r"Name must be given"):
        Form(Picture).value()


def test_advanced_fields_are_made_when_their_fold_is_opened():
    form = Form(Brush)
    with pytest.raises(KeyError):
        form.control("hidden_value")
    form.open_folds()
    form.control("hidden_value").widget.value = 8
    assert form.value().hidden_value == 8


def test_a_wrong_value_opens_the_fold_that_its_sentence_stands_in():
    form = Form(Picture, folded=("brush",))
    form.open_folds()
    form.control("name").widget.value = "a"
    form.control("brush.hidden_value").widget.value = 12
    folds = form.section("brush").view.children[2].children
    for fold in (*folds, *form.folds):
        fold.value = False
    with pytest.raises(ConfigError, match="must be at most 10"):
        form.value()
    assert [fold.description for fold in folds] == ["Hide more settings (1)", "Show expert settings (1)"] and form.folds[0].value


def test_nested_settings_are_sections_and_hidden_fields_keep_their_values():
    form = Form(Picture, hide=("brush.width",))
    form.fill(Picture(name="a", brush=Brush(width=8)))
    form.control("brush.soft").widget.value = True
    assert form.value() == Picture(name="a", brush=Brush(width=8, soft=True))


def test_names_that_the_class_cannot_list_are_offered_as_choices():
    form = Form(Picture, choices={"name": [("First", "a"), ("Second", "b")]})
    control = form.control("name")
    assert isinstance(control.widget, ipw.Dropdown)
    control.write("not listed")
    assert form.value().name == "not listed"


def test_listeners_hear_of_changes_but_not_of_each_field_that_is_filled():
    heard = []
    form = Form(Picture)
    form.on_change(lambda: heard.append(1))
    form.control("brush.soft").widget.value = True
    assert len(heard) == 1


def test_a_suggestion_fills_the_text_and_anything_else_can_be_typed():
    form = Form(Picture, choices={"name": Suggestions([("First", "/a"), ("Second", "/b")])})
    control, heard = form.control("name"), []
    form.on_change(lambda: heard.append(control.read()))
    control.list.value = "/b"
    assert form.value().name == "/b" and control.widget.value == "/b" and heard == ["/b"]
    control.widget.value = "/c"
    assert form.value().name == "/c" and control.list.value == "/c" and heard == ["/b", "/c"]
    control.widget.value = ' "/a b" '
    assert control.read() == "/a b"
    control.widget.value = ""
    assert control.read() is None and control.list.value == "" and [value for _, value in control.list.options] == ["", "/a", "/b"]


def test_suggestions_can_be_looked_for_again_and_what_was_typed_stays():
    control = Form(Picture, choices={"name": Suggestions()}).control("name")
    control.write("/mine")
    control.offer([("New", "/new")])
    assert control.read() == "/mine" and [value for _, value in control.list.options] == ["", "/new", "/mine"]
    control.offer([("New", "/new"), ("Mine", "/mine")])
    assert control.list.label == "Mine" and control.read() == "/mine"


def test_a_remark_stands_at_its_field_until_another_is_made():
    control = Form(Brush).control("width")
    control.remark("Broad & fine.")
    control.complain("")
    assert "Broad &amp; fine." in control.view.children[1].value and "lb-wrong" not in control.view.children[1].value
    control.remark("Too broad.", wrong=True)
    assert "Needs attention: Too broad." in control.view.children[1].value
    control.remark("")
    assert "Too broad" not in control.view.children[1].value


def test_sections_can_be_folded_and_open_where_a_value_is_wrong():
    form = Form(Picture, folded=("brush",))
    assert [fold.description for fold in form.folds] == ["Show Brush"] and form.section_box("brush").layout.display == "none"
    form.control("brush.width").widget.value = 35
    form.fill(Picture(name="a", brush=Brush(width=4)))
    assert form.value().brush.width == 4 and form.section_box("brush").layout.display == "none"
    form.control("brush.width").widget.value = 35
    with pytest.raises(ConfigError, match="must be at most 9"):
        form.value()
    assert form.section_box("brush").layout.display == "" and form.folds[0].value and form.folds[0].description == "Hide Brush"


def test_widgets_of_a_panel_stand_between_what_is_open_and_what_is_folded():
    form, own = Form(Picture, folded=("brush",)), ipw.HTML("own")
    form.insert(own)
    children = list(form.view.children)
    assert children.index(own) == len(children) - 2 and form.control("name").view not in children[-1].children
