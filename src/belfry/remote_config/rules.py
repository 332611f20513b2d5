"""What variables may look like. Pure; errors are the caller's."""

from __future__ import annotations

import math
from collections.abc import Iterable

from belfry.errors import BadRequest
from belfry.remote_config.model import Definition, Value, VariableType

NAME_LENGTH_MAX = 120
VALUE_LENGTH_MAX = 4096
DESCRIPTION_LENGTH_MAX = 500
VARIABLES_MAX = 1000
NUMBER_MAX = 2**53
"""Integers beyond it are not the same number in every app."""


def check_name(name: str) -> None:
    """Raises BadRequest for a name that is no path of folders."""
    if len(name) > NAME_LENGTH_MAX:
        raise BadRequest(
            f"Variable name has {len(name)} characters, at most {NAME_LENGTH_MAX}",
            field="variableDefinitions",
            limit=NAME_LENGTH_MAX,
        )
    if not name.isprintable() or any(not part.strip() for part in name.split(".")):
        raise BadRequest(
            f"Variable name {name!r} needs printable characters on both sides of each dot", field="variableDefinitions"
        )


def definition_of(name: str, kind: object, default: object, description: object) -> Definition:
    """The definition that these values make. Raises BadRequest, which names the variable."""
    try:
        checked = VariableType(kind.strip().lower() if isinstance(kind, str) else "")
    except ValueError:
        raise BadRequest(f"{name}: type needs to be string, boolean or number", field="type") from None
    if description is not None and not isinstance(description, str):
        raise BadRequest(f"{name}: description needs to be text", field="description")
    text = description or ""
    if len(text) > DESCRIPTION_LENGTH_MAX:
        raise BadRequest(
            f"{name}: description has {len(text)} characters, at most {DESCRIPTION_LENGTH_MAX}",
            field="description",
            limit=DESCRIPTION_LENGTH_MAX,
        )
    return Definition(type=checked, default=_default_of(name, checked, default), description=text)


def check_folders(names: Iterable[str]) -> None:
    """Raises BadRequest if a variable stands where another one's folder is."""
    ordered = set(names)
    for name in ordered:
        parts = name.split(".")
        for depth in range(1, len(parts)):
            folder = ".".join(parts[:depth])
            if folder in ordered:
                raise BadRequest(
                    f"{folder} is a variable, so {name} cannot be in a folder of that name", field="variableDefinitions"
                )


def _default_of(name: str, kind: VariableType, value: object) -> Value:
    match kind, value:
        case VariableType.STRING, str() if len(value) <= VALUE_LENGTH_MAX:
            return value
        case VariableType.STRING, str():
            raise BadRequest(
                f"{name}: defaultValue has {len(value)} characters, at most {VALUE_LENGTH_MAX}",
                field="defaultValue",
                limit=VALUE_LENGTH_MAX,
            )
        case VariableType.BOOLEAN, bool():
            return value
        case VariableType.NUMBER, int() | float() if not isinstance(value, bool):
            if math.isfinite(value) and abs(value) <= NUMBER_MAX:
                return value
    raise BadRequest(f"{name}: defaultValue needs to be a {kind} as the type says", field="defaultValue")
