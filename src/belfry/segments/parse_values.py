"""What stands beside an operator: values, dates, versions, and times of day; each checked for its kind."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable

from belfry.segments.model import (
    LAST_COUNT_MAX,
    LIST_VALUES_MAX,
    TEXT_LENGTH_MAX,
    YEARS,
    Cmp,
    DateValue,
    DayOrInstant,
    Instant,
    Last,
    NumberCmp,
    Range,
    RangeKind,
    Scalar,
    SizeValue,
    Unit,
    Value,
    When,
)
from belfry.segments.reading import (
    Json,
    Object,
    as_choice,
    as_int,
    as_list,
    as_number,
    as_text,
    kind_of,
    refusal,
    shown,
)

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
UNITS = {form: unit for unit in Unit for form in (unit.value, f"{unit.value}s", unit.value[0])} | {"min": Unit.MINUTE}
"""Forms of a unit; `m` is a month."""
WINDOWS_MAX = 24
ANNIVERSARY_DAYS_MAX = 180
_DATE = re.compile(r"\$D_(-?\d{1,12})")
_VERSION = re.compile(r"[vV]?\d{1,18}(\.\d{1,18}){0,7}")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_NOT_RE2 = re.compile(r"\(\?[=!<]|\\[1-9]|\(\?P=|\(\?\(|\(\?>|[*+?}]\+")
"""Look-around, back references, conditionals, atomic groups, possessive repeats: the engine's RE2 has none."""


def read_scalar(value: Json, at: str) -> Scalar:
    """A text, number, boolean, or a date as `$D_<epoch seconds>`."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return read_finite(value, at)
    if isinstance(value, str):
        text = as_text(value, at, TEXT_LENGTH_MAX)
        found = _DATE.fullmatch(text)
        return DateValue(int(found.group(1))) if found else text
    raise refusal(at, f"must be a text, number or boolean, got {kind_of(value)}")


def read_finite(value: Json, at: str) -> float:
    """A number that a column can hold: whole ones beyond 64 bits become floating."""
    number = as_number(value, at)
    if isinstance(number, int) and not -(2**63) <= number < 2**63:
        try:
            number = float(number)
        except OverflowError:
            raise refusal(at, "is too large a number") from None
    if isinstance(number, float) and not math.isfinite(number):
        raise refusal(at, "must be a finite number")
    return number


def read_ordered(value: Json, at: str) -> Scalar:
    """A number or a date: something that can be less or more."""
    scalar = read_scalar(value, at)
    if isinstance(scalar, bool | str):
        raise refusal(at, f"must be a number or a date ($D_<epoch seconds>), got {kind_of(value)}")
    return scalar


def read_moment(value: Json, at: str) -> DayOrInstant:
    """A day (`YYYY-MM-DD`, `YYYYMMDD` as text or number), an ISO instant with offset, or `$D_<epoch seconds>`."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise refusal(at, f"must be a date like 2026-11-25, got {kind_of(value)}")
    found = _DATE.fullmatch(text)
    if found:
        return Instant(int(found.group(1)) * 1000)
    try:
        moment = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise refusal(at, f"must be a date like 2026-11-25, got {shown(value)}") from None
    if not YEARS[0] <= moment.year <= YEARS[1]:
        raise refusal(at, f"must be a date in the years {YEARS[0]} to {YEARS[1]}, got {shown(value)}")
    if moment.tzinfo is not None:
        return Instant(round(moment.timestamp() * 1000))
    if len(text.strip()) > len("YYYY-MM-DD"):
        raise refusal(at, f"a time of day needs an offset such as Z or +01:00, got {shown(value)}")
    return moment.date()


