"""How fast a CSV of users or events is imported, beside the bare reading of the same CSV.

    python -m bench.bench_import [--rows 200000]

Starts a whole Belfry, sends the file in parts, and measures from the start of the import until its last row is
checked and on disk in the log; then the same for a dry run. The pipeline applies the rows meanwhile, on the same cores.
Raw limit: Python's csv module reads the same bytes and does nothing else.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
import urllib.request
from typing import Any

from bench.server import ACCOUNT, PASSCODE, Server, started

PART_BYTES = 4 * 1024 * 1024


def users_file(rows: int) -> bytes:
    head = b"identity,email,Name,plan,visits,joined<dd/MM/yyyy>,active,score,city,note\n"
    line = b"user-%d,u%d@example.org,Ines Duarte,gold,%d,25/12/2025,true,12.5,Porto,hello there\n"
    return head + b"".join(line % (n, n, n) for n in range(rows))


def events_file(rows: int) -> bytes:
    head = b"identity,evtName,ts,Product name,Price,Category,In stock\n"
    line = b"user-%d,Product Viewed,%d,Casio,12.5,Watches,true\n"
    return head + b"".join(line % (n % 50_000, 1_764_000_000 + n) for n in range(rows))


def put(server: Server, path: str, part: bytes) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}",
        part,
        {
            "X-CleverTap-Account-Id": ACCOUNT,
            "X-CleverTap-Passcode": PASSCODE,
            "Content-Type": "application/octet-stream",
        },
        method="PUT",
    )
    urllib.request.urlopen(request, timeout=120).close()


def send(server: Server, kind: str, file: bytes) -> str:
    path = f"/api/v1/imports/{server.call('POST', '/api/v1/imports', {'kind': kind, 'format': 'csv'})['id']}"
    for number in range(0, len(file), PART_BYTES):
        put(server, f"{path}/parts/{number // PART_BYTES}", file[number : number + PART_BYTES])
    return path


def run(server: Server, path: str, *, dry_run: bool) -> float:
    """Seconds from the start to the end."""
    began = time.perf_counter()
    job: Any = server.call("POST", f"{path}/start", {"dry_run": dry_run})
    while job["state"] in ("checking", "running"):
        time.sleep(0.05)
        job = server.call("GET", path)
    assert job["state"] in ("checked", "done"), job["error"]
    assert job["counts"]["refused"] == 0, job["problems"][:3]
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    print(f"{'':22}{'raw limit/s':>14}{'rows/s':>12}{'ratio':>8}")
    with started() as server:
        for kind, file in (("users", users_file(rows)), ("events", events_file(rows))):
            began = time.perf_counter()
            for _ in csv.reader(io.TextIOWrapper(io.BytesIO(file), newline="")):
                pass
            raw = rows / (time.perf_counter() - began)
            path = send(server, kind, file)
            for what, dry_run in (("dry run", True), ("import", False)):
                rate = rows / run(server, path, dry_run=dry_run)
                print(f"{kind + ', ' + what:22}{raw:14,.0f}{rate:12,.0f}{rate / raw:8.3f}", flush=True)


if __name__ == "__main__":
    main()
