"""Which properties of an erased user's events are personal."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.pipeline.erasure_events import impersonal, names_user

PERSONAL = ["13", "ines", "ines@example.org", "+351912345678"]

VALUES = [
    pytest.param("ines@example.org", True, id="the text itself"),
    pytest.param(" INES@Example.org ", True, id="in another case, with spaces"),
    pytest.param("write to ines@example.org!", True, id="inside a longer text"),
    pytest.param("machines", False, id="a short name inside a word"),
    pytest.param("Ines", True, id="a short name alone"),
    pytest.param(["x", "ines@example.org"], True, id="in a list"),
    pytest.param({"to": {"mail": "ines@example.org"}}, True, id="nested"),
    pytest.param({"ines@example.org": 1}, True, id="as a key"),
    pytest.param(13, True, id="an identity as a number"),
    pytest.param(13.0, True, id="an identity as a decimal number"),
    pytest.param(1300, False, id="another number"),
    pytest.param("1300", False, id="a longer number"),
    pytest.param(True, False, id="boolean"),
    pytest.param(None, False, id="null"),
]


@pytest.mark.parametrize(("value", "expected"), VALUES)
def test_a_value_names_the_user_if_it_holds_what_they_are_known_by(value: Any, expected: bool) -> None:
    assert names_user(value, PERSONAL) is expected


def test_properties_that_are_personal_by_name_or_value_go_and_all_others_stay() -> None:
    props = {"Amount": 5, "E mail": "other@example.org", "note": "for ines@example.org", "dob": "$D_0", "sku": "Q-1"}
    assert impersonal(props, PERSONAL) == {"Amount": 5, "sku": "Q-1"}
