"""Exports as people use them, and that an import of one gives the values back."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

import pyarrow.parquet as pq
import pytest

from belfry.accounts.model import Scope
from support.asgi import assert_envelope
from support.edge_world import EdgeWorld

DAYS = "from=20261101&to=20261125"
PROPERTIES: dict[str, Any] = {
    "Name": "=cmd|' /C calc'!A0",
    "Email": "ines@example.org",
    "Phone": "+351912345678",
    "Gender": "F",
    "formula": "=1+1",
    "minus": "-2+3",
    "at": "@SUM(A1)",
    "tab": "\tx",
    "escaped": "'=1",
    "digits": "007",
    "looks like a number": "12.5",
    "looks true": "true",
    "number": -12.5,
    "whole": 3,
    "flag": True,
    "empty": "",
    "date": "$D_1764590400",
    "list": ["a|b", "=c", "1"],
    "nested": {"a": 1, "b": ["x"]},
    "line\nbreak": 'quo"te, comma\r\nand more',
}


async def fetched(edge: EdgeWorld, path: str) -> bytes:
    reply = await edge.call("GET", f"/api/v1/exports/{path}")
    assert reply.status == 200, reply.body
    return reply.body


async def imported(edge: EdgeWorld, file: bytes, kind: str, form: str) -> Any:
    """Bring a file into the other account."""
    draft = {"kind": kind, "format": form}
    import_id = (await edge.call("POST", "/api/v1/imports", draft, account=edge.other)).json()["id"]
    path = f"/api/v1/imports/{import_id}"
    await edge.call("PUT", f"{path}/parts/0", file, account=edge.other)
    reply = await edge.call("POST", f"{path}/start", {}, account=edge.other)
    assert reply.status == 200, reply.body
    await edge.import_worker().step()
    await asyncio.to_thread(edge.apply)
    return (await edge.call("GET", path, account=edge.other)).json()


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_users_that_are_exported_and_imported_are_the_same(edge: EdgeWorld, form: str) -> None:
    await edge.upload(
        {"type": "profile", "identity": "u1", "profileData": PROPERTIES},
        {"type": "profile", "identity": "=u2", "profileData": {"whole": "text here", "number": 4}},
    )
    file = await fetched(edge, f"users?format={form}")
    job = await imported(edge, file, "users", form)
    assert (job["state"], job["counts"]["accepted"], job["problems"]) == ("done", 2, [])
    for identity in ("u1", "%3Du2"):
        path = f"/1/profile.json?identity={identity}"
        was = (await edge.call("GET", path)).json()["record"]
        now = (await edge.call("GET", path, account=edge.other)).json()["record"]
        for key in ("identity", "email", "phone", "name", "profileData"):
            assert now.get(key) == was.get(key), key


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("named", ["&event=Ride+Booked", ""])
async def test_events_that_are_exported_and_imported_are_the_same(edge: EdgeWorld, form: str, named: str) -> None:
    props = {"City": "=Porto", "Fare": 9.4, "Seats": 2, "code": "0012", "tags": ["a", "b"], "paid": True}
    await edge.upload(
        {"type": "event", "identity": "u1", "ts": 1795600000, "evtName": "Ride Booked", "evtData": props},
        {"type": "event", "identity": "u1", "ts": 1795600001, "evtName": "Ride Booked", "evtData": {}},
        {"type": "event", "identity": "u2", "ts": 1795600002, "evtName": "Viewed", "evtData": {"City": 5}},
    )
    file = await fetched(edge, f"events?format={form}&{DAYS}{named}")
    job = await imported(edge, file, "events", form)
    assert (job["state"], job["counts"]["accepted"]) == ("done", 2 if named else 3)
    body = {"event_name": "Ride Booked", "from": 20261101, "to": 20261125}
    records = []
    for account in (edge.shop, edge.other):
        cursor = (await edge.call("POST", "/1/events.json", body, account=account)).json()["cursor"]
        records.append((await edge.call("GET", f"/1/events.json?cursor={cursor}", account=account)).json()["records"])
    assert [record["event_props"] for record in records[1]] == [record["event_props"] for record in records[0]]
    assert [record["ts"] for record in records[1]] == [record["ts"] for record in records[0]]


async def test_lines_have_the_form_that_pipelines_know(edge: EdgeWorld) -> None:
    await edge.upload(
        {"type": "profile", "identity": "u1", "profileData": {"Name": "Ines", "Email": "ines@example.org"}},
        {"type": "event", "identity": "u1", "ts": 1795600000, "evtName": "Ride Booked", "evtData": {"Fare": 9.4}},
    )
    first, line = (await fetched(edge, f"events?format=jsonl&event=ridebooked&{DAYS}")).splitlines()
    assert json.loads(first) == "Ride Booked"
    assert json.loads(line) == {
        "profile": {
            "identity": "u1",
            "all_identities": ["u1", "ines@example.org"],
            "email": "ines@example.org",
            "name": "Ines",
        },
        "ts": 20261125094640,
        "eventName": "Ride Booked",
        "eventProps": {"Fare": 9.4},
        "deviceInfo": {},
    }
    assert json.loads(await fetched(edge, "users?format=jsonl")) == {
        "identity": "u1",
        "all_identities": ["u1", "ines@example.org"],
        "email": "ines@example.org",
        "name": "Ines",
        "profileData": {},
        "platformInfo": [],
    }


async def test_no_cell_of_a_csv_is_a_live_formula(edge: EdgeWorld) -> None:
    hostile = {f"={n}k": f"{sign}1+{n}" for n, sign in enumerate(["=", "+", "-", "@", "\t", "\r"])}
    await edge.upload({"type": "profile", "identity": "=u1", "profileData": hostile})
    rows = list(csv.reader(io.StringIO((await fetched(edge, "users?format=csv")).decode(), newline="")))
    assert len(rows) == 2
    for cell in [cell for row in rows for cell in row]:
        assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r"}


async def test_a_file_of_many_pages_is_whole_and_sorted_by_time(
    edge: EdgeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from belfry.exporting import actions

    monkeypatch.setattr(actions, "PAGE_ROWS", 7)
    events = [
        {"type": "event", "identity": f"u{n % 9}", "ts": 1795500000 + n, "evtName": "Viewed", "evtData": {"n": n}}
        for n in range(50)
    ]
    await edge.upload(*events)
    table = pq.read_table(io.BytesIO(await fetched(edge, f"events?format=parquet&event=Viewed&{DAYS}")))
    assert table.column("n").to_pylist() == list(range(50))
    assert len((await fetched(edge, "users?format=jsonl")).splitlines()) == 9


async def test_an_account_without_data_has_empty_files(edge: EdgeWorld) -> None:
    assert await fetched(edge, "users?format=jsonl") == b""
    assert (
        await fetched(edge, f"events?format=csv&{DAYS}")
    ).decode().strip() == "ts,evtName,identity,objectId,eventProps"
    assert pq.read_table(io.BytesIO(await fetched(edge, "users?format=parquet"))).num_rows == 0


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("users", "format"),
        ("users?format=xml", "format"),
        ("events?format=csv", "from"),
        ("events?format=csv&from=20261101&to=tomorrow", "to"),
        ("events?format=csv&from=20261125&to=20261101&event=Viewed", "from"),
        (f"events?format=csv&{DAYS}&event=Never+Seen", "Never Seen"),
    ],
)
async def test_what_cannot_be_exported_is_refused_before_the_file_begins(edge: EdgeWorld, path: str, word: str) -> None:
    await edge.upload({"type": "event", "identity": "u1", "evtName": "Viewed", "evtData": {}})
    reply = await edge.call("GET", f"/api/v1/exports/{path}")
    assert reply.status == 400
    assert word in json.dumps(reply.json())


async def test_each_export_needs_its_own_scope(edge: EdgeWorld) -> None:
    secret = edge.passcode(edge.shop, scopes=[Scope.PROFILES_READ])
    assert (await edge.call("GET", "/api/v1/exports/users?format=jsonl", secret=secret)).status == 200
    assert_envelope(await edge.call("GET", f"/api/v1/exports/events?format=jsonl&{DAYS}", secret=secret), 403)
