"""Stage three: plans that select the same users for less. Any order of the rewrites is correct.

Each rewrite is a class whose docstring states what must be true for it to apply; where it does not, the plan is
returned as it was. A new one is added to `REWRITES` and tested alone, plan in, plan out.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from belfry.segments.compiler.plan import EVERYONE, NOBODY, All, AnyOf, EventSet, No, Node, Predicate, SetNode, Source
from belfry.segments.measures import is_at_least_once
from belfry.segments.model import MeasureFn, Occurrence


class Rewrite(Protocol):
    """One step on one node whose children have had theirs."""

    def apply(self, node: Node) -> Node:
        """An equal node, cheaper or the same."""
        ...


class FlattenGroups:
    """A group inside a group of the same kind is spliced in; a group of one is that one; twice not is nothing.

    Precondition: none.
    """

    def apply(self, node: Node) -> Node:
        match node:
            case No(No(inner)):
                return inner
            case All(nodes):
                return _group(All, [part for child in nodes for part in _parts(All, child)])
            case AnyOf(nodes):
                return _group(AnyOf, [part for child in nodes for part in _parts(AnyOf, child)])
        return node


class FoldConstants:
    """Everyone and nobody vanish from groups, or decide them.

    Precondition: the group or its negation holds a constant.
    """

    def apply(self, node: Node) -> Node:
        match node:
            case No(inner) if inner == NOBODY:
                return EVERYONE
            case No(inner) if inner == EVERYONE:
                return NOBODY
            case All(nodes) if NOBODY in nodes:
                return NOBODY
            case AnyOf(nodes) if EVERYONE in nodes:
                return EVERYONE
            case All(nodes):
                return All(tuple(child for child in nodes if child != EVERYONE))
            case AnyOf(nodes):
                return AnyOf(tuple(child for child in nodes if child != NOBODY))
        return node


class DropEmptyWindows:
    """Sources that lie after the moment of evaluation select nothing; a set without sources is nobody.

    Precondition: the occurrence is any. First and last pick over all sources' events before a window is looked at.
    """

    def apply(self, node: Node) -> Node:
        if not isinstance(node, EventSet) or node.occurrence is not Occurrence.ANY:
            return node
        sources = tuple(source for source in node.sources if not source.window.is_empty)
        return msgspec.structs.replace(node, sources=sources) if sources else NOBODY


class PickByTimeAlone:
    """The first or last occurrence is found by min or max of the time instead of ordering whole rows.

    Precondition: one source, no filter on properties, and the measure counts. Then all events of one user at one
    instant match alike, so it does not matter which of them is picked.
    """

    def apply(self, node: Node) -> Node:
        if not isinstance(node, EventSet) or node.occurrence is Occurrence.ANY or len(node.sources) != 1:
            return node
        if node.sources[0].where is not None or node.measure.fn is not MeasureFn.COUNT:
            return node
        return msgspec.structs.replace(node, by_time_alone=True)


class OneScanForAlternatives:
    """Several "did it at least once", any of them enough, become one scan for any of the events.

    Precondition: the group is an `or`; only its members that ask for at least one of all occurrences are joined.
    """

    def apply(self, node: Node) -> Node:
        if not isinstance(node, AnyOf):
            return node
        sources: list[Source] = []
        rest: list[Node] = []
        for child in node.nodes:
            if isinstance(child, EventSet) and _is_plain_did(child):
                sources.extend(child.sources)
            else:
                rest.append(child)
        if len(node.nodes) - len(rest) < 2:
            return node
        return _group(AnyOf, [EventSet(tuple(dict.fromkeys(sources))), *rest])


REWRITES: tuple[Rewrite, ...] = (
    FlattenGroups(),
    DropEmptyWindows(),
    FoldConstants(),
    PickByTimeAlone(),
    OneScanForAlternatives(),
    FlattenGroups(),
)


def optimise(node: Node) -> Node:
    """All rewrites, one after the other, each from the leaves up."""
    for rewrite in REWRITES:
        node = _bottom_up(rewrite, node)
    return node


class Base(msgspec.Struct, frozen=True):
    """A plan split into a set over events that bounds it, and what must hold besides."""

    bound: SetNode
    rest: Node


def bound_by_events(node: Node) -> Base | None:
    """Start from users who did something instead of from all users.

    Precondition: the plan is a set over events, or an `and` that holds one, and no test looks at a profile: then
    the profile snapshots need not be read but for the hidden profiles. None if it does not apply.
    """
    if _looks_at_profiles(node):
        return None
    if isinstance(node, SetNode):
        return Base(node, EVERYONE)
    if not isinstance(node, All):
        return None
    bounds = [child for child in node.nodes if isinstance(child, SetNode)]
    if not bounds:
        return None
    rest = list(node.nodes)
    rest.remove(bounds[0])
    return Base(bounds[0], All(tuple(rest)))


def _looks_at_profiles(node: Node) -> bool:
    match node:
        case Predicate():
            return True
        case All(nodes) | AnyOf(nodes):
            return any(_looks_at_profiles(child) for child in nodes)
        case No(inner):
            return _looks_at_profiles(inner)
    return False


def _bottom_up(rewrite: Rewrite, node: Node) -> Node:
    match node:
        case All(nodes):
            node = All(tuple(_bottom_up(rewrite, child) for child in nodes))
        case AnyOf(nodes):
            node = AnyOf(tuple(_bottom_up(rewrite, child) for child in nodes))
        case No(inner):
            node = No(_bottom_up(rewrite, inner))
    return rewrite.apply(node)


def _parts(kind: type[All] | type[AnyOf], node: Node) -> tuple[Node, ...]:
    return node.nodes if isinstance(node, All | AnyOf) and isinstance(node, kind) else (node,)


def _group(kind: type[All] | type[AnyOf], nodes: list[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else kind(tuple(nodes))


def _is_plain_did(node: EventSet) -> bool:
    return node.occurrence is Occurrence.ANY and not node.negated and is_at_least_once(node.measure)
