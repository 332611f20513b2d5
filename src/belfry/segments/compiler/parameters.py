"""Values beside a statement, and names inside it, each in the one safe way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

ParameterValue: TypeAlias = str | int | float | Sequence[str] | Sequence[int] | Sequence[float]

_ESCAPES = {ord("\\"): "\\\\", ord("`"): "\\`", **{code: f"\\x{code:02X}" for code in (*range(0x20), 0x7F)}}


class Parameters:
    """Placeholders `{pN:Type}` and their values; the same value gets the same placeholder."""

    def __init__(self) -> None:
        self.values: dict[str, ParameterValue] = {}
        self._known: dict[tuple[str, object], str] = {}

    def put(self, value: ParameterValue, kind: str) -> str:
        """The placeholder for a value of a column-store type."""
        key = (kind, value if isinstance(value, str | int | float) else tuple(value))
        placeholder = self._known.get(key)
        if placeholder is None:
            name = f"p{len(self.values)}"
            self.values[name] = value
            placeholder = self._known[key] = f"{{{name}:{kind}}}"
        return placeholder

    def text(self, value: str) -> str:
        return self.put(value, "String")

    def texts(self, values: Sequence[str]) -> str:
        return self.put(list(values), "Array(String)")

    def integer(self, value: int) -> str:
        return self.put(value, "Int64")

    def integers(self, values: Sequence[int]) -> str:
        return self.put(list(values), "Array(Int64)")

    def number(self, value: float) -> str:
        """Whole numbers keep 64 bits of precision."""
        return self.put(value, "Int64") if isinstance(value, int) else self.put(value, "Float64")

    def instant(self, at_ms: int) -> str:
        """An expression for an instant, constant for the engine, so that partitions and keys are pruned by it."""
        return f"fromUnixTimestamp64Milli({self.integer(at_ms)}, 'UTC')"


def quoted(name: str) -> str:
    """A user's property name as an identifier."""
    return f"`{name.translate(_ESCAPES)}`"
