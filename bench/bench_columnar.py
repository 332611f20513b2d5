"""Inserts and reads of the columnar store: `python bench/bench_columnar.py [--seconds 5]`.

The figure is blocks of 20 000 events as JSON lines through the client and the columnar process, fsynced, with a
deduplication token. The raw limit is the same blocks given to chDB inside a process, measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from belfry.config import Settings
from belfry.events.tables import EVENTS
from belfry.storage.columnar import Columnar, embedded_dsn
from belfry.storage.columnar.client import INSERT_SETTINGS

BLOCK_ROWS = 20_000
COLUMNS = ("account_id", "name", "day", "profile_id", "ts", "seq", "recorded_profile_id", "device_id", "source")
COLUMNS += ("key_hash", "received_at", "props")


def block(number: int) -> bytes:
    """A block of shop events with five properties, of one month."""
    lines = []
    for seq in range(number * BLOCK_ROWS, (number + 1) * BLOCK_ROWS):
        props = {
            "Product name": f"Watch {seq % 500}",
            "Price": seq % 900 / 10,
            "Quantity": seq % 5,
            "Gift": seq % 9 == 0,
        }
        props["Category"] = ("watches", "rings", "chains")[seq % 3]
        values = ("bench", f"event{seq % 20}", "2026-11-25", seq % 100_000, 1_795_608_000_000 + seq, seq)
        values += (seq % 100_000, "", "upload", seq, 1_795_608_000_000, props)
        lines.append(json.dumps(dict(zip(COLUMNS, values, strict=True))))
    return "\n".join(lines).encode() + b"\n"


def serve(settings: Settings, pipe: Connection) -> None:
    from belfry.storage.columnar.embedded import run_embedded

    run_embedded(settings, 0, lambda: pipe.send("ready"))


def per_second(insert: Callable[[int, bytes], None], blocks: list[bytes], seconds: float) -> float:
    """Rows a second; every block under a token of its own."""
    insert(0, blocks[0])
    started = time.perf_counter()
    done = 0
    while time.perf_counter() - started < seconds:
        done += 1
        insert(done, blocks[done % len(blocks)])
    return done * BLOCK_ROWS / (time.perf_counter() - started)


def bare(folder: str, blocks: list[bytes], seconds: float, pipe: Connection) -> None:
    """The raw limit: chDB in this process, no HTTP."""
    import chdb

    connection = chdb.connect(folder)
    connection.query(EVENTS.create_sql())
    connection.query("SET " + ", ".join(f"{name} = {value}" for name, value in INSERT_SETTINGS.items()))
    head = f"INSERT INTO events ({', '.join(COLUMNS)}) FORMAT JSONEachRow\n".encode()

    def insert(number: int, lines: bytes) -> None:
        connection.query(f"SET insert_deduplication_token = '{number}'")
        connection.query(head + lines)

    pipe.send(per_second(insert, blocks, seconds))
    connection.close()


def started(target: Callable[..., None], *arguments: object) -> tuple[SpawnProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(*arguments, theirs))
    process.start()
    return process, ours


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


def latencies_ms(ask: Callable[[], object], count: int) -> list[float]:
    found = []
    for _ in range(count):
        before = time.perf_counter()
        ask()
        found.append((time.perf_counter() - before) * 1000)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    seconds = parser.parse_args().seconds
    blocks = [block(number) for number in range(5)]
    print(f"block: {BLOCK_ROWS} rows, {len(blocks[0]) / BLOCK_ROWS:.0f} bytes a row")
    with tempfile.TemporaryDirectory(prefix="belfry-bench-") as folder:
        limit_process, pipe = started(bare, str(Path(folder, "bare")), blocks, seconds)
        limit = pipe.recv()
        limit_process.join()
        settings = Settings(data_dir=folder)
        process, pipe = started(serve, settings)
        pipe.recv()
        store = Columnar(lambda: embedded_dsn(settings))
        try:
            measure(store, blocks, seconds, limit)
        finally:
            store.close()
            process.terminate()
            process.join()


def measure(store: Columnar, blocks: list[bytes], seconds: float, limit: float) -> None:
    store.command(EVENTS.create_sql())
    figure = per_second(
        lambda number, lines: store.insert_json("events", COLUMNS, lines, token=str(number)), blocks, seconds
    )
    print(f"insert: {figure:,.0f} rows/s; raw limit (chDB in process): {limit:,.0f}; ratio {figure / limit:.2f}")
    again = latencies_ms(lambda: store.insert_json("events", COLUMNS, blocks[0], token="0"), 10)
    print(f"insert of a known block: {percentile(again, 0.5):.0f} ms")
    short = latencies_ms(lambda: store.value("SELECT 1"), 500)
    print(f"SELECT 1: p50 {percentile(short, 0.5):.2f} ms, p99 {percentile(short, 0.99):.2f} ms")
    rows = store.value("SELECT count() FROM events")
    sql = "SELECT uniqExact(profile_id) FROM events WHERE account_id = 'bench' AND name = 'event3'"
    count = latencies_ms(lambda: store.value(sql), 20)
    print(f"users of one event name among {rows:,} rows: p50 {percentile(count, 0.5):.1f} ms")
    before = time.perf_counter()
    streamed = sum(len(part) for part in store.stream("SELECT number FROM numbers(2000000)"))
    print(f"stream of ids: {streamed / (time.perf_counter() - before):,.0f} rows/s")


if __name__ == "__main__":
    main()
