"""Where a value is found: SQL expressions for an operand, by the type that the value may have there.

The JSON column keeps each type of a path apart (`props.x.:Int64`, `props.x.:String`, …); an expression is NULL where
the value has another type. Lists hold texts only; a list expression is empty where there is no list.
"""

from __future__ import annotations

import msgspec

from belfry.errors import InternalError
from belfry.segments.compiler.parameters import Parameters, quoted
from belfry.segments.compiler.plan import (
    DeviceField,
    Flag,
    InstantColumn,
    ListColumn,
    NumberColumn,
    Operand,
    Property,
    TextColumn,
)

_LIST = "`Array(Nullable(String))`"


class Expressions(msgspec.Struct, frozen=True):
    """SQL for one operand.

    texts, numbers, booleans  nullable scalars
    text_lists, number_lists, boolean_lists  arrays whose items may be NULL
    seconds  non-null epoch seconds, for columns that are instants; dates in properties are texts
    present  1 if there is a value of any type, else 0
    """

    present: str
    texts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    booleans: tuple[str, ...] = ()
    text_lists: tuple[str, ...] = ()
    number_lists: tuple[str, ...] = ()
    boolean_lists: tuple[str, ...] = ()
    seconds: tuple[str, ...] = ()


def expressions(operand: Operand, parameters: Parameters, device: str = "") -> Expressions:
    """Where to find an operand in a row; `device` is the lambda's variable for device fields."""
    match operand:
        case Property():
            return _item(operand) if operand.item else _property(operand)
        case TextColumn():
            return Expressions(f"({operand.name} != '')", texts=(f"nullIf({operand.name}, '')",))
        case NumberColumn():
            return Expressions("1", numbers=(operand.name,))
        case InstantColumn():
            return Expressions("1", seconds=(f"toUnixTimestamp64Second({operand.name})",))
        case ListColumn():
            return Expressions(f"notEmpty({operand.name})", text_lists=(operand.name,))
        case DeviceField():
            value = f"JSONExtractString({device}, {parameters.text(operand.name)})"
            return Expressions(f"({value} != '')", texts=(f"nullIf({value}, '')",))
        case Flag():
            return Expressions(flag(operand.name))
    raise InternalError(f"unknown operand {operand}")


def path_of(path: tuple[str, ...]) -> str:
    """A path inside the JSON column."""
    return "props." + ".".join(quoted(part) for part in path)


def number_of(prop: Property) -> str:
    """A property as a nullable floating number."""
    path = path_of(prop.path)
    return f"ifNull({path}.:Float64, toFloat64({path}.:Int64))"


def values_of(prop: Property) -> tuple[str, ...]:
    """A property as text, number, boolean and list: equal for equal values, and at most one of them is not missing."""
    path = path_of(prop.path)
    return f"{path}.:String", number_of(prop), f"{path}.:Bool", f"{path}.:{_LIST}"


def _property(operand: Property) -> Expressions:
    path = path_of(operand.path)
    inner = f"props.^{quoted(operand.path[0])}" + "".join(f".{quoted(part)}" for part in operand.path[1:])
    return Expressions(
        present=f"({path} IS NOT NULL OR notEmpty(JSONAllPaths({inner})))",
        texts=(f"{path}.:String",),
        numbers=(f"{path}.:Int64", f"{path}.:Float64"),
        booleans=(f"{path}.:Bool",),
        text_lists=(f"{path}.:{_LIST}",),
    )


def _item(operand: Property) -> Expressions:
    path = f"props.{quoted(operand.path[0])}[].{quoted(operand.path[1])}"
    lists = {kind: f"{path}.:{kind}" for kind in ("String", "Int64", "Float64", "Bool")}
    found = " OR ".join(f"arrayExists(x -> x IS NOT NULL, {expression})" for expression in lists.values())
    return Expressions(
        present=f"({found})",
        text_lists=(lists["String"],),
        number_lists=(lists["Int64"], lists["Float64"]),
        boolean_lists=(lists["Bool"],),
    )


def _is_false(key: str) -> str:
    return f"ifNull(NOT {path_of((key,))}.:Bool, 0)"


_FLAGS = {
    "identified": "(identified = 1)",
    "has_email": "(email != '')",
    "has_phone": "(phone != '')",
    "has_token": "hasAny(reachable, ['push', 'webpush'])",
    "unsubscribed_email": f"({_is_false('MSG-email')} OR (email != '' AND NOT has(reachable, 'email')))",
    "unsubscribed_sms": f"({_is_false('MSG-sms')} OR (phone != '' AND NOT has(reachable, 'sms')))",
    "unsubscribed_push": f"({_is_false('MSG-push')} OR {_is_false('MSG-push-all')})",
    "unsubscribed_whatsapp": "(phone != '' AND NOT has(reachable, 'whatsapp'))",
}


def flag(name: str) -> str:
    """A yes or no about a user as an expression that is never NULL (engagement 1.4)."""
    return _FLAGS[name]
