"""Reading untyped JSON step by step, with errors that name the place and the kind of what stood there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import TypeAlias, TypeVar

from belfry.errors import BadRequest

Json: TypeAlias = object
"""A decoded JSON value: anything, until a reader has looked at it."""

_E = TypeVar("_E", bound=StrEnum)
_T = TypeVar("_T")
SHOWN_MAX = 60


def refusal(at: str, text: str, *, limit: int | str | None = None) -> BadRequest:
    """The error for what stands at a position."""
    return BadRequest(f"{at}: {text}", field=at, limit=limit)


def kind_of(value: Json) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def shown(value: Json) -> str:
    """A value as an error shows it: short, and never a whole object."""
    if isinstance(value, list | dict):
        return kind_of(value)
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"


def as_int(value: Json, at: str, low: int, high: int) -> int:
    """A whole number within bounds; a boolean is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise refusal(at, f"must be a whole number, got {kind_of(value)}")
    if not low <= value <= high:
        raise refusal(at, f"must be between {low} and {high}, got {shown(value)}", limit=high if value > high else low)
    return value


def as_number(value: Json, at: str) -> float:
    """A number; ints stay ints."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refusal(at, f"must be a number, got {kind_of(value)}")
    return value


def as_text(value: Json, at: str, length_max: int) -> str:
    """A text that is neither blank nor too long; a lone surrogate is refused, no store can hold it."""
    if not isinstance(value, str):
        raise refusal(at, f"must be a text, got {kind_of(value)}")
    if not value.strip():
        raise refusal(at, "must not be empty")
    if len(value) > length_max:
        raise refusal(at, f"must have at most {length_max} characters, got {len(value)}", limit=length_max)
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise refusal(at, "holds a lone surrogate, which is not text")
    return value


def as_list(value: Json, at: str, count_max: int, count_min: int = 1) -> list[Json]:
    """A list of a bounded number of items."""
    if not isinstance(value, list):
        raise refusal(at, f"must be a list, got {kind_of(value)}")
    if not count_min <= len(value) <= count_max:
        raise refusal(at, f"must have {count_min} to {count_max} items, got {len(value)}", limit=count_max)
    return value


def as_choice(value: Json, at: str, choices: Sequence[str]) -> str:
    """One of a closed set of words."""
    if not isinstance(value, str) or value not in choices:
        raise refusal(at, f"must be one of {', '.join(choices)}; got {shown(value)}")
    return value


class Object:
    """A JSON object at a position. `done` refuses keys that nobody asked for: a dropped rule widens an audience."""

    def __init__(self, value: Json, at: str) -> None:
        if not isinstance(value, dict):
            raise refusal(at, f"must be an object, got {kind_of(value)}")
        self._values: dict[str, Json] = value
        self._asked: set[str] = set()
        self.at = at

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        self._asked.add(key)
        return self._values.get(key) is not None

    def get(self, key: str) -> Json:
        """The value, None if missing."""
        self._asked.add(key)
        return self._values.get(key)

    def place(self, key: str) -> str:
        """The position of a key's value."""
        return f"{self.at}.{key}"

    def required(self, key: str) -> Json:
        """The value; refused if missing or null."""
        if not self.has(key):
            raise refusal(self.at, f"needs {key!r}")
        return self._values[key]

    def text(self, key: str, length_max: int) -> str:
        return as_text(self.required(key), self.place(key), length_max)

    def integer(self, key: str, low: int, high: int) -> int:
        return as_int(self.required(key), self.place(key), low, high)

    def boolean(self, key: str, default: bool) -> bool:
        if not self.has(key):
            return default
        value = self.get(key)
        if not isinstance(value, bool):
            raise refusal(self.place(key), f"must be true or false, got {kind_of(value)}")
        return value

    def choice(self, key: str, kind: type[_E], default: _E | None = None) -> _E:
        if default is not None and not self.has(key):
            return default
        return kind(as_choice(self.required(key), self.place(key), [member.value for member in kind]))

    def items(self, key: str, count_max: int, count_min: int = 1) -> Iterator[tuple[Json, str]]:
        """Items of a list with their positions."""
        values = as_list(self.required(key), self.place(key), count_max, count_min)
        return ((value, f"{self.place(key)}[{index}]") for index, value in enumerate(values))

    def each(self, key: str, read: Callable[[Json, str], _T], count_max: int, count_min: int = 1) -> tuple[_T, ...]:
        """Every item of a list, read by one reader."""
        return tuple(read(value, at) for value, at in self.items(key, count_max, count_min))

    def done(self) -> None:
        """Refuse keys that were never asked for."""
        unknown = sorted(set(self._values) - self._asked)
        if unknown:
            raise refusal(self.at, f"unknown key {shown(unknown[0])}; known here: {', '.join(sorted(self._asked))}")
