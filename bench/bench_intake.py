"""How fast uploads of 1000 records are checked and read, beside the bare decoding of the same body.

    python bench/bench_intake.py [--rounds 200]

Prints records a second of `check_upload` (edge) and `read_upload` (pipeline) for several kinds of batches, the raw
limit (msgspec decodes the same body into the same structs, nothing else) and the ratio to it; then the time in which
hostile bodies are refused.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from belfry.accounts.model import AccountSettings
from belfry.errors import CallerError
from belfry.intake import PartnerPolicy, UploadLimits, check_upload, read_upload
from belfry.intake.wire import decode_plain

RECORDS = 1000
NOW_MS = 1_795_608_000_000
SETTINGS = AccountSettings()
LIMITS = UploadLimits()
PARTNERS = PartnerPolicy(enabled={"finch": "Finch"}, known={"finch": "Finch"})


def event(number: int) -> dict[str, Any]:
    return {
        "type": "event",
        "identity": f"user-{number}",
        "ts": 1_767_225_600 + number,
        "evtName": "Product Viewed",
        "evtData": {"Product name": "Casio", "Price": 12.5, "Category": "Watches", "In stock": True},
    }


def profile(number: int) -> dict[str, Any]:
    data = {"Name": "Ines", "Email": f"u{number}@example.org", "Gender": "F", "plan": "gold", "visits": {"$incr": 1}}
    return {"type": "profile", "identity": f"user-{number}", "profileData": data}


def purchase(number: int) -> dict[str, Any]:
    items = [{"Ticket": "Day pass", "Zone": 3}, {"Ticket": "Bike", "Zone": 3}]
    return event(number) | {
        "evtName": "Charged",
        "evtData": {"Amount": 12.5, "Charged ID": f"T{number}", "Items": items},
    }


def batches() -> dict[str, list[dict[str, Any]]]:
    events = [event(number) for number in range(RECORDS)]
    tagged = [record | {"$source": "Finch"} for record in events]
    some = [tagged[n] if n % 10 == 0 else record for n, record in enumerate(events)]
    return {
        "plain events": events,
        "events, 1 in 10 of a partner": some,
        "events of a partner": tagged,
        "events, 1 in 100 refused": [record | {"ts": 0} if n % 100 == 0 else record for n, record in enumerate(events)],
        "purchases with items": [purchase(number) for number in range(RECORDS)],
        "profiles": [profile(number) for number in range(RECORDS)],
    }


def hostile() -> dict[str, bytes]:
    start = b'{"d":[{"type":"event","identity":"u","evtName":"E","evtData":'
    return {
        "depth 10^5": b'{"d":' + b"[" * 100_000,
        "10^6 keys": start + b"{" + b",".join(b'"k%d":1' % n for n in range(1_000_000)) + b"}}]}",
        "10^5 equal keys": start + b"{" + b",".join([b'"k":1'] * 100_000) + b"}}",
        "NaN after 1 MiB": start + b'{"t":"' + b"x" * (1 << 20) + b'","n":NaN}}]}',
        "2 10^5 lone surrogates": start + b'{"t":"' + b"\\ud800" * 200_000 + b'"}',
        "4 10^6 numbers": b'{"d":[' + b"1," * 4_000_000 + b"1]}",
    }


def best_s(work: Callable[[], object], rounds: int) -> float:
    """The shortest of several runs: what the code costs when nothing else takes the processor."""
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def refuse(body: bytes) -> None:
    try:
        check_upload(body, SETTINGS, LIMITS, NOW_MS, PARTNERS)
    except CallerError:
        return
    raise AssertionError("a hostile body was accepted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    print(f"{'batch of 1000':30}{'raw limit/s':>14}{'check/s':>12}{'ratio':>7}{'read/s':>12}{'ratio':>7}")
    for name, records in batches().items():
        body = json.dumps({"d": records}, separators=(",", ":")).encode()
        refused = [r.index for r in check_upload(body, SETTINGS, LIMITS, NOW_MS, PARTNERS).refusals]
        raw = RECORDS / best_s(lambda body=body: decode_plain(body), rounds)
        check = RECORDS / best_s(lambda body=body: check_upload(body, SETTINGS, LIMITS, NOW_MS, PARTNERS), rounds)
        read = RECORDS / best_s(
            lambda body=body, refused=refused: read_upload(body, SETTINGS, refused, NOW_MS, PARTNERS), rounds
        )
        print(f"{name:30}{raw:14,.0f}{check:12,.0f}{check / raw:7.2f}{read:12,.0f}{read / raw:7.2f}")
    print(f"\n{'hostile body':30}{'bytes':>14}{'refused in ms':>19}")
    for name, body in hostile().items():
        print(f"{name:30}{len(body):14,}{best_s(lambda body=body: refuse(body), 3) * 1000:19.1f}")


if __name__ == "__main__":
    main()
