"""Stage four: a plan as SQL. Only visible profiles are users; an event of a hidden profile counts for nobody."""

from __future__ import annotations

from belfry.errors import InternalError
from belfry.segments.compiler.optimise import Base, bound_by_events
from belfry.segments.compiler.parameters import Parameters
from belfry.segments.compiler.plan import (
    EVERYONE,
    All,
    AnyOf,
    EventSet,
    InterestSet,
    MemberSet,
    No,
    Node,
    OneProfile,
    Predicate,
    RfmSet,
    SetNode,
    Source,
)
from belfry.segments.compiler.predicates import FALSE, TRUE, RowPredicates, conjunction, disjunction
from belfry.segments.compiler.scans import Scans, Scope
from belfry.segments.model import Occurrence


class Printer:
    """Prints one statement; its parameters collect on the way."""

    def __init__(self, scope: Scope) -> None:
        self.parameters = Parameters()
        self._scope = scope
        self._rows = RowPredicates(self.parameters, scope.timezone)
        self._scans = Scans(self.parameters, scope)
        self._account = self.parameters.text(scope.account_id)

    def members(self, node: Node) -> str:
        """SELECT of the `profile_id` of every member, each once, in no order."""
        base = bound_by_events(node)
        return self._from_profiles(node) if base is None else self._from_events(base)

    def event_rows(self, source: Source, occurrence: Occurrence, others: Node) -> str:
        """WHERE of the events of a source whose user is visible and in `others`."""
        parts = [self._scans.rows(source, occurrence)]
        if others == EVERYONE:
            parts.append(self._is_visible())
        else:
            parts.append(f"profile_id IN ({self.members(others)})")
        return " AND ".join(parts)

    def figure(self, node: EventSet) -> str:
        """SELECT of (occurrences, the measure's figure) within the scope."""
        return self._scans.figure(node)

    def _from_profiles(self, node: Node) -> str:
        parts = [f"account_id = {self._account}", "hidden = 0", *self._scans.pushed(), self._tree(node)]
        where = " AND ".join(part for part in parts if part != TRUE)
        return f"SELECT profile_id FROM profile_snapshots FINAL WHERE {where}"

    def _from_events(self, base: Base) -> str:
        parts = [self._is_visible(), self._tree(base.rest)]
        where = " AND ".join(part for part in parts if part != TRUE)
        return f"SELECT profile_id FROM ({self._set(base.bound)}) WHERE {where}"

    def _tree(self, node: Node) -> str:
        match node:
            case All():
                return conjunction([self._tree(child) for child in node.nodes])
            case AnyOf():
                return disjunction([self._tree(child) for child in node.nodes])
            case No():
                return f"NOT {self._tree(node.node)}"
            case Predicate():
                return self._rows.test(node)
            case OneProfile(profile_id):
                return FALSE if profile_id is None else f"profile_id = {self.parameters.integer(profile_id)}"
            case MemberSet():
                return f"profile_id IN ({self._listed(node)})"
        return f"profile_id IN ({self._set(node)})"

    def _listed(self, node: MemberSet) -> str:
        """SELECT of the members that a segment lists."""
        segment, version = self.parameters.integer(node.segment_id), self.parameters.integer(node.version)
        return (
            f"SELECT profile_id FROM segment_members FINAL WHERE account_id = {self._account}"
            f" AND segment_id = {segment} AND version = {version} AND is_member = 1"
        )

    def _set(self, node: SetNode) -> str:
        match node:
            case EventSet():
                return self._scans.event_set(node)
            case InterestSet():
                return self._scans.interest(node)
            case RfmSet():
                return self._scans.rfm(node, self._is_visible())
        raise InternalError(f"{type(node).__name__} is not a set over events")

    def _is_visible(self) -> str:
        return f"profile_id NOT IN ({hidden_profiles(self._account)})"


def hidden_profiles(account: str) -> str:
    """SELECT of the hidden profiles of an account, without `FINAL`.

    Every event's profile has a snapshot (the pipeline sees to it), so who is not hidden is visible. Only profiles that
    were ever hidden are looked at for their newest version; merging all versions of all profiles would cost more.
    """
    ever = f"SELECT profile_id FROM profile_snapshots WHERE account_id = {account} AND hidden = 1"
    return (
        f"SELECT profile_id FROM profile_snapshots WHERE account_id = {account} AND profile_id IN ({ever}) "
        "GROUP BY profile_id HAVING argMax(hidden, version) = 1"
    )
