"""The flow of blocks: what overlaps, what never does, and what a failing store leads to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from belfry.clock import ManualClock
from belfry.config import Settings
from belfry.ids import AccountId
from belfry.pipeline.loop import Block, Pipeline, Rows
from belfry.pipeline.position import committed_position
from belfry.storage.columnar import ColumnarError
from belfry.storage.log import Entry, Stored
from belfry.storage.relational import Database

WAIT_S = 10


class LogInMemory:
    """A log whose entries are in a list."""

    def __init__(self, *kinds: str) -> None:
        self.entries = [
            Stored(position, Entry(AccountId("A"), kind, 0, "r", {}, b"x" * 100))
            for position, kind in enumerate(kinds, start=1)
        ]

    def read(self, after: int, *, bytes_max: int, entries_max: int = 10_000) -> Sequence[Stored]:
        count = max(1, min(bytes_max // 100, entries_max))
        return self.entries[after : after + count]

    def first(self) -> int:
        return 1

    def end(self) -> int:
        return len(self.entries)


class StoreInMemory:
    """A columnar store that keeps blocks by token, fails when told to, and calls back before each insert."""

    def __init__(self, journal: list[str]) -> None:
        self.journal = journal
        self.tokens: list[str] = []
        self.failures_count = 0
        self.before_insert: Callable[[str], object] = lambda _token: None

    def insert_rows(self, table: str, columns: Sequence[str], lines: bytes, *, token: str) -> None:
        self.before_insert(token)
        if self.failures_count:
            self.failures_count -= 1
            raise ColumnarError("no room", 243)
        self.tokens.append(token)
        self.journal.append(f"inserted {lines.decode()}")


class Done(msgspec.Struct):
    rows: list[Rows]
    is_last: bool
    on_write: Callable[[sa.Connection], object]

    def write(self, connection: sa.Connection) -> None:
        self.on_write(connection)


class Journalist:
    """An applier that only says what is asked of it. `asks`: it has to know what the block before stored."""

    def __init__(self, journal: list[str]) -> None:
        self.journal = journal
        self.asks = False
        self.is_last = False
        self.on_write: Callable[[], object] = lambda: None

    def apply(self, block: Block, finish_previous: Callable[[], None]) -> Done:
        name = f"{block.after + 1}-{block.to}"
        self.journal.append(f"applying {name}")
        if self.asks:
            finish_previous()
        self.journal.append(f"applied {name}")
        return Done([Rows("events", ("a",), name.encode())], self.is_last, lambda _: self._write(name))

    def _write(self, name: str) -> None:
        self.on_write()
        self.journal.append(f"written {name}")

    def settle(self) -> None:
        self.journal.append("settled")

    def forget(self) -> None:
        self.journal.append("forgotten")


class World:
    """A pipeline with everything around it in memory, but for the relational store."""

    def __init__(self, database: Database, *kinds: str, batch: int = 1) -> None:
        self.journal: list[str] = []
        self.columnar, self.applier = StoreInMemory(self.journal), Journalist(self.journal)
        self.database = database
        self.pipeline = self._pipeline(LogInMemory(*kinds), batch)

    def _pipeline(self, log: LogInMemory, batch: int) -> Pipeline:
        columnar: Any = self.columnar
        return Pipeline(
            reader=log,
            stream=0,
            database=self.database,
            columnar=columnar,
            applier=self.applier,
            clock=ManualClock(1),
            settings=Settings(batch_records_max=batch),
        )

    def run(self) -> list[str]:
        """Apply everything; what happened after the start."""
        while self.pipeline.step() is not None:
            pass
        return self.journal[1:]

    @property
    def position(self) -> int:
        return committed_position(self.database, 0)


def test_the_next_block_is_applied_while_the_one_before_is_stored(sqlite_database: Database) -> None:
    world = World(sqlite_database, "upload", "upload")
    second_applied = threading.Event()
    world.columnar.before_insert = lambda token: "0-1" not in token or second_applied.wait(WAIT_S)
    apply = world.applier.apply

    def apply_and_tell(block: Block, finish_previous: Callable[[], None]) -> Done:
        done = apply(block, finish_previous)
        if block.after == 1:
            assert world.position == 0, "the first block is not committed yet"
            second_applied.set()
        return done

    world.applier.apply = apply_and_tell  # type: ignore[method-assign]
    assert [line for line in world.run() if "1-1" in line or "2-2" in line] == [
        "applying 1-1",
        "applied 1-1",
        "applying 2-2",
        "applied 2-2",
        "inserted 1-1",
        "written 1-1",
        "inserted 2-2",
        "written 2-2",
    ]
    assert world.position == 2


def test_who_asks_for_what_the_block_before_stored_gets_it_committed(sqlite_database: Database) -> None:
    world = World(sqlite_database, "upload", "upload")
    world.applier.asks = True
    journal = world.run()
    assert journal.index("written 1-1") < journal.index("applied 2-2")


def test_a_block_with_something_to_settle_is_settled_before_the_next_is_applied(sqlite_database: Database) -> None:
    world = World(sqlite_database, "upload", "upload")
    world.applier.is_last = True
    journal = world.run()
    assert journal.index("settled") < journal.index("applying 2-2")


def test_a_command_is_a_block_of_its_own_with_everything_before_it_settled(sqlite_database: Database) -> None:
    world = World(sqlite_database, "upload", "upload", "command", "command", "upload", batch=100)
    assert [line for line in world.run() if not line.startswith(("applied", "inserted"))] == [
        "applying 1-2",
        "written 1-2",
        "settled",
        "applying 3-3",
        "written 3-3",
        "settled",
        "applying 4-4",
        "written 4-4",
        "settled",
        "applying 5-5",
        "written 5-5",
        "settled",
    ]


@pytest.mark.parametrize("fails", ["insert", "commit"])
def test_a_failing_store_leaves_the_position_and_the_same_block_comes_again(
    sqlite_database: Database, fails: str
) -> None:
    world = World(sqlite_database, "upload", "upload", "upload")
    failures = iter([True])
    if fails == "insert":
        world.columnar.failures_count = 1
    else:

        def fail_once() -> None:
            if next(failures, False):
                raise sa.exc.OperationalError("UPDATE", None, OSError("disk full"))

        world.applier.on_write = fail_once
    with pytest.raises((ColumnarError, sa.exc.OperationalError)):
        world.run()
    assert world.position == 0
    world.pipeline.forget()
    world.run()
    assert world.position == 3
    tokens = [token.removesuffix(":events") for token in world.columnar.tokens]
    assert tokens == (["0:0-1"] if fails == "commit" else []) + ["0:0-1", "0:1-2", "0:2-3"]
    assert [line for line in world.journal if line.startswith("written")] == [
        "written 1-1",
        "written 2-2",
        "written 3-3",
    ]


def test_stopping_commits_what_is_being_stored(sqlite_database: Database) -> None:
    world = World(sqlite_database, *["upload"] * 50)
    stop = threading.Event()
    world.columnar.before_insert = lambda token: stop.set() if token.startswith("0:9-") else None
    world.pipeline.run(stop)
    assert world.position >= 10
    assert world.journal[-1].startswith("written")
