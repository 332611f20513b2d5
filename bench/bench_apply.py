"""Applying the log into both stores: `python -m bench.bench_apply [--seconds 60] [--users 100000] [--batch 20000]`.

The figure is events a second from the log (bodies of 1 000 events, as the edge keeps them) into the relational and the
columnar store, each event of a random one of the users, whose profiles are all there before the clock starts. Another
process writes the log meanwhile. Memory is that of the pipeline's process and of the columnar one.

The raw limits are measured in the same run, each alone on the machine: the columnar rows of one block inserted through
the client, and the activity rows of one block written to SQLite. The ratio is to the lower of the two.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from belfry.accounts.model import Account, AccountSettings, AccountState
from belfry.clock import SystemClock
from belfry.config import Settings
from belfry.ids import AccountId, SystemIds
from belfry.intake import PartnerPolicy
from belfry.main.stores import open_columnar, open_migrated
from belfry.pipeline.apply import BlockApplier
from belfry.pipeline.loop import Pipeline, tune_garbage_collection
from belfry.pipeline.rows import EVENT_COLUMNS
from belfry.profiles.tables import activity
from belfry.storage.columnar import Columnar
from belfry.storage.log import Entry, FileLog, open_log, open_reader
from belfry.storage.relational import Database, bulk_insert, upsert
from bench.bench_columnar import serve, started

ACCOUNT = AccountId("BENCH-000-1")
NAMES = ("Bought", "Product Viewed", "Opened", "Searched")
RECORDS = 1000
BODIES = 200
AHEAD_ENTRIES = 400
"""How far the log is kept ahead of the pipeline."""
TIME = 1_000_000_000
"""Stands in the bodies for the time, which each copy of a body has anew."""
WARM_UP_SECONDS = 10.0
LIMIT_SECONDS = 10.0
WATCH_EVERY_S = 30.0


def body(users: Sequence[int], chance: random.Random) -> bytes:
    """An upload with an event of each of these users."""
    return msgspec.json.encode({"d": [_record(user, chance) for user in users]})


def _record(user: int, chance: random.Random) -> dict[str, Any]:
    amount, sku = round(chance.random() * 100, 2), f"K9-{chance.randrange(500)}"
    data = {"Amount": amount, "City": "Lisbon", "qty": chance.randrange(9), "SKU": sku}
    return {"type": "event", "identity": f"user-{user}", "ts": TIME, "evtName": chance.choice(NAMES), "evtData": data}


async def append(log: FileLog, bodies: Sequence[bytes], ts_s: int) -> None:
    now_ms, stamp = time.time_ns() // 1_000_000, str(ts_s).encode()
    meta: dict[str, Any] = {"refused": []}
    for at in range(0, len(bodies), 50):
        entries = [
            Entry(ACCOUNT, "upload", now_ms, "bench", meta, one.replace(str(TIME).encode(), stamp))
            for one in bodies[at : at + 50]
        ]
        await asyncio.gather(*(log.append(entry) for entry in entries))


def write_log(settings: Settings, users_count: int, applied: Any, pipe: Connection) -> None:
    """The edge's part: every user once, then random ones, some entries ahead of the pipeline, until told to stop."""
    chance, everyone = random.Random(1), range(users_count)
    log = open_log(settings, clock=SystemClock(), ids=SystemIds())
    ts_s = int(time.time()) - 3000

    async def run() -> None:
        first = [body(everyone[at : at + RECORDS], chance) for at in range(0, users_count, RECORDS)]
        await append(log, first, ts_s)
        pipe.send(log.end())
        bodies = [body(chance.choices(everyone, k=RECORDS), chance) for _ in range(BODIES)]
        pipe.recv()
        rounds = 0
        while not pipe.poll():
            if log.end() - applied.value > AHEAD_ENTRIES:
                await asyncio.sleep(0.01)
                continue
            rounds += 1
            await append(log, bodies, ts_s + rounds)
            log.drop(applied=applied.value, older_than_ms=time.time_ns() // 1_000_000)

    asyncio.run(run())
    log.close()


class LastBlock:
    """A columnar client that remembers the rows of the largest block of events."""

    def __init__(self, columnar: Columnar) -> None:
        self._columnar = columnar
        self.lines = b""

    def insert_rows(self, table: str, columns: Sequence[str], lines: bytes, *, token: str) -> None:
        if table == "events" and len(lines) > len(self.lines):
            self.lines = lines
        self._columnar.insert_rows(table, columns, lines, token=token)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._columnar, name)


def build(settings: Settings, database: Database, columnar: Any) -> Pipeline:
    account = Account(ACCOUNT, "Bench", "UTC", "eu1", AccountState.ACTIVE, AccountSettings(), 0)
    applier = BlockApplier(
        database=database,
        columnar=columnar,
        accounts={ACCOUNT: account}.get,
        partners=lambda _: PartnerPolicy(),
        clock=SystemClock(),
        profiles_cached_max=settings.profiles_cached_max,
        secret=b"bench" * 8,
    )
    return Pipeline(
        reader=open_reader(settings.path("log")),
        stream=0,
        database=database,
        columnar=columnar,
        applier=applier,
        clock=SystemClock(),
        settings=settings,
    )


