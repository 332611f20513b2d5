"""Each rewrite alone: plan in, plan out, and where its precondition does not hold, the plan as it was."""

from __future__ import annotations

import pytest

from belfry.segments.calendar import Window
from belfry.segments.compiler.optimise import (
    REWRITES,
    Base,
    DropEmptyWindows,
    FlattenGroups,
    FoldConstants,
    OneScanForAlternatives,
    PickByTimeAlone,
    bound_by_events,
    optimise,
)
from belfry.segments.compiler.plan import (
    EVERYONE,
    NOBODY,
    All,
    AnyOf,
    EventSet,
    No,
    Node,
    OneProfile,
    Predicate,
    Present,
    Property,
    Source,
)
from belfry.segments.model import Measure, MeasureFn, NumberCmp, Occurrence

WINDOW = Window(0, 1000)
EMPTY = Window(2000, 1000)
HAS_PLAN = Predicate(Property(("plan",)), Present())
HAS_NAME = Predicate(Property(("name",)), Present())
TWICE = Measure(value=(2,))


def source(name: str, window: Window = WINDOW, where: Node | None = None) -> Source:
    return Source((name,), window, where)


DID_A = EventSet((source("a"),))
DID_B = EventSet((source("b"),))
A_TWICE = EventSet((source("a"),), TWICE)
FIRST_A = EventSet((source("a"),), occurrence=Occurrence.FIRST)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        pytest.param(All((All((DID_A, DID_B)), HAS_PLAN)), All((DID_A, DID_B, HAS_PLAN)), id="and in and"),
        pytest.param(AnyOf((DID_A, AnyOf((DID_B,)))), AnyOf((DID_A, DID_B)), id="or in or"),
        pytest.param(All((AnyOf((DID_A, DID_B)),)), AnyOf((DID_A, DID_B)), id="a group of one"),
        pytest.param(No(No(DID_A)), DID_A, id="twice not"),
        pytest.param(
            All((AnyOf((DID_A, DID_B)), HAS_PLAN)), All((AnyOf((DID_A, DID_B)), HAS_PLAN)), id="or in and stays"
        ),
        pytest.param(EVERYONE, EVERYONE, id="an empty and stays"),
    ],
)
def test_groups_of_one_kind_are_spliced(plan: Node, expected: Node) -> None:
    assert FlattenGroups().apply(plan) == expected


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        pytest.param(No(NOBODY), EVERYONE, id="not nobody"),
        pytest.param(No(EVERYONE), NOBODY, id="not everyone"),
        pytest.param(All((DID_A, NOBODY)), NOBODY, id="and nobody"),
        pytest.param(AnyOf((DID_A, EVERYONE)), EVERYONE, id="or everyone"),
        pytest.param(All((DID_A, EVERYONE)), All((DID_A,)), id="and everyone"),
        pytest.param(AnyOf((DID_A, NOBODY)), AnyOf((DID_A,)), id="or nobody"),
        pytest.param(No(DID_A), No(DID_A), id="no constant"),
    ],
)
def test_constants_vanish_or_decide(plan: Node, expected: Node) -> None:
    assert FoldConstants().apply(plan) == expected


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        pytest.param(EventSet((source("a", EMPTY),)), NOBODY, id="nothing left"),
        pytest.param(EventSet((source("a", EMPTY), source("b"))), DID_B, id="one left"),
        pytest.param(DID_A, DID_A, id="nothing empty"),
        pytest.param(
            EventSet((source("a", EMPTY), source("b")), occurrence=Occurrence.FIRST),
            EventSet((source("a", EMPTY), source("b")), occurrence=Occurrence.FIRST),
            id="the first of both is picked before windows count",
        ),
    ],
)
def test_sources_in_the_future_are_dropped(plan: Node, expected: Node) -> None:
    assert DropEmptyWindows().apply(plan) == expected


@pytest.mark.parametrize(
    ("plan", "applies"),
    [
        pytest.param(FIRST_A, True, id="first of one event"),
        pytest.param(EventSet((source("a"),), TWICE, Occurrence.LAST), True, id="last, counted"),
        pytest.param(DID_A, False, id="all occurrences"),
        pytest.param(EventSet((source("a", where=HAS_PLAN),), occurrence=Occurrence.FIRST), False, id="with a filter"),
        pytest.param(EventSet((source("a"), source("b")), occurrence=Occurrence.FIRST), False, id="two sources"),
        pytest.param(
            EventSet((source("a"),), Measure(MeasureFn.SUM, ("x",)), Occurrence.FIRST), False, id="a sum of properties"
        ),
    ],
)
def test_the_first_occurrence_is_found_by_time_where_nothing_else_matters(plan: Node, applies: bool) -> None:
    after = PickByTimeAlone().apply(plan)
    assert isinstance(after, EventSet)
    assert after.by_time_alone is applies


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        pytest.param(AnyOf((DID_A, DID_B)), EventSet((source("a"), source("b"))), id="two events, one scan"),
        pytest.param(
            AnyOf((DID_A, HAS_PLAN, DID_B)),
            AnyOf((EventSet((source("a"), source("b"))), HAS_PLAN)),
            id="the rest stays",
        ),
        pytest.param(AnyOf((DID_A, A_TWICE)), AnyOf((DID_A, A_TWICE)), id="counts are not joined"),
        pytest.param(AnyOf((DID_A, FIRST_A)), AnyOf((DID_A, FIRST_A)), id="first occurrences are not joined"),
        pytest.param(All((DID_A, DID_B)), All((DID_A, DID_B)), id="not in an and"),
        pytest.param(
            AnyOf((DID_A, EventSet((source("b"),), negated=True))),
            AnyOf((DID_A, EventSet((source("b"),), negated=True))),
            id="not a negated one",
        ),
        pytest.param(
            AnyOf((DID_A, EventSet((source("b"),), Measure(cmp=NumberCmp.LTE, value=(1,))))),
            AnyOf((DID_A, EventSet((source("b"),), Measure(cmp=NumberCmp.LTE, value=(1,))))),
            id="at most once is no at least once",
        ),
    ],
)
def test_alternatives_share_one_scan(plan: Node, expected: Node) -> None:
    assert OneScanForAlternatives().apply(plan) == expected


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        pytest.param(DID_A, Base(DID_A, EVERYONE), id="one set"),
        pytest.param(All((DID_A, No(DID_B))), Base(DID_A, All((No(DID_B),))), id="and not another"),
        pytest.param(No(DID_A), None, id="not: all users count"),
        pytest.param(AnyOf((DID_A, No(DID_B))), None, id="or not: all users count"),
        pytest.param(All((DID_A, HAS_PLAN)), None, id="profiles are read anyway"),
        pytest.param(All((No(DID_A), No(DID_B))), None, id="no set to start from"),
        pytest.param(OneProfile(7), None, id="one user"),
    ],
)
def test_a_plan_starts_from_events_where_they_bound_it(plan: Node, expected: Base | None) -> None:
    assert bound_by_events(plan) == expected


def test_all_rewrites_together_reach_into_the_tree() -> None:
    plan = No(AnyOf((All((AnyOf((DID_A, DID_B)),)), EventSet((source("c", EMPTY),)))))
    assert optimise(plan) == No(EventSet((source("a"), source("b"))))


def test_rewrites_leave_a_plan_without_their_precondition_alone() -> None:
    plan = All((A_TWICE, HAS_PLAN, No(HAS_NAME)))
    assert all(rewrite.apply(plan) == plan for rewrite in REWRITES)
