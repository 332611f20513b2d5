"""A rule tree as one English sentence, with its time ranges resolved to dates of the account's calendar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from belfry.segments import model
from belfry.segments.calendar import Calendar, Window
from belfry.segments.model import (
    Cmp,
    Condition,
    DateValue,
    DayOrInstant,
    EventRule,
    Filter,
    Instant,
    InterestKind,
    InterestMode,
    Last,
    MeasureFn,
    NumberCmp,
    Occurrence,
    RangeKind,
    Rule,
    SizeValue,
)
from belfry.segments.parse_values import DAYS

VALUES_SHOWN = 5

_LIMITS = {
    NumberCmp.EQ: "exactly {}",
    NumberCmp.NE: "other than {}",
    NumberCmp.LT: "less than {}",
    NumberCmp.LTE: "at most {}",
    NumberCmp.GT: "more than {}",
    NumberCmp.GTE: "at least {}",
    NumberCmp.BETWEEN: "between {} and {}",
}
_FUNCTIONS = {
    MeasureFn.SUM: "a sum",
    MeasureFn.AVG: "an average",
    MeasureFn.MIN: "a smallest value",
    MeasureFn.MAX: "a largest value",
    MeasureFn.DISTINCT: "a number of different values",
}
_COMPARED = {
    Cmp.EQ: "is {}",
    Cmp.NE: "is not {}",
    Cmp.IN: "is one of {}",
    Cmp.NOT_IN: "is none of {}",
    Cmp.EXISTS: "is known",
    Cmp.NOT_EXISTS: "is not known",
    Cmp.CONTAINS: "contains {}",
    Cmp.NOT_CONTAINS: "does not contain {}",
    Cmp.STARTS_WITH: "starts with {}",
    Cmp.ENDS_WITH: "ends with {}",
    Cmp.MATCHES: "matches {}",
    Cmp.LT: "is less than {}",
    Cmp.LTE: "is at most {}",
    Cmp.GT: "is more than {}",
    Cmp.GTE: "is at least {}",
    Cmp.BETWEEN: "is between {}",
    Cmp.ON: "is on {}",
    Cmp.BEFORE: "is before {}",
    Cmp.AFTER: "is after {}",
    Cmp.IN_LAST: "is in the last {}",
    Cmp.IN_NEXT: "is in the next {}",
    Cmp.MORE_THAN_AGO: "is more than {} ago",
    Cmp.DAYS_AGO: "is exactly {} days ago",
    Cmp.DAYS_FROM_NOW: "is exactly {} days from now",
    Cmp.ANNIVERSARY: "has its anniversary within {} days of today",
    Cmp.CONTAINS_ANY: "contains any of {}",
    Cmp.CONTAINS_ALL: "contains all of {}",
    Cmp.CONTAINS_NONE: "contains none of {}",
    Cmp.IS_EXACTLY: "is exactly {}",
    Cmp.SIZE: "has {} items",
    Cmp.VEQ: "is version {}",
    Cmp.VNE: "is not version {}",
    Cmp.VIN: "is one of the versions {}",
    Cmp.VLT: "is a version before {}",
    Cmp.VLTE: "is version {} or before",
    Cmp.VGT: "is a version after {}",
    Cmp.VGTE: "is version {} or later",
}
"""Operator → words; the guard test walks `Cmp`."""


def sentence(rule: Rule, calendar: Calendar, segment_names: Mapping[int, str]) -> str:
    """The whole tree: `Users who did Charged at least 3 times from 27 October 2026 to now.`"""
    return f"Users {clause(rule, calendar, segment_names)}."


def clause(rule: Rule, calendar: Calendar, segment_names: Mapping[int, str]) -> str:
    """One node, as what follows "users": `who did Charged`."""
    match rule:
        case model.Group():
            inner = [clause(child, calendar, segment_names) for child in rule.rules]
            return _joined(inner, rule.op)
        case model.Not():
            return f"of whom it is not true that they are users {clause(rule.rule, calendar, segment_names)}"
        case EventRule():
            return _event(rule, calendar)
        case model.UserRule():
            name = ".".join(rule.condition.prop) if rule.field is None else rule.field.replace("_", " ")
            return f"whose {name} {_compared(rule.condition)}"
        case model.SegmentRule():
            name = segment_names.get(rule.segment_id, f"number {rule.segment_id}")
            return f"in the segment “{name}”"
        case model.ListRule():
            return "in the list"
        case model.WhoRule():
            return f"whose {rule.kind} is “{rule.value}”"
        case model.InterestRule():
            return _interest(rule, calendar)
        case model.RfmRule():
            return _rfm(rule, calendar)
    return "of any kind"


def event_names(rule: EventRule) -> str:
    """The events of a rule: "Charged or Search"."""
    names = [name for source in rule.sources for name in source.names or ("any event",)]
    return _joined(list(dict.fromkeys(names)), "or")


def limits_in_words(cmp: NumberCmp, limits: Sequence[float]) -> str:
    """A comparison with a number: "at least 3"."""
    return _LIMITS[cmp].format(*[f"{limit:g}" for limit in limits])


def _event(rule: EventRule, calendar: Calendar) -> str:
    picked = {Occurrence.ANY: "", Occurrence.FIRST: "for the first time ever", Occurrence.LAST: "for the last time"}
    how = " ".join(part for part in (picked[rule.occurrence], _measured(rule.measure)) if part)
    verb = "who did" if rule.did else "who did not do"
    if len(rule.sources) == 1:
        return f"{verb} {_source(rule.sources[0], how, calendar)}"
    sources = _joined([_source(source, "", calendar) for source in rule.sources], "or")
    return f"{verb} {sources}" + (f", in total {how}" if how else "")


def _measured(measure: model.Measure) -> str:
    """Nothing for "at least once", the plain case."""
    zero = ", counting users who never did it," if measure.include_zero else ""
    if measure == model.Measure():
        return ""
    limits = limits_in_words(measure.cmp, measure.value)
    if measure.fn is MeasureFn.COUNT:
        return f"{limits} times{zero}"
    return f"with {_FUNCTIONS[measure.fn]} of {'.'.join(measure.prop)} of {limits}{zero}"


def _source(source: model.Source, how: str, calendar: Calendar) -> str:
    names = " or ".join(source.names) or "any event"
    parts = [names, how, _window(source.when.range, calendar), *_times(source.when)]
    if source.where is not None:
        parts.append(f"where {_filter(source.where)}")
    return " ".join(part for part in parts if part)


def _window(range_: model.Range, calendar: Calendar) -> str:
    if range_.kind is RangeKind.ALL:
        return "at any time"
    window = calendar.window(range_)
    return f"{_since(window, calendar)}{_until(window, range_, calendar)}"


def _since(window: Window, calendar: Calendar) -> str:
    return "" if window.from_ms is None else f"from {_at(window.from_ms, calendar)} "


def _until(window: Window, range_: model.Range, calendar: Calendar) -> str:
    ends_now = range_.kind in (RangeKind.LAST, RangeKind.TODAY, RangeKind.AFTER)
    return "to now" if ends_now else f"to {_at(window.to_ms, calendar)}"


def _at(at_ms: int, calendar: Calendar) -> str:
    """A date alone where it is a whole day's edge, else with the time."""
    day = calendar.day_of(at_ms)
    if at_ms in (calendar.day_start_ms(day), calendar.day_end_ms(day)):
        return _date(day)
    return f"{calendar.local(at_ms):%H:%M} on {_date(day)}"


