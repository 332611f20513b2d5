"""The error stream over HTTP: look, put right, send in again."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from belfry.accounts.model import AccountSettings
from support.asgi import assert_envelope
from support.edge_world import EdgeWorld

NO_PLUS = {"type": "profile", "identity": "rider-82", "profileData": {"Phone": "912345678"}}


async def test_a_refused_record_is_there_with_its_bytes_and_goes_in_after_the_fix(edge: EdgeWorld) -> None:
    await edge.upload(NO_PLUS, {"type": "profile", "identity": "rider-83", "profileData": {"Phone": "912345679"}})
    (group,) = (await edge.call("GET", "/api/v1/errors")).json()["items"]
    assert (group["code"], group["count"], group["waiting_count"], group["severity"]) == (516, 2, 2, "high")
    key = group["key"]
    records = (await edge.call("GET", f"/api/v1/errors/records?{urlencode(key)}")).json()["items"]
    assert [record["code"] for record in records] == [516, 516]
    assert '"Phone":"912345678"' in records[0]["record"].replace(" ", "")

    edge.accounts.configure(edge.shop, AccountSettings(default_country="PT"))
    edge.directory.refresh()
    replayed = await edge.call("POST", "/api/v1/errors/replay", key)
    assert replayed.json() == {"records_count": 2, "accepted_count": 2, "remaining": False}
    edge.apply()
    record = (await edge.call("GET", "/1/profile.json?identity=rider-82")).json()["record"]
    assert record["phone"] == "+351912345678"
    (group,) = (await edge.call("GET", "/api/v1/errors")).json()["items"]
    assert group["waiting_count"] == 0


async def test_without_a_fix_a_replay_ends_and_says_that_nothing_went_in(edge: EdgeWorld) -> None:
    await edge.upload(NO_PLUS)
    (group,) = (await edge.call("GET", "/api/v1/errors")).json()["items"]
    replayed = (await edge.call_and_apply("POST", "/api/v1/errors/replay", group["key"])).json()
    assert (replayed["records_count"], replayed["accepted_count"]) == (1, 0)


async def test_records_come_in_pages(edge: EdgeWorld) -> None:
    await edge.upload(*[dict(NO_PLUS, identity=f"rider-{n}") for n in range(5)])
    (group,) = (await edge.call("GET", "/api/v1/errors")).json()["items"]
    seen, cursor = [], ""
    while cursor is not None:
        query = urlencode({**group["key"], "limit": 2, **({"cursor": cursor} if cursor else {})})
        page = (await edge.call("GET", f"/api/v1/errors/records?{query}")).json()
        assert len(page["items"]) <= 2
        seen += [int(item["id"], 16) for item in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen)


@pytest.mark.parametrize("cursor", ["x", "%ff", "a2FiYw", "azk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk", "====", "ay0x"])
async def test_a_cursor_that_is_not_ours_is_400(edge: EdgeWorld, cursor: str) -> None:
    query = f"kind=refused&source=API&subject=x&cursor={cursor}"
    assert_envelope(await edge.call("GET", f"/api/v1/errors/records?{query}"), 400)


async def test_another_account_sees_and_replays_nothing(edge: EdgeWorld) -> None:
    await edge.upload(NO_PLUS)
    (group,) = (await edge.call("GET", "/api/v1/errors")).json()["items"]
    assert (await edge.call("GET", "/api/v1/errors", account=edge.other)).json()["items"] == []
    query = urlencode(group["key"])
    assert (await edge.call("GET", f"/api/v1/errors/records?{query}", account=edge.other)).json()["items"] == []
    end = edge.log.end()
    replayed = await edge.call("POST", "/api/v1/errors/replay", group["key"], account=edge.other)
    assert replayed.json()["records_count"] == 0
    assert edge.log.end() == end
