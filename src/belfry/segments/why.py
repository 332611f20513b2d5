"""Why a user is, or is not, in a segment: for each leaf of the tree, whether it holds and by how much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from belfry.segments.calendar import Calendar
from belfry.segments.compiler import Lookups, Scope, Statement, compile_figure, compile_members
from belfry.segments.model import EventRule, Group, Leaf, MeasureFn, Not, NumberCmp, Occurrence, Rule
from belfry.segments.words import clause, event_names, limits_in_words

Rows = Callable[[Statement], Sequence[Sequence[object]]]
"""Runs a statement."""


class Reason(msgspec.Struct, frozen=True):
    """One leaf and what it says of the user.

    at       the leaf's position in the tree
    holds    whether the user satisfies the leaf itself, before any `not` around it
    text     "Charged happened 2 times, at least 3 needed"
    """

    at: str
    holds: bool
    text: str


def explain(rule: Rule, scope: Scope, lookups: Lookups, rows: Rows, segment_names: Mapping[int, str]) -> list[Reason]:
    """A reason for every leaf, in the order of the tree. `scope` must name one profile."""
    calendar = Calendar(scope.timezone, scope.as_of_ms)
    reasons = []
    for leaf in leaves(rule):
        holds = bool(rows(compile_members(leaf, scope, lookups, limit=1)))
        text = None
        if isinstance(leaf, EventRule) and leaf.occurrence is Occurrence.ANY:
            count, figure = rows(compile_figure(leaf, scope, lookups))[0]
            text = _happened(leaf, int(str(count)), figure)
        words = clause(leaf, calendar, segment_names)
        reasons.append(Reason(leaf.at, holds, text or f"{'holds' if holds else 'does not hold'}: {words}"))
    return reasons


def leaves(rule: Rule) -> Iterator[Leaf]:
    """The leaves of a tree, left to right."""
    match rule:
        case Group():
            for child in rule.rules:
                yield from leaves(child)
        case Not():
            yield from leaves(rule.rule)
        case _:
            yield rule


def _happened(rule: EventRule, count: int, figure: object) -> str:
    """What was found beside what was asked for."""
    names = event_names(rule)
    times = (
        f"{names} happened {_times(count)} as asked for" if _has_filter(rule) else f"{names} happened {_times(count)}"
    )
    measure = rule.measure
    if not rule.did and measure.fn is MeasureFn.COUNT and (measure.cmp, measure.value) == (NumberCmp.GTE, (1,)):
        return f"{times}, none allowed"
    needed = limits_in_words(measure.cmp, measure.value)
    verb = "needed" if rule.did else "not allowed"
    if measure.fn is MeasureFn.COUNT:
        return f"{times}, {needed} {verb}"
    found = "nothing" if figure is None else f"{figure:g}" if isinstance(figure, int | float) else str(figure)
    return f"{times}, {measure.fn} of {'.'.join(measure.prop)} is {found}, {needed} {verb}"


def _has_filter(rule: EventRule) -> bool:
    return any(source.where is not None for source in rule.sources)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
