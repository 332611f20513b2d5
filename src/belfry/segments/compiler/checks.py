"""From a condition of the rule tree to a test of the plan: what an operator means, without SQL (engagement 3.5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from belfry.errors import InternalError
from belfry.segments.calendar import Calendar, anniversary_days, birthday_bound, months_before
from belfry.segments.compiler.folding import fold_case
from belfry.segments.compiler.plan import (
    AllItems,
    Check,
    DayOfYear,
    Node,
    Number,
    OneOf,
    Operand,
    Place,
    Predicate,
    Present,
    Property,
    Regex,
    Size,
    Spans,
    TextPart,
    Version,
)
from belfry.segments.model import (
    NEGATIVE,
    Cmp,
    Condition,
    DateValue,
    DayOrInstant,
    Instant,
    Last,
    NumberCmp,
    SizeValue,
    Unit,
    Value,
)

VERSION_PARTS = 8
_DOB = Property(("DOB",))


def test_of(condition: Condition, operand: Operand, calendar: Calendar) -> Predicate:
    """One comparison as a test of an operand."""
    cmp = NEGATIVE.get(condition.cmp, condition.cmp)
    check = _CHECKS[cmp](cmp, condition.value, calendar)
    return Predicate(operand, check, condition.cmp in NEGATIVE, condition.match_missing)


def age_test(condition: Condition, calendar: Calendar) -> Node:
    """A test of the age in whole years, as bounds of the date of birth: no date arithmetic is left for the engine."""
    cmp = NEGATIVE.get(condition.cmp, condition.cmp)
    if cmp is Cmp.EXISTS:
        check: Check = Spans(((None, None),))
    else:
        check = Spans(tuple(_birth_span(low, high, calendar) for low, high in _age_ranges(cmp, condition.value)))
    return Predicate(_DOB, check, condition.cmp in NEGATIVE, condition.match_missing)


def _age_ranges(cmp: Cmp, value: Value) -> list[tuple[int | None, int | None]]:
    """Ages, both ends included."""
    years = [one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, int)]
    match cmp:
        case Cmp.LT:
            return [(None, years[0] - 1)]
        case Cmp.LTE:
            return [(None, years[0])]
        case Cmp.GT:
            return [(years[0] + 1, None)]
        case Cmp.GTE:
            return [(years[0], None)]
        case Cmp.BETWEEN:
            return [(years[0], years[1])]
    return [(one, one) for one in years]


def _birth_span(low: int | None, high: int | None, calendar: Calendar) -> tuple[int | None, int | None]:
    """Who is `low` to `high` years old was born in this span of epoch seconds."""
    not_before = None if high is None else birthday_bound(calendar.today, high + 1)
    before = None if low is None else birthday_bound(calendar.today, low)
    if low is not None and before is None:
        return 1, 0  # nobody is that old
    from_s = None if not_before is None else calendar.day_start_ms(not_before) // 1000
    return from_s, None if before is None else calendar.day_start_ms(before) // 1000 - 1


def version_parts(text: str) -> tuple[int, ...]:
    """A version as numbers, filled up with zeros: `5.10` = `5.10.0`."""
    parts = [int(part) for part in text.lstrip("vV").split(".")]
    return tuple(parts + [0] * (VERSION_PARTS - len(parts)))


def _one_of(_cmp: Cmp, value: Value, _calendar: Calendar) -> Check:
    values = _sequence(value)
    return OneOf(
        texts=tuple(fold_case(one) for one in values if isinstance(one, str)),
        numbers=tuple(one for one in values if isinstance(one, int | float) and not isinstance(one, bool)),
        booleans=tuple(one for one in values if isinstance(one, bool)),
        seconds=tuple(one.epoch_s for one in values if isinstance(one, DateValue)),
    )


def _present(_cmp: Cmp, _value: Value, _calendar: Calendar) -> Check:
    return Present()


def _text_part(cmp: Cmp, value: Value, _calendar: Calendar) -> Check:
    places = {Cmp.CONTAINS: Place.ANYWHERE, Cmp.STARTS_WITH: Place.START, Cmp.ENDS_WITH: Place.END}
    return TextPart(places[cmp], fold_case(_text(value)))


def _regex(_cmp: Cmp, value: Value, _calendar: Calendar) -> Check:
    return Regex(_text(value))


def _ordered(cmp: Cmp, value: Value, _calendar: Calendar) -> Check:
    if not isinstance(value, DateValue):
        return Number(NumberCmp(cmp), (_number(value),))
    second = value.epoch_s
    spans = {Cmp.LT: (None, second - 1), Cmp.LTE: (None, second), Cmp.GT: (second + 1, None), Cmp.GTE: (second, None)}
    return Spans((spans[cmp],))


def _between(_cmp: Cmp, value: Value, calendar: Calendar) -> Check:
    low, high = _sequence(value)
    if isinstance(low, dt.date | Instant) and isinstance(high, dt.date | Instant):
        return Spans((_seconds(calendar.first_ms(low), calendar.last_ms(high)),))
    return Number(NumberCmp.BETWEEN, (_number(low), _number(high)))


def _on_calendar(cmp: Cmp, value: Value, calendar: Calendar) -> Check:
    at = _moment(_sequence(value)[0])
    spans = {
        Cmp.ON: (calendar.first_ms(at), calendar.last_ms(at)),
        Cmp.BEFORE: (None, calendar.first_ms(at) - 1),
        Cmp.AFTER: (calendar.last_ms(at) + 1, None),
    }
    return Spans((_seconds(*spans[cmp]),))


def _relative(cmp: Cmp, value: Value, calendar: Calendar) -> Check:
    if not isinstance(value, Last):
        raise InternalError(f"{cmp} without a length of time")
    now = calendar.as_of_ms
    if cmp is Cmp.IN_LAST:
        return Spans((_seconds(calendar.last_start_ms(value), now),))
    if cmp is Cmp.IN_NEXT:
        return Spans((_seconds(now, _next_end_ms(value, calendar)),))
    # "More than 1 day ago" is before yesterday: whole units lie between, as in "exactly 1 day ago".
    is_rolling = value.unit in (Unit.MINUTE, Unit.HOUR)
    before = value if is_rolling else Last(value.count + 1, value.unit)
    return Spans((_seconds(None, calendar.last_start_ms(before) - 1),))


def _next_end_ms(last: Last, calendar: Calendar) -> int:
    """The end of "the next N units", the current one included, like `Calendar.last_start_ms` backwards."""
    if last.unit in (Unit.MINUTE, Unit.HOUR):
        return 2 * calendar.as_of_ms - calendar.last_start_ms(last)
    today = calendar.today
    if last.unit is Unit.DAY:
        return calendar.day_end_ms(today + dt.timedelta(days=last.count - 1))
    if last.unit is Unit.WEEK:
        return calendar.day_end_ms(today + dt.timedelta(days=7 * last.count - 1 - today.weekday()))
    return calendar.day_start_ms(months_before(today.replace(day=1), -last.count)) - 1


def _days_apart(cmp: Cmp, value: Value, calendar: Calendar) -> Check:
    days = int(_number(value))
    day = calendar.today + dt.timedelta(days=days if cmp is Cmp.DAYS_FROM_NOW else -days)
    return Spans((_seconds(calendar.day_start_ms(day), calendar.day_end_ms(day)),))


def _anniversary(_cmp: Cmp, value: Value, calendar: Calendar) -> Check:
    pairs = anniversary_days(calendar.today, int(_number(value)))
    return DayOfYear(tuple(sorted(month * 100 + day for month, day in pairs)))


def _items(cmp: Cmp, value: Value, _calendar: Calendar) -> Check:
    texts = tuple(dict.fromkeys(fold_case(_text(one)) for one in _sequence(value)))
    return OneOf(texts=texts) if cmp is Cmp.CONTAINS_ANY else AllItems(texts, cmp is Cmp.IS_EXACTLY)


def _size(_cmp: Cmp, value: Value, _calendar: Calendar) -> Check:
    if not isinstance(value, SizeValue):
        raise InternalError("size without a comparison")
    return Size(value.cmp, value.value)


def _version(cmp: Cmp, value: Value, _calendar: Calendar) -> Check:
    as_number = {Cmp.VEQ: "eq", Cmp.VIN: "eq", Cmp.VLT: "lt", Cmp.VLTE: "lte", Cmp.VGT: "gt", Cmp.VGTE: "gte"}
    texts = _sequence(value) if isinstance(value, tuple) else [value]
    return Version(NumberCmp(as_number[cmp]), tuple(version_parts(_text(text)) for text in texts))


def _seconds(from_ms: int | None, to_ms: int | None) -> tuple[int | None, int | None]:
    """Whole seconds within a span of milliseconds."""
    return None if from_ms is None else -(-from_ms // 1000), None if to_ms is None else to_ms // 1000


def _sequence(value: Value) -> Sequence[object]:
    if not isinstance(value, tuple):
        raise InternalError(f"expected several values, got {value!r}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InternalError(f"expected a text, got {value!r}")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise InternalError(f"expected a number, got {value!r}")
    return value


def _moment(value: object) -> DayOrInstant:
    if not isinstance(value, dt.date | Instant):
        raise InternalError(f"expected a day or an instant, got {value!r}")
    return value


_CHECKS: dict[Cmp, Callable[[Cmp, Value, Calendar], Check]] = {
    Cmp.EQ: _one_of,
    Cmp.IN: _one_of,
    Cmp.EXISTS: _present,
    Cmp.CONTAINS: _text_part,
    Cmp.STARTS_WITH: _text_part,
    Cmp.ENDS_WITH: _text_part,
    Cmp.MATCHES: _regex,
    Cmp.LT: _ordered,
    Cmp.LTE: _ordered,
    Cmp.GT: _ordered,
    Cmp.GTE: _ordered,
    Cmp.BETWEEN: _between,
    Cmp.ON: _on_calendar,
    Cmp.BEFORE: _on_calendar,
    Cmp.AFTER: _on_calendar,
    Cmp.IN_LAST: _relative,
    Cmp.IN_NEXT: _relative,
    Cmp.MORE_THAN_AGO: _relative,
    Cmp.DAYS_AGO: _days_apart,
    Cmp.DAYS_FROM_NOW: _days_apart,
    Cmp.ANNIVERSARY: _anniversary,
    Cmp.CONTAINS_ANY: _items,
    Cmp.CONTAINS_ALL: _items,
    Cmp.IS_EXACTLY: _items,
    Cmp.SIZE: _size,
    Cmp.VEQ: _version,
    Cmp.VIN: _version,
    Cmp.VLT: _version,
    Cmp.VLTE: _version,
    Cmp.VGT: _version,
    Cmp.VGTE: _version,
}
"""Operator, without its "not" → what it checks."""

__all__ = ["age_test", "test_of", "version_parts"]
