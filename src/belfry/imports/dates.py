"""Dates as people write them in a column, read in the account's time zone (engagement 1.5). Pure."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

from belfry.errors import BadRequest

ReadDate = Callable[[str], int | None]
"""Epoch seconds of a text; None if the text has another form or is no date."""

UNIX = frozenset({"unix", "unix time", "epoch"})
DEFAULT_TIME = (12, 0, 0)
"""Of a date without a time (engagement 1.5)."""
COMPACT = "yyyyMMddHHmmss"
FORMATS = ("dd/MM/yyyy", "MM/dd/yyyy", "yyyy/dd/MM", "yyyy/MM/dd", "dd MMM yyyy", COMPACT, "unix time")
"""Dates that a header or a mapping may declare, each (but the last two) with or without `HH:mm` or `HH:mm:ss`.
`-` or `.` may stand for `/`."""

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_MILLISECONDS = re.compile(r"[0-9]{13}")
_SECONDS = re.compile(r"[0-9]{1,11}(?:\.[0-9]*)?")
_PARTS = {"yyyy": r"(?P<year>[0-9]{4})", "MMM": r"(?P<name>[A-Za-z]{3})[a-z]*", "MM": r"(?P<month>[0-9]{1,2})"}
_PARTS |= {"dd": r"(?P<day>[0-9]{1,2})"}
_TIME = r"(?:[ T](?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]+)?)?)?"
_TIMES = ("", " HH:mm", " HH:mm:ss")


def is_format(text: str) -> bool:
    """Whether a text names a date format."""
    return _pattern(text) is not None or text in UNIX


@functools.lru_cache(maxsize=256)
def date_reader(form: str, timezone: str) -> ReadDate:
    """A reader of one format. Raises BadRequest for one that is not known; it names those that are."""
    if form in UNIX:
        return _unix
    pattern = _pattern(form)
    if pattern is None:
        raise BadRequest(
            f"unknown date format {form[:40]!r}; known: {', '.join(FORMATS)}, with or without a time HH:mm:ss",
            field="format",
        )
    zone = ZoneInfo(timezone)
    return functools.lru_cache(maxsize=4096)(functools.partial(_read, pattern, zone))


@functools.lru_cache(maxsize=64)
def _pattern(form: str) -> re.Pattern[str] | None:
    if form == COMPACT:
        return re.compile(
            r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})"
        )
    day, time = form[:11] if "MMM" in form else form[:10], form[11:] if "MMM" in form else form[10:]
    plain = day.replace("-", "/").replace(".", "/")
    if plain not in FORMATS or time not in _TIMES:
        return None
    separator = " " if "MMM" in day else "[-/.]"
    words = re.split(r"[-/. ]", day)
    return re.compile(separator.join(_PARTS[word] for word in words) + _TIME)


def _read(pattern: re.Pattern[str], zone: ZoneInfo, text: str) -> int | None:
    found = pattern.fullmatch(text.strip())
    if found is None:
        return None
    parts = found.groupdict()
    month = _MONTHS.get(parts["name"].lower()) if "name" in parts else int(parts["month"])
    hour, minute, second = parts["hour"], parts["minute"], parts["second"] or 0
    time = DEFAULT_TIME if hour is None else (int(hour), int(minute), int(second))
    try:
        moment = dt.datetime(int(parts["year"]), month or 0, int(parts["day"]), *time, tzinfo=zone)
        return int(moment.timestamp())
    except (ValueError, OverflowError):
        return None


def _unix(text: str) -> int | None:
    text = text.strip()
    if _MILLISECONDS.fullmatch(text):
        return int(text) // 1000
    return int(text.partition(".")[0]) if _SECONDS.fullmatch(text) else None
