"""Accepting uploads: fsynced and validated, over HTTP, with the client on the same machine.

    python -m bench.bench_accept [--seconds 10]

Raw limits of the parts below, in the same run: plain fsynced appends of the same bytes, and decoding them.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import threading
import time

import msgspec

from bench import load
from bench.server import ACCOUNT, PASSCODE, Server, started

NAMES = ("Bought", "Product Viewed", "Opened", "Searched")
BODIES = 40
HEAVY_RULE = {
    "op": "and",
    "rules": [
        {
            "type": "event",
            "did": True,
            "event": "Product Viewed",
            "measure": {"fn": "sum", "prop": "Amount", "cmp": "gte", "value": 10},
            "when": {"range": {"last": 30, "unit": "day"}},
        },
        {"type": "event", "did": False, "event": "Bought", "when": {"range": {"last": 30, "unit": "day"}}},
    ],
}


def record(chance: random.Random, now_s: int) -> dict[str, object]:
    return {
        "type": "event",
        "identity": f"user-{chance.randrange(100_000)}",
        "ts": now_s - chance.randrange(60),
        "evtName": chance.choice(NAMES),
        "evtData": {
            "Amount": round(chance.random() * 100, 2),
            "City": "Lisbon",
            "qty": chance.randrange(9),
            "SKU": f"K9-{chance.randrange(500)}",
        },
    }


def bodies(count: int, records: int) -> list[bytes]:
    chance, now_s = random.Random(1), int(time.time())
    return [msgspec.json.encode({"d": [record(chance, now_s) for _ in range(records)]}) for _ in range(count)]


def requests(payloads: list[bytes]) -> list[bytes]:
    return [load.request_bytes("POST", "/1/upload", body, ACCOUNT, PASSCODE) for body in payloads]


def raw_appends(payloads: list[bytes], seconds: float) -> float:
    """Plain appends of the same bodies, each with its own fdatasync, a second."""
    with tempfile.NamedTemporaryFile(dir=".") as file:
        count, started_at = 0, time.perf_counter()
        while time.perf_counter() - started_at < seconds:
            os.write(file.fileno(), payloads[count % len(payloads)])
            os.fdatasync(file.fileno())
            count += 1
        return count / (time.perf_counter() - started_at)


def show(title: str, figures: load.Figures, records: int, raw_per_s: float) -> None:
    rate = figures.rate * records
    print(f"{title}: {rate:,.0f} events/s")
    print(f"   {figures.line()}")
    raw = raw_per_s * records
    print(f"   raw fsynced appends of the same bodies {raw:,.0f} events/s, ratio {rate / raw:.2f}")


def under_load(server: Server, seconds: float) -> None:
    """Half of the goals' rates while the pipeline is saturated and a heavy segment is counted over and over."""
    stop = threading.Event()

    def count() -> None:
        while not stop.is_set():
            server.call("POST", "/api/v1/segments/preview", {"rule": HEAVY_RULE})

    counting = threading.Thread(target=count)
    counting.start()
    for title, records, rate in (("1 000-record bodies", 1000, 100.0), ("one event a request", 1, 2500.0)):
        figures = load.run(
            server.port, requests(bodies(BODIES, records)), connections=16, seconds=seconds, rate_max=rate
        )
        print(f"saturated pipeline and heavy query, {title}, {rate * records:,.0f} events/s asked:")
        print(f"   {figures.line()}")
    stop.set()
    counting.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    big, small = bodies(BODIES, 1000), bodies(2000, 1)
    with started() as server:
        figures = load.run(server.port, requests(big), connections=8, seconds=arguments.seconds)
        show("1 000-record bodies", figures, 1000, raw_appends(big, 2))
        under_load(server, arguments.seconds / 2)
    with started() as server:
        figures = load.run(server.port, requests(small), connections=32, seconds=arguments.seconds)
        show("one event a request", figures, 1, raw_appends(small, 2))


if __name__ == "__main__":
    main()
