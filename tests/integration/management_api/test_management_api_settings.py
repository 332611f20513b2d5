"""What other platforms have in their dashboard alone: groups, publishing variables, discarding events."""

from __future__ import annotations

import re
from typing import Any

import pytest

from support.asgi import assert_envelope
from support.edge_world import EdgeWorld

GROUPS = "/api/v1/subscription-groups"
DAY_MS = 86_400_000
RIDE = {"type": "event", "identity": "rider-81", "evtName": "Ride Booked"}


async def test_a_group_is_made_changed_archived_and_restored(edge: EdgeWorld) -> None:
    made = await edge.call("POST", GROUPS, {"name": "Offers", "channels": ["email", "sms"], "description": "Weekly"})
    assert made.status == 201
    assert made.json() == {
        "key": 1,
        "name": "Offers",
        "description": "Weekly",
        "channels": ["email", "sms"],
        "is_archived": False,
        "created_at_ms": 1795608000000,
        "updated_at_ms": 1795608000000,
    }
    changed = await edge.call("PATCH", f"{GROUPS}/1", {"channels": ["push"]})
    assert (changed.json()["channels"], changed.json()["description"]) == (["push"], "Weekly")
    assert (await edge.call("POST", f"{GROUPS}/1/archive")).json()["is_archived"] is True
    assert (await edge.call("GET", GROUPS)).json() == {"items": [], "next_cursor": None}
    assert len((await edge.call("GET", f"{GROUPS}?with_archived=true")).json()["items"]) == 1
    assert (await edge.call("POST", f"{GROUPS}/1/restore")).json()["is_archived"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "channels": ["email"]}, "name"),
        ({"name": "a", "channels": []}, "channels"),
        ({"name": "a", "channels": ["fax"]}, None),
        ({"name": "a"}, None),
        ({"name": "a", "channels": ["email"], "colour": "red"}, None),
        ({"name": 7, "channels": ["email"]}, None),
    ],
)
async def test_a_group_that_cannot_be_made_is_refused(edge: EdgeWorld, body: Any, field: str | None) -> None:
    said = assert_envelope(await edge.call("POST", GROUPS, body), 400)
    if field is not None:
        assert said["field"] == field


async def test_an_upload_leaves_groups_that_there_are_and_is_told_of_others(edge: EdgeWorld) -> None:
    await edge.call("POST", GROUPS, {"name": "Offers", "channels": ["email"]})
    wishes = {"category-unsubscribe": {"email": ["Offers", "Nothing"]}}
    await edge.upload({"type": "profile", "identity": "rider-81", "profileData": wishes})
    events = (await edge.call("GET", "/getSchema?type=events")).json()["events"]
    assert {event["name"]: event["eventCount"] for event in events}["Channel Unsubscribed"] == 1
    errors = (await edge.call("GET", "/api/v1/errors")).json()["items"]
    assert [(one["key"]["kind"], one["key"]["subject"]) for one in errors] == [("unknown_group", "Nothing")]


async def test_drafts_are_shown_beside_what_is_published(edge: EdgeWorld) -> None:
    body = {"variableDefinitions": {"fare": {"type": "number", "defaultValue": 7}}}
    await edge.call("POST", "/1/createVars", body)
    waiting = (await edge.call("GET", "/api/v1/remote-config/variables")).json()["items"]
    assert waiting[0]["draft"] == {"type": "number", "default": 7, "description": ""}
    assert waiting[0]["published"] is None
    assert (await edge.call("POST", "/api/v1/remote-config/publish")).json() == {"published_count": 1}
    published = (await edge.call("GET", "/api/v1/remote-config/variables")).json()["items"]
    assert (published[0]["draft"], published[0]["published"]["default"]) == (None, 7)
    assert (await edge.call("GET", "/api/v1/remote-config/variables", account=edge.other)).json()["items"] == []


async def test_a_discarded_event_is_refused_with_528_until_it_is_restored(edge: EdgeWorld) -> None:
    await edge.upload(RIDE)
    discarded = await edge.call("POST", "/api/v1/schema/events/Ride%20Booked/discard")
    assert discarded.json() == {"name": "ridebooked", "discarded_at_ms": 1795608000000, "restored_at_ms": None}
    edge.discarded.refresh()
    refused = (await edge.call("POST", "/1/upload", {"d": [{**RIDE, "evtName": "RIDE booked"}]})).json()
    assert refused["status"] == "fail"
    assert refused["unprocessed"][0]["code"] == 528
    assert refused["unprocessed"][0]["error"] == (
        "Event Name is incorrect. ErrorCode: 528 - Event is discarded. Skipped record number : 1"
    )
    accepted = await edge.call("POST", "/1/upload", {"d": [RIDE]}, account=edge.other)
    assert accepted.json()["status"] == "success"
    listed = (await edge.call("GET", "/getSchema?type=events")).json()["events"]
    assert {event["name"]: event["status"] for event in listed}["Ride Booked"] == "Discarded"
    early = await edge.call("POST", "/api/v1/schema/events/Ride%20Booked/restore")
    assert re.search("can be restored from 2026-11-26T12:00:00Z on", assert_envelope(early, 409)["error"])
    edge.clock.advance_ms(DAY_MS)
    restored = await edge.call("POST", "/api/v1/schema/events/Ride%20Booked/restore")
    assert restored.json()["restored_at_ms"] == 1795608000000 + DAY_MS
    edge.discarded.refresh()
    assert (await edge.call("POST", "/1/upload", {"d": [RIDE]})).json()["status"] == "success"


async def test_the_schema_is_listed_with_the_time_of_each_event(edge: EdgeWorld) -> None:
    await edge.upload({**RIDE, "evtData": {"Fare": 7}})
    listed = {event["name"]: event for event in (await edge.call("GET", "/api/v1/schema/events")).json()["items"]}
    assert listed["Identity Set"]["is_system"] is True
    assert listed["Ride Booked"] == {
        "name": "Ride Booked",
        "is_system": False,
        "state": "active",
        "count": 1,
        "first_seen_ms": 1795608000000,
        "last_seen_ms": 1795608000000,
        "properties": {"Fare": "Integer"},
    }


@pytest.mark.parametrize("verb", ["discard", "restore"])
async def test_an_event_that_was_never_seen_is_404(edge: EdgeWorld, verb: str) -> None:
    await edge.upload(RIDE)
    assert_envelope(await edge.call("POST", f"/api/v1/schema/events/Ride%20Booked/{verb}", account=edge.other), 404)
    assert_envelope(await edge.call("POST", f"/api/v1/schema/events/%00/{verb}"), 404)
