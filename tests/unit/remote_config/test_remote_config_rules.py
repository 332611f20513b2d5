"""What variables may look like."""

from __future__ import annotations

import re
from typing import Any

import pytest

from belfry.errors import BadRequest
from belfry.remote_config import rules
from belfry.remote_config.model import Definition, VariableType


@pytest.mark.parametrize(
    ("kind", "default", "expected"),
    [
        ("string", "none", Definition(type=VariableType.STRING, default="none")),
        ("String ", "", Definition(type=VariableType.STRING, default="")),
        ("boolean", True, Definition(type=VariableType.BOOLEAN, default=True)),
        ("number", 3, Definition(type=VariableType.NUMBER, default=3)),
        ("number", -2.5, Definition(type=VariableType.NUMBER, default=-2.5)),
        ("number", 2**53, Definition(type=VariableType.NUMBER, default=2**53)),
        ("string", "x" * 4096, Definition(type=VariableType.STRING, default="x" * 4096)),
    ],
)
def test_a_default_of_the_type_is_taken(kind: str, default: Any, expected: Definition) -> None:
    assert rules.definition_of("promo.banner", kind, default, None) == expected


@pytest.mark.parametrize(
    ("kind", "default", "description", "text"),
    [
        ("file", "x", None, "promo: type needs to be string, boolean or number"),
        (None, "x", None, "promo: type needs to be string, boolean or number"),
        (7, "x", None, "promo: type needs to be string, boolean or number"),
        ("string", 1, None, "promo: defaultValue needs to be a string as the type says"),
        ("string", None, None, "promo: defaultValue needs to be a string as the type says"),
        ("boolean", "true", None, "promo: defaultValue needs to be a boolean as the type says"),
        ("boolean", 1, None, "promo: defaultValue needs to be a boolean as the type says"),
        ("number", True, None, "promo: defaultValue needs to be a number as the type says"),
        ("number", "1", None, "promo: defaultValue needs to be a number as the type says"),
        ("number", 2**53 + 1, None, "promo: defaultValue needs to be a number as the type says"),
        ("number", {"a": 1}, None, "promo: defaultValue needs to be a number as the type says"),
        ("string", "x" * 4097, None, "promo: defaultValue has 4097 characters, at most 4096"),
        ("string", "x", 7, "promo: description needs to be text"),
        ("string", "x", "d" * 501, "promo: description has 501 characters, at most 500"),
    ],
)
def test_anything_else_is_refused_with_the_variables_name(kind: Any, default: Any, description: Any, text: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(text)):
        rules.definition_of("promo", kind, default, description)


@pytest.mark.parametrize("name", ["promo", "promo.banner", "a.b.c", "Größe", "a b", "x" * 120])
def test_a_path_of_folders_is_a_name(name: str) -> None:
    rules.check_name(name)


@pytest.mark.parametrize("name", ["", ".", "promo.", ".banner", "a..b", "a. .b", "a\x00", "a\nb", "x" * 121])
def test_what_is_no_path_of_folders_is_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        rules.check_name(name)


def test_a_variable_cannot_stand_where_a_folder_is() -> None:
    rules.check_folders(["promo.banner", "promo.title", "promos"])
    with pytest.raises(BadRequest, match=re.escape("promo is a variable, so promo.banner cannot be in a folder")):
        rules.check_folders(["promo.banner", "promo"])
