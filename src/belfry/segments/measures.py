"""What a measure says about a figure: pure comparison, shared by the compiler and the explanations."""

from __future__ import annotations

import operator
from collections.abc import Callable

from belfry.segments.model import Measure, MeasureFn, NumberCmp

_COMPARE: dict[NumberCmp, Callable[[float, float], bool]] = {
    NumberCmp.EQ: operator.eq,
    NumberCmp.NE: operator.ne,
    NumberCmp.LT: operator.lt,
    NumberCmp.LTE: operator.le,
    NumberCmp.GT: operator.gt,
    NumberCmp.GTE: operator.ge,
}


def holds(cmp: NumberCmp, figure: float, limits: tuple[float, ...]) -> bool:
    """Whether a figure compares so with the limits."""
    if cmp is NumberCmp.BETWEEN:
        return limits[0] <= figure <= limits[1]
    return _COMPARE[cmp](figure, limits[0])


def holds_at_zero(measure: Measure) -> bool:
    """Whether users without any occurrence satisfy the measure, if they take part. They have no minimum or maximum."""
    if measure.fn in (MeasureFn.MIN, MeasureFn.MAX):
        return False
    return holds(measure.cmp, 0, measure.value)


def is_at_least_once(measure: Measure) -> bool:
    """Whether the measure asks for nothing but an occurrence."""
    return (
        measure.fn is MeasureFn.COUNT
        and measure.cmp in (NumberCmp.GTE, NumberCmp.GT)
        and measure.value[0] <= 1
        and holds(measure.cmp, 1, measure.value)
    )
