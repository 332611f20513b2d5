"""Those who write one SQLite file take turns: nobody is kept out by one who never stops writing."""

from __future__ import annotations

import multiprocessing
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
import sqlalchemy as sa

from belfry.storage.relational import Database, StoreBusy
from belfry.storage.relational.turns import ProcessTurns, ThreadTurns, Turns


def test_threads_get_their_turn_in_the_order_of_asking() -> None:
    turns = ThreadTurns()
    assert turns.acquire(1)
    order: list[int] = []

    def ask(number: int) -> None:
        assert turns.acquire(10)
        order.append(number)
        turns.release()

    threads = []
    for number in range(10):
        threads.append(threading.Thread(target=ask, args=(number,)))
        threads[-1].start()
        while len(turns._waiting) <= number:
            time.sleep(0.001)
    turns.release()
    for thread in threads:
        thread.join()
    assert order == list(range(10))


def test_a_thread_that_gave_up_is_not_called() -> None:
    turns = ThreadTurns()
    assert turns.acquire(1)
    assert not turns.acquire(0.01)
    turns.release()
    assert turns.acquire(0.01)
    turns.release()


def test_a_turn_that_does_not_come_is_busy(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "x.db", wait_s=0.05)
    others = Turns(tmp_path / "x.db", wait_s=0.05)
    with turns.take():
        with pytest.raises(StoreBusy, match="another thread"), turns.take():
            pass
        with pytest.raises(StoreBusy, match="another process"), others.take():
            pass
    with others.take():
        pass
    turns.close()
    others.close()


def _write_without_a_break(dsn: str, started: Event, stop: Event) -> None:
    database = Database(dsn)
    while not stop.is_set():
        with database.begin() as connection:
            connection.execute(sa.text("UPDATE counters SET hog = hog + 1"))
            time.sleep(0.005)
        started.set()


def test_a_process_that_writes_without_a_break_lets_others_in(sqlite_database: Database) -> None:
    with sqlite_database.begin() as connection:
        connection.execute(sa.text("CREATE TABLE counters (hog INTEGER)"))
        connection.execute(sa.text("INSERT INTO counters VALUES (0)"))
    context = multiprocessing.get_context("spawn")
    started, stop = context.Event(), context.Event()
    hogs = [context.Process(target=_write_without_a_break, args=(sqlite_database.dsn, started, stop)) for _ in range(2)]
    for hog in hogs:
        hog.start()
    assert started.wait(30)
    waits = []
    for _ in range(20):
        before = time.monotonic()
        with sqlite_database.begin() as connection:
            waits.append(time.monotonic() - before)
            connection.execute(sa.text("UPDATE counters SET hog = hog + 0"))
    stop.set()
    for hog in hogs:
        hog.join()
    assert [hog.exitcode for hog in hogs] == [0, 0]
    # Two others with turns of a few milliseconds: far from SQLite's own way, which may lose for seconds.
    assert max(waits) < 2


def _die_with_the_turn(path: Path, ready: Event) -> None:
    turns = ProcessTurns(path)
    assert turns.acquire(time.monotonic() + 5)
    ready.set()
    time.sleep(60)


def test_a_process_that_dies_gives_its_turn_back(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_die_with_the_turn, args=(tmp_path / "x.db", ready))
    holder.start()
    assert ready.wait(30)
    turns = ProcessTurns(tmp_path / "x.db")
    assert not turns.acquire(time.monotonic() + 0.02)
    holder.kill()
    holder.join()
    assert turns.acquire(time.monotonic() + 5)
    turns.release()
    turns.close()
