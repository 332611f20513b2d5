"""What a schema and a product may be: pure decisions; errors name the field, the limit and what came."""

from __future__ import annotations

import math
from collections.abc import Mapping

from belfry.catalogs.model import (
    ATTRIBUTE_NAME_LENGTH_MAX,
    COLUMNS_MAX,
    IDENTITY_LENGTH_MAX,
    IMAGE_URL_LENGTH_MAX,
    PRODUCT_NAME_LENGTH_MAX,
    TEXT_LENGTH_MAX,
    Attribute,
    AttributeType,
    Json,
    Product,
    ProductChange,
    Scalar,
)
from belfry.errors import BadRequest

FIXED = ("identity", "name", "imageUrl")
"""What every product has beside its attributes."""
_KINDS: dict[type, str] = {str: "a text", bool: "a boolean", int: "a number", float: "a number", list: "a list"}


def read_schema(value: Json) -> tuple[Attribute, ...]:
    """A catalog's attributes: 1 to 20, names unique. Raises BadRequest."""
    if not isinstance(value, list) or not 1 <= len(value) <= COLUMNS_MAX:
        text = f"catalogSchema needs to be a list of 1 to {COLUMNS_MAX} attributes"
        raise BadRequest(text, field="catalogSchema", limit=COLUMNS_MAX)
    attributes = tuple(_attribute(item, f"catalogSchema[{place}]") for place, item in enumerate(value))
    names = [attribute.name for attribute in attributes]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise BadRequest(f"catalogSchema: {doubled} is declared twice", field="catalogSchema")
    return attributes


def read_product(value: Json, schema: tuple[Attribute, ...], *, needs_image: bool) -> Product:
    """A whole product. Raises BadRequest."""
    body = _object(value, "product")
    image_url = _text(body, "imageUrl", IMAGE_URL_LENGTH_MAX) if needs_image or body.get("imageUrl") else ""
    return Product(
        identity=_text(body, "identity", IDENTITY_LENGTH_MAX),
        name=_text(body, "name", PRODUCT_NAME_LENGTH_MAX),
        image_url=_checked_url(image_url),
        attributes=read_attributes(body.get("attributes"), schema),
    )


def read_change(value: Json, schema: tuple[Attribute, ...], *, identity: str | None = None) -> ProductChange:
    """A change of a product. identity: as the path names it; None: the body does. Raises BadRequest."""
    body = _object(value, "product")
    given = body.get("attributes")
    return ProductChange(
        identity=_text(body, "identity", IDENTITY_LENGTH_MAX) if identity is None else identity,
        name=None if body.get("name") is None else _text(body, "name", PRODUCT_NAME_LENGTH_MAX),
        image_url=None if body.get("imageUrl") is None else _checked_url(_text(body, "imageUrl", IMAGE_URL_LENGTH_MAX)),
        attributes=None if given is None else read_attributes(given, schema),
    )


def changed(product: Product, change: ProductChange) -> Product:
    """The product after the change; a product that is changed is active again."""
    return Product(
        identity=product.identity,
        name=product.name if change.name is None else change.name,
        image_url=product.image_url if change.image_url is None else change.image_url,
        attributes={**product.attributes, **(change.attributes or {})},
    )


def read_attributes(value: Json, schema: tuple[Attribute, ...]) -> dict[str, Scalar]:
    """Attributes by the schema; null is as if it was not there. Raises BadRequest."""
    if value is None:
        return {}
    declared = {attribute.name: attribute.type for attribute in schema}
    found = {}
    for name, item in _object(value, "attributes").items():
        if name not in declared:
            raise BadRequest(f"attributes.{name[:80]} is not in the catalog's schema", field="attributes")
        if item is not None:
            found[name] = _typed(item, declared[name], name)
    return found


def from_text(text: str, kind: AttributeType) -> Scalar | None:
    """A column's value as its attribute is typed; None if it cannot be."""
    if kind is AttributeType.STRING:
        return text[:TEXT_LENGTH_MAX]
    if kind is AttributeType.BOOLEAN:
        return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower())
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 1 << 53 else number


def _attribute(value: Json, at: str) -> Attribute:
    body = _object(value, at)
    name = _text(body, "name", ATTRIBUTE_NAME_LENGTH_MAX)
    if name in FIXED:
        raise BadRequest(f"{at}.name: every product has {name}, it is no attribute", field=f"{at}.name")
    kinds = [kind.value for kind in AttributeType]
    kind = body.get("type")
    if not isinstance(kind, str) or kind.lower() not in kinds:
        raise BadRequest(f"{at}.type needs to be one of {', '.join(kinds)}", field=f"{at}.type")
    filterable = body.get("filterable", False)
    if not isinstance(filterable, bool):
        raise BadRequest(f"{at}.filterable needs to be true or false", field=f"{at}.filterable")
    return Attribute(name, AttributeType(kind.lower()), filterable)


def _typed(value: Json, kind: AttributeType, name: str) -> Scalar:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is AttributeType.STRING and isinstance(value, str) and _is_text(value):
        if len(value) > TEXT_LENGTH_MAX:
            text = f"attributes.{name} has {len(value)} characters, at most {TEXT_LENGTH_MAX}"
            raise BadRequest(text, field=f"attributes.{name}", limit=TEXT_LENGTH_MAX)
        return value
    if kind is AttributeType.BOOLEAN and isinstance(value, bool):
        return value
    if kind is AttributeType.NUMBER and is_number and isinstance(value, int | float):
        return value
    raise BadRequest(f"attributes.{name} needs to be a {kind}, got {_kind(value)}", field=f"attributes.{name}")


def _object(value: Json, at: str) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise BadRequest(f"{at} needs to be an object, got {_kind(value)}", field=at)
    return value


def _text(body: Mapping[str, Json], key: str, length_max: int) -> str:
    value = body.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip() or not _is_text(value):
        raise BadRequest(f"{key} is mandatory and needs to be a text, got {_kind(value)}", field=key)
    text = value.strip()
    if len(text) > length_max:
        raise BadRequest(f"{key} has {len(text)} characters, at most {length_max}", field=key, limit=length_max)
    return text


def _checked_url(text: str) -> str:
    """Pictures are shown to people: nothing but the web's own addresses."""
    if text and not text.lower().startswith(("http://", "https://")):
        raise BadRequest("imageUrl needs to begin with http:// or https://", field="imageUrl")
    return text


def _is_text(value: str) -> bool:
    """No control characters but line breaks and tabs, no lone surrogates: no store can hold them."""
    return not any((c < " " and c not in "\n\r\t") or "\ud800" <= c <= "\udfff" for c in value)


def _kind(value: Json) -> str:
    return "nothing" if value is None else _KINDS.get(type(value), "an object")
