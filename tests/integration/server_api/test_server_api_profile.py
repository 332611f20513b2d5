"""`/1/profile.json` from upload to answer."""

from __future__ import annotations

from typing import Any

import pytest

from support.asgi import assert_envelope
from support.edge_world import EdgeWorld

RIDER = {
    "type": "profile",
    "identity": "rider-81",
    "ts": 1767225600,
    "profileData": {
        "Name": "Ines Duarte",
        "Email": "ines+x@example.org",
        "Phone": "+351912345678",
        "Gender": "F",
        "trips": {"$incr": 1},
        "lines": {"$add": ["Red", "Blue"]},
    },
}
CHARGED = {"type": "event", "identity": "rider-81", "ts": 1767225600, "evtName": "Charged", "evtData": {"Amount": 12.5}}
DEVICE = {"type": "event", "identity": "rider-81", "objectId": "__b41c2a6f0d9e4c0f8a77", "evtName": "Ride Booked"}


async def test_an_uploaded_user_is_shown_with_everything(edge: EdgeWorld) -> None:
    await edge.upload(RIDER, CHARGED, DEVICE)
    reply = await edge.call("GET", "/1/profile.json?identity=rider-81")
    body = reply.json()
    assert (reply.status, body["status"]) == (200, "success")
    record = body["record"]
    assert record["identity"] == "rider-81"
    assert set(record["all_identities"]) == {"rider-81", "ines+x@example.org", "+351912345678"}
    assert (record["name"], record["email"], record["phone"]) == ("Ines Duarte", "ines+x@example.org", "+351912345678")
    assert record["profileData"]["lines"] == ["Red", "Blue"]
    assert record["profileData"]["Gender"] == "F"
    assert record["events"]["Charged"] == {"count": 1, "first_seen": 1767225600, "last_seen": 1767225600}
    assert record["platformInfo"] == [{"platform": "Android", "objectId": "__b41c2a6f0d9e4c0f8a77"}]


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        pytest.param("GET", "identity=rider-81", None, id="identity"),
        pytest.param("GET", "email=ines%2Bx%40example.org", None, id="email"),
        pytest.param("GET", "email=ines+x@example.org", None, id="email, plus not encoded"),
        pytest.param("GET", "identity=+351912345678", None, id="phone, plus not encoded"),
        pytest.param("GET", "objectId=__b41c2a6f0d9e4c0f8a77", None, id="objectId"),
        pytest.param("GET", "objectId=__b41c2a6f0d9e4c0f8a77&identity=nobody&email=x@y.z", None, id="objectId first"),
        pytest.param("GET", "identity=rider-81&email=nobody@example.org", None, id="identity before email"),
        pytest.param("GET", "identity=&email=ines%2Bx@example.org", None, id="an empty one does not count"),
        pytest.param("POST", "", {"identity": "rider-81"}, id="by POST"),
        pytest.param("POST", "identity=rider-81", None, id="by POST without a body"),
    ],
)
async def test_every_way_of_naming_the_user_finds_them(edge: EdgeWorld, method: str, target: str, body: Any) -> None:
    await edge.upload(RIDER, DEVICE)
    reply = await edge.call(method, f"/1/profile.json?{target}", body)
    assert reply.json()["record"]["identity"] == "rider-81"


async def test_an_unknown_user_is_a_failure_under_200(edge: EdgeWorld) -> None:
    reply = await edge.call("GET", "/1/profile.json?identity=nobody")
    assert (reply.status, reply.json()) == (200, {"status": "fail", "error": "Profile not found", "code": 404})


@pytest.mark.parametrize(
    ("method", "query", "body"),
    [
        ("GET", "", None),
        ("GET", "name=x", None),
        ("GET", "identity=", None),
        ("GET", "identity=" + "x" * 1025, None),
        ("POST", "", b"{"),
        ("POST", "", b"[]"),
        ("POST", "", b"\xff"),
        ("POST", "", b"[" * 100_000),
        ("POST", "", {"identity": {"a": 1}}),
        ("POST", "", {"identity": True}),
        ("POST", "", {"email": None}),
    ],
)
async def test_what_names_nobody_is_400(edge: EdgeWorld, method: str, query: str, body: Any) -> None:
    assert_envelope(await edge.call(method, f"/1/profile.json?{query}", body), 400)


@pytest.mark.parametrize("query", ["identity=%00", "objectId=a%00b", "email=%ff%fe@x", "identity=%F0%9F%98%80"])
async def test_odd_characters_find_nobody_and_break_nothing(edge: EdgeWorld, query: str) -> None:
    assert (await edge.call("GET", f"/1/profile.json?{query}")).json()["code"] == 404


async def test_a_number_is_read_as_text(edge: EdgeWorld) -> None:
    await edge.upload({"type": "profile", "identity": 13})
    for value in (13, 13.0, "13"):
        reply = await edge.call("POST", "/1/profile.json", {"identity": value})
        assert reply.json()["record"]["identity"] == "13"


async def test_two_accounts_with_the_same_identities_see_only_their_own(edge: EdgeWorld) -> None:
    await edge.upload({"type": "profile", "identity": "same", "profileData": {"whose": "shop", "Email": "a@x.org"}})
    await edge.upload({"type": "profile", "identity": "same", "profileData": {"whose": "other"}}, account=edge.other)
    for account, whose in ((edge.shop, "shop"), (edge.other, "other")):
        reply = await edge.call("GET", "/1/profile.json?identity=same", account=account)
        assert reply.json()["record"]["profileData"] == {"whose": whose}
    assert (await edge.call("GET", "/1/profile.json?email=a@x.org", account=edge.other)).json()["code"] == 404
