"""Named places where a test may end the process, to prove that a restart loses and doubles nothing.

`hit("pipeline.after_insert")` costs one look at an empty dict in production. A test sets the setting
`fault_point` to `name:n`: the process kills itself (SIGKILL) the n-th time that it comes by.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "pipeline.after_read",
    "pipeline.after_note",
    "pipeline.after_apply",
    "pipeline.after_insert",
    "pipeline.after_commit",
    "pipeline.after_moves",
    "dispatcher.after_claim",
    "dispatcher.after_send",
    "dispatcher.after_note",
    "launch.after_rows",
)

_countdown: dict[str, int] = {}


def arm(spec: str) -> None:
    """Arm one point: `name` or `name:n`. Raises ValueError for a name that is not in `POINTS`."""
    name, _, count = spec.partition(":")
    if name not in POINTS:
        raise ValueError(f"unknown fault point {name!r}; known: {', '.join(POINTS)}")
    _countdown[name] = int(count or 1)


def hit(name: str) -> None:
    """End the process here if the point is armed and due."""
    if not _countdown or name not in _countdown:
        return
    _countdown[name] -= 1
    if _countdown[name] <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
