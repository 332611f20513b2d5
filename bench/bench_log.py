"""How fast the embedded log takes and gives entries, beside what the disk and Python give alone.

    python bench/bench_log.py [--seconds 3] [--busy] [--folder DIR]

Prints for each size: entries and bytes a second, latency of one append as its task sees it, the raw limit (a
plain loop of write and fdatasync of the same bytes, in the same run) and the ratio. One fsync serves all who wait, so
the ratio may be above 1. `--busy` runs two processes that compute and one that writes and syncs large files
meanwhile. Then reading: bytes a second from start to end, beside a plain sequential read of the same files.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvloop

from belfry.clock import SystemClock
from belfry.ids import AccountId, SystemIds
from belfry.storage.log import Entry, FileLog, IdempotencyIndex, LogReader, open_reader

MIB = 1024 * 1024
PRELOAD_BYTES = 512 * MIB


class Case(msgspec.Struct, frozen=True):
    """One size of body and how many clients send it at once."""

    name: str
    body_bytes: int
    clients: int
    with_keys: bool = False


CASES = (
    Case("one small event, 1 client", 300, 1),
    Case("one small event, 32 clients", 300, 32),
    Case("one small event with Idempotency-Key, 32 clients", 300, 32, with_keys=True),
    Case("1 000 records, 8 clients", 150_000, 8),
)


class Figure(msgspec.Struct, frozen=True):
    per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float


def figure_of(latencies_s: list[float], seconds: float) -> Figure:
    ordered = sorted(latencies_s)
    count = len(ordered)
    return Figure(count / seconds, ordered[count // 2] * 1e3, ordered[int(count * 0.99)] * 1e3, ordered[-1] * 1e3)


def plain_appends(folder: Path, body_bytes: int, seconds: float) -> Figure:
    """The raw limit: one writer, one write and one fdatasync an entry."""
    body = os.urandom(body_bytes)
    path = folder / "plain"
    latencies = []
    with path.open("wb", buffering=0) as file:
        began = time.perf_counter()
        while (now := time.perf_counter()) - began < seconds:
            file.write(body)
            os.fdatasync(file.fileno())
            latencies.append(time.perf_counter() - now)
    path.unlink()
    return figure_of(latencies, seconds)


def open_file_log(folder: Path, index: IdempotencyIndex | None = None) -> FileLog:
    return FileLog(
        folder,
        clock=SystemClock(),
        ids=SystemIds(),
        queue_bytes_max=256 * MIB,
        segment_bytes=128 * MIB,
        free_bytes_min=64 * MIB,
        on_durable=index.on_durable if index else None,
    )


async def append_for(log: FileLog, case: Case, seconds: float) -> Figure:
    body = os.urandom(case.body_bytes)
    latencies: list[float] = []
    began = time.perf_counter()

    async def client(number: int) -> None:
        sent = 0
        while (now := time.perf_counter()) - began < seconds:
            meta: dict[str, object] = {"passcode": 1, "partner": None, "refused": []}
            if case.with_keys:
                meta |= {"idempotency_key": f"{number}-{sent}", "body_hash": "0" * 32, "answer": "{}"}
            await log.append(Entry(AccountId("BENCH"), "upload", time.time_ns() // 1_000_000, "r", meta, body))
            latencies.append(time.perf_counter() - now)
            sent += 1

    await asyncio.gather(*(client(number) for number in range(case.clients)))
    return figure_of(latencies, time.perf_counter() - began)


def measure_case(folder: Path, case: Case, seconds: float) -> None:
    raw = plain_appends(folder, case.body_bytes, seconds / 2)
    index = IdempotencyIndex(folder / "case" / "idempotency.db", hours=24, clock=SystemClock())
    log = open_file_log(folder / "case", index)
    figure = uvloop.run(append_for(log, case, seconds))
    log.close()
    index.close()
    shutil.rmtree(folder / "case")
    print(
        f"{case.name}: {figure.per_s:,.0f}/s = {figure.per_s * case.body_bytes / 1e6:,.0f} MB/s, "
        f"p50 {figure.p50_ms:.2f} ms, p99 {figure.p99_ms:.2f} ms, max {figure.max_ms:.1f} ms | "
        f"raw {raw.per_s:,.0f}/s, p99 {raw.p99_ms:.2f} ms | ratio {figure.per_s / raw.per_s:.2f}"
    )


async def preload(log: FileLog, body: bytes, count: int) -> None:
    entry = Entry(AccountId("BENCH"), "upload", 0, "r", {}, body)
    for _ in range(0, count, 64):
        await asyncio.gather(*(log.append(entry) for _ in range(64)))


def read_all(reader: LogReader) -> int:
    after = 0
    while batch := reader.read(after, bytes_max=8 * MIB):
        after = batch[-1].position
    return after


def plain_read(folder: Path) -> float:
    """Seconds to read the same files from start to end into memory and throw the bytes away."""
    began = time.perf_counter()
    for path in sorted(folder.glob("*.log")):
        with path.open("rb", buffering=0) as file:
            while file.read(4 * MIB):
                pass
    return time.perf_counter() - began


def measure_reading(folder: Path, body_bytes: int, total_bytes: int) -> None:
    log = open_file_log(folder / "read")
    uvloop.run(preload(log, os.urandom(body_bytes), total_bytes // body_bytes))
    log.close()
    reader = open_reader(folder / "read")
    raw_s = plain_read(folder / "read" / "0")
    began = time.perf_counter()
    count = read_all(reader)
    seconds = time.perf_counter() - began
    reader.close()
    shutil.rmtree(folder / "read")
    print(
        f"read, bodies of {body_bytes:,} bytes: {count / seconds:,.0f}/s = {count * body_bytes / seconds / 1e6:,.0f} "
        f"MB/s | raw {count * body_bytes / raw_s / 1e6:,.0f} MB/s | ratio {raw_s / seconds:.2f}"
    )


def compute() -> None:
    while True:
        sum(range(10_000))


def write_large_files(folder: Path) -> None:
    block = os.urandom(MIB)
    while True:
        with (folder / "noise").open("wb", buffering=0) as file:
            for _ in range(24):
                file.write(block)
            os.fsync(file.fileno())


@contextmanager
def busy_machine(folder: Path, is_busy: bool) -> Iterator[None]:
    processes = [multiprocessing.Process(target=compute, daemon=True) for _ in range(2)]
    processes.append(multiprocessing.Process(target=write_large_files, args=(folder,), daemon=True))
    started = processes if is_busy else []
    for process in started:
        process.start()
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--folder", type=Path, default=None, help="where to write; default: a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        print(
            f"{os.cpu_count()} cores, {'busy' if arguments.busy else 'quiet'} machine, {arguments.seconds:g} s a case"
        )
        with busy_machine(folder, arguments.busy):
            for case in CASES:
                measure_case(folder, case, arguments.seconds)
            measure_reading(folder, 150_000, PRELOAD_BYTES)
            measure_reading(folder, 300, PRELOAD_BYTES // 16)


if __name__ == "__main__":
    main()
