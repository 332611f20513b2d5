"""Segments and campaigns over HTTP: create, count, launch, stop, report, explain."""

from __future__ import annotations

from typing import Any

import pytest

from support.asgi import assert_envelope
from support.edge_world import EdgeWorld

GOLD = {"type": "user", "prop": "plan", "cmp": "eq", "value": "gold"}
WEBHOOK = {
    "url": "https://hooks.example.org/in",
    "headers": {"X-Key": "hidden-canary"},
    "auth": {"kind": "bearer", "token": "bearer-canary"},
    "signing_secrets": ["signing-canary-0123456789"],
}


async def three_users(edge: EdgeWorld) -> None:
    await edge.upload(
        *[{"type": "profile", "identity": f"u{n}", "profileData": {"plan": "gold" if n else "free"}} for n in range(3)]
    )


async def created(edge: EdgeWorld, **changes: Any) -> dict[str, Any]:
    draft = {"name": "Autumn", "webhook": WEBHOOK, "rule": GOLD, **changes}
    reply = await edge.call("POST", "/api/v1/campaigns", draft)
    assert reply.status == 201, reply.body
    body: dict[str, Any] = reply.json()
    return body


async def test_a_segment_is_saved_counted_changed_and_removed(edge: EdgeWorld) -> None:
    await three_users(edge)
    made = await edge.call("POST", "/api/v1/segments", {"name": "Gold", "rule": GOLD})
    segment = made.json()
    assert made.status == 201
    path = f"/api/v1/segments/{segment['segment_id']}"
    assert (await edge.call("GET", path)).json() == segment
    assert segment["in_words"]
    assert (await edge.call("GET", f"{path}/count")).json()["count"] == 2
    assert (await edge.call("POST", "/api/v1/segments/preview", {"rule": {"not": GOLD}})).json()["count"] == 1
    changed = (await edge.call("PATCH", path, {"name": "Golden"})).json()
    assert (changed["name"], changed["rule"]) == ("Golden", GOLD)
    removed = await edge.call("DELETE", path)
    assert (removed.status, removed.body) == (204, b"")
    assert_envelope(await edge.call("GET", path), 404)


async def test_segments_come_in_pages(edge: EdgeWorld) -> None:
    for number in range(5):
        await edge.call("POST", "/api/v1/segments", {"name": f"S{number}", "rule": GOLD})
    names, cursor = [], ""
    while cursor is not None:
        page = (await edge.call("GET", f"/api/v1/segments?limit=2{'&cursor=' + cursor if cursor else ''}")).json()
        names += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert names == [f"S{number}" for number in range(5)]


async def test_creating_twice_under_one_key_makes_one(edge: EdgeWorld) -> None:
    key = {"Idempotency-Key": "k"}
    replies = [
        await edge.call("POST", "/api/v1/segments", {"name": "Gold", "rule": GOLD}, headers=key) for _ in range(2)
    ]
    assert replies[0].body == replies[1].body
    assert replies[1].headers["idempotent-replay"] == "true"
    assert len((await edge.call("GET", "/api/v1/segments")).json()["items"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"name": "", "rule": GOLD},
        {"name": "x", "rule": []},
        {"name": "x", "rule": {}},
        {"name": "x", "rule": GOLD, "extra": 1},
        {"name": "x", "rule": {**GOLD, "cmp": "like"}},
        {"name": "x", "rule": {"type": "segment", "id": 12345}},
        {"name": "x", "rule": {"not": {"not": {"not": {"not": {"not": {"not": {"not": GOLD}}}}}}}},
        {"name": "x", "rule": {"op": "or", "rules": [GOLD] * 51}},
        {"name": 7, "rule": GOLD},
        b"[",
        b'{"name":"\\ud800","rule":{"type":"user","prop":"\\udfff","cmp":"eq","value":"\\ud800"}}',
    ],
)
async def test_a_segment_that_cannot_be_is_400(edge: EdgeWorld, body: Any) -> None:
    assert_envelope(await edge.call("POST", "/api/v1/segments", body), 400)
    assert (await edge.call("GET", "/api/v1/segments")).json()["items"] == []


async def test_a_campaign_goes_from_draft_to_stopped_and_its_figures_are_shown(edge: EdgeWorld) -> None:
    await three_users(edge)
    campaign = await created(edge)
    path = f"/api/v1/campaigns/{campaign['campaign_id']}"
    assert campaign["state"] == "draft"
    assert_envelope(await edge.call("POST", f"{path}/stop"), 409)
    run = (await edge.call("POST", f"{path}/launch")).json()
    assert (run["state"], run["campaign_id"]) == ("preparing", campaign["campaign_id"])
    assert_envelope(await edge.call("POST", f"{path}/launch"), 409)
    report = (await edge.call("GET", f"{path}/report")).json()
    assert (report["state"], report["runs"][0]["state"]) == ("running", "preparing")
    assert (await edge.call("POST", f"{path}/stop")).json() == {"cancelled_count": 0}
    assert (await edge.call("GET", path)).json()["state"] == "stopped"
    assert (await edge.call("GET", f"{path}/runs")).json()["items"][0]["state"] == "stopped"
    assert (await edge.call("GET", f"{path}/dead-letters")).json() == {"items": [], "next_cursor": None}
    assert_envelope(await edge.call("POST", f"{path}/replay", {}), 409)


