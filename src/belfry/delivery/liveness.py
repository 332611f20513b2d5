"""Who may hold claims: processes that beat, and what the others make of one that stopped.

No times are compared between machines, because their clocks differ (trial R8). A worker counts up its own beat; the
others watch the number. Who has not moved through `MISSED_BEATS_MAX` looks, each at least `BEAT_MS` apart on the
watcher's own clock, is dead, and its claims go back. A restart under the same name buries its predecessor at once.

A worker that was buried although it lives (its machine slept) finds its row gone at the next beat, and stops trusting
its claims already before that: see `is_current`.
"""

from __future__ import annotations

import sqlalchemy as sa

from belfry.clock import Clock
from belfry.delivery.tables import workers
from belfry.ids import Ids
from belfry.storage.relational import Database

BEAT_MS = 5_000
MISSED_BEATS_MAX = 12


class Worker:
    """This process among the workers of the installation.

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

    def beat(self) -> list[str]:
        """Show that this worker lives and look at the others; returns those that are dead: bury them.

        Joins first if need be. A worker that was buried joins again under a new id: its claims are no longer its own.
        """
        with self._database.begin() as connection:
            beaten = connection.execute(
                sa.update(workers).where(workers.c.worker_id == self.id).values(beat=workers.c.beat + 1)
            )
            if beaten.rowcount == 0:
                self._join(connection)
            others = connection.execute(sa.select(workers).where(workers.c.worker_id != self.id)).all()
        self._beat_at_ms = self._clock.now_ms()
        return self._observe(others)

    def bury(self, connection: sa.Connection, worker_ids: list[str]) -> None:
        """Strike dead workers off, in the transaction that gives their claims back."""
        connection.execute(sa.delete(workers).where(workers.c.worker_id.in_(worker_ids)))

    def leave(self) -> None:
        """Strike this worker off: it holds no claims any more."""
        with self._database.begin() as connection:
            self.bury(connection, [self.id])
        self._beat_at_ms = None

    def _join(self, connection: sa.Connection) -> None:
        if self._beat_at_ms is not None:
            self.id = self._ids.token_hex(8)
        connection.execute(sa.insert(workers).values(worker_id=self.id, name=self._name, beat=0))

    def _observe(self, others: list[sa.Row[tuple[str, str, int]]]) -> list[str]:
        """Count for how many looks each of the others has shown the same beat."""
        looks = {}
        for other in others:
            beat, missed_count = self._seen.get(other.worker_id, (other.beat, -1))
            looks[other.worker_id] = (other.beat, missed_count + 1 if beat == other.beat else 0)
        self._seen = looks
        return [o.worker_id for o in others if o.name == self._name or looks[o.worker_id][1] >= MISSED_BEATS_MAX]
