"""Registries load late and explain what is missing."""

import pytest

from core.base.errors import ConfigError, MissingDependency
from core.base.registry import Entry, Registry


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match="No tagger is called 'x'. Known: a, b"):
        Registry("tagger", Entry("a", "m:a", "A"), Entry("b", "m:b", "B")).entry("x")


def test_a_target_is_imported_only_when_it_is_asked_for():
    registry = Registry("thing", Entry("bad", "no.such.module:x", "Bad"), Entry("good", "core.base.errors:StudioError", "Good"))
    assert registry.load("good").__name__ == "StudioError"
    with pytest.raises(ModuleNotFoundError):
        registry.load("bad")


def test_a_missing_package_names_the_command():
    with pytest.raises(MissingDependency, match="no_such_package"):
        Registry("thing", Entry("a", "m:a", "A", needs=("no_such_package",))).load("a")
