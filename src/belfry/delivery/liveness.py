"""Who may hold claims: processes that beat, and what the others make of one that stopped.

No times are compared between machines, because their clocks differ (trial R8). A worker counts up its own beat; the
others watch the number. Who has not moved through `MISSED_BEATS_MAX` looks, each at least `BEAT_MS` apart on the
watcher's own clock, is struck off, and its claims go back. A restart under the same name strikes its predecessor off
at once.

A worker that was struck off although it lives (its machine slept) finds its row gone at the next beat, and stops
trusting its claims already before that: see `is_current`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from belfry.clock import Clock
from belfry.delivery.tables import workers
from belfry.ids import Ids
from belfry.storage.relational import Database

BEAT_MS = 5_000
MISSED_BEATS_MAX = 12


class Worker:
    """One process among the workers of the installation: the one that runs this.

    name   the same after a restart, and no other living process's
    id     fresh for each `join`; what claims are marked with
    """

    def __init__(self, database: Database, clock: Clock, ids: Ids, *, name: str) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._name = name
        self._beat_at_ms: int | None = None
        self._seen: dict[str, tuple[int, int]] = {}
        self.id = ids.token_hex(8)

    def is_current(self) -> bool:
        """Whether nobody can have taken this worker for dead: its last beat is younger than half the patience."""
        if self._beat_at_ms is None:
            return False
        return abs(self._clock.now_ms() - self._beat_at_ms) < BEAT_MS * MISSED_BEATS_MAX // 2

    def is_beat_due(self) -> bool:
        # A clock that is set back must not silence the beat: any distance counts.
        return self._beat_at_ms is None or abs(self._clock.now_ms() - self._beat_at_ms) >= BEAT_MS

    def beat(self) -> None:
        """Show that this worker lives, look at the others, and strike off those that are dead.

        Whatever is claimed by someone who is not a worker any more may be taken. Joins first if need be; a worker
        that was struck off joins again under a new id: its claims are no longer its own.
        """
        with self._database.begin() as connection:
            beaten = connection.execute(
                sa.update(workers).where(workers.c.worker_id == self.id).values(beat=workers.c.beat + 1)
            )
            if beaten.rowcount == 0:
                self._join(connection)
            others = connection.execute(sa.select(workers).where(workers.c.worker_id != self.id)).all()
            _strike_off(connection, self._observe(others))
        self._beat_at_ms = self._clock.now_ms()

    def leave(self) -> None:
        """Strike this worker off: it holds no claims any more."""
        with self._database.begin() as connection:
            _strike_off(connection, [self.id])
        self._beat_at_ms = None

    def _join(self, connection: sa.Connection) -> None:
        if self._beat_at_ms is not None:
            self.id = self._ids.token_hex(8)
        connection.execute(sa.insert(workers).values(worker_id=self.id, name=self._name, beat=0))

    def _observe(self, others: Sequence[Sequence[Any]]) -> list[str]:
        """Count for how many looks each of the others has shown the same beat; returns who is dead."""
        missed = {}
        for worker_id, _name, beat in others:
            beat_before, missed_count = self._seen.get(worker_id, (beat, -1))
            missed[worker_id] = (beat, missed_count + 1 if beat == beat_before else 0)
        self._seen = missed
        return [i for i, name, _ in others if name == self._name or missed[i][1] >= MISSED_BEATS_MAX]


def _strike_off(connection: sa.Connection, worker_ids: list[str]) -> None:
    if worker_ids:
        connection.execute(sa.delete(workers).where(workers.c.worker_id.in_(worker_ids)))


def living() -> sa.Select[tuple[str]]:
    """The ids of all workers, for `NOT IN`: a claim of anybody else may be taken."""
    return sa.select(workers.c.worker_id)
