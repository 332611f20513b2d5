"""Variables and their definitions."""

from __future__ import annotations

import enum

import msgspec


class VariableType(enum.StrEnum):
    """What a variable holds."""

    STRING = "string"
    BOOLEAN = "boolean"
    NUMBER = "number"


Value = str | bool | int | float


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What a variable is. default: what every user has who has no value of their own."""

    type: VariableType
    default: Value
    description: str = ""


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A variable of an account.

    draft       waits to be published; None: nothing waits
    published   what apps get; None: never published
    """

    name: str
    draft: Definition | None
    published: Definition | None
    updated_at_ms: int
