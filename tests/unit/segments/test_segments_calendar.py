"""Ranges in an account's calendar, with its clock changes."""

from __future__ import annotations

import datetime as dt

import pytest

from belfry.errors import InternalError
from belfry.segments.calendar import Calendar, Window, anniversary_days, birthday_bound
from belfry.segments.model import Instant, Last, Range, RangeKind, Unit

NOON_MS = 1_795_608_000_000
"""2026-11-25T12:00:00Z, a Wednesday."""


def ms(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp() * 1000)


def last(count: int, unit: Unit) -> Range:
    return Range(RangeKind.LAST, last=Last(count, unit))


@pytest.mark.parametrize(
    ("range_", "start", "end"),
    [
        pytest.param(last(30, Unit.MINUTE), "2026-11-25T11:30:00+00:00", None, id="minutes roll"),
        pytest.param(last(36, Unit.HOUR), "2026-11-24T00:00:00+00:00", None, id="hours roll"),
        pytest.param(last(1, Unit.DAY), "2026-11-25T00:00:00+00:00", None, id="last 1 day is today"),
        pytest.param(last(30, Unit.DAY), "2026-10-27T00:00:00+00:00", None, id="today is one of 30 days"),
        pytest.param(last(1, Unit.WEEK), "2026-11-23T00:00:00+00:00", None, id="a week starts on Monday"),
        pytest.param(last(3, Unit.WEEK), "2026-11-09T00:00:00+00:00", None, id="three weeks"),
        pytest.param(last(1, Unit.MONTH), "2026-11-01T00:00:00+00:00", None, id="this month"),
        pytest.param(last(12, Unit.MONTH), "2025-12-01T00:00:00+00:00", None, id="over the year's end"),
        pytest.param(Range(RangeKind.TODAY), "2026-11-25T00:00:00+00:00", None, id="today"),
        pytest.param(
            Range(RangeKind.YESTERDAY), "2026-11-24T00:00:00+00:00", "2026-11-24T23:59:59.999+00:00", id="yesterday"
        ),
        pytest.param(
            Range(RangeKind.ON, start=dt.date(2026, 11, 1)),
            "2026-11-01T00:00:00+00:00",
            "2026-11-01T23:59:59.999+00:00",
            id="on a day",
        ),
        pytest.param(
            Range(RangeKind.BETWEEN, start=dt.date(2026, 11, 1), end=dt.date(2026, 11, 2)),
            "2026-11-01T00:00:00+00:00",
            "2026-11-02T23:59:59.999+00:00",
            id="between includes both days",
        ),
        pytest.param(
            Range(RangeKind.BETWEEN, start=dt.date(2026, 11, 1), end=dt.date(2027, 1, 1)),
            "2026-11-01T00:00:00+00:00",
            None,
            id="nothing is later than now",
        ),
        pytest.param(
            Range(RangeKind.BEFORE, start=dt.date(2026, 11, 1)), None, "2026-10-31T23:59:59.999+00:00", id="before"
        ),
        pytest.param(
            Range(RangeKind.AFTER, start=dt.date(2026, 11, 1)), "2026-11-02T00:00:00+00:00", None, id="after a day"
        ),
        pytest.param(
            Range(RangeKind.AFTER, start=Instant(NOON_MS - 1)), "2026-11-25T12:00:00+00:00", None, id="after an instant"
        ),
        pytest.param(Range(), None, None, id="all"),
    ],
)
def test_a_range_is_placed_in_the_calendar(range_: Range, start: str | None, end: str | None) -> None:
    expected = Window(None if start is None else ms(start), NOON_MS if end is None else ms(end))
    assert Calendar("UTC", NOON_MS).window(range_) == expected


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        pytest.param(
            "Europe/Lisbon", "2026-03-29", "2026-03-29T00:00:00+00:00", id="the day of 23 hours starts as ever"
        ),
        pytest.param(
            "Europe/Lisbon", "2026-03-30", "2026-03-29T23:00:00+00:00", id="the day after it, an hour earlier"
        ),
        pytest.param("America/Havana", "2026-03-08", "2026-03-08T05:00:00+00:00", id="midnight does not exist: 01:00"),
        pytest.param("America/Havana", "2026-11-01", "2026-11-01T04:00:00+00:00", id="midnight comes twice: the first"),
        pytest.param("Asia/Kolkata", "2026-11-25", "2026-11-24T18:30:00+00:00", id="half an hour"),
        pytest.param("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00+00:00", id="after a day that never was"),
        pytest.param("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00+00:00", id="the day that never was is empty"),
    ],
)
def test_a_day_starts_at_its_first_instant(zone: str, day: str, start: str) -> None:
    assert Calendar(zone, NOON_MS).day_start_ms(dt.date.fromisoformat(day)) == ms(start)


def test_last_days_count_calendar_days_over_a_clock_change() -> None:
    calendar = Calendar("Europe/Lisbon", ms("2026-03-30T10:00:00+01:00"))
    assert calendar.window(last(2, Unit.DAY)).from_ms == ms("2026-03-29T00:00:00+00:00")


def test_a_window_after_now_is_empty() -> None:
    window = Calendar("UTC", NOON_MS).window(Range(RangeKind.AFTER, start=dt.date(2027, 1, 1)))
    assert window.is_empty
    assert not window.covers(NOON_MS)


def test_an_unknown_zone_is_a_fault_of_ours() -> None:
    with pytest.raises(InternalError, match="Mars"):
        Calendar("Mars/Olympus", NOON_MS)


@pytest.mark.parametrize(
    ("today", "years", "bound"),
    [
        pytest.param("2026-11-25", 18, "2008-11-26", id="the birthday itself counts"),
        pytest.param("2024-02-29", 18, "2006-03-01", id="today is a leap day"),
        pytest.param("2025-02-28", 1, "2024-02-29", id="born on a leap day: not yet on 28 February"),
        pytest.param("2025-03-01", 1, "2024-03-02", id="born on a leap day: on 1 March"),
        pytest.param("2026-11-25", 3000, None, id="nobody is that old"),
    ],
)
def test_the_first_birth_date_that_is_too_young(today: str, years: int, bound: str | None) -> None:
    expected = None if bound is None else dt.date.fromisoformat(bound)
    assert birthday_bound(dt.date.fromisoformat(today), years) == expected


def test_a_leap_day_is_celebrated_on_1_march_in_other_years() -> None:
    assert anniversary_days(dt.date(2026, 3, 1), 0) == {(3, 1), (2, 29)}
    assert anniversary_days(dt.date(2026, 2, 28), 0) == {(2, 28)}
    assert anniversary_days(dt.date(2024, 3, 1), 0) == {(3, 1)}


def test_an_anniversary_reaches_over_the_years_end() -> None:
    assert anniversary_days(dt.date(2026, 12, 31), 1) == {(12, 30), (12, 31), (1, 1)}
