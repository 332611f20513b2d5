"""Ranges of numbers for a report: equal, with edges that people would choose (server-api 6.2)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

BUCKETS_MAX = 10
_FACTORS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5))
_DIGITS = 700
"""Enough for any two doubles to be added exactly."""


def nice_edges(low: float, high: float, *, is_whole: bool) -> list[Decimal]:
    """Edges of at most ten equal ranges that hold everything from `low` to `high`, ascending.

    A range holds its lower edge; the last one holds its upper edge too, so that 0 to 1000 are ten hundreds. The step
    is 1, 2, 2.5 or 5 times a power of ten, and a whole number if all values are.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        smallest, greatest = Decimal(repr(low)), Decimal(repr(high))
        for step in _steps(greatest - smallest, is_whole=is_whole):
            first = (smallest / step).to_integral_value(ROUND_FLOOR)
            last = max((greatest / step).to_integral_value(ROUND_CEILING), first + 1)
            if last - first <= BUCKETS_MAX:
                return [number * step for number in _numbers(first, last)]
    raise AssertionError("steps grow without end")


def label_of(low: Decimal, high: Decimal) -> str:
    """`low-high`, in plain digits."""
    return f"{_plain(low)}-{_plain(high)}"


def _steps(width: Decimal, *, is_whole: bool) -> Iterator[Decimal]:
    """Nice steps, ascending, from the smallest that ten of could span `width`."""
    exponent = width.adjusted() - 2 if width else 0
    while True:
        for factor in _FACTORS:
            step = factor.scaleb(exponent)
            if step * BUCKETS_MAX >= width and not (is_whole and step % 1):
                yield step
        exponent += 1


def _numbers(first: Decimal, last: Decimal) -> Iterator[Decimal]:
    return (first + place for place in range(int(last - first) + 1))


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
