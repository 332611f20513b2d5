"""Values as text in the cells of a CSV file, and back: nothing is lost, and no cell is a formula.

A text that a spreadsheet would run (`=`, `+`, `-`, `@`, tab or carriage return first) gets a `'` in front, which
reading takes away again. A text that would be read as a number, a boolean, a list or an object is written as a JSON
string. So `value_of(cell_of(value)) == value` for every value that a property can hold.
"""

from __future__ import annotations

import re

import msgspec

_LIVE = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_NUMBER_LENGTH_MAX = 40
_SUSPECTS = frozenset("0123456789-tTfF[{\"'=+@\t\r")
"""First characters of texts that may mean something else than themselves."""
_INTEGER_MAX = 2**63 - 1
_BOOLEANS = {"true": True, "false": False}
_INFINITE = (float("inf"), float("-inf"))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def text_cell(text: str) -> str:
    """The cell of a text in a column that holds nothing but text."""
    return f"'{text}" if _LIVE.match(text) else text


def text_of(cell: str) -> str:
    """The text of such a cell."""
    return cell[1:] if cell[:1] == "'" and _ESCAPED.match(cell) else cell


def cell_of(value: object) -> str:
    """The cell of a property's value; empty for None. Lists and objects are JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _encode(value).decode() if _is_ambiguous(value) else text_cell(value)
    return _encode(value).decode()


def value_of(cell: str) -> object:
    """The value that a cell stands for; None for an empty one.

    Whole numbers up to 64 bits, decimal numbers, `true` and `false` in any case, JSON lists, objects and strings; all
    else is text, as are numbers with leading zeros.
    """
    if not cell:
        return None
    first = cell[0]
    if first not in _SUSPECTS:
        return cell
    if first in "tTfF":
        return _BOOLEANS.get(cell.lower(), cell) if len(cell) < 6 else cell
    if first in '[{"':
        return _json(cell)
    return text_of(cell) if first == "'" else _number(cell)


def number_of(cell: str) -> int | float | None:
    """The number that a cell stands for, None if it is none."""
    value = _number(cell.strip())
    return None if isinstance(value, str) else value


def boolean_of(cell: str) -> bool | None:
    """The boolean that a cell stands for: 0, 1, true, false, Y, N, yes, no in any case; None if it is none."""
    return _SPOKEN.get(cell.strip().lower())


_SPOKEN = {"1": True, "true": True, "y": True, "yes": True, "0": False, "false": False, "n": False, "no": False}


def _is_ambiguous(text: str) -> bool:
    if not text:
        return True
    if text[0] == "'" or text[0] not in _SUSPECTS:
        return False
    return value_of(text) is not text


def _number(cell: str) -> int | float | str:
    if _INTEGER.fullmatch(cell):
        whole = int(cell)
        return whole if -_INTEGER_MAX <= whole <= _INTEGER_MAX else cell
    if len(cell) > _NUMBER_LENGTH_MAX or not _NUMBER.fullmatch(cell):
        return cell
    if cell.lstrip("-").isdigit():
        return cell  # a whole number beyond 64 bits
    number = float(cell)
    return cell if number in _INFINITE else number


def _json(cell: str) -> object:
    try:
        value = _decode(cell)
    except (msgspec.DecodeError, RecursionError):
        return cell
    return value
