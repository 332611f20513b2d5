"""The stages of the compiler, one after the other."""

from __future__ import annotations

import msgspec

from belfry.errors import InternalError
from belfry.segments.calendar import Calendar
from belfry.segments.compiler.optimise import optimise
from belfry.segments.compiler.parameters import ParameterValue
from belfry.segments.compiler.plan import EVERYONE, EventSet, No
from belfry.segments.compiler.printer import Printer
from belfry.segments.compiler.resolve import Lookups, resolve
from belfry.segments.compiler.scans import Scope
from belfry.segments.model import EventRule, Rule


class Statement(msgspec.Struct, frozen=True):
    """SQL, or a WHERE of it, and the values for its placeholders."""

    sql: str
    parameters: dict[str, ParameterValue]


def compile_members(rule: Rule, scope: Scope, lookups: Lookups, *, limit: int | None = None) -> Statement:
    """The `profile_id` of every user that the rule picks, ascending, at most `limit`.

    raises  BadRequest with a position for what only the account can tell: unknown segments, cycles
    """
    printer, sql = _members(rule, scope, lookups)
    ending = "" if limit is None else f" LIMIT {int(limit)}"
    return Statement(f"{sql} ORDER BY profile_id{ending}", printer.parameters.values)


def compile_count(rule: Rule, scope: Scope, lookups: Lookups) -> Statement:
    """How many users the rule picks."""
    printer, sql = _members(rule, scope, lookups)
    return Statement(f"SELECT count() FROM ({sql})", printer.parameters.values)


def compile_event_rows(rule: EventRule, others: Rule | None, scope: Scope, lookups: Lookups) -> Statement:
    """The WHERE that picks the occurrences themselves that an event rule of one source looks at.

    others  what the user must satisfy besides; None: nothing
    """
    calendar = Calendar(scope.timezone, scope.as_of_ms)
    node = _event_set(rule, calendar, lookups)
    users = EVERYONE if others is None else optimise(resolve(others, calendar, lookups))
    printer = Printer(scope)
    return Statement(printer.event_rows(node.sources[0], node.occurrence, users), printer.parameters.values)


def compile_figure(rule: EventRule, scope: Scope, lookups: Lookups) -> Statement:
    """One row: how many matching occurrences the scope's profile has, and the measure's figure over them."""
    node = _event_set(rule, Calendar(scope.timezone, scope.as_of_ms), lookups)
    printer = Printer(scope)
    return Statement(printer.figure(node), printer.parameters.values)


def _event_set(rule: EventRule, calendar: Calendar, lookups: Lookups) -> EventSet:
    node = resolve(rule, calendar, lookups)
    found = node.node if isinstance(node, No) else node
    if not isinstance(found, EventSet):
        raise InternalError("an event rule that is no set of events")
    return found


def _members(rule: Rule, scope: Scope, lookups: Lookups) -> tuple[Printer, str]:
    plan = optimise(resolve(rule, Calendar(scope.timezone, scope.as_of_ms), lookups))
    printer = Printer(scope)
    return printer, printer.members(plan)
