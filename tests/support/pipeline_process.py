"""The pipeline in a process of its own that ends, like a crash, at a named place (`belfry.faults`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from belfry.config import Settings

ENDS_WITHIN_S = 60

_PROGRAM = """
import ctypes, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: does not outlive the tests
sys.path.insert(0, sys.argv[2])
import msgspec
from support.pipeline_process import Plan, run
run(msgspec.json.decode(sys.argv[1], type=Plan))
"""


class Plan(msgspec.Struct):
    """What the process does: apply the whole log. `settings.fault_point`: where it is killed."""

    settings: Settings
    database_dsn: str
    columnar_dsn: str
    now_ms: int


def run_in_process(plan: Plan) -> int:
    """Run it; its exit code, -9 if it was killed."""
    program = [sys.executable, "-c", _PROGRAM, msgspec.json.encode(plan).decode(), str(Path(__file__).parents[1])]
    ended = subprocess.run(program, capture_output=True, timeout=ENDS_WITHIN_S, check=False)
    assert ended.returncode in {0, -9}, ended.stderr.decode(errors="replace")[-4000:]
    return ended.returncode


def run(plan: Plan) -> None:
    """What the process does."""
    from belfry import faults
    from belfry.clock import ManualClock
    from belfry.storage.columnar import Columnar
    from belfry.storage.relational import Database
    from support.thread import open_pipeline

    if plan.settings.fault_point:
        faults.arm(plan.settings.fault_point)
    database, columnar = Database(plan.database_dsn), Columnar(plan.columnar_dsn)
    pipeline = open_pipeline(plan.settings, database, columnar, ManualClock(plan.now_ms))
    while pipeline.step() is not None:
        pass
