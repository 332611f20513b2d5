"""A block is in the columnar store exactly once, whenever the engine is killed (trials R2, R7)."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from belfry.config import Settings
from belfry.storage.columnar import Columnar, ColumnarError, embedded_dsn
from support.columnar import EmbeddedEngine
from support.columnar_rows import EVENT_COLUMNS, event_lines, event_row

ROWS = 3_000
MONTHS = 3


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EmbeddedEngine]:
    own = EmbeddedEngine(Settings(data_dir=str(tmp_path)))
    own.start()
    yield own
    if own.is_running:
        own.stop()


@pytest.fixture
def store(engine: EmbeddedEngine) -> Iterator[Columnar]:
    client = Columnar(lambda: embedded_dsn(engine.settings))
    client.create_tables()
    yield client
    client.close()


def block(number: int) -> bytes:
    """A block of rows over several months: several parts."""
    rows = range(number * ROWS, (number + 1) * ROWS)
    return event_lines(event_row(seq, day=f"2026-{1 + seq % MONTHS:02d}-15") for seq in rows)


def insert(store: Columnar, number: int) -> None:
    store.insert_json("events", EVENT_COLUMNS, block(number), token=f"block-{number}")


def assert_each_once(store: Columnar, blocks: int) -> None:
    assert store.rows("SELECT count(), uniqExact(seq) FROM events") == [(blocks * ROWS, blocks * ROWS)]


def test_a_token_is_remembered_by_the_next_process(engine: EmbeddedEngine, store: Columnar) -> None:
    insert(store, 0)
    for end in (engine.stop, engine.kill):
        end()
        engine.start()
        insert(store, 0)
        assert_each_once(store, 1)


def test_a_token_is_remembered_after_its_part_was_merged(engine: EmbeddedEngine, store: Columnar) -> None:
    for number in range(3):
        insert(store, number)
    store.command("OPTIMIZE TABLE events FINAL")
    engine.kill()
    engine.start()
    for number in range(3):
        insert(store, number)
    assert_each_once(store, 3)


@pytest.mark.parametrize("kills", [pytest.param(6), pytest.param(50, marks=pytest.mark.soak)])
def test_a_block_that_was_in_flight_at_a_kill_is_there_once_after_it_is_repeated(
    engine: EmbeddedEngine, store: Columnar, kills: int
) -> None:
    chance = random.Random(kills)
    for number in range(kills):
        killer = threading.Timer(chance.uniform(0, 0.12), engine.kill)
        killer.start()
        try:
            insert(store, number)
        except ColumnarError:
            pass
        killer.join()
        engine.start()
        insert(store, number)
        assert_each_once(store, number + 1)


def test_a_token_whose_part_was_never_moved_into_place_is_free_again(engine: EmbeddedEngine, store: Columnar) -> None:
    """A kill between the engine's two writes, made by hand: the token is on disk, one month's part is not."""
    insert(store, 0)
    engine.kill()
    parts = list(engine.settings.path("columnar").glob("store/*/*/202602_*"))
    assert len(parts) == 1
    shutil.rmtree(parts[0])
    engine.start()
    assert store.value("SELECT count() FROM events") == ROWS * 2 // 3
    insert(store, 0)
    assert_each_once(store, 1)


def test_repeating_an_insert_while_the_first_still_runs_inserts_once(store: Columnar) -> None:
    threads = [threading.Thread(target=insert, args=(store, 0)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_each_once(store, 1)


def test_an_insert_goes_on_by_itself_when_the_engine_is_back(engine: EmbeddedEngine, store: Columnar) -> None:
    insert(store, 0)
    engine.kill()
    started = time.monotonic()
    with pytest.raises(ColumnarError):
        insert(store, 1)
    assert time.monotonic() - started < 10, "a store that is away is noticed at once"
    engine.start()
    insert(store, 1)
    assert_each_once(store, 2)
