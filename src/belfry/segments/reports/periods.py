"""Days, ISO weeks and months of a trend, and how the server API writes them (server-api 6.3)."""

from __future__ import annotations

import datetime as dt
import enum


class Period(enum.StrEnum):
    """How a trend is cut."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


def key_of(period: Period, day: dt.date) -> str:
    """The period that a day lies in: `YYYYMMDD`, ISO year and week `YYYYWW`, `YYYYMM`."""
    match period:
        case Period.DAILY:
            return f"{day:%Y%m%d}".zfill(8)
        case Period.WEEKLY:
            year, week, _ = day.isocalendar()
            return f"{year:04d}{week:02d}"
        case Period.MONTHLY:
            return f"{day.year:04d}{day.month:02d}"


def keys_between(period: Period, first: dt.date, last: dt.date) -> list[str]:
    """The periods of all days from first to last, both included, in order."""
    days = ((first + dt.timedelta(days=offset)) for offset in range((last - first).days + 1))
    return list(dict.fromkeys(key_of(period, day) for day in days))