class Memory:
    """Resident memory of this process and the columnar one, MiB."""

    def __init__(self, columnar_pid: int) -> None:
        self._pids = (os.getpid(), columnar_pid)

    def now(self) -> tuple[int, ...]:
        return tuple(self._resident_mib(pid) for pid in self._pids)

    @staticmethod
    def _resident_mib(pid: int) -> int:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def apply_for(pipeline: Pipeline, applied: Any, seconds: float, watch: Callable[[float, int], None]) -> float:
    """Apply blocks for some seconds; events a second."""
    began = watched = time.perf_counter()
    first = pipeline.position
    while (now := time.perf_counter()) - began < seconds:
        if pipeline.step() is None:
            time.sleep(0.001)
        applied.value = pipeline.position
        if now - watched >= WATCH_EVERY_S:
            watch(now - began, pipeline.position - first)
            watched = now
    return (pipeline.position - first) * RECORDS / (time.perf_counter() - began)


def per_second(work: Callable[[int], int], seconds: float) -> float:
    """Things a second; `work` does some, is told how often it was called before, and says how many."""
    began, done, number = time.perf_counter(), 0, 0
    while time.perf_counter() - began < seconds:
        done += work(number)
        number += 1
    return done / (time.perf_counter() - began)


def columnar_limit(columnar: Columnar, lines: bytes) -> float:
    """Rows a second of one block's events, inserted again and again."""
    count = lines.count(b"\n")

    def insert(number: int) -> int:
        columnar.insert_rows("events", EVENT_COLUMNS, lines, token=f"limit-{number}")
        return count

    return per_second(insert, LIMIT_SECONDS)


def relational_limit(database: Database, block_events: int) -> float:
    """Events a second whose activity rows are written: those of the users whom a block meets."""
    with database.read() as connection:
        rows = [tuple(row) for row in connection.execute(activity.select())]
    chance = random.Random(2)

    def write(number: int) -> int:
        met = sorted(set(chance.choices(range(len(rows)), k=block_events)))
        changed = [(*rows[at][:3], rows[at][3][:-4] + number.to_bytes(4, "little")) for at in met]
        with database.begin() as connection:
            bulk_insert(connection, upsert(activity, connection), activity.columns.keys(), changed)
        return block_events

    return per_second(write, LIMIT_SECONDS)


def measure(
    settings: Settings, database: Database, columnar: Columnar, memory: Memory, users: int, seconds: float
) -> None:
    recorder = LastBlock(columnar)
    applied = multiprocessing.get_context("spawn").Value("q", 0)
    writer, pipe = started(write_log, settings, users, applied)
    end = pipe.recv()
    pipeline = build(settings, database, recorder)
    tune_garbage_collection()
    began = time.perf_counter()
    while pipeline.position < end:
        pipeline.step()
    print(f"first event of {users:,} new users: {users / (time.perf_counter() - began):,.0f}/s", flush=True)
    pipe.send("on")
    apply_for(pipeline, applied, WARM_UP_SECONDS, lambda *_: None)
    recorder.lines = b""  # the blocks of new users are not like the others

    def watch(passed_s: float, entries: int) -> None:
        print(f"  {passed_s:4.0f} s: {entries * RECORDS / passed_s:,.0f}/s, {memory.now()} MiB", flush=True)

    before, used_s, first = memory.now(), time.process_time(), pipeline.position
    figure = apply_for(pipeline, applied, seconds, watch)
    cpu_us = (time.process_time() - used_s) / (pipeline.position - first) / RECORDS * 1e6
    after = memory.now()
    pipe.send("stop")
    writer.join()
    while pipeline.step() is not None:
        pass
    block_events = recorder.lines.count(b"\n")
    inserts, writes = columnar_limit(columnar, recorder.lines), relational_limit(database, block_events)
    print(f"apply: {figure:,.0f} events/s for {seconds:g} s, {cpu_us:.1f} us of this process's CPU each")
    print(f"raw limits, each alone: columnar inserts {inserts:,.0f}/s, activity upserts {writes:,.0f}/s", end="; ")
    print(f"ratio to the lower {figure / min(inserts, writes):.2f}")
    print(f"memory of pipeline and columnar store: {before} -> {after} MiB; blocks of {block_events:,} events")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the measurement; the goal speaks of 300")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=Settings().batch_records_max, help="records of a block")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="belfry-bench-") as folder:
        settings = Settings(data_dir=folder, batch_records_max=arguments.batch)
        process, pipe = started(serve, settings)
        pipe.recv()
        database, columnar = open_migrated(settings), open_columnar(settings)
        columnar.create_tables()
        try:
            measure(settings, database, columnar, Memory(process.pid or 0), arguments.users, arguments.seconds)
        finally:
            columnar.close()
            database.close()
            process.terminate()
            process.join()


if __name__ == "__main__":
    main()
