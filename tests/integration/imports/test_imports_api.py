"""Imports as people use them: over HTTP, through the worker and the pipeline, into the stores."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from belfry.accounts.model import Scope
from belfry.imports import actions, worker
from belfry.imports.model import PART_BYTES_MAX
from support.asgi import assert_envelope
from support.edge_world import EdgeWorld

USERS = (
    b"identity,email,Joined<dd/MM/yyyy>,visits,tags<list>\n"
    b"u1,ines@example.org,25/12/2025,5,a|b\n"
    b"u2,not-an-address,25/12/2025,1,\n"
    b"u3,,not a date,007,\n"
    b",nobody@example.org,,,\n"
    b"u1,ines@example.org,25/12/2025,6,a|b\n"
)


async def made(edge: EdgeWorld, file: bytes, kind: str = "users", form: str = "csv", **more: Any) -> str:
    """An import whose file is complete."""
    reply = await edge.call("POST", "/api/v1/imports", {"kind": kind, "format": form, **more})
    assert reply.status == 201, reply.body
    import_id: str = reply.json()["id"]
    middle = len(file) // 2
    for number, part in ((1, file[middle:]), (0, file[:middle])):
        reply = await edge.call("PUT", f"/api/v1/imports/{import_id}/parts/{number}", part)
        assert reply.status == 200, reply.body
    return import_id


async def run(edge: EdgeWorld, import_id: str, *, dry_run: bool = False) -> Any:
    """Start it and let the worker bring it to its end; the import then."""
    reply = await edge.call("POST", f"/api/v1/imports/{import_id}/start", {"dry_run": dry_run})
    assert reply.status == 200, reply.body
    while await edge.import_worker().step():
        pass
    await asyncio.to_thread(edge.apply)
    return (await edge.call("GET", f"/api/v1/imports/{import_id}")).json()


async def profile(edge: EdgeWorld, identity: str) -> Any:
    return (await edge.call("GET", f"/1/profile.json?identity={identity}")).json().get("record")


async def test_a_csv_of_users_becomes_profiles_and_every_refused_row_has_its_reason(edge: EdgeWorld) -> None:
    import_id = await made(edge, USERS)
    job = await run(edge, import_id)
    assert job["state"] == "done"
    assert job["progress"] == 1.0
    assert {key: job["counts"][key] for key in ("read", "accepted", "refused", "noted")} == {
        "read": 5, "accepted": 3, "refused": 2, "noted": 1,
    }  # fmt: skip
    refused = (await edge.call("GET", f"/api/v1/imports/{import_id}/refused")).json()
    assert [(item["row"], item["column"], item["code"]) for item in refused["items"]] == [
        (3, "email", 515), (5, "identity", 523),
    ]  # fmt: skip
    assert refused["items"][0]["values"] == ["u2", "not-an-address", "25/12/2025", "1", ""]
    assert refused["next_offset"] is None
    record = await profile(edge, "u1")
    assert record["email"] == "ines@example.org"
    assert record["profileData"] == {"Joined": "$D_1766664000", "visits": 6, "tags": ["a", "b"]}
    assert (await profile(edge, "u3"))["profileData"] == {"Joined": "not a date", "visits": "007"}
    assert await profile(edge, "u2") is None


async def test_a_dry_run_tells_what_would_happen_and_keeps_nothing(edge: EdgeWorld) -> None:
    await edge.upload(
        {"type": "profile", "identity": "u3", "profileData": {}},
        {"type": "event", "objectId": "a8f0c9a7e5d14c58", "evtName": "Viewed", "evtData": {}},
        {"type": "profile", "identity": "u9", "profileData": {"Email": "taken@example.org"}},
    )
    file = USERS + b"u4,taken@example.org,,,\n"
    device = b'{"identity":"u3","objectId":"a8f0c9a7e5d14c58"}\n'
    position = edge.log.end()
    job = await run(edge, await made(edge, file), dry_run=True)
    assert job["state"] == "checked"
    assert job["counts"] == {
        "read": 6, "accepted": 4, "refused": 2, "noted": 1, "new": 2, "updated": 2, "merged": 0, "conflicts": 1,
    }  # fmt: skip
    merging = await run(edge, await made(edge, device, form="jsonl"), dry_run=True)
    assert (merging["counts"]["merged"], merging["counts"]["updated"]) == (1, 0)
    assert edge.log.end() == position
    done = await run(edge, job["id"])
    assert (done["state"], done["counts"]["accepted"], done["counts"]["new"]) == ("done", 4, 0)


async def test_the_preview_shows_fifteen_rows_with_their_reasons(edge: EdgeWorld) -> None:
    import_id = await made(edge, USERS + b"".join(b"v%d,,,,\n" % number for number in range(30)))
    rows = (await edge.call("GET", f"/api/v1/imports/{import_id}/preview")).json()["items"]
    assert [row["row"] for row in rows] == list(range(2, 17))
    assert rows[0]["record"]["profileData"]["tags"] == ["a", "b"]
    assert rows[1]["record"] is None
    assert rows[1]["problems"][0]["column"] == "email"
    assert rows[2]["problems"][0]["column"] == "Joined"


async def test_a_mapping_may_be_changed_after_a_dry_run(edge: EdgeWorld) -> None:
    file = b"Customer no;When;Internal\n7;01.12.2025;x\n8;02.12.2025;y\n"
    reply = await edge.call("POST", "/api/v1/imports", {"kind": "users", "format": "csv"})
    import_id = reply.json()["id"]
    await edge.call("PUT", f"/api/v1/imports/{import_id}/parts/0", file)
    assert_envelope(await edge.call("POST", f"/api/v1/imports/{import_id}/start", {}), 400)
    mapping = {
        "Customer no": {"to": "identity"}, "When": {"to": "Joined", "format": "dd/MM/yyyy"}, "Internal": {"skip": True},
    }  # fmt: skip
    reply = await edge.call("PUT", f"/api/v1/imports/{import_id}/mapping", {"columns": mapping})
    assert reply.json()["state"] == "receiving"
    assert (await run(edge, import_id, dry_run=True))["counts"]["new"] == 2
    assert (await run(edge, import_id))["state"] == "done"
    assert (await profile(edge, "7"))["profileData"] == {"Joined": "$D_1764590400"}


async def test_events_come_as_csv_json_lines_and_parquet(edge: EdgeWorld) -> None:
    csv_file = b"identity,evtName,ts,Amount,Currency\nu1,Charged,1795600000,12.5,EUR\nu1,App Launched,1795600001,,\n"
    job = await run(edge, await made(edge, csv_file, "events"))
    assert (job["counts"]["accepted"], job["problems"][0]["code"], job["problems"][0]["column"]) == (1, 513, "evtName")
    job = await run(edge, await made(edge, csv_file, "events", is_history=True))
    assert job["counts"]["accepted"] == 2
    lines = [
        "Charged",
        {"profile": {"identity": "u2"}, "ts": 20261125100000, "eventName": "Charged", "eventProps": {"Amount": 3}},
        {"identity": "u2", "ts": 1795600000, "Amount": 4},
        {"type": "event", "identity": "u2", "evtName": "Viewed", "evtData": {"a": 1}},
        {"type": "profile", "identity": "u2", "profileData": {}},
        [1],
    ]
    file = "\n".join(json.dumps(line) for line in lines).encode()
    job = await run(edge, await made(edge, file, "events", "jsonl"))
    assert (job["counts"]["accepted"], [problem["row"] for problem in job["problems"]]) == (3, [5, 6])
    table = pa.table({"identity": ["u3", "u3"], "ts": [1795600000, 1795600001], "Amount": [1.5, None]})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    job = await run(edge, await made(edge, sink.getvalue(), "events", "parquet", mapping={"event_name": "Charged"}))
    assert (job["state"], job["counts"]["accepted"]) == ("done", 2)
    for identity, count in (("u1", 1), ("u2", 2), ("u3", 2)):
        assert (await profile(edge, identity))["events"]["Charged"]["count"] == count


@pytest.mark.parametrize("crash_after", [1, 2, 5])
async def test_a_crash_after_any_chunk_loses_and_doubles_no_row(
    edge: EdgeWorld, monkeypatch: pytest.MonkeyPatch, crash_after: int
) -> None:
    monkeypatch.setattr(worker, "CHUNKS_AT_ONCE", 2)
    rows = [b"u%d,%d" % (number, number) for number in range(6500)]
    rows[1234] = rows[4321] = b",5"
    import_id = await made(edge, b"identity,visits\n" + b"\n".join(rows))
    await edge.call("POST", f"/api/v1/imports/{import_id}/start", {})
    first = edge.import_worker()
    tally = first._tally
    calls = 0

    def crash(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls >= crash_after:
            raise RuntimeError("killed between the log and the counts")
        return tally(*args)

    monkeypatch.setattr(first, "_tally", crash)
    if crash_after <= 4:
        with pytest.raises(RuntimeError):
            await first.step()
    else:
        assert await first.step()
    await edge.import_worker().step()
    job = (await edge.call("GET", f"/api/v1/imports/{import_id}")).json()
    assert job["state"] == "done"
    assert {key: job["counts"][key] for key in ("read", "accepted", "refused")} == {
        "read": 6500, "accepted": 6498, "refused": 2,
    }  # fmt: skip
    sent = [
        record["identity"]
        for stored in edge.log.read(0, bytes_max=2**30)
        for record in json.loads(stored.entry.body)["d"]
        if "identity" in record
    ]
    assert sorted(sent) == sorted({f"u{number}" for number in range(6500)} - {"u1234", "u4321"})
    refused = (await edge.call("GET", f"/api/v1/imports/{import_id}/refused")).json()["items"]
    assert [item["row"] for item in refused] == [1236, 4323]


async def test_refused_rows_come_page_by_page(edge: EdgeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "REFUSED_ROWS_MAX", 2)
    import_id = await made(edge, b"identity,n\n" + b",1\n" * 5)
    assert (await run(edge, import_id))["counts"]["refused"] == 5
    rows, offset = [], 0
    while offset is not None:
        page = (await edge.call("GET", f"/api/v1/imports/{import_id}/refused?offset={offset}")).json()
        rows += [item["row"] for item in page["items"]]
        offset = page["next_offset"]
    assert rows == [2, 3, 4, 5, 6]


async def test_an_import_that_is_deleted_stops_and_leaves_no_file(edge: EdgeWorld) -> None:
    import_id = await made(edge, USERS)
    await edge.call("POST", f"/api/v1/imports/{import_id}/start", {})
    assert (await edge.call("DELETE", f"/api/v1/imports/{import_id}")).json()["state"] == "cancelled"
    assert not await edge.import_worker().step()
    assert not any(path.is_file() for path in edge.settings.path("imports").rglob("*"))
    assert_envelope(await edge.call("POST", f"/api/v1/imports/{import_id}/start", {}), 409)


async def test_what_is_no_import_is_refused_before_anything_is_read(edge: EdgeWorld) -> None:
    for body, field in (
        ({"kind": "pets", "format": "csv"}, "kind"),
        ({"kind": "users", "format": "xlsx"}, "format"),
        ({"kind": "users", "format": "csv", "is_history": True}, "is_history"),
        ({"kind": "users", "format": "csv", "mapping": {"columns": {"a": {"kind": "colour"}}}}, "kind"),
    ):
        reply = assert_envelope(await edge.call("POST", "/api/v1/imports", body), 400)
        assert field in json.dumps(reply)
    cases: list[tuple[str, bytes, str]] = [
        ("csv", b"name,plan\nInes,gold\n", "identity"),
        ("csv", b"\n\n", "header"),
        ("csv", b"identity,identity\n", "twice"),
        ("csv", b"identity,Joined<dd/XX/yyyy>\xff\n", "UTF-8"),
        ("parquet", b"identity,plan\nu1,gold\n", "Parquet"),
        ("parquet", b"PAR1" + b"\xff" * 64 + b"PAR1", "Parquet"),
    ]
    for form, file, word in cases:
        import_id = await made(edge, file, form=form)
        reply = assert_envelope(await edge.call("POST", f"/api/v1/imports/{import_id}/start", {}), 400)
        assert word in reply["error"]
        await edge.call("DELETE", f"/api/v1/imports/{import_id}")


async def test_parts_are_bounded_whole_and_in_place(edge: EdgeWorld, tmp_path: Path) -> None:
    import_id = (await edge.call("POST", "/api/v1/imports", {"kind": "users", "format": "csv"})).json()["id"]
    path = f"/api/v1/imports/{import_id}/parts"
    assert_envelope(await edge.call("PUT", f"{path}/0", b""), 400)
    assert_envelope(await edge.call("PUT", f"{path}/1024", b"x"), 400)
    assert_envelope(await edge.call("PUT", f"{path}/0", b"x" * (PART_BYTES_MAX + 1)), 413)
    for hostile in ("..", "%2e%2e", "-1", "0/../../x", "1e3", "..%2f..%2fx"):
        assert (await edge.call("PUT", f"{path}/{hostile}", b"x")).status in {400, 404}
    for hostile in ("..", "%2e%2e%2fx", "0" * 300, "%00"):
        assert_envelope(await edge.call("PUT", f"/api/v1/imports/{hostile}/parts/0", b"x"), 404)
    await edge.call("PUT", f"{path}/1", b"identity\nu1\n")
    reply = assert_envelope(await edge.call("POST", f"/api/v1/imports/{import_id}/start", {}), 409)
    assert reply["error"] == "Part 0 is missing"
    root = edge.settings.path("imports") / edge.shop / import_id
    assert [path for path in edge.settings.path("imports").rglob("*") if path.is_file()] == [root / "0001.part"]


async def test_scopes_decide_which_rows_a_passcode_may_bring_in(edge: EdgeWorld) -> None:
    events_only = edge.passcode(edge.shop, scopes=[Scope.EVENTS_WRITE])
    users = {"kind": "users", "format": "csv"}
    assert_envelope(await edge.call("POST", "/api/v1/imports", users, secret=events_only), 403)
    import_id = await made(edge, USERS)
    for method, path in (("POST", "start"), ("GET", "preview"), ("GET", "refused"), ("PUT", "parts/0")):
        reply = await edge.call(method, f"/api/v1/imports/{import_id}/{path}", b"{}", secret=events_only)
        assert_envelope(reply, 403)
    history = {"kind": "events", "format": "csv", "is_history": True}
    assert_envelope(await edge.call("POST", "/api/v1/imports", history, secret=events_only), 403)
    assert_envelope(await edge.call("GET", f"/api/v1/imports/{import_id}", account=edge.other), 404)
