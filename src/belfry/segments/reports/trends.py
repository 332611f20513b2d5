"""Trends: what happened on each day, in each week or month of the account's calendar (server-api 6.3)."""

from __future__ import annotations

import datetime as dt
import enum
import sys
from collections.abc import Iterable, Mapping

import msgspec

from belfry.segments.compiler import Statement
from belfry.segments.compiler.operands import expressions
from belfry.segments.compiler.parameters import Parameters
from belfry.segments.compiler.plan import Property
from belfry.segments.reports.periods import Period, key_of, keys_between
from belfry.storage.columnar import Columnar

_STARTS = {Period.DAILY: "{day}", Period.WEEKLY: "toMonday({day})", Period.MONTHLY: "toStartOfMonth({day})"}
_HALF = 2**32
_HIGH, _LOW = f"intDiv({{x}}, toInt64({_HALF}))", f"modulo({{x}}, toInt64({_HALF}))"

Amount = int | float


class Figure(enum.Enum):
    """What is counted in each period."""

    OCCURRENCES = "occurrences"
    USERS = "users"
    SUM = "sum"


class TrendMeasure(msgspec.Struct, frozen=True):
    """A figure. prop: of SUM alone, the property whose numbers are added; other values count as 0."""

    figure: Figure = Figure.OCCURRENCES
    prop: Property | None = None


class TrendReport:
    """Counts the occurrences that one WHERE selects by day of the account's calendar, by daylight saving time too."""

    def __init__(self, columnar: Columnar, where: Statement, timezone: str) -> None:
        self._columnar = columnar
        self._where = where
        self._parameters = Parameters()
        self._parameters.values.update(where.parameters)
        self._day = f"toDate(ts, {self._parameters.text(timezone)})"

    def answer(
        self, periods: Iterable[Period], measure: TrendMeasure, first: dt.date, last: dt.date
    ) -> dict[Period, dict[str, Amount]]:
        """For each kind of period every one from the first to the last day, with 0 where nothing happened."""
        wanted = list(dict.fromkeys(periods))
        if measure.figure is Figure.USERS:
            # Users of several days cannot be added up.
            found = {period: self._by(period, "0, uniqExact(profile_id), 0") for period in wanted}
        else:
            days = self._by(Period.DAILY, _columns(measure))
            found = dict.fromkeys(wanted, days)
        return {period: _rolled_up(period, found[period], first, last) for period in wanted}

    def _by(self, period: Period, columns: str) -> Mapping[dt.date, Amount]:
        """The figure by first day of the period, for periods in which something happened."""
        start = _STARTS[period].format(day=self._day)
        sql = f"SELECT {start} AS start, {columns} FROM events WHERE {self._where.sql} GROUP BY start"
        rows = self._columnar.rows(sql, dict(self._parameters.values))
        return {start: _total(high, low, fraction) for start, high, low, fraction in rows}


def _columns(measure: TrendMeasure) -> str:
    """Three sums: the high and the low half of whole numbers, which 64 bits can hold, and all other numbers."""
    if measure.prop is None:
        return "0, count(), 0"
    at = expressions(measure.prop, Parameters())
    if measure.prop.item:
        whole, fraction = at.number_lists
        parts = [(_HIGH, whole), (_LOW, whole), ("{x}", fraction)]
        sums = [f"arraySum(arrayMap(x -> {half.format(x='ifNull(x, 0)')}, {numbers}))" for half, numbers in parts]
    else:
        whole, fraction = (f"ifNull({number}, 0)" for number in at.numbers)
        sums = [_HIGH.format(x=whole), _LOW.format(x=whole), fraction]
    return f"sum({sums[0]}), sum({sums[1]}), sumKahan({sums[2]})"


def _total(high: int, low: int, fraction: float) -> Amount:
    """One number that JSON can hold; whole if no other number took part."""
    whole = high * _HALF + low
    if not fraction:
        return whole
    return max(-sys.float_info.max, min(whole + fraction, sys.float_info.max))


def _rolled_up(period: Period, found: Mapping[dt.date, Amount], first: dt.date, last: dt.date) -> dict[str, Amount]:
    totals: dict[str, Amount] = dict.fromkeys(keys_between(period, first, last), 0)
    for start, amount in sorted(found.items()):
        totals[key_of(period, start)] += amount
    return totals
