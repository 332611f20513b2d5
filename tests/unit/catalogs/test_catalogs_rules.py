"""What a product may be."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.catalogs import rules
from belfry.catalogs.model import Attribute, AttributeType, Product, ProductChange
from belfry.errors import BadRequest

SCHEMA = (
    Attribute("price", AttributeType.NUMBER),
    Attribute("color", AttributeType.STRING),
    Attribute("new", AttributeType.BOOLEAN),
)
GOOD = {"identity": "a", "name": "A", "imageUrl": "https://x.org/a.png", "attributes": {"price": 1.5, "new": True}}


def test_a_whole_product_is_read() -> None:
    product = rules.read_product(GOOD, SCHEMA, needs_image=True)
    assert product == Product("a", "A", "https://x.org/a.png", {"price": 1.5, "new": True})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"identity": None}, "identity", id="no identity"),
        pytest.param({"identity": ""}, "identity", id="an empty one"),
        pytest.param({"identity": "x" * 501}, "identity", id="too long a one"),
        pytest.param({"identity": "a\x00"}, "identity", id="NUL"),
        pytest.param({"name": "x" * 1001}, "name", id="too long a name"),
        pytest.param({"imageUrl": None}, "imageUrl", id="no picture"),
        pytest.param({"imageUrl": "https://x.org/" + "x" * 2000}, "imageUrl", id="too long a picture"),
        pytest.param({"imageUrl": "javascript:alert(1)"}, "imageUrl", id="a script"),
        pytest.param({"imageUrl": "data:text/html,x"}, "imageUrl", id="data"),
        pytest.param({"attributes": []}, "attributes", id="attributes of another kind"),
        pytest.param({"attributes": {"size": 1}}, "attributes", id="an undeclared attribute"),
        pytest.param({"attributes": {"price": "1"}}, "attributes.price", id="a text for a number"),
        pytest.param({"attributes": {"price": True}}, "attributes.price", id="a boolean for a number"),
        pytest.param({"attributes": {"new": 1}}, "attributes.new", id="a number for a boolean"),
        pytest.param({"attributes": {"color": ["red"]}}, "attributes.color", id="a list for a text"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        rules.read_product({**GOOD, **change}, SCHEMA, needs_image=True)
    assert caught.value.field == field


def test_a_picture_may_be_missing_in_bulk() -> None:
    assert rules.read_product({**GOOD, "imageUrl": ""}, SCHEMA, needs_image=False).image_url == ""


def test_a_change_keeps_what_it_does_not_name_and_makes_active() -> None:
    before = Product("a", "A", "https://x.org/a.png", {"price": 1, "color": "red"}, is_active=False)
    after = rules.changed(before, ProductChange("a", attributes={"price": 2}))
    assert after == Product("a", "A", "https://x.org/a.png", {"price": 2, "color": "red"})


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("6", AttributeType.NUMBER, 6),
        ("6.5", AttributeType.NUMBER, 6.5),
        ("1e999", AttributeType.NUMBER, None),
        ("nan", AttributeType.NUMBER, None),
        ("six", AttributeType.NUMBER, None),
        ("TRUE", AttributeType.BOOLEAN, True),
        ("0", AttributeType.BOOLEAN, False),
        ("yes", AttributeType.BOOLEAN, None),
        ("6", AttributeType.STRING, "6"),
    ],
)
def test_a_column_is_typed_by_its_attribute(text: str, kind: AttributeType, value: object) -> None:
    assert rules.from_text(text, kind) == value
