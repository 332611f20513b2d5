"""The compiler of segments: rule tree → plan → cheaper equal plan → one parameterised SQL statement.

`resolve.py` places a tree in an account and a moment (ranges become instants, names fold, saved segments are put in
place); `plan.py` is what it makes; `optimise.py` has the rewrites, each with its precondition; `printer.py` prints the
statement, with `scans.py` for sets of users over events and `predicates.py` for tests of one row. No value is
pasted into SQL text: `parameters.py` hands out placeholders. Nothing here touches a
store. Start at `compile.py`.
"""

from belfry.segments.compiler.compile import (
    Statement,
    compile_count,
    compile_event_rows,
    compile_figure,
    compile_members,
)
from belfry.segments.compiler.resolve import Lookups
from belfry.segments.compiler.scans import Scope

__all__ = [
    "Lookups",
    "Scope",
    "Statement",
    "compile_count",
    "compile_event_rows",
    "compile_figure",
    "compile_members",
]
