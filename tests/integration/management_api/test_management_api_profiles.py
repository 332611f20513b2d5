"""Merging, undoing, and what came of it."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.management_api import operations
from support.asgi import assert_envelope
from support.edge_world import EdgeWorld

MERGE = {"keep": {"identity": "ines"}, "absorb": {"email": "ines@example.org"}, "reason": "same person"}


async def two_users(edge: EdgeWorld) -> None:
    await edge.upload(
        {"type": "profile", "identity": "ines", "profileData": {"plan": "gold"}},
        {"type": "profile", "identity": "shadow", "profileData": {"Email": "ines@example.org", "city": "Porto"}},
    )


async def test_a_merge_makes_one_user_and_undo_makes_two_again(edge: EdgeWorld) -> None:
    await two_users(edge)
    merged = await edge.call_and_apply("POST", "/api/v1/profiles/merge", MERGE)
    operation = merged.json()
    assert (merged.status, operation["outcome"], operation["kind"]) == (200, "done", "merge")
    for name in ("identity=ines", "identity=shadow", "email=ines@example.org"):
        record = (await edge.call("GET", f"/1/profile.json?{name}")).json()["record"]
        assert record["profileData"] == {"plan": "gold", "city": "Porto"}
    undone = await edge.call_and_apply("POST", "/api/v1/profiles/undo", {"log_id": operation["result"]["log_id"]})
    assert undone.json()["outcome"] == "done"
    record = (await edge.call("GET", "/1/profile.json?identity=ines")).json()["record"]
    assert record["profileData"] == {"plan": "gold"}


async def test_an_operation_can_be_looked_up_by_its_own_account_alone(edge: EdgeWorld) -> None:
    await two_users(edge)
    operation = (await edge.call_and_apply("POST", "/api/v1/profiles/merge", MERGE)).json()
    path = f"/api/v1/operations/{operation['operation_id']}"
    assert (await edge.call("GET", path)).json() == operation
    assert_envelope(await edge.call("GET", path, account=edge.other), 404)
    assert_envelope(await edge.call("GET", "/api/v1/operations/nothing"), 404)


async def test_a_merge_that_waits_is_202_and_found_later(edge: EdgeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "WAIT_S", 0.2)
    await two_users(edge)
    waiting = await edge.call("POST", "/api/v1/profiles/merge", MERGE)
    assert (waiting.status, waiting.json()["outcome"]) == (202, "pending")
    edge.apply()
    found = await edge.call("GET", f"/api/v1/operations/{waiting.json()['operation_id']}")
    assert found.json()["outcome"] == "done"


async def test_the_same_merge_under_one_key_is_done_once(edge: EdgeWorld) -> None:
    await two_users(edge)
    key = {"Idempotency-Key": "merge-1"}
    first = await edge.call_and_apply("POST", "/api/v1/profiles/merge", MERGE, headers=key)
    again = await edge.call("POST", "/api/v1/profiles/merge", MERGE, headers=key)
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["idempotent-replay"] == "true"
    other = {**MERGE, "reason": "another request"}
    assert_envelope(await edge.call("POST", "/api/v1/profiles/merge", other, headers=key), 409)


async def test_a_merge_that_cannot_be_done_says_why(edge: EdgeWorld) -> None:
    await two_users(edge)
    same = {"keep": {"identity": "ines"}, "absorb": {"identity": "ines"}}
    assert_envelope(await edge.call_and_apply("POST", "/api/v1/profiles/merge", same), 409)
    assert_envelope(await edge.call_and_apply("POST", "/api/v1/profiles/undo", {"log_id": "12345"}), 404)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("merge", {"keep": {"identity": "ines"}, "absorb": {"identity": "nobody"}}, 404),
        ("merge", {"keep": {"identity": "ines"}}, 400),
        ("merge", {"keep": {}, "absorb": {"identity": "shadow"}}, 400),
        ("merge", {"keep": {"identity": "ines", "email": "x"}, "absorb": {"identity": "shadow"}}, 400),
        ("merge", {**MERGE, "resaon": "misspelt"}, 400),
        ("merge", {**MERGE, "reason": "x" * 401}, 400),
        ("merge", {**MERGE, "reason": 7}, 400),
        ("merge", b"", 400),
        ("merge", b"{", 400),
        ("merge", b"[]", 400),
        ("merge", b"\xff\xfe", 400),
        ("merge", b"[" * 100_000, 400),
        ("undo", {"log_id": 7}, 400),
        ("undo", {"log_id": "-1"}, 400),
        ("undo", {"log_id": "9" * 30}, 400),
        ("undo", {"log_id": "\u0663"}, 400),
    ],
)
async def test_requests_that_cannot_be_understood_name_the_field(
    edge: EdgeWorld, path: str, body: Any, status: int
) -> None:
    await two_users(edge)
    end = edge.log.end()
    assert_envelope(await edge.call("POST", f"/api/v1/profiles/{path}", body), status)
    assert edge.log.end() == end


async def test_the_identity_log_tells_what_happened(edge: EdgeWorld) -> None:
    await two_users(edge)
    merged = (await edge.call_and_apply("POST", "/api/v1/profiles/merge", MERGE)).json()
    page = (await edge.call("GET", "/api/v1/profiles/identity-log?identity=ines")).json()
    (entry,) = page["items"]
    assert (entry["kind"], entry["reason"], entry["log_id"]) == ("merge", "same person", merged["result"]["log_id"])
    assert entry["source"].startswith("passcode ")
    assert entry["undone_by"] is None
    assert_envelope(await edge.call("GET", "/api/v1/profiles/identity-log?identity=ines", account=edge.other), 404)
    assert_envelope(await edge.call("GET", "/api/v1/profiles/identity-log"), 400)
    assert_envelope(await edge.call("GET", "/api/v1/profiles/identity-log?identity=ines&limit=0"), 400)
    assert_envelope(await edge.call("GET", "/api/v1/profiles/identity-log?identity=ines&limit=x"), 400)
