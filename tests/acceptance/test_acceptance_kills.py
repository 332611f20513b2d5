"""Kills of every role while clients upload and while messages leave: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from support.running import Running, running, wait_for
from support.sink import Sink

CLIENTS = 4
BATCH = 25
ROLES = ("edge", "engine", "columnar")


class Client(threading.Thread):
    """Uploads numbered events of its own users; repeats a request with the same key until it is answered."""

    def __init__(self, belfry: Running, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.belfry, self.number, self.stop_event = belfry, number, stop
        self.acknowledged: list[tuple[str, int]] = []
        self.failures: list[str] = []

    def run(self) -> None:
        sequence = 0
        while not self.stop_event.is_set():
            records = []
            for _ in range(BATCH):
                user = f"user-{self.number}-{sequence % 7}"
                records.append({"type": "event", "identity": user, "evtName": "Step", "evtData": {"n": sequence}})
                sequence += 1
            self._upload(records, f"client-{self.number}-{sequence}")

    def _upload(self, records: list[dict[str, Any]], key: str) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                answer = self.belfry.request(
                    "POST", "/1/upload", {"d": records}, headers={"Idempotency-Key": key}, timeout_s=10
                )
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
                continue
            if answer.status == 200 and answer.json()["processed"] == len(records):
                self.acknowledged += [(r["identity"], r["evtData"]["n"]) for r in records]
                return
            if answer.status not in {429, 503}:
                self.failures.append(f"{answer.status} {answer.body[:200]!r}")
                return
            time.sleep(0.05)
        self.failures.append("no answer for 60 s")


def stored_steps(belfry: Running) -> dict[str, list[int]]:
    """Every stored Step event: user → its numbers in the order of acceptance, over the export API."""
    today = int(time.strftime("%Y%m%d", time.gmtime()))
    query = {"event_name": "Step", "from": 20260101, "to": today}
    cursor = belfry.request("POST", "/1/events.json?batch_size=5000&ids=1", query).json()["cursor"]
    found: dict[str, list[tuple[int, int]]] = {}
    while cursor:
        page = belfry.request("GET", f"/1/events.json?cursor={cursor}").json()
        for record in page["records"]:
            place = int(record["event_id"], 16)
            found.setdefault(record["profile"]["identity"], []).append((place, record["event_props"]["n"]))
        cursor = page.get("next_cursor")
    return {user: [n for _, n in sorted(pairs)] for user, pairs in found.items()}


def run_kills(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    print(f"seed {seed}")
    with running(folder) as belfry:
        stop = threading.Event()
        clients = [Client(belfry, number, stop) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for number in range(kills):
            time.sleep(chance.uniform(0.2, 0.9))
            belfry.kill(ROLES[number % len(ROLES)])
            if number % len(ROLES) == 0:
                belfry.wait_until_ready()
        stop.set()
        for client in clients:
            client.join(90)
        assert [client.failures for client in clients] == [[]] * CLIENTS
        wanted: dict[str, list[int]] = {}
        for client in clients:
            for user, n in client.acknowledged:
                wanted.setdefault(user, []).append(n)
        belfry.wait_until_ready(60)
        total = sum(map(len, wanted.values()))
        wait_for(lambda: sum(map(len, stored_steps(belfry).values())) >= total, 60, f"{total} events to be visible")
        # Per user: every acknowledged event once, in the order in which it was accepted.
        assert stored_steps(belfry) == wanted


@pytest.mark.slow
def test_kills_of_every_role_lose_and_double_nothing_and_keep_the_order_per_user(tmp_path: Path) -> None:
    run_kills(tmp_path, kills=6, seed=random.randrange(1 << 32))


@pytest.mark.soak
def test_fifty_kills_of_every_role(tmp_path: Path) -> None:
    run_kills(tmp_path, kills=150, seed=random.randrange(1 << 32))


def run_kills_while_sending(folder: Path, users: int, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    print(f"seed {seed}")
    with Sink(delay_s=0.004) as sink, running(folder, outbound_allow=f"127.0.0.1:{sink.port}") as belfry:
        for start in range(0, users, 500):
            records = [
                {"type": "event", "identity": f"buyer-{n}", "evtName": "Bought", "evtData": {"n": n}}
                for n in range(start, min(start + 500, users))
            ]
            assert belfry.request("POST", "/1/upload", {"d": records}).json()["status"] == "success"
        rule = {"type": "event", "did": True, "event": "Bought", "when": {"range": {"last": 1, "unit": "day"}}}
        segment = belfry.request("POST", "/api/v1/segments", {"name": "Buyers", "rule": rule}).json()
        query = {"rule": rule}
        wait_for(
            lambda: belfry.request("POST", "/api/v1/segments/preview", query).json()["count"] == users, 30, "the users"
        )
        campaign = belfry.request(
            "POST",
            "/api/v1/campaigns",
            {
                "name": "Thanks",
                "segment_id": segment["segment_id"],
                "webhook": {"url": sink.url, "method": "POST", "body": json.dumps({"to": "{{ Profile.Identity }}"})},
            },
        ).json()
        assert belfry.request("POST", f"/api/v1/campaigns/{campaign['campaign_id']}/launch").status in {200, 202}
        for _ in range(kills):
            time.sleep(chance.uniform(0.1, 0.5))
            belfry.kill("engine")
        path = f"/api/v1/campaigns/{campaign['campaign_id']}"
        wait_for(lambda: belfry.request("GET", path).json()["state"] == "completed", 120, "the campaign to complete")
        report = belfry.request("GET", f"{path}/report").json()
        assert report["runs"][0]["sent_count"] == users
        # A repeated call carries the same id: counted by id, each recipient got exactly one message.
        assert len(sink.by_key) == users
        assert sorted(body["to"] for body in sink.first_bodies()) == sorted(f"buyer-{n}" for n in range(users))


@pytest.mark.slow
def test_kills_while_sending_give_every_recipient_exactly_one_message(tmp_path: Path) -> None:
    run_kills_while_sending(tmp_path, users=1500, kills=3, seed=random.randrange(1 << 32))


@pytest.mark.soak
def test_twenty_kills_while_sending(tmp_path: Path) -> None:
    run_kills_while_sending(tmp_path, users=20_000, kills=20, seed=random.randrange(1 << 32))
