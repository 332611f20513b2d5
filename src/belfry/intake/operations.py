"""Operators in profile values, such as `{"$add": ["x"]}` (server-api 3.5)."""

from __future__ import annotations

from collections.abc import Callable

from belfry.error_stream.model import ErrorKind
from belfry.intake.codes import kind_of
from belfry.intake.values import INTEGER_MAX, INTEGER_MIN, Cleaner, number_of
from belfry.profiles.model import Op, Operation

Make = Callable[[str, object, Cleaner], Operation | None]


def is_operator_object(value: object) -> bool:
    """Whether an object is meant as operators and not as a nested value."""
    return isinstance(value, dict) and any(key.startswith("$") for key in value)


def operations_of(key: str, value: dict[str, object], allowed: frozenset[str], cleaner: Cleaner) -> list[Operation]:
    """The operations of one property, in the order in which they are applied, whatever order they were sent in.

    One operator that is not allowed drops the property, with a remark: half an instruction is none.
    """
    unknown = [name for name in value if name not in allowed]
    if unknown:
        cleaner.remark(ErrorKind.UNKNOWN_OPERATOR, key, f"{unknown[0][:40]!r} is no operator here; property dropped")
        return []
    made = (MAKERS[name](key, value[name], cleaner) for name in MAKERS if name in value)
    return [operation for operation in made if operation is not None]


def _delete(key: str, operand: object, _cleaner: Cleaner) -> Operation | None:
    return Operation(key, Op.DELETE) if operand else None


def _on_list(op: Op) -> Make:
    def make(key: str, operand: object, cleaner: Cleaner) -> Operation | None:
        items = operand if isinstance(operand, list) else [operand]
        texts = unique(cleaner.texts(key, items))
        # An empty `$set` empties the list; adding or removing nothing is no operation.
        return Operation(key, op, texts) if texts or (op is Op.REPLACE and operand == []) else None

    return make


def _step(sign: int) -> Make:
    def make(key: str, operand: object, cleaner: Cleaner) -> Operation | None:
        number = number_of(operand)
        if number is None or not INTEGER_MIN <= sign * number <= INTEGER_MAX:
            cleaner.remark(ErrorKind.NOT_A_NUMBER, key, f"a number to count by was needed, got {kind_of(operand)}")
            return None
        return Operation(key, Op.INCREMENT, sign * number)

    return make


MAKERS: dict[str, Make] = {
    "$delete": _delete,
    "$set": _on_list(Op.REPLACE),
    "$remove": _on_list(Op.REMOVE),
    "$add": _on_list(Op.ADD),
    "$incr": _step(1),
    "$decr": _step(-1),
}
"""Operators in the order of application."""

ALL = frozenset(MAKERS)
DELETE_ONLY = frozenset({"$delete"})
DELETE_AND_STEPS = frozenset({"$delete", "$incr", "$decr"})


def unique(texts: list[str]) -> list[str]:
    """Each text once, in the order of its first place."""
    return list(dict.fromkeys(texts))
