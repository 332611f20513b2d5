"""Catalogs, their schema, their products."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from belfry.ids import AccountId

Json = object
"""A JSON value: anything, until a reader has looked at it."""

Scalar = str | int | float | bool

NAME_LENGTH_MAX = 200
DESCRIPTION_LENGTH_MAX = 1000
CATALOGS_MAX = 5
"""Catalogs of one kind that an account has at once (engagement 7.3)."""
COLUMNS_MAX = 20
ROWS_MAX = {"product": 5_000_000, "location": 1_000_000}
IDENTITY_LENGTH_MAX = 500
PRODUCT_NAME_LENGTH_MAX = 1000
IMAGE_URL_LENGTH_MAX = 2000
ATTRIBUTE_NAME_LENGTH_MAX = 100
TEXT_LENGTH_MAX = 5000
BULK_MAX = 1000


class CatalogKind(enum.StrEnum):
    """Things, or places."""

    PRODUCT = "product"
    LOCATION = "location"


class CatalogStatus(enum.StrEnum):
    """ACTIVE <-> INACTIVE; either -> DELETED, for good."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    DELETED = "DELETED"


class AttributeType(enum.StrEnum):
    """Of what an attribute's values are."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"


class Attribute(msgspec.Struct, frozen=True):
    """One column of a catalog. filterable: recommendations may be filtered by it."""

    name: str
    type: AttributeType
    filterable: bool = False


class Catalog(msgspec.Struct, frozen=True):
    """One catalog. See `tables.catalogs`."""

    account_id: AccountId
    catalog_id: int
    kind: CatalogKind
    name: str
    description: str
    status: CatalogStatus
    schema: tuple[Attribute, ...]
    sync: Json
    version: int
    version_issued: int
    creator: str
    updated_by: str
    created_at_ms: int
    updated_at_ms: int


class Product(msgspec.Struct, frozen=True):
    """One product, or one place."""

    identity: str
    name: str
    image_url: str
    attributes: Mapping[str, Scalar]
    is_active: bool = True


class ProductChange(msgspec.Struct, frozen=True):
    """What is to be changed of a product that exists; None keeps. Attributes that are not named stay."""

    identity: str
    name: str | None = None
    image_url: str | None = None
    attributes: Mapping[str, Scalar] | None = None


class Failure(msgspec.Struct, frozen=True):
    """Why one product of many was not taken."""

    identity: str
    error: str


class Summary(msgspec.Struct, frozen=True):
    """How many products a catalog has."""

    total: int
    active: int
