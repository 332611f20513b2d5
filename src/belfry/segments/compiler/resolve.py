"""Stage two: a rule tree in one account and one moment becomes a plan."""

from __future__ import annotations

from typing import Protocol

from belfry.errors import BadRequest
from belfry.events import names
from belfry.ids import ProfileId
from belfry.segments import model
from belfry.segments.calendar import Calendar
from belfry.segments.compiler.checks import age_test, test_of
from belfry.segments.compiler.plan import (
    EVERYONE,
    NOBODY,
    All,
    AnyOf,
    DeviceField,
    EventSet,
    Flag,
    InstantColumn,
    InterestSet,
    ListColumn,
    MemberSet,
    No,
    Node,
    NumberColumn,
    OneOf,
    OneProfile,
    Operand,
    Predicate,
    Present,
    Property,
    RfmSet,
    Source,
    TextColumn,
)
from belfry.segments.fields import FIELDS, FieldKind
from belfry.segments.measures import holds_at_zero
from belfry.segments.model import Filter, Rule

UNPROCESSED = 0
"""The version of a list of which no upload was processed yet (`segments.members`)."""
NODES_MAX = 500
"""Leaves of a tree with all saved segments put in their places."""


class Lookups(Protocol):
    """What a rule tree may refer to in its account."""

    def segment_rule(self, segment_id: int) -> Rule | None:
        """The rule of a saved segment, None if there is none."""
        ...

    def profile_of(self, kind: str, value: str) -> ProfileId | None:
        """Whose identity or device this is, None if nobody's."""
        ...


def resolve(rule: Rule, calendar: Calendar, lookups: Lookups) -> Node:
    """Place a tree in an account's calendar and data.

    raises  BadRequest with the position: an unknown saved segment, a cycle of segments, too many rules altogether
    """
    return _Resolver(calendar, lookups).rule(rule, ())


class _Resolver:
    def __init__(self, calendar: Calendar, lookups: Lookups) -> None:
        self._calendar = calendar
        self._lookups = lookups
        self._leaves = 0

    def rule(self, rule: Rule, inside: tuple[int, ...]) -> Node:
        match rule:
            case model.Group():
                nodes = tuple(self.rule(child, inside) for child in rule.rules)
                return All(nodes) if rule.op is model.GroupOp.AND else AnyOf(nodes)
            case model.Not():
                return No(self.rule(rule.rule, inside))
            case model.SegmentRule():
                return self._segment(rule, inside)
        self._count(rule.at)
        return self._leaf(rule)

    def _count(self, at: str) -> None:
        self._leaves += 1
        if self._leaves > NODES_MAX:
            raise BadRequest(
                f"{at}: with all segments inside it, the tree has more than {NODES_MAX} rules",
                field=at,
                limit=NODES_MAX,
            )

    def _leaf(self, rule: model.Leaf) -> Node:
        match rule:
            case model.EventRule():
                return self._event(rule)
            case model.UserRule():
                return self._user(rule)
            case model.InterestRule():
                return self._interest(rule)
            case model.RfmRule():
                return self._rfm(rule)
            case model.ListRule():
                return _members(rule)
            case model.WhoRule():
                return OneProfile(self._lookups.profile_of(rule.kind, rule.value))
            case _:
                return EVERYONE

    def _segment(self, rule: model.SegmentRule, inside: tuple[int, ...]) -> Node:
        if rule.segment_id in inside:
            chain = " → ".join(str(segment) for segment in (*inside, rule.segment_id))
            raise BadRequest(f"{rule.at}: segments refer to each other in a circle: {chain}", field=rule.at)
        saved = self._lookups.segment_rule(rule.segment_id)
        if saved is None:
            raise BadRequest(f"{rule.at}: there is no segment {rule.segment_id}", field=rule.at)
        return self.rule(saved, (*inside, rule.segment_id))

    def _event(self, rule: model.EventRule) -> Node:
        sources = tuple(self._source(source) for source in rule.sources)
        with_absent = rule.measure.include_zero and holds_at_zero(rule.measure)
        # Users without an occurrence qualify too: they are those for whom the measure does not fail.
        node: Node = EventSet(sources, rule.measure, rule.occurrence, negated=with_absent)
        return node if rule.did is not with_absent else No(node)

    def _source(self, source: model.Source) -> Source:
        return Source(
            names=tuple(sorted({names.fold(name) for name in source.names})),
            window=self._calendar.window(source.when.range),
            where=None if source.where is None else self._filter(source.where),
            times=source.when.times,
            days_of_week=tuple(sorted(set(source.when.days_of_week))),
            days_of_month=tuple(sorted(set(source.when.days_of_month))),
        )

    def _filter(self, filter_: Filter) -> Node:
        match filter_:
            case model.FilterGroup():
                nodes = tuple(self._filter(child) for child in filter_.rules)
                return All(nodes) if filter_.op is model.GroupOp.AND else AnyOf(nodes)
            case model.FilterNot():
                return No(self._filter(filter_.rule))
        return test_of(filter_, Property(filter_.prop, filter_.item), self._calendar)

    def _user(self, rule: model.UserRule) -> Node:
        condition = rule.condition
        if rule.field is None:
            return test_of(condition, Property(condition.prop), self._calendar)
        kind = FIELDS[rule.field]
        if kind is FieldKind.AGE:
            return age_test(condition, self._calendar)
        if kind is FieldKind.FLAG:
            return Predicate(Flag(rule.field), Present(), negated=condition.value != (True,))
        return test_of(condition, _operand(rule.field, kind), self._calendar)

    def _interest(self, rule: model.InterestRule) -> Node:
        source = Source((names.fold(rule.event),), self._calendar.window(rule.range))
        chosen = test_of(
            model.Condition(rule.prop, model.Cmp.IN, rule.values, False), Property(rule.prop), self._calendar
        ).check
        return InterestSet(
            source,
            Property(rule.prop) if rule.prop else None,
            chosen if isinstance(chosen, OneOf) else OneOf(),
            rule.times,
            rule.days_of_week,
            rule.mode is model.InterestMode.PREDOMINANTLY,
            rule.pct,
            rule.minimum,
        )

    def _rfm(self, rule: model.RfmRule) -> Node:
        window = self._calendar.window(rule.range)
        if window.is_empty:
            return NOBODY
        monetary = Property(rule.monetary) if rule.monetary else None
        source = Source((names.fold(rule.event),), window)
        return RfmSet(source, monetary, rule.recency, rule.frequency, rule.money, rule.cells)


def _members(rule: model.ListRule) -> Node:
    if rule.version == UNPROCESSED:
        raise BadRequest(f"{rule.at}: the list {rule.segment_id} has not been processed yet", field=rule.at)
    return MemberSet(rule.segment_id, rule.version)


def _operand(field: str, kind: FieldKind) -> Operand:
    match (kind, field):
        case (FieldKind.TEXT, "identity" | "email" | "phone"):
            return TextColumn(field)
        case (FieldKind.NUMBER, "bucket"):
            return NumberColumn(field)
        case (FieldKind.INSTANT, "created_at"):
            return InstantColumn(field)
        case (FieldKind.LIST, "reachable"):
            return ListColumn(field)
    return DeviceField(field)