def read_last(value: Json, at: str) -> Last:
    """`{"last": N, "unit": …}`, or a bare N meaning days."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Last(as_int(value, at, 1, LAST_COUNT_MAX), Unit.DAY)
    node = Object(value, at)
    last = Last(node.integer("last", 1, LAST_COUNT_MAX), read_unit(node))
    node.done()
    return last


def read_unit(node: Object) -> Unit:
    """The unit beside `last`: minute, hour, day, week, month, their plurals or first letters."""
    return UNITS[as_choice(node.required("unit"), node.place("unit"), tuple(UNITS))]


def read_version(value: Json, at: str) -> str:
    """Up to eight numbers with dots between, as `5.10.2`; a number in JSON is refused, 5.10 would become 5.1."""
    text = as_text(value, at, TEXT_LENGTH_MAX)
    if not _VERSION.fullmatch(text):
        raise refusal(at, f"must be a version like 5.10.2, got {shown(value)}")
    return text


def read_regex(value: Json, at: str) -> Value:
    """A regular expression of RE2: no look-around, no back references."""
    text = as_text(value, at, TEXT_LENGTH_MAX)
    if _NOT_RE2.search(text):
        raise refusal(at, "uses look-around, back references or possessive repeats, which RE2 does not have")
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise refusal(at, f"is not a regular expression: {error}") from None
    return text


def _texts(value: Json, at: str) -> Value:
    items = value if isinstance(value, list) else [value]
    as_list(items, at, LIST_VALUES_MAX)
    return tuple(as_text(item, f"{at}[{index}]", TEXT_LENGTH_MAX) for index, item in enumerate(items))


def _one(value: Json, at: str) -> Value:
    return (read_scalar(value, at),)


def _many(value: Json, at: str) -> Value:
    items = as_list(value, at, LIST_VALUES_MAX)
    return tuple(read_scalar(item, f"{at}[{index}]") for index, item in enumerate(items))


def _versions(value: Json, at: str) -> Value:
    items = value if isinstance(value, list) else [value]
    as_list(items, at, LIST_VALUES_MAX)
    return tuple(read_version(item, f"{at}[{index}]" if value is items else at) for index, item in enumerate(items))


def _pair(value: Json, at: str) -> Value:
    """Two numbers, or two dates of any form; both ends included."""
    low, high = as_list(value, at, 2, 2)
    if all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high)):
        return (read_finite(low, f"{at}[0]"), read_finite(high, f"{at}[1]"))
    return (read_moment(low, f"{at}[0]"), read_moment(high, f"{at}[1]"))


def _size(value: Json, at: str) -> Value:
    node = Object(value, at)
    cmp = node.choice("cmp", NumberCmp)
    size = SizeValue(cmp, read_limits(node.required("value"), node.place("value"), cmp))
    node.done()
    return size


def read_limits(value: Json, at: str, cmp: NumberCmp) -> tuple[float, ...]:
    """The number that a measure is compared with, or two for `between`."""
    if cmp is not NumberCmp.BETWEEN:
        return (read_finite(value, at),)
    low, high = as_list(value, at, 2, 2)
    return (read_finite(low, f"{at}[0]"), read_finite(high, f"{at}[1]"))


def _text(value: Json, at: str) -> Value:
    return as_text(value, at, TEXT_LENGTH_MAX)


def _moment(value: Json, at: str) -> Value:
    return (read_moment(value, at),)


def _days(value: Json, at: str) -> Value:
    return as_int(value, at, 0, LAST_COUNT_MAX)


def _anniversary(value: Json, at: str) -> Value:
    return as_int(0 if value is None else value, at, 0, ANNIVERSARY_DAYS_MAX)


def _none(value: Json, at: str) -> Value:
    if value is not None:
        raise refusal(at, f"must be left out: this operator compares with nothing; got {kind_of(value)}")
    return None


VALUES: dict[Cmp, Callable[[Json, str], Value]] = {
    Cmp.EQ: _one,
    Cmp.NE: _one,
    Cmp.IN: _many,
    Cmp.NOT_IN: _many,
    Cmp.EXISTS: _none,
    Cmp.NOT_EXISTS: _none,
    Cmp.CONTAINS: _text,
    Cmp.NOT_CONTAINS: _text,
    Cmp.STARTS_WITH: _text,
    Cmp.ENDS_WITH: _text,
    Cmp.MATCHES: read_regex,
    Cmp.LT: read_ordered,
    Cmp.LTE: read_ordered,
    Cmp.GT: read_ordered,
    Cmp.GTE: read_ordered,
    Cmp.BETWEEN: _pair,
    Cmp.ON: _moment,
    Cmp.BEFORE: _moment,
    Cmp.AFTER: _moment,
    Cmp.IN_LAST: read_last,
    Cmp.IN_NEXT: read_last,
    Cmp.MORE_THAN_AGO: read_last,
    Cmp.DAYS_AGO: _days,
    Cmp.DAYS_FROM_NOW: _days,
    Cmp.ANNIVERSARY: _anniversary,
    Cmp.CONTAINS_ANY: _texts,
    Cmp.CONTAINS_ALL: _texts,
    Cmp.CONTAINS_NONE: _texts,
    Cmp.IS_EXACTLY: _texts,
    Cmp.SIZE: _size,
    Cmp.VEQ: _versions,
    Cmp.VNE: _versions,
    Cmp.VIN: _versions,
    Cmp.VLT: read_version,
    Cmp.VLTE: read_version,
    Cmp.VGT: read_version,
    Cmp.VGTE: read_version,
}
"""Operator → reader of its value."""


def read_range(value: Json, at: str) -> Range:
    """A range of engagement 3.3: `"today"`, `"yesterday"`, `"all"`, or an object with `last`, `between`, `on`,
    `before` or `after`.
    """
    if isinstance(value, str):
        word = as_choice(value, at, (RangeKind.ALL, RangeKind.TODAY, RangeKind.YESTERDAY))
        return Range(RangeKind(word))
    node = Object(value, at)
    kinds = [kind for kind in ("last", "between", "on", "before", "after") if node.has(kind)]
    if len(kinds) != 1:
        raise refusal(at, "needs exactly one of last, between, on, before, after")
    kind = RangeKind(kinds[0])
    range_ = _RANGES[kind](node)
    node.done()
    return range_


def _range_last(node: Object) -> Range:
    return Range(RangeKind.LAST, last=Last(node.integer("last", 1, LAST_COUNT_MAX), read_unit(node)))


def _range_between(node: Object) -> Range:
    start, end = node.each("between", read_moment, 2, 2)
    if _is_after(start, end):
        raise refusal(node.place("between"), "ends before it starts")
    return Range(RangeKind.BETWEEN, start=start, end=end)


def _is_after(start: DayOrInstant, end: DayOrInstant) -> bool:
    """Whether two ends of one kind are in the wrong order; mixed kinds meet in the calendar only."""
    if isinstance(start, Instant) and isinstance(end, Instant):
        return start > end
    return isinstance(start, dt.date) and isinstance(end, dt.date) and start > end


def _range_at(kind: RangeKind) -> Callable[[Object], Range]:
    return lambda node: Range(kind, start=read_moment(node.required(kind), node.place(kind)))


_RANGES: dict[RangeKind, Callable[[Object], Range]] = {
    RangeKind.LAST: _range_last,
    RangeKind.BETWEEN: _range_between,
    RangeKind.ON: _range_at(RangeKind.ON),
    RangeKind.BEFORE: _range_at(RangeKind.BEFORE),
    RangeKind.AFTER: _range_at(RangeKind.AFTER),
}


def read_when(value: Json, at: str) -> When:
    """`{"range": …, "tod": window or windows, "dow": names, "dom": numbers}`, each optional."""
    if value is None:
        return When()
    node = Object(value, at)
    when = When(
        range=read_range(node.get("range"), node.place("range")) if node.has("range") else Range(),
        times=read_times(node.get("tod"), node.place("tod")) if node.has("tod") else (),
        days_of_week=node.each("dow", read_weekday, 7) if node.has("dow") else (),
        days_of_month=node.each("dom", lambda day, at: as_int(day, at, 1, 31), 31) if node.has("dom") else (),
    )
    node.done()
    return when


def read_weekday(value: Json, at: str) -> int:
    """A day by its English name or first three letters; 1 is Monday."""
    if isinstance(value, str) and value[:3].title() in DAYS and len(value) >= 3:
        return DAYS.index(value[:3].title()) + 1
    raise refusal(at, f"must be one of {', '.join(DAYS)}; got {shown(value)}")


def read_times(value: Json, at: str) -> tuple[tuple[int, int], ...]:
    """One window `["18:00","23:00"]` or a list of windows, as minutes of the day."""
    windows = as_list(value, at, WINDOWS_MAX)
    if all(isinstance(window, str) for window in windows):
        return (_window(windows, at),)
    return tuple(_window(window, f"{at}[{index}]") for index, window in enumerate(windows))


def _window(value: Json, at: str) -> tuple[int, int]:
    start, end = as_list(value, at, 2, 2)
    window = (_minute(start, f"{at}[0]"), _minute(end, f"{at}[1]"))
    if window[0] == window[1]:
        raise refusal(at, "is empty: it ends when it starts")
    return window


def _minute(value: Json, at: str) -> int:
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    minute = int(found.group(1)) * 60 + int(found.group(2)) if found and int(found.group(2)) < 60 else -1
    if not 0 <= minute <= 24 * 60:
        raise refusal(at, f"must be a time of day from 00:00 to 24:00, got {shown(value)}")
    return minute