def _date(day: dt.date) -> str:
    return f"{day.day} {day:%B %Y}"


def _times(when: model.When) -> list[str]:
    parts = []
    if when.times:
        windows = [f"{_clock(start)} and {_clock(end)}" for start, end in when.times]
        parts.append(f"between {_joined(windows, 'or')}")
    if when.days_of_week:
        parts.append(f"on a {_joined([DAYS[day - 1] for day in when.days_of_week], 'or')}")
    if when.days_of_month:
        parts.append(f"on day {_joined([str(day) for day in when.days_of_month], 'or')} of the month")
    return parts


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _filter(filter_: Filter) -> str:
    match filter_:
        case model.FilterGroup():
            return _joined([_filter(child) for child in filter_.rules], filter_.op)
        case model.FilterNot():
            return f"it is not true that {_filter(filter_.rule)}"
    separator = "|" if filter_.item else "."
    return f"{separator.join(filter_.prop)} {_compared(filter_)}"


def _compared(condition: Condition) -> str:
    words = _COMPARED[condition.cmp].format(_value(condition.value))
    return f"{words} or is missing" if condition.match_missing else words


def _value(value: model.Value) -> str:
    match value:
        case tuple():
            shown = [_one(item) for item in value[:VALUES_SHOWN]]
            more = len(value) - VALUES_SHOWN
            return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
        case Last(count, unit):
            return f"{count} {unit}{'' if count == 1 else 's'}"
        case SizeValue(cmp, limits):
            return limits_in_words(cmp, limits)
        case None:
            return ""
    return _one(value)


def _one(value: model.Scalar | DayOrInstant) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f"“{value}”"
        case DateValue(epoch_s):
            return _utc(epoch_s)
        case Instant(ms):
            return _utc(ms // 1000)
        case dt.date():
            return _date(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _utc(epoch_s: int) -> str:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=max(epoch_s, -62_000_000_000))
    return f"{moment:%H:%M} UTC on {_date(moment.date())}"


def _interest(rule: model.InterestRule, calendar: Calendar) -> str:
    what = {
        InterestKind.PROPERTY: f"{'.'.join(rule.prop)} {_joined([_one(value) for value in rule.values], 'or')}",
        InterestKind.TIME_OF_DAY: _joined(_times(model.When(times=rule.times)), "or"),
        InterestKind.DAY_OF_WEEK: _joined(_times(model.When(days_of_week=rule.days_of_week)), "or"),
    }[rule.by]
    share = "mostly" if rule.mode is InterestMode.PREDOMINANTLY else f"at least {rule.pct:g} % of the time"
    return f"who did {rule.event} {_window(rule.range, calendar)} {share} with {what}"


def _rfm(rule: model.RfmRule, calendar: Calendar) -> str:
    parts = [
        f"{name} {_joined([str(score) for score in scores], 'or')}"
        for name, scores in (("recency", rule.recency), ("frequency", rule.frequency), ("money", rule.money))
        if scores
    ]
    if rule.cells:
        parts.append("one of the cells (recency, frequency) " + ", ".join(f"({r}, {f})" for r, f in rule.cells))
    scores = _joined(parts, "and") or "any score"
    return f"scored by {rule.event} {_window(rule.range, calendar)} with {scores}"


def _joined(parts: Sequence[str], word: str) -> str:
    if len(parts) < 2:
        return "".join(parts)
    has_more_levels = any(f" {word} " in part or " and " in part or " or " in part for part in parts)
    return f" {word} ".join(f"({part})" if has_more_levels else part for part in parts)
