"""Custom lists through signed URLs, API segments, and both as segments (server-api 9.1, 9.2, scenario 24)."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

import pytest

from belfry.edge.exchange import Request
from support.asgi import Reply, assert_envelope, call
from support.edge_world import EdgeWorld

DAY_MS = 24 * 3_600_000
CSV = b"Type,Identity\ni,ana\ni,ben@example.org\ng,__device0001\ni,nobody\nx,ana\n"


async def put(edge: EdgeWorld, url: str, body: Any, headers: dict[str, str] | None = None) -> Reply:
    """Send a file without any account headers."""
    return await call(edge.gate, "PUT", urlsplit(url).path, body, headers or {})


async def sent(edge: EdgeWorld, body: bytes, path: str = "/get_custom_list_segment_url") -> str:
    """A URL to which a file was sent."""
    url: str = (await edge.call("POST", path)).json()["presignedS3URL"]
    assert (await put(edge, url, body)).status == 200
    return url


async def complete(edge: EdgeWorld, url: str, name: str = "Commuters", **more: Any) -> Reply:
    body = {"name": name, "email": "ana@example.org", "filename": "../../x.csv", "creator": "Ana", "url": url, **more}
    return await edge.call("POST", "/upload_custom_list_segment_completed", body)


async def uploaded(edge: EdgeWorld, body: bytes, **more: Any) -> int:
    """The id of a list whose file was processed."""
    reply = await complete(edge, await sent(edge, body), **more)
    assert reply.status == 200, reply.body
    edge.process_uploads()
    segment_id: int = reply.json()["segment_id"]
    return segment_id


async def people(edge: EdgeWorld) -> None:
    await edge.upload(
        {"type": "profile", "identity": "ana", "profileData": {"city": "Faro"}},
        {"type": "profile", "identity": "ben", "profileData": {"Email": "ben@example.org"}},
        {"type": "profile", "objectId": "__device0001", "profileData": {"city": "Faro"}},
        {"type": "profile", "identity": "cleo", "profileData": {}},
    )


async def count(edge: EdgeWorld, segment_id: int, **rule: Any) -> Any:
    tree = rule or {"type": "segment", "id": segment_id}
    account = edge.accounts.show(edge.shop)
    from belfry.segments.parse import parse

    return edge.services.segments.count(account, parse(tree))


async def state(edge: EdgeWorld, import_id: int) -> Any:
    return (await edge.call("GET", f"/1/imports/{import_id}.json")).json()


async def test_a_list_goes_from_url_to_members(edge: EdgeWorld) -> None:
    await people(edge)
    reply = await edge.call("POST", "/get_custom_list_segment_url")
    answer = reply.json()
    assert (reply.status, set(answer), answer["status"]) == (200, {"presignedS3URL", "expiry", "status"}, "success")
    assert answer["expiry"] == "2026-11-26T12:00:00.000Z"
    put_reply = await put(edge, answer["presignedS3URL"], [CSV[:20], CSV[20:]])
    assert (put_reply.status, put_reply.body) == (200, b"")
    assert put_reply.headers["etag"] == f'"{hashlib.md5(CSV).hexdigest()}"'
    done = await complete(edge, answer["presignedS3URL"])
    segment_id = done.json()["segment_id"]
    assert done.json() == {"status": "success", "Segment ID": segment_id, "segment_id": segment_id}
    assert (await state(edge, segment_id))["state"] == "pending"
    edge.process_uploads()
    told = await state(edge, segment_id)
    assert (told["state"], told["kind"]) == ("done", "custom_list")
    assert told["result"] == {
        "accepted": 3,
        "unknown": 1,
        "malformed": 1,
        "samples": [{"line": 6, "reason": "Type is 'x', needs i or g"}],
        "members": 3,
        "is_current": True,
    }
    assert await count(edge, segment_id) == 3
    city = {"type": "user", "prop": "city", "cmp": "eq", "value": "Faro"}
    inside = {"type": "segment", "id": segment_id}
    assert await count(edge, 0, op="and", rules=[inside, city]) == 2
    assert await count(edge, 0, op="and", rules=[city, {"not": inside}]) == 0
    assert await count(edge, 0, **{"not": inside}) == 1


async def test_nobody_is_created_by_a_list(edge: EdgeWorld) -> None:
    await people(edge)
    await uploaded(edge, b"Type,Identity\ni,stranger\n")
    assert (await edge.call("GET", "/1/profile.json?identity=stranger")).json()["code"] == 404


async def test_a_list_that_is_not_processed_yet_cannot_be_used(edge: EdgeWorld) -> None:
    segment_id = (await complete(edge, await sent(edge, CSV))).json()["segment_id"]
    reply = await edge.call("POST", "/api/v1/segments", {"name": "x", "rule": {"type": "segment", "id": segment_id}})
    assert "not been processed" in assert_envelope(reply, 400)["error"]


async def test_the_same_name_needs_replace_and_keeps_its_id(edge: EdgeWorld) -> None:
    await people(edge)
    segment_id = await uploaded(edge, CSV)
    again = await sent(edge, b"Type,Identity\ni,cleo\n")
    assert "duplicate_name" in assert_envelope(await complete(edge, again), 409)["error"]
    replaced = await complete(edge, again, replace=True)
    assert replaced.json()["segment_id"] == segment_id
    assert await count(edge, segment_id) == 3  # until the new ones are there, the ones before hold
    edge.process_uploads()
    assert await count(edge, segment_id) == 1


async def test_the_same_name_is_refused_even_after_a_failed_attempt(edge: EdgeWorld) -> None:
    await uploaded(edge, b"Wrong,Header\n")
    assert "duplicate_name" in assert_envelope(await complete(edge, await sent(edge, CSV)), 409)["error"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(b"Identity,Type\nana,i\n", "The header needs to be exactly Type,Identity", id="other header"),
        pytest.param(b"", "The header needs to be exactly", id="empty"),
        pytest.param(b"\xff\xfe\x00PK\x03\x04", "The header needs to be exactly", id="no text"),
        pytest.param(b"Type,Identity\nz,ana\n", "No row names a user", id="no row is good"),
        pytest.param(b'Type,Identity\ni,"' + b"x" * 20_000, "line", id="a field without end"),
    ],
)
async def test_a_failed_upload_keeps_the_last_good_version(edge: EdgeWorld, body: bytes, error: str) -> None:
    await people(edge)
    segment_id = await uploaded(edge, CSV)
    await uploaded(edge, body, replace=True)
    told = await state(edge, segment_id)
    assert told["state"] == "failed"
    assert error in told["result"]["error"]
    assert await count(edge, segment_id) == 3


async def test_of_two_uploads_the_later_one_holds_whichever_is_processed_first(edge: EdgeWorld) -> None:
    await people(edge)
    segment_id = (await complete(edge, await sent(edge, CSV))).json()["segment_id"]
    edge.clock.advance_ms(1)
    await complete(edge, await sent(edge, b"Type,Identity\ni,cleo\n"), replace=True)
    edge.process_uploads()
    assert await count(edge, segment_id) == 1


# ---- signed URLs


async def test_a_url_takes_nothing_after_its_day(edge: EdgeWorld) -> None:
    url = await sent(edge, CSV)
    edge.clock.advance_ms(DAY_MS - 1000)
    assert (await put(edge, url, CSV)).status == 200
    edge.clock.advance_ms(1000)
    assert "expired" in assert_envelope(await put(edge, url, CSV), 403)["error"]


async def test_a_url_takes_nothing_after_completion(edge: EdgeWorld) -> None:
    url = await sent(edge, CSV)
    await complete(edge, url)
    assert_envelope(await put(edge, url, CSV), 403)
    assert_envelope(await complete(edge, url, name="Other"), 409)


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "SHO-P00-0001.1.1.9999999999.00",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "a" * 5000,
        "%00",
        "%ff",
        "é",
    ],
)
async def test_a_token_that_we_did_not_make_is_403(edge: EdgeWorld, token: str) -> None:
    from urllib.parse import quote

    raw = quote(token, safe="%")
    assert_envelope(await call(edge.gate, "PUT", f"/ul/{raw}", b"x", {}), 403)


async def test_a_changed_token_is_403(edge: EdgeWorld) -> None:
    url = await sent(edge, CSV)
    account, upload, part, expiry, mac = urlsplit(url).path.removeprefix("/ul/").split(".")
    for changed in (
        f"{edge.other}.{upload}.{part}.{expiry}.{mac}",
        f"{account}.{'0' * 32}.{part}.{expiry}.{mac}",
        f"{account}.{upload}.2.{expiry}.{mac}",
        f"{account}.{upload}.{part}.9{expiry}.{mac}",
        f"{account}.{upload}.{part}.{expiry}.{mac[:-1]}0",
    ):
        if changed not in url:
            assert_envelope(await call(edge.gate, "PUT", f"/ul/{changed}", b"x", {}), 403)


async def test_another_accounts_url_completes_nothing(edge: EdgeWorld) -> None:
    url = await sent(edge, CSV)
    body = {"name": "Theirs", "email": "a@x.org", "url": url}
    reply = await edge.call("POST", "/upload_custom_list_segment_completed", body, account=edge.other)
    assert "not an upload URL of this account" in assert_envelope(reply, 400)["error"]


async def test_nothing_sent_is_nothing_complete(edge: EdgeWorld) -> None:
    url = (await edge.call("POST", "/get_custom_list_segment_url")).json()["presignedS3URL"]
    assert "nothing was uploaded" in assert_envelope(await complete(edge, url), 400)["error"]


async def test_a_file_in_pieces_is_continued_where_it_stopped(edge: EdgeWorld) -> None:
    await people(edge)
    url = (await edge.call("POST", "/get_custom_list_segment_url")).json()["presignedS3URL"]
    total = len(CSV)

    async def piece(start: int, end: int) -> Reply:
        return await put(edge, url, CSV[start : end + 1], {"Content-Range": f"bytes {start}-{end}/{total}"})

    first = await piece(0, 9)
    assert (first.status, first.headers["range"]) == (202, "bytes=0-9")
    assert_envelope(await piece(20, 29), 409)
    asked = await put(edge, url, b"", {"Content-Range": "bytes */*"})
    assert (asked.status, asked.headers["range"]) == (202, "bytes=0-9")
    last = await piece(10, total - 1)
    assert (last.status, last.headers["etag"]) == (200, f'"{hashlib.md5(CSV).hexdigest()}"')
    segment_id = (await complete(edge, url)).json()["segment_id"]
    edge.process_uploads()
    assert await count(edge, segment_id) == 3


@pytest.mark.parametrize("header", ["bytes 5-4/10", "bytes 0-10/10", "lines 0-1/2", "bytes 0-1", "bytes -1-2/3"])
async def test_a_range_that_cannot_be_is_400(edge: EdgeWorld, header: str) -> None:
    url = (await edge.call("POST", "/get_custom_list_segment_url")).json()["presignedS3URL"]
    assert_envelope(await put(edge, url, b"xx", {"Content-Range": header}), 400)


async def test_a_file_may_be_larger_than_any_other_body(edge: EdgeWorld) -> None:
    url = (await edge.call("POST", "/get_custom_list_segment_url")).json()["presignedS3URL"]
    size = edge.settings.body_bytes_max + 1024 * 1024
    whole = b"x" * size
    reply = await put(edge, url, [whole[at : at + 65_536] for at in range(0, size, 65_536)])
    assert (reply.status, reply.headers["etag"]) == (200, f'"{hashlib.md5(whole).hexdigest()}"')
    announced = {"Content-Length": str(edge.settings.file_bytes_max + 1)}
    assert_envelope(await put(edge, url, b"x", announced), 413)


async def test_files_stay_inside_the_uploads_folder(edge: EdgeWorld) -> None:
    await uploaded(edge, CSV)
    await sent(edge, CSV)
    folder = edge.settings.path("uploads")
    places = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert [path.name for path in places] == ["1"]
    assert not list(edge.settings.path().parent.glob("x.csv"))


async def test_a_client_that_leaves_leaves_nothing(edge: EdgeWorld) -> None:
    url = (await edge.call("POST", "/get_custom_list_segment_url")).json()["presignedS3URL"]
    messages = [{"type": "http.request", "body": b"Type,", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(_message: Any) -> None:
        pytest.fail("nobody waits for an answer")

    path = urlsplit(url).path
    scope = {
        "type": "http",
        "method": "PUT",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    await edge.gate(scope, receive, send)
    assert not [path for path in edge.settings.path("uploads").rglob("*") if path.is_file()]
    assert_envelope(await complete(edge, url), 400)


def test_a_parameter_of_the_path_is_decoded_once() -> None:
    request = Request(
        method="GET",
        path="/a/x%2Fy.json",
        route="/a/{id}.json",
        query=b"",
        headers={},
        body=b"",
        caller=None,
        request_id="r",
        received_at_ms=0,
        address="",
        raw_path=b"/a/x%2Fy%2520.json",
    )
    assert request.path_parameter("id") == "x/y%20"


# ---- API segments


async def test_api_segments_are_made_one_by_one(edge: EdgeWorld) -> None:
    vip = {"segment_name": "VIP", "customer_segment_id": "vip-1"}
    reply = await edge.call("POST", "/api/createSegment", [vip])
    segment_id = reply.json()["segments"][0]["ct_segment_id"]
    assert reply.json() == {
        "status": "success",
        "segments": [{"customer_segment_id": "vip-1", "ct_segment_id": segment_id, "status": "success"}],
    }
    more = {"segments": [vip, {"segment_name": "New", "customer_segment_id": "vip-1"}, {"segment_name": "B"}, 1]}
    more["segments"].append({"segment_name": "Good", "customer_segment_id": "good-1"})
    reply = await edge.call("POST", "/api/createSegment", more)
    made = reply.json()["segments"]
    assert reply.json()["status"] == "partial"
    assert [one["status"] for one in made] == ["fail", "fail", "fail", "fail", "success"]
    assert ["duplicate_name" in one["error"] for one in made[:2]] == [True, True]
    assert await count(edge, segment_id) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"1", b"{}", b"[]", b'{"segments":{}}', b"[" + b"1," * 100 + b"1]"])
async def test_what_names_no_segments_is_400(edge: EdgeWorld, body: bytes) -> None:
    assert_envelope(await edge.call("POST", "/api/createSegment", body), 400)


async def test_a_deleted_lists_name_is_free_again(edge: EdgeWorld) -> None:
    await people(edge)
    segment_id = await uploaded(edge, CSV)
    edge.services.segments.delete(edge.shop, segment_id)
    edge.clock.advance_ms(1000)
    assert await uploaded(edge, CSV) != segment_id


async def test_a_lists_members_cannot_be_replaced_by_a_rule(edge: EdgeWorld) -> None:
    from belfry.errors import Conflict

    segment_id = await uploaded(edge, CSV)
    with pytest.raises(Conflict):
        edge.services.segments.update(edge.accounts.show(edge.shop), segment_id, rule={"type": "everyone"})


async def test_two_accounts_with_one_name_have_two_lists(edge: EdgeWorld) -> None:
    await people(edge)
    await uploaded(edge, CSV)
    url = (await edge.call("POST", "/get_custom_list_segment_url", account=edge.other)).json()["presignedS3URL"]
    await put(edge, url, CSV)
    body = {"name": "Commuters", "email": "a@x.org", "url": url}
    reply = await edge.call("POST", "/upload_custom_list_segment_completed", body, account=edge.other)
    edge.process_uploads()
    told = await edge.call("GET", f"/1/imports/{reply.json()['segment_id']}.json", account=edge.other)
    assert (told.json()["result"]["accepted"], told.json()["result"]["unknown"]) == (0, 4)


def change(identity: str, action: str, segment: str = "vip-1") -> dict[str, Any]:
    return {
        "user_profiles": [{"identity": identity}],
        "segments": [{"customer_segment_id": segment, "action": action}],
    }


async def vip(edge: EdgeWorld) -> int:
    reply = await edge.call("POST", "/api/createSegment", [{"segment_name": "VIP", "customer_segment_id": "vip-1"}])
    segment_id: int = reply.json()["segments"][0]["ct_segment_id"]
    return segment_id


async def update(edge: EdgeWorld, *entries: dict[str, Any], **options: Any) -> Any:
    reply = await edge.call("POST", "/api/updateSegment", {"bulk_profiles": list(entries)}, **options)
    assert reply.status == 200, reply.body
    edge.apply()
    return reply.json()


async def test_users_enter_and_leave_an_api_segment_and_unknown_ones_are_made(edge: EdgeWorld) -> None:
    await people(edge)
    segment_id = await vip(edge)
    by_device = {
        "user_profiles": [{"guid": "__device0001"}, {"guid": "__device0002"}],
        "segments": [{"ct_segment_id": segment_id, "action": "ADD"}],
    }
    answer = await update(edge, change("ana", "ADD"), change("ben@example.org", "ADD"), change("new", "ADD"), by_device)
    assert answer == {"status": "success", "processed": 5, "unprocessed": []}
    assert await count(edge, segment_id) == 5
    assert (await edge.call("GET", "/1/profile.json?identity=new")).json()["status"] == "success"
    await update(edge, change("ana", "REMOVE"), change("nobody", "REMOVE"))
    assert await count(edge, segment_id) == 4
    await update(edge, change("ana", "ADD"))
    assert await count(edge, segment_id) == 5


async def test_each_change_of_membership_is_an_event(edge: EdgeWorld) -> None:
    segment_id = await vip(edge)
    await update(edge, change("ana", "ADD"))
    edge.clock.advance_ms(5000)
    await update(edge, change("ana", "REMOVE"))
    rows = edge.here.columnar.rows(
        "SELECT toString(props.Action), props.`Segment Name`.:String, props.`Segment ID`.:Int64,"
        " props.Customer_Segment_ID.:String FROM events WHERE name = 'segmentmembershipchange' ORDER BY ts"
    )
    assert [tuple(row) for row in rows] == [
        ("ADD", "VIP", segment_id, "vip-1"),
        ("REMOVE", "VIP", segment_id, "vip-1"),
    ]


async def test_what_cannot_be_changed_is_named_and_the_rest_goes_through(edge: EdgeWorld) -> None:
    segment_id = await vip(edge)
    bad = [
        change("a", "ADD", "unknown"),
        change("b", "MOVE"),
        change("", "ADD"),
        {"user_profiles": [{"guid": "x"}, {"identity": True}, 7], "segments": change("", "ADD")["segments"]},
        {"user_profiles": [{"identity": "c"}], "segments": []},
    ]
    answer = await update(edge, *bad, change("good", "ADD"))
    assert (answer["status"], answer["processed"]) == ("partial", 1)
    assert [one["code"] for one in answer["unprocessed"]] == [400, 400, 523, 523, 523, 523, 400]
    assert answer["unprocessed"][0]["record"] == {"identity": "a"}
    assert await count(edge, segment_id) == 1


async def test_another_accounts_api_segment_is_unknown(edge: EdgeWorld) -> None:
    segment_id = await vip(edge)
    by_id = {"user_profiles": [{"identity": "x"}], "segments": [{"ct_segment_id": segment_id, "action": "ADD"}]}
    answer = await update(edge, by_id, change("x", "ADD"), account=edge.other)
    assert (answer["status"], answer["processed"]) == ("fail", 0)


@pytest.mark.parametrize("count_", [0, 101])
async def test_a_call_changes_1_to_100_users(edge: EdgeWorld, count_: int) -> None:
    body = {"bulk_profiles": [change(f"u{number}", "ADD") for number in range(count_)]}
    assert_envelope(await edge.call("POST", "/api/updateSegment", body), 400)
