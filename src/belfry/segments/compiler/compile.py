"""The stages of the compiler, one after the other."""

from __future__ import annotations

import msgspec

from belfry.segments.calendar import Calendar
from belfry.segments.compiler.optimise import optimise
from belfry.segments.compiler.parameters import ParameterValue
from belfry.segments.compiler.printer import Printer
from belfry.segments.compiler.resolve import Lookups, resolve
from belfry.segments.compiler.scans import Scope
from belfry.segments.model import Rule


class Statement(msgspec.Struct, frozen=True):
    """SQL and the values for its placeholders."""

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


def _members(rule: Rule, scope: Scope, lookups: Lookups) -> tuple[Printer, str]:
    plan = optimise(resolve(rule, Calendar(scope.timezone, scope.as_of_ms), lookups))
    printer = Printer(scope)
    return printer, printer.members(plan)
