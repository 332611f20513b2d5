"""Profile administration: erase, demerge, subscribe, disassociate (server-api 7), and the audit log of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from belfry.accounts.model import Scope
from support.asgi import assert_envelope
from support.edge_world import EdgeWorld

DELETE, DEMERGE = "/1/delete/profiles.json", "/1/demerge/profiles.json"
SUBSCRIBE, DISASSOCIATE = "/1/subscribe", "/1/disassociate"


def profile(identity: str, **data: Any) -> dict[str, Any]:
    return {"type": "profile", "identity": identity, "profileData": data}


async def ask(edge: EdgeWorld, path: str, body: Any, **options: Any) -> Any:
    """The answer to a request that is applied when this returns."""
    reply = await edge.call("POST", path, body, **options)
    assert reply.status == 200, reply.body
    await asyncio.to_thread(edge.apply)
    return reply.json()


async def is_user(edge: EdgeWorld, identity: str, **options: Any) -> bool:
    return (await edge.call("GET", f"/1/profile.json?identity={identity}", **options)).json()["status"] == "success"


async def counted(edge: EdgeWorld, path: str, event: str) -> int:
    query = {"event_name": event, "from": 20261120, "to": 20261125}
    return (await edge.call("POST", path, query)).json()["count"]


DELETIONS = [
    pytest.param({"identity": "rider-1"}, {"rider-1"}, id="one"),
    pytest.param({"identity": ["rider-1", "rider-2", "rider-1"]}, {"rider-1", "rider-2"}, id="array with a duplicate"),
    pytest.param({"identity": 13}, {"13"}, id="number"),
    pytest.param({"guid": "__device-0001"}, {"rider-2"}, id="device"),
    pytest.param({"guid": ["__device-0001"], "identity": "13"}, {"13", "rider-2"}, id="both keys"),
    pytest.param({"identity": "ines@example.org"}, {"rider-1"}, id="by email"),
    pytest.param({"identity": "nobody"}, set(), id="unknown"),
    pytest.param({"identity": None, "guid": "nothing"}, set(), id="null and unknown"),
]


@pytest.mark.parametrize(("body", "gone"), DELETIONS)
async def test_deleted_users_are_gone_at_once_and_unknown_ones_are_a_success(
    edge: EdgeWorld, body: Any, gone: set[str]
) -> None:
    await edge.upload(
        profile("rider-1", Email="ines@example.org"),
        {**profile("rider-2"), "objectId": "__device-0001"},
        profile("13"),
    )
    assert await ask(edge, DELETE, body) == {"status": "success"}
    for identity in ("rider-1", "rider-2", "13"):
        assert await is_user(edge, identity) is (identity not in gone)


REFUSED_DELETIONS = [
    pytest.param({}, "identity or guid is mandatory", id="neither"),
    pytest.param({"identity": [], "guid": ""}, "identity or guid is mandatory", id="empty"),
    pytest.param({"identity": [None, " "]}, "identity or guid is mandatory", id="nothing in it"),
    pytest.param(
        {"identity": [f"u{i}" for i in range(101)]}, "Too many values in identity: 101, maximum 100", id="too many"
    ),
    pytest.param({"identity": {"a": 1}}, "identity needs to be text or an array of texts", id="object"),
    pytest.param({"identity": [True]}, "identity needs to be text or an array of texts", id="boolean"),
    pytest.param({"identity": "a", "erase_events": "maybe"}, "erase_events needs to be true or false", id="flag"),
    pytest.param([], "The body needs to be an object", id="array"),
    pytest.param(b"{", "Malformed request", id="no JSON"),
]


@pytest.mark.parametrize(("body", "text"), REFUSED_DELETIONS)
async def test_a_deletion_that_cannot_be_read_does_nothing(edge: EdgeWorld, body: Any, text: str) -> None:
    end = edge.log.end()
    envelope = assert_envelope(await edge.call("POST", DELETE, body), 400)
    assert envelope["error"] == text
    assert edge.log.end() == end


async def test_a_hundred_identities_are_taken(edge: EdgeWorld) -> None:
    assert await ask(edge, DELETE, {"identity": [f"u{i}" for i in range(100)]}) == {"status": "success"}


async def test_events_still_count_and_the_user_does_not(edge: EdgeWorld) -> None:
    """Engagement, scenario 25."""
    bought = {"type": "event", "evtName": "Bought", "evtData": {"n": 1}}
    await edge.upload({**bought, "identity": "rider-1"}, {**bought, "identity": "rider-2"})
    assert await counted(edge, "/1/counts/profiles.json", "Bought") == 2
    await ask(edge, DELETE, {"identity": "rider-1"})
    edge.clock.advance_ms(60_000)
    await edge.upload(profile("rider-1", Name="Ines"))
    assert not await is_user(edge, "rider-1")
    records = (await edge.call("GET", "/api/v1/errors/records?kind=refused&source=API&subject=code%20523")).json()[
        "items"
    ]
    assert "was erased" in records[0]["detail"]
    assert await counted(edge, "/1/counts/events.json", "Bought") == 2
    assert await counted(edge, "/1/counts/profiles.json", "Bought") == 1


async def test_what_was_erased_cannot_be_taken_back(edge: EdgeWorld) -> None:
    await edge.upload(profile("a", Name="A"), profile("b", Name="B"))
    keep, absorb = {"identity": "a"}, {"identity": "b"}
    merged = await edge.call_and_apply("POST", "/api/v1/profiles/merge", {"keep": keep, "absorb": absorb})
    log_id = merged.json()["result"]["log_id"]
    await ask(edge, DELETE, {"identity": "a"})
    undone = await edge.call_and_apply("POST", "/api/v1/profiles/undo", {"log_id": log_id})
    assert_envelope(undone, 409)
    assert not await is_user(edge, "b")


async def test_each_account_administers_its_own_users_alone(edge: EdgeWorld) -> None:
    user = {**profile("rider-1", Email="ines@example.org"), "objectId": "__device-0001"}
    await edge.upload(user)
    await edge.upload(user, account=edge.other)
    entry = {"type": "email", "value": "ines@example.org"}
    await ask(edge, SUBSCRIBE, {"d": [{**entry, "status": "Unsubscribe"}]}, account=edge.other)
    await ask(edge, DISASSOCIATE, {"d": [entry]}, account=edge.other)
    await ask(edge, DEMERGE, {"identities": ["rider-1"]}, account=edge.other)
    await ask(edge, DELETE, {"guid": "__device-0001"}, account=edge.other)
    found = (await edge.call("GET", "/1/profile.json?email=ines@example.org")).json()["record"]
    assert found["identity"] == "rider-1"
    assert found["platformInfo"][0]["objectId"] == "__device-0001"
    card = edge.services.profiles.find(edge.shop, identity="rider-1")
    assert card is not None
    assert card.subscriptions["email"]


@pytest.mark.parametrize("key", ["identities", "identity"])
async def test_demerge_makes_a_user_of_each_device_and_drops_identities(edge: EdgeWorld, key: str) -> None:
    devices = [f"__device-{i:04}" for i in range(40)]
    await edge.upload(*({**profile("family-ipad", Name="Fam"), "objectId": device} for device in devices))
    assert await ask(edge, DEMERGE, {key: ["family-ipad", "nobody"]}) == {"status": "success"}
    assert not await is_user(edge, "family-ipad")
    cards = [edge.services.profiles.find(edge.shop, object_id=device) for device in devices]
    assert len({card.profile_id for card in cards if card is not None}) == len(devices)


@pytest.mark.parametrize("body", [{}, {"identities": []}, {"identities": ["x"] * 101}], ids=["none", "empty", "101"])
async def test_a_demerge_that_cannot_be_read_is_refused(edge: EdgeWorld, body: Any) -> None:
    assert_envelope(await edge.call("POST", DEMERGE, body), 400)


async def test_an_opt_out_holds_for_the_address_now_and_later_and_is_told_of_each_user(edge: EdgeWorld) -> None:
    await edge.upload(profile("a", Phone="+351912345678"), profile("b"))
    wish = {"type": "Phone", "value": "+351 912-345-678", "status": "UNSUBSCRIBE"}
    assert await ask(edge, SUBSCRIBE, {"d": [wish]}) == {"status": "success", "processed": 1, "unprocessed": []}
    assert not edge.services.profiles.find(edge.shop, identity="a").subscriptions["sms"]  # type: ignore[union-attr]
    assert await counted(edge, "/1/counts/events.json", "Channel Unsubscribed") == 1
    await ask(edge, DISASSOCIATE, {"d": [{"type": "phone", "value": "+351912345678"}]})
    await edge.upload(profile("b", Phone="+351912345678"))
    assert not edge.services.profiles.find(edge.shop, identity="b").subscriptions["sms"]  # type: ignore[union-attr]
    await ask(edge, SUBSCRIBE, {"d": [{**wish, "status": "Resubscribe"}]})
    assert edge.services.profiles.find(edge.shop, identity="b").subscriptions["sms"]  # type: ignore[union-attr]


ENTRIES = [
    pytest.param({"type": "fax", "value": "+351912345678", "status": "Unsubscribe"}, 512, "Invalid type.", id="type"),
    pytest.param({"type": "email", "value": "a@example.org", "status": "off"}, 512, "Invalid status.", id="status"),
    pytest.param({"type": "email", "value": "$$$", "status": "Unsubscribe"}, 515, "Invalid email.", id="email"),
    pytest.param({"type": "phone", "value": "912345678", "status": "Unsubscribe"}, 516, "Invalid phone.", id="phone"),
    pytest.param({"type": "whatsapp", "value": None, "status": "Resubscribe"}, 516, "Invalid phone.", id="no value"),
    pytest.param(7, 512, "Invalid record.", id="no object"),
]


@pytest.mark.parametrize(("entry", "code", "text"), ENTRIES)
async def test_a_wrong_entry_is_named_and_the_others_are_processed(
    edge: EdgeWorld, entry: Any, code: int, text: str
) -> None:
    good = {"type": "email", "value": "Ines@Example.org", "status": "Unsubscribe"}
    body = await ask(edge, SUBSCRIBE, {"d": [good, entry]})
    assert (body["status"], body["processed"]) == ("partial", 1)
    expected = {"status": "fail", "code": code, "error": f"{text} Skipped record number : 2", "record": entry}
    assert body["unprocessed"] == [expected]


@pytest.mark.parametrize("path", [SUBSCRIBE, DISASSOCIATE])
async def test_a_thousand_entries_are_taken_and_one_more_is_not(edge: EdgeWorld, path: str) -> None:
    entries = [{"type": "email", "value": f"u{i}@example.org", "status": "Unsubscribe"} for i in range(1001)]
    await edge.upload(*(profile(f"u{i}", Email=f"u{i}@example.org") for i in range(1000)))
    envelope = assert_envelope(await edge.call("POST", path, {"d": entries}), 400)
    assert envelope["error"] == "Too many records: 1001, maximum 1000"
    assert (await ask(edge, path, {"d": entries[:1000]}))["processed"] == 1000
    assert (await ask(edge, path, {"d": []})) == {"status": "success", "processed": 0, "unprocessed": []}


async def test_a_number_is_taken_from_its_user_with_a_row_in_the_identity_log(edge: EdgeWorld) -> None:
    await edge.upload(profile("a", Phone="+351912345678"))
    entries = [{"type": "phone", "value": "+351912345678"}, {"type": "phone", "value": "+351911111111"}]
    body = await ask(edge, DISASSOCIATE, {"d": entries})
    assert (body["status"], body["processed"]) == ("partial", 1)
    (failed,) = body["unprocessed"]
    text = "Phone number is not associated with a profile.Skipped record number : 2"
    assert (failed["code"], failed["error"]) == (516, text)
    card = edge.services.profiles.find(edge.shop, identity="a")
    assert card is not None
    assert card.phone is None
    log = (await edge.call("GET", "/api/v1/profiles/identity-log?identity=a")).json()["items"]
    assert log[0]["kind"] == "disassociate"


async def test_the_audit_log_says_who_did_what_and_when_page_by_page(edge: EdgeWorld) -> None:
    await edge.upload(profile("a", Email="a@example.org"))
    entry = {"type": "email", "value": "a@example.org"}
    headers = {"X-Request-Id": "request-of-the-test"}
    await ask(edge, SUBSCRIBE, {"d": [{**entry, "status": "Unsubscribe"}]})
    await ask(edge, DISASSOCIATE, {"d": [entry]})
    await ask(edge, DEMERGE, {"identities": ["a"]})
    await ask(edge, DELETE, {"identity": ["a", "b"]}, headers=headers)
    first = (await edge.call("GET", "/api/v1/audit?limit=3")).json()
    rest = (await edge.call("GET", f"/api/v1/audit?limit=3&cursor={first['next_cursor']}")).json()
    items = first["items"] + rest["items"]
    actions = ["profiles.delete", "profiles.demerge", "identities.disassociate", "channels.subscribe"]
    assert [item["action"] for item in items] == actions
    assert rest["next_cursor"] is None
    newest = items[0]
    assert (newest["request_id"], newest["asked_count"], newest["done_count"]) == ("request-of-the-test", 2, 1)
    assert newest["at_ms"] == edge.clock.now_ms()
    assert newest["passcode_id"]
    assert (await edge.call("GET", "/api/v1/audit", account=edge.other)).json()["items"] == []


async def test_the_audit_log_needs_a_scope_of_its_own(edge: EdgeWorld) -> None:
    secret = edge.passcode(edge.shop, scopes=[Scope.PROFILES_WRITE])
    assert_envelope(await edge.call("GET", "/api/v1/audit", secret=secret), 403)
    assert (await edge.call("POST", DELETE, {"identity": "a"}, secret=secret)).status == 200
