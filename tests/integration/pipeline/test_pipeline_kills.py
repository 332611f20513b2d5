"""Trials R2, R6 and R7: killed anywhere, restarted, replayed, the pipeline comes to the same rows, once each."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
import pytest

from belfry import faults
from belfry.pipeline.loop import Pipeline
from support.pipeline_process import Plan, run_in_process
from support.store_dump import Dump, Stores, differences, dump
from support.thread import DataThread, event, open_pipeline
from support.upload_histories import play

POINTS = [point for point in faults.POINTS if point.startswith("pipeline.")]
SEEDS = (101, 103, 200)
REQUESTS_COUNT = 40


def apply_all(pipeline: Pipeline) -> int:
    """Apply the log to its end; how many blocks that took."""
    blocks_count = 0
    while pipeline.step() is not None:
        blocks_count += 1
    return blocks_count


def plan_of(thread: DataThread, stores: Stores, *, batch: int, fault_point: str = "") -> Plan:
    settings = msgspec.structs.replace(thread.settings, batch_records_max=batch, fault_point=fault_point)
    dsn = stores.database.engine.url.render_as_string(hide_password=False) if stores.database.is_sqlite else ""
    return Plan(settings, dsn or stores.database.dsn, stores.columnar_dsn, thread.clock.now_ms())


def replay(thread: DataThread, stores: Stores, *, batch: int) -> int:
    """Apply the log to other stores, in blocks of another size; how many there were."""
    settings = msgspec.structs.replace(thread.settings, batch_records_max=batch)
    return apply_all(open_pipeline(settings, stores.database, stores.columnar, thread.clock, thread.accounts))


def killed_and_restarted(thread: DataThread, stores: Stores, point: str, nth: int, batch: int) -> Dump:
    """What the stores hold after a run that was killed and one that was not."""
    code = run_in_process(plan_of(thread, stores, batch=batch, fault_point=f"{point}:{nth}"))
    assert code == -9, "the point was never reached"
    replay(thread, stores, batch=batch)
    return dump(stores.database, stores.columnar)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_between_any_two_steps_loses_and_doubles_nothing(
    thread: DataThread, empty_stores: Callable[[], Stores], point: str
) -> None:
    seed = POINTS.index(point)
    play(thread, seed, REQUESTS_COUNT)
    unkilled = dump(thread.database, thread.columnar)
    # Small blocks are full blocks: the next one is applied while they are stored.
    killed = killed_and_restarted(thread, empty_stores(), point, nth=3, batch=20)
    assert differences(unkilled, killed) == {}, f"seed {seed}"


@pytest.mark.soak
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("seed", range(50))
def test_fifty_kills_at_each_point(
    thread: DataThread, empty_stores: Callable[[], Stores], point: str, seed: int
) -> None:
    chance = random.Random(seed)
    play(thread, seed, 60)
    stores = empty_stores()
    for _ in range(3):  # a restart is killed as well
        nth, batch = chance.randint(1, 4), chance.choice([1, 10, 40, 200])
        run_in_process(plan_of(thread, stores, batch=batch, fault_point=f"{point}:{nth}"))
    replay(thread, stores, batch=200)
    unkilled = dump(thread.database, thread.columnar)
    assert differences(unkilled, dump(stores.database, stores.columnar)) == {}, f"seed {seed}"


def test_rows_that_a_crash_left_are_not_taken_for_an_earlier_request(
    thread: DataThread, empty_stores: Callable[[], Stores]
) -> None:
    now_s = thread.clock.now_ms() // 1000
    thread.upload(*(event("u", "Step", {"n": n}, ts=now_s - 100 + n) for n in range(20)))
    thread.upload(event("u", "Late", ts=now_s - 3600))  # only the columnar store knows if it was there before
    stores = empty_stores()
    killed_and_restarted(thread, stores, "pipeline.after_insert", nth=2, batch=1)
    assert stores.columnar.value("SELECT count() FROM events WHERE name = 'late'") == 1
    assert stores.columnar.value("SELECT count() FROM error_records") == 0
    thread.apply()
    assert differences(dump(thread.database, thread.columnar), dump(stores.database, stores.columnar)) == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay_of_the_log_into_empty_stores_makes_the_same_rows_whatever_the_blocks(
    thread: DataThread, empty_stores: Callable[[], Stores], seed: int
) -> None:
    play(thread, seed, REQUESTS_COUNT)
    applied = dump(thread.database, thread.columnar)
    assert len(applied["events"]) > REQUESTS_COUNT
    assert applied["identity_log"], "the history has something to move"
    block_counts = set()
    for batch in (20, 100_000):
        stores = empty_stores()
        block_counts.add(replay(thread, stores, batch=batch))
        assert differences(applied, dump(stores.database, stores.columnar)) == {}, f"seed {seed}, batch {batch}"
    assert len(block_counts) == 2


def test_a_restart_at_its_position_changes_nothing_even_when_the_tokens_are_forgotten(
    thread: DataThread,
) -> None:
    play(thread, 7, REQUESTS_COUNT)
    applied = dump(thread.database, thread.columnar)
    for table in ("events", "error_records", "profile_snapshots"):
        # The columnar store's memory of tokens is a window; older replays are stopped by the position alone.
        thread.columnar.command(f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 0")
    assert apply_all(thread.new_pipeline()) == 0
    assert differences(applied, dump(thread.database, thread.columnar)) == {}


def test_blocks_of_a_busy_log_overlap_and_come_out_in_order(
    thread: DataThread, empty_stores: Callable[[], Stores]
) -> None:
    for number in range(60):
        thread.upload(*(event(f"user-{user}", "Step", {"n": number}) for user in range(5)))
    stores = empty_stores()
    assert replay(thread, stores, batch=10) >= 20
    steps = stores.columnar.rows(
        "SELECT profile_id, groupArray(n) FROM (SELECT profile_id, props.n.:Int64 AS n"
        " FROM events WHERE name = 'step' ORDER BY seq) GROUP BY profile_id"
    )
    assert [row[1] for row in steps] == [list(range(60))] * 5
