"""Schema, category groups, remote config, connect and saved segments, as their clients call them."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.accounts.model import Scope
from belfry.intake import PartnerPolicy
from belfry.subscription_groups.actions import SubscriptionGroups
from belfry.subscription_groups.model import GroupChannel
from support.asgi import assert_envelope, call
from support.edge_world import EdgeWorld

RIDES = {"type": "event", "identity": "rider-81", "evtName": "Ride Booked"}
RULE = {"type": "user", "prop": "plan", "cmp": "eq", "value": "gold"}


async def test_the_schema_lists_events_with_what_is_known_of_them(edge: EdgeWorld) -> None:
    await edge.upload(
        {**RIDES, "evtData": {"Fare": 7.5, "City": "Porto"}},
        {**RIDES, "evtData": {"Fare": 7}},
        {"type": "event", "identity": "rider-81", "evtName": "Tip", "evtData": {"Note": "x"}},
    )
    for method in ("GET", "POST"):
        schema = (await edge.call(method, "/getSchema?type=events")).json()
        assert schema["status"] == "success"
        rides = next(event for event in schema["events"] if event["name"] == "Ride Booked")
        properties = rides.pop("properties")
        assert rides == {
            "name": "Ride Booked",
            "type": "Custom",
            "status": "Active",
            "eventCount": 2,
            "description": "",
            "category": "",
            "defined": False,
        }
        assert [(one["name"], one["dataType"], one["status"]) for one in properties] == [
            ("City", "String", "Active"),
            ("Fare", "Float", "Active"),
        ]
    assert (await edge.call("GET", "/getSchema?type=events", account=edge.other)).json()["events"] == []


async def test_system_events_are_in_the_schema(edge: EdgeWorld) -> None:
    await edge.upload({"type": "profile", "identity": "rider-81", "profileData": {"Email": "a@example.org"}})
    await edge.upload({"type": "profile", "identity": "rider-81", "profileData": {"MSG-email": False}})
    events = (await edge.call("GET", "/getSchema?type=events")).json()["events"]
    raised = {event["name"]: event["type"] for event in events}
    assert raised["Channel Unsubscribed"] == "System"


async def test_the_schema_lists_user_properties(edge: EdgeWorld) -> None:
    await edge.upload({"type": "profile", "identity": "rider-81", "profileData": {"plan": "gold", "trips": 4}})
    schema = (await edge.call("POST", "/getSchema", {"type": "userProperties"})).json()
    assert [(one["name"], one["dataType"]) for one in schema["userProperties"]] == [
        ("plan", "String"),
        ("trips", "Integer"),
    ]
    other = (await edge.call("GET", "/getSchema?type=userProperties", account=edge.other)).json()
    assert other == {"status": "success", "userProperties": []}


@pytest.mark.parametrize(
    ("method", "target", "body", "text"),
    [
        ("GET", "/getSchema", None, "type needs to be events or userProperties"),
        ("GET", "/getSchema?type=", None, "type needs to be events or userProperties"),
        ("GET", "/getSchema?type=Events", None, "type needs to be events or userProperties, got Events"),
        ("POST", "/getSchema", None, "type needs to be events or userProperties"),
        ("POST", "/getSchema", {"type": 7}, "type needs to be events or userProperties"),
        ("POST", "/getSchema", b"{", "Malformed request"),
    ],
)
async def test_without_a_type_there_is_no_schema(
    edge: EdgeWorld, method: str, target: str, body: Any, text: str
) -> None:
    assert assert_envelope(await edge.call(method, target, body), 400)["error"] == text


async def test_category_groups_are_the_active_groups(edge: EdgeWorld) -> None:
    groups = SubscriptionGroups(edge.database, edge.clock)
    groups.create(edge.shop, "Offers", description="Weekly offers", channels=[GroupChannel.WEBPUSH, GroupChannel.EMAIL])
    groups.create(edge.shop, "Old", channels=[GroupChannel.EMAIL])
    groups.archive(edge.shop, 2)
    assert (await edge.call("GET", "/category-groups")).json() == {
        "list": [
            {
                "name": "Offers",
                "key": 1,
                "description": "Weekly offers",
                "channels": ["Email", "Web Push"],
                "updated_on": 1795608000,
                "created_on": 1795608000,
            }
        ],
        "status": "success",
    }
    other = await edge.call("GET", "/category-groups", account=edge.other)
    assert other.json() == {"list": [], "status": "success"}


async def test_variables_take_effect_when_they_are_published(edge: EdgeWorld) -> None:
    definitions = {
        "promo.banner": {"type": "string", "defaultValue": "none", "description": "what the banner says"},
        "promo.shown": {"type": "boolean", "defaultValue": False},
        "fare": {"type": "number", "defaultValue": 7.5},
    }
    made = await edge.call("POST", "/1/createVars", {"variableDefinitions": definitions})
    assert (made.status, made.json()) == (200, {"status": "success"})
    assert (await edge.call("POST", "/1/getVars", {"identity": "x"})).json() == {"status": "success", "vars": {}}
    assert (await edge.call("POST", "/api/v1/remote-config/publish")).json() == {"published_count": 3}
    values = {"promo.banner": "none", "promo.shown": False, "fare": 7.5}
    for who in ({"identity": "nobody"}, {"clevertapId": "__a1"}, {"identity": "x", "includeDefaults": "true"}):
        found = await edge.call("POST", "/1/getVars", who)
        assert found.json() == {"status": "success", "vars": values}
    bare = await edge.call("POST", "/1/getVars", {"identity": "x", "includeDefaults": False})
    assert bare.json() == {"status": "success", "vars": {}}
    assert (await edge.call("POST", "/1/getVars", {"identity": "x"}, account=edge.other)).json()["vars"] == {}


async def test_variables_are_removed_by_name_or_all(edge: EdgeWorld) -> None:
    definition = {"type": "number", "defaultValue": 1}
    for account in (edge.shop, edge.other):
        await edge.call("POST", "/1/createVars", {"variableDefinitions": {"a": definition, "b": definition}},
                        account=account)  # fmt: skip
        await edge.call("POST", "/api/v1/remote-config/publish", account=account)
    gone = await edge.call("POST", "/1/deleteVars", {"variableNames": ["a"]})
    assert gone.json() == {"status": "success"}
    assert (await edge.call("POST", "/1/getVars", {"identity": "x"})).json()["vars"] == {"b": 1}
    await edge.call("POST", "/1/deleteVars", {"deleteAllVars": True})
    assert (await edge.call("POST", "/1/getVars", {"identity": "x"})).json()["vars"] == {}
    other = await edge.call("POST", "/1/getVars", {"identity": "x"}, account=edge.other)
    assert other.json()["vars"] == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("createVars", {}, "variableDefinitions is mandatory"),
        ("createVars", {"variableDefinitions": {}}, "variableDefinitions is mandatory"),
        ("createVars", {"variableDefinitions": [1]}, "variableDefinitions needs to be an object, got array"),
        ("createVars", {"variableDefinitions": {"a": 1}}, "variableDefinitions.a needs to be an object, got number"),
        (
            "createVars",
            {"variableDefinitions": {"a": {"type": "file", "defaultValue": "x"}}},
            "a: type needs to be string, boolean or number",
        ),
        (
            "createVars",
            {"variableDefinitions": {"a": {"type": "number", "defaultValue": "x"}}},
            "a: defaultValue needs to be a number as the type says",
        ),
        (
            "createVars",
            {"variableDefinitions": {"x" * 121: {"type": "number", "defaultValue": 1}}},
            "Variable name has 121 characters, at most 120",
        ),
        ("deleteVars", {}, "variableNames is mandatory, or deleteAllVars"),
        ("deleteVars", {"variableNames": []}, "variableNames is mandatory, or deleteAllVars"),
        ("deleteVars", {"variableNames": [1]}, "variableNames needs to be a list of text"),
        ("deleteVars", {"deleteAllVars": "yes"}, "deleteAllVars needs to be true or false"),
        ("getVars", {}, "Provide one of identity, clevertapId"),
        ("getVars", {"identity": " "}, "Provide one of identity, clevertapId"),
        ("getVars", {"identity": 7}, "identity needs to be text, got number"),
        ("getVars", {"identity": "x", "includeDefaults": 1}, "includeDefaults needs to be true or false"),
        ("getVars", b"[" * 100_000, "Malformed request"),
    ],
)
async def test_a_call_of_remote_config_that_cannot_be_used_says_why(
    edge: EdgeWorld, path: str, body: Any, text: str
) -> None:
    assert assert_envelope(await edge.call("POST", f"/1/{path}", body), 400)["error"] == text


POLICY = PartnerPolicy(enabled={"finch": "Finch"}, known={"wren": "Wren"}, suspended={"crow": "Crow"})


async def test_connect_says_whose_the_credentials_are(edge: EdgeWorld) -> None:
    edge.partner_policy = POLICY
    secret = edge.passcode(edge.shop, scopes=[Scope.EVENTS_WRITE, Scope.PROFILES_READ])
    for name, canonical in (("Finch", "Finch"), ("%20fin-ch%20", "Finch"), ("WREN", "Wren")):
        reply = await edge.call("GET", f"/v1/connect?partner={name}", secret=secret)
        assert reply.json() == {
            "status": "success",
            "partner": canonical,
            "account_name": "Shop",
            "region": "eu1",
            "scopes": ["events:write", "profiles:read"],
        }


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "partner is missing"),
        ("?partner=", "partner is missing"),
        ("?partner=%20", "partner is missing"),
        ("?partner=Heron", "Partner name not whitelisted"),
        ("?partner=Crow", "Partner name not whitelisted"),
        ("?partner=%00", "Partner name not whitelisted"),
    ],
)
async def test_connect_without_a_partner_that_there_is_says_so(edge: EdgeWorld, query: str, text: str) -> None:
    edge.partner_policy = POLICY
    body = assert_envelope(await edge.call("GET", f"/v1/connect{query}"), 400)
    assert (body["error"], body["message"]) == (text, text)


async def test_connect_with_wrong_credentials_is_401(edge: EdgeWorld) -> None:
    body = assert_envelope(await edge.call("GET", "/v1/connect?partner=Finch", secret="wrong-passcode"), 401)
    assert body["error"] == body["message"] == "Invalid Credentials"


async def test_connect_answers_sixty_calls_a_minute_from_one_address(edge: EdgeWorld) -> None:
    edge.partner_policy = POLICY
    for _ in range(60):
        assert (await edge.call("GET", "/v1/connect?partner=Finch")).status == 200
    refused = await edge.call("GET", "/v1/connect?partner=Finch")
    assert_envelope(refused, 429)
    assert refused.headers["retry-after"] == "60"
    headers = {"X-CleverTap-Account-Id": edge.shop, "X-CleverTap-Passcode": edge.secrets[edge.shop]}
    elsewhere = await call(edge.gate, "GET", "/v1/connect?partner=Finch", b"", headers, client="127.0.0.2")
    assert elsewhere.status == 200
    edge.clock.advance_ms(60_000)
    assert (await edge.call("GET", "/v1/connect?partner=Finch")).status == 200


async def test_saved_segments_are_listed_and_shown(edge: EdgeWorld) -> None:
    saved = [
        await edge.call("POST", "/api/v1/segments", {"name": f"Segment {number}", "rule": RULE}) for number in range(3)
    ]
    ids = [reply.json()["segment_id"] for reply in saved]
    page = (await edge.call("POST", "/1/segments/list.json", {"page": 2, "limit": 2})).json()
    assert page == {
        "status": "success",
        "segments": [{"id": ids[2], "name": "Segment 2", "status": "active"}],
        "total_pages": 2,
        "total_count": 3,
    }
    assert (await edge.call("POST", "/1/segments/list.json")).json()["total_pages"] == 1
    found = (await edge.call("POST", "/1/segments/get.json", {"segment_id": ids[0]})).json()
    assert found["segment"] == {"id": ids[0], "name": "Segment 0", "status": "active", "definition": RULE}
    assert_envelope(await edge.call("POST", "/1/segments/get.json", {"segment_id": ids[0]}, account=edge.other), 404)
    other = await edge.call("POST", "/1/segments/list.json", account=edge.other)
    assert other.json() == {"status": "success", "segments": [], "total_pages": 0, "total_count": 0}


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("get", {}, "segment_id is mandatory"),
        ("get", {"segment_id": "x"}, "segment_id needs to be a whole number from 1 to 9007199254740992, got text"),
        ("list", {"page": 0}, "page needs to be a whole number from 1 to 1000000, got 0"),
        ("list", {"limit": 501}, "limit needs to be a whole number from 1 to 500, got 501"),
    ],
)
async def test_a_call_for_segments_that_cannot_be_used_says_why(
    edge: EdgeWorld, path: str, body: Any, text: str
) -> None:
    assert assert_envelope(await edge.call("POST", f"/1/segments/{path}.json", body), 400)["error"] == text


@pytest.mark.parametrize(
    "path",
    [
        "/nx/v2/scim/v2/Users",
        "/1/notify",
        "/v1/notify/send",
        "/1/inbox/messages.json",
        "/v1/app-inbox/read",
        "/v1/wallets/7",
        "/1/coupons.json",
        "/v1/vouchers",
        "/1/value",
        "/v1/token-vault/put",
    ],
)
async def test_apis_that_are_documented_and_not_served_say_so(edge: EdgeWorld, path: str) -> None:
    assert assert_envelope(await edge.call("POST", path, {}), 404)["error"] == "Not supported"
    assert_envelope(await edge.call("POST", path, {}, secret="wrong-passcode"), 401)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/1/counts/event.json", "Path not found. Did you mean /1/counts/events.json"),
        ("/1/counts/profile.json", "Path not found. Did you mean /1/counts/profiles.json"),
        ("/counts.json", "Path not found. Did you mean /1/counts/events.json"),
        ("/profiles/push", "Path not found. Did you mean /1/upload"),
        ("/v1/contentBlocks/list", "Path not found. Did you mean /v1/contentBlock/list"),
        ("/cohorts.json", "Path not found"),
        ("/valuelist", "Path not found"),
        ("/1/notifyx", "Path not found"),
    ],
)
async def test_paths_that_do_not_exist_keep_their_hints(edge: EdgeWorld, path: str, text: str) -> None:
    assert assert_envelope(await edge.call("GET", path), 404)["error"] == text
