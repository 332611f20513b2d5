"""Counts and exports by query, from upload to answer."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any
from urllib.parse import quote

import pytest

from belfry.segments.actions import Segments
from belfry.server_api import counts
from support.asgi import assert_envelope
from support.edge_world import EdgeWorld

DAY = {"from": 20261120, "to": 20261125}
LAUNCHED = {"event_name": "Ride Booked", **DAY}
NOON_S = 1_795_608_000
PATHS = ("/1/counts/profiles.json", "/1/counts/events.json", "/1/profiles.json", "/1/events.json")


def ride(user: str, city: str = "Porto", at_s: int = NOON_S, **props: Any) -> dict[str, Any]:
    return {
        "type": "event",
        "identity": user,
        "ts": at_s,
        "evtName": "Ride Booked",
        "evtData": {"City": city, "Fare": 9.5, **props},
    }


async def pages(edge: EdgeWorld, cursor: str, path: str = "/1/profiles.json", **options: Any) -> list[dict[str, Any]]:
    """All pages from a cursor on."""
    found = []
    following: str | None = cursor
    while following is not None:
        reply = await edge.call("GET", f"{path}?cursor={following}", **options)
        body = reply.json()
        assert (reply.status, body["status"]) == (200, "success")
        assert "cursor" not in body
        found.append(body)
        following = body.get("next_cursor")
    return found


# --- counts ----------------------------------------------------------------------------------------------------------


async def test_users_and_events_are_counted_by_event_range_and_property(edge: EdgeWorld) -> None:
    await edge.upload(ride("a"), ride("a", at_s=NOON_S - 60), ride("b", "Braga"), ride("c", at_s=NOON_S - 40 * 86_400))
    for query, users, events, unique in (
        (LAUNCHED, 2, 3, 2),
        ({**LAUNCHED, "event_properties": [{"name": "City", "value": "Porto"}]}, 1, 2, 1),
        ({**LAUNCHED, "event_properties": [{"name": "City", "value": ["Porto", "Braga"]}]}, 2, 3, 2),
        ({"event_name": "ridebooked", "from": "20260101", "to": "20261125"}, 3, 4, 3),
        ({**LAUNCHED, "event_name": "Never Happened"}, 0, 0, 0),
    ):
        counted = await edge.call("POST", "/1/counts/profiles.json", query)
        assert counted.json() == {"status": "success", "count": users}, query
        counted = await edge.call("POST", "/1/counts/events.json", query)
        assert counted.json() == {"status": "success", "count": events}, query
        counted = await edge.call("POST", "/1/counts/events.json", {**query, "unique": True})
        assert counted.json()["count"] == unique, query


async def test_a_count_by_get_takes_the_query_as_a_parameter(edge: EdgeWorld) -> None:
    await edge.upload(ride("a"))
    reply = await edge.call("GET", f"/1/counts/profiles.json?query={quote(json.dumps(LAUNCHED))}")
    assert reply.json()["count"] == 1
    java = await edge.call("POST", "/1/counts/profiles.json?req_id=0", LAUNCHED)
    assert java.json()["count"] == 1


async def test_a_slow_count_is_partial_and_fetched_later(edge: EdgeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def slow(*_arguments: object, **_options: object) -> int:
        release.wait(10)
        return 412

    monkeypatch.setattr(Segments, "count", slow)
    endpoint = next(r.handler for r in edge.gate.table.routes if r.path == counts.PROFILES_PATH).__self__  # type: ignore[attr-defined]
    endpoint._pending._wait_s = 0.05
    partial = (await edge.call("POST", "/1/counts/profiles.json", LAUNCHED)).json()
    assert partial["status"] == "partial"
    assert (await edge.call("POST", "/1/counts/profiles.json", LAUNCHED)).json() == partial
    foreign = await edge.call("GET", f"/1/counts/profiles.json?req_id={partial['req_id']}", account=edge.other)
    assert assert_envelope(foreign, 400)["error"] == "Invalid request id"
    release.set()
    endpoint._pending._wait_s = 5
    for method, body in (("GET", None), ("POST", LAUNCHED)):
        polled = await edge.call(method, f"/1/counts/profiles.json?req_id={partial['req_id']}", body)
        assert polled.json() == {"status": "success", "count": 412}


@pytest.mark.parametrize("request_id", ["1", "x", "-5", "9" * 40, "384649162721759"])
async def test_an_unknown_request_id_is_400(edge: EdgeWorld, request_id: str) -> None:
    body = assert_envelope(await edge.call("GET", f"/1/counts/profiles.json?req_id={request_id}"), 400)
    assert body["error"] == "Invalid request id"


async def test_what_was_ignored_is_named_in_a_header(edge: EdgeWorld) -> None:
    reply = await edge.call("POST", "/1/counts/profiles.json", {**LAUNCHED, "did_not": [{"event_name": "x"}]})
    assert reply.status == 200
    assert "did_not" in reply.headers["x-warnings"]


# --- exports ---------------------------------------------------------------------------------------------------------


async def test_users_come_in_pages_that_do_not_shift_while_events_arrive(edge: EdgeWorld) -> None:
    await edge.upload(*[ride(f"u{n}") for n in range(7)])
    started = await edge.call("POST", "/1/profiles.json?batch_size=3", LAUNCHED)
    cursor = started.json()["cursor"]
    first = await edge.call("GET", f"/1/profiles.json?cursor={cursor}")
    await edge.upload(*[ride(f"later{n}") for n in range(5)])
    assert (await edge.call("GET", f"/1/profiles.json?cursor={cursor}")).body == first.body
    found = await pages(edge, cursor)
    assert [len(page["records"]) for page in found] == [3, 3, 1]
    assert sorted(record["identity"] for page in found for record in page["records"]) == [f"u{n}" for n in range(7)]
    record = found[0]["records"][0]
    assert {"profileData", "events", "platformInfo", "all_identities"} <= set(record)


async def test_older_clients_start_with_a_get_and_page_with_a_post(edge: EdgeWorld) -> None:
    await edge.upload(ride("a"))
    query = quote(json.dumps(LAUNCHED))
    for path in ("/1/profiles.json", "/1/events.json"):
        started = await edge.call("GET", f"{path}?batch_size=10&query={query}")
        cursor = started.json()["cursor"]
        by_post = await edge.call("POST", f"{path}?cursor={cursor}")
        again = await edge.call("GET", f"{path}?cursor={quote(quote(cursor, safe=''), safe='')}")
        assert by_post.body == again.body
        assert len(by_post.json()["records"]) == 1


async def test_an_empty_export_ends_after_one_page(edge: EdgeWorld) -> None:
    for path in ("/1/profiles.json", "/1/events.json"):
        started = await edge.call("POST", path, {**LAUNCHED, "event_name": "Never"})
        assert (await pages(edge, started.json()["cursor"], path)) == [{"status": "success", "records": []}]


async def test_parts_that_were_not_asked_for_are_left_out(edge: EdgeWorld) -> None:
    await edge.upload(ride("a"))
    started = await edge.call("POST", "/1/profiles.json?app=false&events=0&profile=FALSE", LAUNCHED)
    (page,) = await pages(edge, started.json()["cursor"])
    assert page["records"] == [{"identity": "a", "all_identities": ["a"]}]


async def test_events_come_with_their_user_and_in_the_accounts_time(edge: EdgeWorld) -> None:
    await edge.upload(
        {"type": "profile", "identity": "a", "profileData": {"Email": "a@example.org", "plan": "gold"}},
        ride("a", address={"street": "x"}),
        {
            "type": "event",
            "identity": "a",
            "ts": NOON_S - 10,
            "evtName": "Charged",
            "evtData": {"Amount": 3, "Items": [{"Ticket": "Day"}]},
        },
    )
    started = await edge.call("POST", "/1/events.json?app=false&events=false&profile=false", LAUNCHED)
    (page,) = await pages(edge, started.json()["cursor"], "/1/events.json")
    assert page["records"] == [
        {"profile": {"identity": "a"}, "ts": 20261125120000, "event_props": {"City": "Porto", "Fare": 9.5}}
    ]
    started = await edge.call("POST", "/1/events.json?nested=1&event_name=1&ids=1", LAUNCHED)
    (record,) = (await pages(edge, started.json()["cursor"], "/1/events.json"))[0]["records"]
    assert record["event_name"] == "Ride Booked"
    assert record["event_props"]["address"] == {"street": "x"}
    assert (record["profile"]["email"], record["profile"]["profileData"]) == ("a@example.org", {"plan": "gold"})
    assert int(record["event_id"], 16) > 0
    assert record["received_at"] == NOON_S
    started = await edge.call("POST", "/1/events.json", {**LAUNCHED, "event_name": "Charged"})
    (record,) = (await pages(edge, started.json()["cursor"], "/1/events.json"))[0]["records"]
    assert (record["event_props"], record["items"]) == ({"Amount": 3}, [{"Ticket": "Day"}])


@pytest.mark.parametrize(
    ("cursor", "code"),
    [("x", 3), ("%25", 3), ("A" * 66, 3), ("A" * 5000, 3), ("%ff", 3), ("a b", 3)],
)
async def test_an_unreadable_cursor_is_code_3(edge: EdgeWorld, cursor: str, code: int) -> None:
    for path in ("/1/profiles.json", "/1/events.json"):
        body = assert_envelope(await edge.call("GET", f"{path}?cursor={cursor}"), 400, code)
        assert body["error"] == "Incorrect Usage"


async def test_a_cursor_is_worth_nothing_to_others_elsewhere_or_later(edge: EdgeWorld) -> None:
    await edge.upload(ride("a"))
    cursor = (await edge.call("POST", "/1/profiles.json", LAUNCHED)).json()["cursor"]
    foreign = await edge.call("GET", f"/1/profiles.json?cursor={cursor}", account=edge.other)
    assert assert_envelope(foreign, 400, "CURSOR_INVALIDATED")["error"] == "Invalid cursor"
    assert_envelope(await edge.call("GET", f"/1/events.json?cursor={cursor}"), 400, "CURSOR_INVALIDATED")
    edge.clock.advance_ms(4 * 3_600_000 + 1000)
    assert_envelope(await edge.call("GET", f"/1/profiles.json?cursor={cursor}"), 400, "CURSOR_INVALIDATED")


@pytest.mark.parametrize(
    ("size", "status"),
    [("", 200), ("1", 200), ("5000", 200), ("50000", 200), ("0", 400), ("-1", 400), ("x", 400), ("1.5", 400)],
)
async def test_pages_hold_1_to_5000(edge: EdgeWorld, size: str, status: int) -> None:
    reply = await edge.call("POST", f"/1/profiles.json?batch_size={size}", LAUNCHED)
    assert reply.status == status
    if status == 400:
        assert assert_envelope(reply, 400)["error"] == "batch_size should be between 1 and 5000"
    assert ("x-warnings" in reply.headers) is (size == "50000")


# --- what cannot be asked --------------------------------------------------------------------------------------------

BAD_QUERIES: dict[str, Any] = {
    "nothing": b"",
    "no JSON": b"{'event_name'",
    "NaN": b'{"event_name":"x","from":NaN,"to":20261101}',
    "not UTF-8": b'{"event_name":"\xff"}',
    "too deep": b"[" * 100_000,
    "a number": b"7",
    "a list of two": [LAUNCHED, LAUNCHED],
    "from after to": {"event_name": "x", "from": 20261125, "to": 20261120},
    "to in the future": {"event_name": "x", "from": 20261120, "to": 20261126},
    "no such day": {"event_name": "x", "from": 20261131, "to": 20261132},
    "event is an object": {"event_name": {"a": 1}, **DAY},
    "conditions are text": {**LAUNCHED, "event_properties": "x"},
    "unknown operator": {**LAUNCHED, "event_properties": [{"name": "City", "operator": "like", "value": "x"}]},
    "name is a number": {**LAUNCHED, "event_properties": [{"name": 7, "value": "x"}]},
    "value is an object": {**LAUNCHED, "event_properties": [{"name": "City", "value": {"a": 1}}]},
    "prompt": {**LAUNCHED, "prompt": "everyone who loves us"},
    "300 conditions": {**LAUNCHED, "event_properties": [{"name": f"p{n}", "value": 1} for n in range(300)]},
    "deep value": b'{"event_name":"x","from":20261120,"to":20261121,"event_properties":[{"name":"a","value":'
    + b"[" * 500
    + b"]" * 500
    + b"}]}",
}


@pytest.mark.parametrize("name", BAD_QUERIES)
async def test_a_query_that_cannot_be_served_is_400_everywhere(edge: EdgeWorld, name: str) -> None:
    for path in PATHS:
        reply = await edge.call("POST", path, BAD_QUERIES[name])
        body = assert_envelope(reply, 400, 4002 if name in {"from after to", "to in the future"} else 400)
        if isinstance(BAD_QUERIES[name], dict | list):
            assert body["error"] != "Malformed request"


ODD = ["'", '"', "`", "\\", "{x:String}", "%", "--", "/*", "\u0000", "\u202e", "\U0001f600", "a.b", "$x", "?", ";", " "]


@pytest.mark.parametrize("odd", ODD)
async def test_odd_names_and_values_reach_no_engine_as_syntax(edge: EdgeWorld, odd: str) -> None:
    for where in ("name", "value", "event"):
        condition = {"name": odd if where == "name" else "City", "value": odd if where == "value" else "x"}
        query = {**LAUNCHED, "event_name": odd if where == "event" else "x", "event_properties": [condition]}
        for path in PATHS:
            assert (await edge.call("POST", path, query)).status in {200, 400}


async def test_lone_surrogates_in_a_query_break_nothing(edge: EdgeWorld) -> None:
    conditions = b'[{"name":"\\udfff","value":"\\ud800"}]'
    raw = b'{"event_name":"\\ud800","from":20261120,"to":20261121,"event_properties":' + conditions + b"}"
    for path in PATHS:
        assert (await edge.call("POST", path, raw)).status in {200, 400}


async def test_reports_of_two_accounts_never_cross(edge: EdgeWorld) -> None:
    await edge.upload(ride("same"), ride("same"))
    await edge.upload(ride("same", "Braga"), account=edge.other)
    for account, count, city in ((edge.shop, 2, "Porto"), (edge.other, 1, "Braga")):
        events = await edge.call("POST", "/1/counts/events.json", LAUNCHED, account=account)
        assert events.json()["count"] == count
        started = await edge.call("POST", "/1/events.json", LAUNCHED, account=account)
        (page,) = await pages(edge, started.json()["cursor"], "/1/events.json", account=account)
        assert {record["event_props"]["City"] for record in page["records"]} == {city}


async def test_reads_go_on_while_many_run_at_once(edge: EdgeWorld) -> None:
    await edge.upload(ride("a"))
    replies = await asyncio.gather(*(edge.call("POST", "/1/counts/profiles.json", LAUNCHED) for _ in range(16)))
    assert {reply.json()["count"] for reply in replies} == {1}