async def test_secrets_go_in_and_never_come_out(edge: EdgeWorld) -> None:
    await three_users(edge)
    campaign = await created(edge)
    path = f"/api/v1/campaigns/{campaign['campaign_id']}"
    await edge.call("POST", f"{path}/launch")
    for target in (path, "/api/v1/campaigns", f"{path}/report", f"{path}/runs", "/metrics"):
        assert "canary" not in (await edge.call("GET", target)).body.decode()
    explained = await edge.call("GET", f"/api/v1/explain?campaign={campaign['campaign_id']}&identity=u1")
    assert "canary" not in explained.body.decode()


async def test_explain_tells_what_became_of_a_user(edge: EdgeWorld) -> None:
    await three_users(edge)
    campaign = await created(edge)
    target = f"/api/v1/explain?campaign={campaign['campaign_id']}"
    told = (await edge.call("GET", f"{target}&identity=u1")).json()
    assert (told["outcome"], told["campaign_id"]) == ("not_launched", campaign["campaign_id"])
    again = (await edge.call("GET", f"{target}&profile_id={told['profile_id']}")).json()
    assert again == told
    assert (await edge.call("GET", f"{target}&identity=nobody")).json()["outcome"] == "user_unknown"
    for wrong in ("", "&profile_id=x", "&identity=u1&profile_id=1"):
        assert_envelope(await edge.call("GET", target + wrong), 400)
    assert_envelope(await edge.call("GET", "/api/v1/explain?campaign=12345&identity=u1"), 404)
    assert_envelope(await edge.call("GET", "/api/v1/explain?identity=u1"), 400)
    assert_envelope(await edge.call("GET", "/api/v1/explain?campaign=99999999999999999999&identity=u1"), 400)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"rule": None},
        {"segment_id": 12345},
        {"segment_id": 12345, "rule": None},
        {"rule": {"type": "nothing"}},
        {"webhook": {}},
        {"webhook": {**WEBHOOK, "url": "http://127.0.0.1:9/"}},
        {"webhook": {**WEBHOOK, "url": "file:///etc/passwd"}},
        {"webhook": {**WEBHOOK, "method": "BREW"}},
        {"webhook": {**WEBHOOK, "auth": {"kind": "magic"}}},
        {"webhook": {**WEBHOOK, "auth": {"kind": "basic", "username": "u"}}},
        {"webhook": {**WEBHOOK, "body": "{{ Profile.name"}},
        {"webhook": {**WEBHOOK, "heders": {}}},
        {"webhook": {**WEBHOOK, "timeout_ms": -1}},
        {"upper_cap_for_target_segment": 1},
        {"upper_cap_for_target_segment": 10**30},
        {"missing_value_policy": "guess"},
        {"misspelt": True},
    ],
)
async def test_a_campaign_that_cannot_be_is_400_and_shows_no_secret(edge: EdgeWorld, changes: dict[str, Any]) -> None:
    draft = {"name": "Autumn", "webhook": WEBHOOK, "rule": GOLD, **changes}
    reply = await edge.call("POST", "/api/v1/campaigns", draft)
    assert_envelope(reply, 400)
    assert "canary" not in reply.body.decode()
    assert (await edge.call("GET", "/api/v1/campaigns")).json()["items"] == []


async def test_nothing_of_one_account_is_seen_or_touched_by_another(edge: EdgeWorld) -> None:
    await three_users(edge)
    campaign = await created(edge)
    segment = (await edge.call("POST", "/api/v1/segments", {"name": "Gold", "rule": GOLD})).json()
    other = {"account": edge.other}
    for method, target, body in (
        ("GET", f"/api/v1/segments/{segment['segment_id']}", None),
        ("GET", f"/api/v1/segments/{segment['segment_id']}/count", None),
        ("PATCH", f"/api/v1/segments/{segment['segment_id']}", {"name": "Mine"}),
        ("DELETE", f"/api/v1/segments/{segment['segment_id']}", None),
        ("GET", f"/api/v1/campaigns/{campaign['campaign_id']}", None),
        ("GET", f"/api/v1/campaigns/{campaign['campaign_id']}/report", None),
        ("GET", f"/api/v1/campaigns/{campaign['campaign_id']}/runs", None),
        ("GET", f"/api/v1/campaigns/{campaign['campaign_id']}/dead-letters", None),
        ("POST", f"/api/v1/campaigns/{campaign['campaign_id']}/launch", None),
        ("POST", f"/api/v1/campaigns/{campaign['campaign_id']}/stop", None),
        ("POST", f"/api/v1/campaigns/{campaign['campaign_id']}/replay", {}),
        ("GET", f"/api/v1/explain?campaign={campaign['campaign_id']}&identity=u1", None),
    ):
        assert_envelope(await edge.call(method, target, body, **other), 404)
    assert (await edge.call("GET", "/api/v1/segments", **other)).json()["items"] == []
    assert (await edge.call("GET", "/api/v1/campaigns", **other)).json()["items"] == []
    rule = {"rule": {"type": "segment", "id": segment["segment_id"]}}
    assert_envelope(await edge.call("POST", "/api/v1/segments/preview", rule, **other), 400)
    assert (await edge.call("GET", f"/api/v1/campaigns/{campaign['campaign_id']}")).json() == campaign
