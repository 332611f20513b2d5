"""Keys of days, ISO weeks and months."""

from __future__ import annotations

import datetime as dt

import pytest

from belfry.segments.reports.periods import Period, key_of, keys_between


@pytest.mark.parametrize(
    ("day", "daily", "weekly", "monthly"),
    [
        ("2026-11-01", "20261101", "202644", "202611"),
        ("2016-12-31", "20161231", "201652", "201612"),
        ("2017-01-01", "20170101", "201652", "201701"),
        ("2020-12-31", "20201231", "202053", "202012"),
        ("2024-12-30", "20241230", "202501", "202412"),
        ("0987-06-05", "09870605", "098723", "098706"),
    ],
    ids=["spec", "last of 2016", "ISO week of the year before", "week 53", "ISO year of the next", "four digits"],
)
def test_a_day_lies_in_an_iso_week_and_a_month(day: str, daily: str, weekly: str, monthly: str) -> None:
    at = dt.date.fromisoformat(day)
    assert [key_of(period, at) for period in Period] == [daily, weekly, monthly]


def test_every_period_that_a_range_touches_is_told_once_in_order() -> None:
    first, last = dt.date(2026, 10, 30), dt.date(2026, 11, 2)
    assert keys_between(Period.DAILY, first, last) == ["20261030", "20261031", "20261101", "20261102"]
    assert keys_between(Period.WEEKLY, first, last) == ["202644", "202645"]
    assert keys_between(Period.MONTHLY, first, last) == ["202610", "202611"]
    assert len(keys_between(Period.DAILY, dt.date(2024, 1, 1), dt.date(2024, 12, 31))) == 366
