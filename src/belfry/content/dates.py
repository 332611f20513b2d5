"""Dates in templates: how they come in, and how they are written (`2023-05-29 15:55:00`, engagement 7.1)."""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime, time, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from dateutil import parser as date_parser  # type: ignore[import-untyped]  # python-liquid's own parser of dates

DATE_PREFIX: Final = "$D_"
"""Dates are kept as `$D_<epoch seconds>` (server-api 3.5)."""
_DATE_TEXT_MAX = 80
_MILLISECONDS_FROM = 10**11
_DEFAULT_FORMAT = "%Y-%m-%d %H:%M:%S"


class LiquidDate(datetime):
    """A moment that writes itself the way the dialect does."""

    def __str__(self) -> str:
        return self.strftime(_DEFAULT_FORMAT)


def dated(value: object, zone: tzinfo) -> object:
    """The value, or the moment that it stands for if it is a `$D_` date."""
    if isinstance(value, str) and value.startswith(DATE_PREFIX):
        return to_date(value, zone) or value
    return value


def to_date(value: object, zone: tzinfo) -> LiquidDate | None:
    """Read a date: a moment, epoch seconds or milliseconds, a `$D_` date, or text that people write.

    Returns it in `zone` (text without an offset is meant in it), None for what is no date.
    """
    if isinstance(value, datetime):
        return _liquid(value, zone)
    if isinstance(value, date):
        return _liquid(datetime.combine(value, time.min), zone)
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _from_epoch(value, zone)
    if isinstance(value, str) and len(value) <= _DATE_TEXT_MAX:
        return _from_text(value, zone)
    return None


@functools.lru_cache(maxsize=512)
def zone_of(name: str | None, fallback: str = "UTC") -> tzinfo:
    """The time zone of that name, else the fallback: a user's zone may be anything."""
    for candidate in (name, fallback):
        try:
            if candidate:
                return ZoneInfo(candidate)
        except (KeyError, ValueError, OSError):  # unknown; a path; a directory
            continue
    return UTC


def _from_text(text: str, zone: tzinfo) -> LiquidDate | None:
    digits = text.removeprefix(DATE_PREFIX)
    if digits.isdigit() and (digits is not text or len(text) <= len("9999999999999")):
        return _from_epoch(int(digits), zone)
    try:
        return _liquid(date_parser.parse(text), zone)
    except (ValueError, OverflowError, AttributeError, TypeError):
        return None


def _from_epoch(number: float, zone: tzinfo) -> LiquidDate | None:
    seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
    try:
        return LiquidDate.fromtimestamp(seconds, zone)
    except (OverflowError, OSError, ValueError):
        return None


def _liquid(moment: datetime, zone: tzinfo) -> LiquidDate:
    placed = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
    return LiquidDate.fromtimestamp(placed.timestamp(), placed.tzinfo)
