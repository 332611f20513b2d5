"""Reading: `GET /1/profile.json` over HTTP.

    python -m bench.bench_reads [--profiles 20000] [--seconds 5]

Raw limit below it, in the same run: the profile read by the store alone, in one thread.
"""

from __future__ import annotations

import argparse
import random
import time

from belfry.ids import AccountId
from belfry.profiles.actions import Profiles
from belfry.storage.relational import Database
from bench import load
from bench.server import ACCOUNT, PASSCODE, Server, started


def fill(server: Server, profiles: int) -> None:
    for start in range(0, profiles, 500):
        numbers = range(start, min(start + 500, profiles))
        records = [
            {
                "type": "profile",
                "identity": f"user-{n}",
                "profileData": {"Name": f"User {n}", "Email": f"u{n}@example.org", "plan": "gold", "score": n},
            }
            for n in numbers
        ]
        records += [
            {"type": "event", "identity": f"user-{n}", "evtName": "Opened", "evtData": {"n": n}} for n in numbers
        ]
        server.call("POST", "/1/upload", {"d": records})
    deadline = time.monotonic() + 60
    last = f"/1/profile.json?identity=user-{profiles - 1}"
    while server.call("GET", last)["status"] != "success" and time.monotonic() < deadline:
        time.sleep(0.1)


def raw_reads(server: Server, profiles: int, seconds: float) -> float:
    reader = Profiles(Database(f"sqlite:///{server.folder}/belfry.db"))
    chance, count, started_at = random.Random(2), 0, time.perf_counter()
    while time.perf_counter() - started_at < seconds:
        reader.find(AccountId(ACCOUNT), identity=f"user-{chance.randrange(profiles)}")
        count += 1
    return count / (time.perf_counter() - started_at)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=5)
    arguments = parser.parse_args()
    chance = random.Random(3)
    paths = [f"/1/profile.json?identity=user-{chance.randrange(arguments.profiles)}" for _ in range(2000)]
    with started() as server:
        fill(server, arguments.profiles)
        requests = [load.request_bytes("GET", path, b"", ACCOUNT, PASSCODE) for path in paths]
        figures = load.run(server.port, requests, connections=12, seconds=arguments.seconds)
        raw = raw_reads(server, arguments.profiles, 2)
    print(f"profile.json: {figures.line()}")
    print(f"   raw reads by the store, one thread {raw:,.0f}/s, ratio {figures.rate / raw:.2f}")


if __name__ == "__main__":
    main()
