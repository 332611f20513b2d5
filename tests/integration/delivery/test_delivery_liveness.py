"""Who lives is told without comparing clocks."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from belfry.clock import ManualClock
from belfry.delivery.liveness import BEAT_MS, MISSED_BEATS_MAX, Worker
from belfry.delivery.tables import workers
from belfry.ids import SequentialIds
from belfry.storage.relational import Database

TEN_MINUTES_MS = 600_000


def ids_in(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.scalars(sa.select(workers.c.worker_id)))


@pytest.mark.parametrize("skew_ms", [0, TEN_MINUTES_MS, -TEN_MINUTES_MS])
def test_a_worker_that_beats_is_never_taken_for_dead_whatever_its_clock_says(
    database: Database, clock: ManualClock, ids: SequentialIds, skew_ms: int
) -> None:
    skewed = ManualClock(clock.now_ms() + skew_ms)
    one, other = Worker(database, clock, ids, name="one"), Worker(database, skewed, ids, name="other")
    for _ in range(3 * MISSED_BEATS_MAX):
        one.beat()
        other.beat()
        clock.advance_ms(BEAT_MS)
        skewed.advance_ms(BEAT_MS)
    assert ids_in(database) == {one.id, other.id}


def test_a_worker_that_stopped_beating_is_struck_off_after_a_minute(
    database: Database, clock: ManualClock, ids: SequentialIds
) -> None:
    dead, alive = Worker(database, clock, ids, name="dead"), Worker(database, clock, ids, name="alive")
    dead.beat()
    for _ in range(MISSED_BEATS_MAX):
        alive.beat()
        assert dead.id in ids_in(database)
    alive.beat()
    assert ids_in(database) == {alive.id}


def test_a_clock_that_jumps_kills_nobody(database: Database, clock: ManualClock, ids: SequentialIds) -> None:
    other, watcher = Worker(database, clock, ids, name="other"), Worker(database, clock, ids, name="watcher")
    other.beat()
    watcher.beat()
    clock.advance_ms(TEN_MINUTES_MS)
    watcher.beat()
    clock.advance_ms(-TEN_MINUTES_MS)
    assert watcher.is_beat_due()
    watcher.beat()
    assert other.id in ids_in(database)


def test_a_restart_under_the_same_name_strikes_its_predecessor_off_at_once(
    database: Database, clock: ManualClock, ids: SequentialIds
) -> None:
    before = Worker(database, clock, ids, name="engine")
    before.beat()
    after = Worker(database, clock, ids, name="engine")
    after.beat()
    assert ids_in(database) == {after.id}


def test_a_worker_that_was_struck_off_comes_back_under_a_new_id(
    database: Database, clock: ManualClock, ids: SequentialIds
) -> None:
    slept, other = Worker(database, clock, ids, name="slept"), Worker(database, clock, ids, name="other")
    slept.beat()
    old = slept.id
    for _ in range(MISSED_BEATS_MAX + 1):
        other.beat()
    clock.advance_ms(BEAT_MS * MISSED_BEATS_MAX)
    assert not slept.is_current()
    slept.beat()
    assert slept.is_current()
    assert slept.id != old
    assert ids_in(database) == {slept.id, other.id}


def test_a_worker_stops_trusting_its_claims_before_others_take_it_for_dead(
    database: Database, clock: ManualClock, ids: SequentialIds
) -> None:
    worker = Worker(database, clock, ids, name="one")
    assert not worker.is_current()
    worker.beat()
    clock.advance_ms(BEAT_MS * MISSED_BEATS_MAX // 2 - 1)
    assert worker.is_current()
    clock.advance_ms(1)
    assert not worker.is_current()


def test_a_worker_that_leaves_is_gone(database: Database, clock: ManualClock, ids: SequentialIds) -> None:
    worker = Worker(database, clock, ids, name="one")
    worker.beat()
    worker.leave()
    assert ids_in(database) == set()
    assert not worker.is_current()
