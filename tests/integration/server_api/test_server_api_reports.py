"""Top values, trends, who is active now and the message report, from upload to answer."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import quote

import pytest

from belfry.accounts.model import Scope
from belfry.segments.reports.actions import Reports
from support.asgi import assert_envelope
from support.edge_world import EdgeWorld

NOON_S = 1_795_608_000
TOP, TRENDS = "/1/counts/top.json", "/1/counts/trends.json"
NOW, MESSAGES = "/1/now.json", "/1/message/report.json"
RIDES = {"event_name": "Ride Booked", "from": 20261101, "to": 20261125}
CITY = {"property_type": "event_properties", "name": "City"}
DAILY = {"trend_type": "daily"}


def ride(user: str, at_s: int = NOON_S, **props: Any) -> dict[str, Any]:
    return {"type": "event", "identity": user, "ts": at_s, "evtName": "Ride Booked", "evtData": props}


async def test_groups_stand_beside_status_under_their_kind(edge: EdgeWorld) -> None:
    await edge.upload(
        {"type": "profile", "identity": "a", "profileData": {"plan": "gold", "Gender": "F"}},
        *[ride("a", City="Porto", Fare=fare) for fare in (0, 9, 100)],
        ride("b", City="Braga"),
    )
    groups = {
        "cities": {**CITY, "top_n": "1", "order": "DESC"},
        "fares": {"property_type": "event_properties", "name": "Fare"},
        "plans": {"property_type": "profile_fields", "name": "plan", "order": "asc"},
        "os": {"property_type": "technographics", "name": "OS"},
        "where": {"property_type": "geo_fields", "name": "Country"},
    }
    reply = await edge.call("POST", TOP, {**RIDES, "groups": groups})
    assert reply.json() == {
        "status": "success",
        "cities": {"STR": {"Porto": 3}},
        "fares": {"NUMBER": {"0-10": 2, "90-100": 1, "-1": 1}},
        "plans": {"STR": {"gold": 3, "-1": 1}},
        "os": {"ENUM": {"-1": 4}},
        "where": {"ENUM": {"-1": 4}},
    }
    assert "Country is not recorded" in reply.headers["x-warnings"]


async def test_trends_have_every_day_in_the_accounts_time(edge: EdgeWorld) -> None:
    day_s = 86_400
    await edge.upload(ride("a", Fare=3), ride("a", NOON_S - day_s, Fare=4.5), ride("b", NOON_S - day_s, Fare=2))
    body = {**RIDES, "from": 20261123, "groups": {"d": DAILY, "w": {"trend_type": "weekly"}, "again": DAILY}}
    assert (await edge.call("POST", TRENDS, body)).json() == {
        "status": "success",
        "d": {"20261123": 0, "20261124": 2, "20261125": 1},
        "w": {"202648": 3},
        "again": {"20261123": 0, "20261124": 2, "20261125": 1},
    }
    users = await edge.call("POST", TRENDS, {**body, "unique": "true"})
    assert users.json()["w"] == {"202648": 2}
    sums = await edge.call("POST", TRENDS, {**body, "sum_event_prop": "Fare"})
    assert sums.json()["d"] == {"20261123": 0, "20261124": 6.5, "20261125": 3}


@pytest.mark.parametrize(
    ("groups", "text"),
    [
        (None, "groups"),
        ({}, "groups"),
        ([CITY], "groups"),
        ({str(n): CITY for n in range(6)}, "1 to 5 groups"),
        ({"status": CITY}, "Invalid group status"),
        ({"error": CITY}, "Invalid group error"),
        ({"": CITY}, "empty"),
        ({"g": "City"}, "groups.g"),
        ({"g": {"name": "City"}}, "groups.g.property_type"),
        ({"g": {**CITY, "property_type": "evtData"}}, "groups.g.property_type"),
        ({"g": {**CITY, "name": None}}, "groups.g.name"),
        ({"g": {**CITY, "name": "a" * 513}}, "groups.g.name"),
        ({"g": {"property_type": "technographics", "name": "Colour"}}, "groups.g.name"),
        ({"g": {**CITY, "top_n": 0}}, "between 1 and 100"),
        ({"g": {**CITY, "top_n": 101}}, "between 1 and 100"),
        ({"g": {**CITY, "top_n": True}}, "groups.g.top_n"),
        ({"g": {**CITY, "order": "up"}}, "groups.g.order"),
    ],
)
async def test_a_group_that_cannot_be_told_is_400(edge: EdgeWorld, groups: object, text: str) -> None:
    body = assert_envelope(await edge.call("POST", TOP, {**RIDES, "groups": groups}), 400)
    assert text in body["error"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"groups": {"status": DAILY}}, "Invalid group status"),
        ({"groups": {"d": {"trend_type": "hourly"}}}, "groups.d.trend_type"),
        ({"groups": {"d": {}}}, "groups.d.trend_type"),
        ({"from": 20251124}, "367 days"),
        ({"unique": True, "sum_event_prop": "Fare"}, "exclude each other"),
        ({"sum_event_prop": 7}, "sum_event_prop"),
        ({"unique": "perhaps"}, "unique"),
        ({"event_name": ""}, "event_name"),
    ],
)
async def test_a_trend_that_cannot_be_told_is_400(edge: EdgeWorld, change: dict[str, Any], text: str) -> None:
    body = assert_envelope(await edge.call("POST", TRENDS, {**RIDES, "groups": {"d": DAILY}, **change}), 400)
    assert text in body["error"]


async def test_a_trend_over_a_whole_year_is_told(edge: EdgeWorld) -> None:
    reply = await edge.call("POST", TRENDS, {**RIDES, "from": 20251125, "groups": {"d": DAILY}})
    assert len(reply.json()["d"]) == 366


async def test_a_slow_report_is_partial_and_fetched_by_get(edge: EdgeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    real = Reports.trends

    def slow(*arguments: Any) -> Any:
        release.wait(10)
        return real(*arguments)

    monkeypatch.setattr(Reports, "trends", slow)
    endpoint = next(route.handler for route in edge.gate.table.routes if route.path == TRENDS).__self__  # type: ignore[attr-defined]
    endpoint._pending._wait_s = 0.05
    body = {**RIDES, "from": 20261125, "groups": {"d": DAILY}}
    partial = (await edge.call("POST", TRENDS, body)).json()
    assert partial["status"] == "partial"
    assert (await edge.call("POST", TRENDS, {**body, "unique": True})).json()["req_id"] != partial["req_id"]
    elsewhere = await edge.call("GET", f"{TOP}?req_id={partial['req_id']}")
    assert assert_envelope(elsewhere, 400)["error"] == "Invalid request id"
    release.set()
    endpoint._pending._wait_s = 5
    polled = await edge.call("GET", f"{TRENDS}?req_id={partial['req_id']}")
    assert polled.json() == {"status": "success", "d": {"20261125": 0}}


async def test_reports_by_get_take_the_body_as_a_parameter(edge: EdgeWorld) -> None:
    await edge.upload(ride("a", City="Porto"))
    body = quote(json.dumps({**RIDES, "groups": {"c": CITY}}))
    assert (await edge.call("GET", f"{TOP}?query={body}")).json()["c"] == {"STR": {"Porto": 1}}


async def test_users_of_the_last_five_minutes_are_active(edge: EdgeWorld) -> None:
    await edge.upload(ride("a"), ride("a", NOON_S - 10), ride("b", NOON_S - 600))
    totals = (await edge.call("POST", NOW, {})).json()
    assert totals == {"status": "success", "count": 1, "last_processed_ts": NOON_S}
    found = (await edge.call("POST", NOW, {"user_type": True, "os": False, "colour": True})).json()
    assert found["user_type"] == {"new": 1, "repeat": 0, "addressable": 0, "customer": 0}
    assert "os" not in found
    edge.clock.advance_ms(300_000)
    assert (await edge.call("POST", NOW)).json()["count"] == 0


@pytest.mark.parametrize("body", [b"[]", b"7", b"{", b'{"os":"maybe"}', b"\xff"])
async def test_now_refuses_what_is_no_choice_of_breakdowns(edge: EdgeWorld, body: bytes) -> None:
    assert_envelope(await edge.call("POST", NOW, body), 400)


async def test_a_message_report_without_messages_is_empty(edge: EdgeWorld) -> None:
    reply = await edge.call("POST", MESSAGES, {"from": 20130101, "to": "20261125"})
    assert reply.json() == {"status": "success", "total_results": 0, "messages": []}
    body = assert_envelope(await edge.call("POST", MESSAGES, {"from": 1, "to": 2}), 400)
    assert body["field"] == "from"


async def test_a_launched_campaign_is_a_row_whose_id_has_a_space_in_its_key(edge: EdgeWorld) -> None:
    made = await edge.call(
        "POST",
        "/api/v1/campaigns",
        {"name": "Rain discount", "rule": {"type": "everyone"}, "webhook": {"name": "x", "url": "https://a.example/x"}},
    )
    campaign_id = made.json()["campaign_id"]
    assert (await edge.call("POST", f"/api/v1/campaigns/{campaign_id}/launch")).status < 300
    asked = {"from": "20261125", "to": "20261125", "daily": True, "channel": ["webhooks"]}
    reply = (await edge.call("POST", MESSAGES, asked)).json()
    assert reply["total_results"] == 1
    (row,) = reply["messages"]
    assert row["message id"] == campaign_id
    assert (row["message_name"], row["channel"], row["start_date"]) == ("Rain discount", "Webhooks", "20261125")
    assert (row["sent"], row["daily_stats"], row["status"], row["device"]) == (0, [], "running", "All")
    none = await edge.call("POST", MESSAGES, {**asked, "channel": ["email"]})
    assert none.json()["messages"] == []
    foreign = await edge.call("POST", MESSAGES, asked, account=edge.other)
    assert foreign.json()["total_results"] == 0


@pytest.mark.parametrize(
    ("path", "scope", "body"),
    [
        (TOP, Scope.EVENTS_READ, {**RIDES, "groups": {"c": CITY}}),
        (TRENDS, Scope.EVENTS_READ, {**RIDES, "groups": {"d": DAILY}}),
        (NOW, Scope.EVENTS_READ, {}),
        (MESSAGES, Scope.CAMPAIGNS_READ, {"from": 20261101, "to": 20261125}),
    ],
)
async def test_each_report_asks_for_its_scope(edge: EdgeWorld, path: str, scope: Scope, body: dict[str, Any]) -> None:
    enough = edge.passcode(edge.shop, scopes=[scope])
    assert (await edge.call("POST", path, body, secret=enough)).status == 200
    other = edge.passcode(edge.shop, scopes=[Scope.ERRORS_READ])
    assert_envelope(await edge.call("POST", path, body, secret=other), 403)


ODD = ["'", "`", "\\", "{x:String}", "%", "\u0000", "\u202e", "\U0001f600", "a.b", "Items|x", "a.b.c.d", "|", " ", "$x"]


@pytest.mark.parametrize("odd", ODD)
async def test_odd_names_reach_no_engine_as_syntax(edge: EdgeWorld, odd: str) -> None:
    await edge.upload(ride("a", City="Porto"))
    for kind in ("event_properties", "profile_fields", "geo_fields", "session_properties"):
        group = {"property_type": kind, "name": odd}
        assert (await edge.call("POST", TOP, {**RIDES, "groups": {odd: group}})).status in {200, 400}
    body = {**RIDES, "groups": {"d": DAILY}, "sum_event_prop": odd}
    assert (await edge.call("POST", TRENDS, body)).status in {200, 400}


async def test_lone_surrogates_break_nothing(edge: EdgeWorld) -> None:
    raw = json.dumps({**RIDES, "groups": {"\ud800": {**CITY, "name": "\udfff"}}}).encode()
    assert (await edge.call("POST", TOP, raw)).status in {200, 400}
    raw = json.dumps({"from": 20261101, "to": 20261125, "label": ["\ud800"], "channel": ["\ud800"]}).encode()
    assert (await edge.call("POST", MESSAGES, raw)).status in {200, 400}
