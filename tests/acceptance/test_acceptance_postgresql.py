"""The whole thread with PostgreSQL as the relational store: a DSN is all that changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.postgres import Postgres
from support.running import running, wait_for
from support.sink import Sink


@pytest.mark.server
def test_an_upload_becomes_a_delivered_webhook_over_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    dsn = postgres.create("acceptance")
    with Sink() as sink, running(tmp_path, relational_dsn=dsn, outbound_allow=f"127.0.0.1:{sink.port}") as belfry:
        records = [
            {"type": "event", "identity": f"buyer-{n}", "evtName": "Bought", "evtData": {"n": n}} for n in range(50)
        ] + [{"type": "profile", "identity": "buyer-7", "profileData": {"Name": "Seven"}}]
        assert belfry.request("POST", "/1/upload", {"d": records}).json()["processed"] == 51
        rule = {"type": "event", "did": True, "event": "Bought", "when": {"range": {"last": 1, "unit": "day"}}}
        wait_for(
            lambda: (
                belfry.request("POST", "/api/v1/segments/preview", {"rule": rule}).json().get("count") == 50
                and "name" in belfry.request("GET", "/1/profile.json?identity=buyer-7").json()["record"]
            ),
            30,
            "the data to be visible",
        )
        draft = {
            "name": "Thanks",
            "rule": rule,
            "webhook": {"url": sink.url, "body": json.dumps({"to": "{{ Profile.Identity }}"})},
        }
        campaign = belfry.request("POST", "/api/v1/campaigns", draft).json()["campaign_id"]
        assert belfry.request("POST", f"/api/v1/campaigns/{campaign}/launch").status == 200
        wait_for(
            lambda: belfry.request("GET", f"/api/v1/campaigns/{campaign}").json()["state"] == "completed",
            30,
            "the campaign to complete",
        )
        assert sorted(body["to"] for body in sink.first_bodies()) == sorted(f"buyer-{n}" for n in range(50))
    assert not (tmp_path / "belfry.db").exists()
