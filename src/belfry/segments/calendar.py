"""Days, weeks, months and ranges in an account's time zone, resolved to instants of UTC.

`Calendar.as_of_ms` is the "now" of a whole evaluation: event ranges, ages and date properties all use it
(engagement 3.3). Every instant is in epoch milliseconds. Nothing here asks a clock.
"""

from __future__ import annotations

import datetime as dt
import functools
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from belfry.errors import InternalError
from belfry.segments.model import DayOrInstant, Last, Range, RangeKind, Unit

_UNIT_MS = {Unit.MINUTE: 60_000, Unit.HOUR: 3_600_000}


class Window(msgspec.Struct, frozen=True):
    """A stretch of time, both ends included. None: open at the beginning. Empty when from_ms > to_ms."""

    from_ms: int | None
    to_ms: int

    @property
    def is_empty(self) -> bool:
        return self.from_ms is not None and self.from_ms > self.to_ms

    def covers(self, at_ms: int) -> bool:
        return (self.from_ms is None or self.from_ms <= at_ms) and at_ms <= self.to_ms


class Calendar:
    """One account's calendar, seen from one moment.

    timezone  IANA name; an unknown one is a fault of ours: accounts are checked when they are made
    as_of_ms  the moment that counts as now; nothing later is part of any window
    """

    def __init__(self, timezone: str, as_of_ms: int) -> None:
        self.timezone = timezone
        self.zone = zone_of(timezone)
        self.as_of_ms = as_of_ms

    @property
    def today(self) -> dt.date:
        return self.day_of(self.as_of_ms)

    def day_of(self, at_ms: int) -> dt.date:
        """The local day of an instant."""
        return self.local(at_ms).date()

    def local(self, at_ms: int) -> dt.datetime:
        """Wall-clock time of an instant."""
        return dt.datetime.fromtimestamp(at_ms // 1000, self.zone)

    def day_start_ms(self, day: dt.date) -> int:
        """The first instant of a local day.

        Where summer time begins at midnight, 00:00 does not exist and the day starts at 01:00; where midnight comes
        twice, the first counts. Both are what `fold=0` gives.
        """
        midnight = dt.datetime.combine(day, dt.time(), self.zone)
        return int(midnight.timestamp()) * 1000

    def day_end_ms(self, day: dt.date) -> int:
        """The last millisecond of a local day."""
        return self.day_start_ms(day + dt.timedelta(days=1)) - 1

    def last_start_ms(self, last: Last) -> int:
        """Where "last N units" begins: rolling for minutes and hours, whole calendar units otherwise, the current
        one included, so that "last 1 day" is today (engagement 0).
        """
        if last.unit in _UNIT_MS:
            return self.as_of_ms - last.count * _UNIT_MS[last.unit]
        return self.day_start_ms(self._first_day(last))

    def _first_day(self, last: Last) -> dt.date:
        if last.unit is Unit.DAY:
            return self.today - dt.timedelta(days=last.count - 1)
        if last.unit is Unit.WEEK:
            return self.today - dt.timedelta(days=self.today.weekday() + 7 * (last.count - 1))
        return months_before(self.today.replace(day=1), last.count - 1)

    def window(self, range_: Range) -> Window:
        """The instants of a range, never beyond `as_of_ms`."""
        from_ms, to_ms = self._bounds(range_)
        return Window(from_ms, self.as_of_ms if to_ms is None else min(to_ms, self.as_of_ms))

    def _bounds(self, range_: Range) -> tuple[int | None, int | None]:
        match range_.kind:
            case RangeKind.ALL:
                return None, None
            case RangeKind.TODAY:
                return self.day_start_ms(self.today), None
            case RangeKind.YESTERDAY:
                day = self.today - dt.timedelta(days=1)
                return self.day_start_ms(day), self.day_end_ms(day)
            case RangeKind.LAST if range_.last is not None:
                return self.last_start_ms(range_.last), None
            case RangeKind.BETWEEN if range_.start is not None and range_.end is not None:
                return self.first_ms(range_.start), self.last_ms(range_.end)
            case RangeKind.ON if range_.start is not None:
                return self.first_ms(range_.start), self.last_ms(range_.start)
            case RangeKind.BEFORE if range_.start is not None:
                return None, self.first_ms(range_.start) - 1
            case RangeKind.AFTER if range_.start is not None:
                return self.last_ms(range_.start) + 1, None
        raise InternalError(f"a range of kind {range_.kind} without its values")

    def first_ms(self, at: DayOrInstant) -> int:
        """The first instant of a day, or the instant itself."""
        return self.day_start_ms(at) if isinstance(at, dt.date) else at.ms

    def last_ms(self, at: DayOrInstant) -> int:
        """The last instant of a day, or the instant itself."""
        return self.day_end_ms(at) if isinstance(at, dt.date) else at.ms


@functools.lru_cache(maxsize=256)
def zone_of(timezone: str) -> ZoneInfo:
    """The rules of an IANA time zone."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InternalError(f"unknown time zone {timezone!r}") from error


def months_before(first_of_month: dt.date, count: int) -> dt.date:
    """The first day of the month `count` months earlier."""
    months = first_of_month.year * 12 + first_of_month.month - 1 - count
    return dt.date(months // 12, months % 12 + 1, 1)


def birthday_bound(today: dt.date, years: int) -> dt.date | None:
    """The first birth date that is NOT yet `years` old on `today`; None if that is before year 1.

    Who was born on 29 February turns a year older on 1 March where there is no 29 February.
    """
    year = today.year - years
    if year < 1:
        return None
    if year > dt.MAXYEAR - 1:
        return dt.date.max
    try:
        return dt.date(year, today.month, today.day) + dt.timedelta(days=1)
    except ValueError:
        return dt.date(year, 3, 1)


def anniversary_days(today: dt.date, within_days: int) -> frozenset[tuple[int, int]]:
    """(month, day) pairs whose anniversary falls within so many days of `today`, either side.

    29 February is celebrated on 1 March in years that have none, like birthdays in `birthday_bound`.
    """
    days = [today + dt.timedelta(days=offset) for offset in range(-within_days, within_days + 1)]
    pairs = {(day.month, day.day) for day in days}
    if any((day.month, day.day) == (3, 1) and not _is_leap(day.year) for day in days):
        pairs.add((2, 29))
    return frozenset(pairs)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
