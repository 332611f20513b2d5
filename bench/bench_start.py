"""Cold start: from `belfry serve` to the first 200 of `/readyz`.

    python -m bench.bench_start [--events 10000000]

Raw limit below it: a bare interpreter that imports what the three roles import, one after another.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time

from belfry.config import Settings
from belfry.main.stores import open_columnar
from bench.server import ACCOUNT, started

IMPORTS = "import belfry.main.edge, belfry.main.engine, belfry.storage.columnar.embedded, chdb"


def start(folder: str) -> float:
    began = time.perf_counter()
    with started(folder):
        return time.perf_counter() - began


def fill(folder: str, events: int) -> None:
    """Rows made by the engine itself: what matters is that they are there when it starts."""
    with started(folder):
        columnar = open_columnar(Settings(data_dir=folder))
        columnar.command(
            "INSERT INTO events (account_id, name, day, profile_id, ts, seq, recorded_profile_id, device_id, source,"
            " key_hash, received_at, props)"
            " SELECT {account:String}, ['bought', 'opened', 'viewed'][1 + number % 3],"
            " toDate('2026-11-01') + number % 24,"
            " number % 100000, toDateTime64('2026-11-01 00:00:00', 3) + number % 2000000, number, number % 100000, '',"
            " 'API', number, now(), concat('{\"Amount\":', toString(number % 100), '}')"
            " FROM numbers({events:UInt64})",
            {"account": ACCOUNT, "events": events},
        )
        columnar.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    arguments = parser.parse_args()
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    raw = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        seconds = start(folder)
        print(f"empty folder: {seconds:.2f} s, imports alone {raw:.2f} s, ratio {seconds / raw:.2f}")
        fill(folder, arguments.events)
        seconds = start(folder)
        print(f"{arguments.events:,} events: {seconds:.2f} s")


if __name__ == "__main__":
    main()
