"""`POST /1/upload` against a real log: what is answered, what is kept, what a repeated request does."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from belfry.accounts.actions import Accounts, Passcodes
from belfry.accounts.directory import Directory
from belfry.accounts.hashing import PasscodeHasher
from belfry.accounts.model import Scope
from belfry.clock import ManualClock
from belfry.config import Settings
from belfry.edge import application
from belfry.edge.acceptance import Acceptance
from belfry.edge.routes import Route
from belfry.edge.threads import Threads
from belfry.ids import AccountId, SequentialIds
from belfry.intake import PartnerPolicy, UploadLimits
from belfry.observability.metrics import EdgeMetrics
from belfry.server_api import routes
from belfry.server_api.upload import UploadEndpoint
from belfry.storage.log import Entry, IdempotencyIndex, LogBusy, LogUnavailable, Stored, open_log
from belfry.storage.relational import Database
from support.asgi import Reply, assert_envelope, call

SEED = (
    b'{"d":[{"identity":"john_124","type":"event","$source":"CleverTap","evtName":"Product CleverTap 1",'
    b'"evtData":{"Product name":"Casio Chronograph Watch"}}]}'
)
EVENT = {"type": "event", "identity": "rider-81", "evtName": "Ride Booked", "evtData": {"City": "Porto"}}
PROFILE = {"type": "profile", "identity": "rider-81", "profileData": {"plan": "gold"}}
SUCCESS_OF_ONE = b'{"status":"success","processed":1,"unprocessed":[]}'


class World:
    """The edge with two accounts, its log, and a switch that makes the log fail."""

    def __init__(self, folder: Path, database: Database, clock: ManualClock, ids: SequentialIds) -> None:
        self.settings = Settings(data_dir=str(folder), log_free_bytes_min=0)
        self.clock = clock
        self._ids = ids
        hasher = PasscodeHasher(b"s" * 32)
        accounts = Accounts(database, clock, ids, region="eu1")
        self._passcodes = Passcodes(database, clock, ids, hasher)
        self.directory = Directory(database, hasher, clock)
        self.shop = AccountId(accounts.create("Shop").account_id)
        self.other = AccountId(accounts.create("Other").account_id)
        self.secrets = {account: self.passcode(account) for account in (self.shop, self.other)}
        self.fails: Exception | None = None
        self.appends_count = 0
        self.threads = Threads("lookups", workers=2, waiting_max=8)
        self.metrics = EdgeMetrics()

    def open(self) -> None:
        self.index = IdempotencyIndex(self.settings.path("idempotency.db"), hours=24, clock=self.clock)
        self.log = open_log(self.settings, clock=self.clock, ids=self._ids, on_durable=self.index.on_durable)
        self.index.catch_up(self.log)
        limits = UploadLimits(records_max=self.settings.records_max)
        acceptance = Acceptance(
            log=self,  # type: ignore[arg-type]
            limits=limits,
            threads=self.threads,
            metrics=self.metrics,
            ids=self._ids,
            partners=lambda _account: PartnerPolicy(),
            discarded=lambda _account: frozenset(),
            known_device=lambda account, device: (account, device) == (self.shop, "known device"),
        )
        endpoint = UploadEndpoint(acceptance, self.index, limits)
        served: Iterable[Route] = (routes.upload_route(endpoint),)
        self.gate = application.build(
            served,
            directory=self.directory,
            metrics=self.metrics,
            settings=self.settings,
            clock=self.clock,
            ids=self._ids,
            version="0",
        )

    def close(self) -> None:
        self.log.close()
        self.index.close()

    def append(self, entry: Entry) -> asyncio.Future[int]:
        """Stands before the real log, to make it fail."""
        if self.fails is not None:
            raise self.fails
        self.appends_count += 1
        return self.log.append(entry)

    def passcode(self, account: AccountId, **options: Any) -> str:
        secret = self._passcodes.create(account, "backend", **options).secret
        self.directory.refresh()
        return secret

    def entries(self) -> list[Stored]:
        return list(self.log.read(0, bytes_max=1 << 30))

    async def upload(
        self,
        body: Any,
        query: str = "",
        headers: Mapping[str, str] = {},
        *,
        account: AccountId | None = None,
        secret: str | None = None,
    ) -> Reply:
        account = account or self.shop
        credentials = {
            "X-CleverTap-Account-Id": account,
            "X-CleverTap-Passcode": secret or self.secrets[account],
        }
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await call(self.gate, "POST", f"/1/upload{query}", raw, {**credentials, **headers})


@pytest.fixture
async def world(
    tmp_path: Path, sqlite_database: Database, clock: ManualClock, ids: SequentialIds
) -> AsyncIterator[World]:
    world = World(tmp_path, sqlite_database, clock, ids)
    world.open()
    yield world
    world.close()
    world.threads.close()


async def test_the_seeds_example_is_accepted_verbatim_and_kept_byte_for_byte(world: World) -> None:
    reply = await world.upload(SEED, headers={"X-Request-Id": "seed-1", "X-Partner-Id": "Finch"})
    assert (reply.status, reply.body) == (200, SUCCESS_OF_ONE)
    (stored,) = world.entries()
    assert (stored.entry.body, stored.entry.kind, stored.entry.account_id) == (SEED, "upload", world.shop)
    assert (stored.entry.request_id, stored.entry.received_at_ms) == ("seed-1", world.clock.now_ms())
    assert stored.entry.meta["partner"] == "Finch"
    assert stored.entry.meta["refused"] == []
    assert world.secrets[world.shop] not in str(stored.entry.meta)


async def test_a_compressed_body_is_kept_as_it_was_before(world: World) -> None:
    await world.upload(gzip.compress(SEED), headers={"Content-Encoding": "gzip"})
    assert world.entries()[0].entry.body == SEED


async def test_bad_records_are_refused_in_their_place_and_the_rest_is_kept(world: World) -> None:
    records = [dict(EVENT, identity=f"u{n}") for n in range(1000)]
    records[499] = {"type": "profile", "identity": "u499", "profileData": {"Email": "$$$$$"}}
    reply = await world.upload({"d": records})
    body = reply.json()
    assert (reply.status, body["status"], body["processed"], len(body["unprocessed"])) == (200, "partial", 999, 1)
    assert body["unprocessed"][0]["error"].endswith("Skipped record number : 500")
    (stored,) = world.entries()
    (refused,) = stored.entry.meta["refused"]
    assert refused[:2] == [499, 515]


async def test_1001_records_are_400_and_nothing_is_kept(world: World) -> None:
    body = assert_envelope(await world.upload({"d": [EVENT] * 1001}), 400)
    assert body["error"] == "Too many records: 1001, maximum 1000"
    assert body["limit"] == 1000
    assert world.entries() == []


@pytest.mark.parametrize("query", ["?dryRun=1", "?dryRun=true", "?x=1&dryRun=TRUE"])
async def test_a_dry_run_is_answered_alike_and_kept_nowhere(world: World, query: str) -> None:
    body = {"d": [EVENT, {"type": "profile", "identity": "a", "profileData": {"Email": "$$$$$"}}]}
    dry = await world.upload(body, query, {"Idempotency-Key": "k"})
    assert world.entries() == []
    wet = await world.upload(body, "?dryRun=0", {"Idempotency-Key": "k"})
    assert dry.body == wet.body
    assert "idempotent-replay" not in wet.headers
    assert len(world.entries()) == 1


async def test_an_empty_upload_is_processed_0_and_kept_nowhere(world: World) -> None:
    assert (await world.upload({"d": []})).json() == {"status": "success", "processed": 0, "unprocessed": []}
    assert world.entries() == []


async def test_refused_records_are_kept_too_for_the_error_stream(world: World) -> None:
    reply = await world.upload({"d": [{"type": "nothing"}]})
    assert (reply.status, reply.json()["status"]) == (200, "fail")
    assert len(world.entries()) == 1


@pytest.mark.parametrize(
    ("scopes", "record", "status"),
    [
        ([Scope.EVENTS_WRITE], EVENT, 200),
        ([Scope.EVENTS_WRITE], PROFILE, 403),
        ([Scope.EVENTS_WRITE], {"type": "token"}, 403),
        ([Scope.PROFILES_WRITE], PROFILE, 200),
        ([Scope.PROFILES_WRITE], dict(EVENT, type="EVENT"), 403),
        ([Scope.PROFILES_WRITE, Scope.EVENTS_WRITE], EVENT, 200),
        ([Scope.PROFILES_READ], EVENT, 403),
    ],
)
async def test_a_passcode_writes_only_what_its_scopes_name(
    world: World, scopes: list[Scope], record: dict[str, Any], status: int
) -> None:
    secret = world.passcode(world.shop, scopes=scopes)
    reply = await world.upload({"d": [record]}, secret=secret)
    assert reply.status == status
    if status == 403:
        assert assert_envelope(reply, 403)["error"].startswith("Passcode is not allowed to ")
        assert world.entries() == []


async def test_an_object_id_of_no_known_form_is_taken_only_if_a_device_of_this_account_has_it(world: World) -> None:
    body = {"d": [{"type": "event", "objectId": "known device", "evtName": "x"}]}
    assert (await world.upload(body)).json()["status"] == "success"
    assert (await world.upload(body, account=world.other)).json()["unprocessed"][0]["code"] == 526


async def test_a_partners_passcode_speaks_for_that_partner(world: World) -> None:
    secret = world.passcode(world.shop, partner="Finch")
    await world.upload({"d": [EVENT]}, headers={"X-Partner-Id": "Somebody Else"}, secret=secret)
    assert world.entries()[0].entry.meta["partner"] == "Finch"


@pytest.mark.parametrize("fails", [LogBusy("full"), LogUnavailable("no space left on device")])
async def test_when_the_log_cannot_keep_it_the_answer_is_503_and_a_retry_works(world: World, fails: Exception) -> None:
    world.fails = fails
    reply = await world.upload(SEED, headers={"Idempotency-Key": "k"})
    assert_envelope(reply, 503)
    assert int(reply.headers["retry-after"]) > 0
    assert world.entries() == []
    world.fails = None
    retried = await world.upload(SEED, headers={"Idempotency-Key": "k"})
    assert (retried.status, retried.body) == (200, SUCCESS_OF_ONE)
    assert len(world.entries()) == 1


# --- Idempotency-Key -------------------------------------------------------------------------------------------------


async def test_a_repeated_key_gets_the_first_answer_and_nothing_is_kept_twice(world: World) -> None:
    body = {"d": [EVENT, {"type": "nothing", "x": "\u00e9"}]}
    first = await world.upload(body, headers={"Idempotency-Key": "order-1"})
    again = await world.upload(body, headers={"Idempotency-Key": "order-1"})
    assert (again.status, again.body) == (first.status, first.body)
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert len(world.entries()) == 1


async def test_a_key_survives_a_restart(world: World) -> None:
    first = await world.upload(SEED, headers={"Idempotency-Key": "k"})
    world.close()
    for leftover in world.settings.path().glob("idempotency.db*"):
        leftover.unlink()
    world.open()
    again = await world.upload(SEED, headers={"Idempotency-Key": "k"})
    assert (again.body, again.headers.get("idempotent-replay")) == (first.body, "true")
    assert len(world.entries()) == 1


async def test_another_body_under_the_same_key_is_409(world: World) -> None:
    await world.upload(SEED, headers={"Idempotency-Key": "k"})
    body = assert_envelope(await world.upload({"d": [EVENT]}, headers={"Idempotency-Key": "k"}), 409)
    assert body["field"] == "Idempotency-Key"
    assert len(world.entries()) == 1


async def test_a_key_is_forgotten_after_its_window(world: World) -> None:
    await world.upload(SEED, headers={"Idempotency-Key": "k"})
    world.clock.advance_ms(24 * 3_600_000 + 1)
    assert "idempotent-replay" not in (await world.upload(SEED, headers={"Idempotency-Key": "k"})).headers
    assert len(world.entries()) == 2


async def test_two_accounts_may_use_one_key(world: World) -> None:
    for account in (world.shop, world.other):
        reply = await world.upload(SEED, headers={"Idempotency-Key": "k"}, account=account)
        assert "idempotent-replay" not in reply.headers
    assert [stored.entry.account_id for stored in world.entries()] == [world.shop, world.other]


async def test_without_a_key_the_same_body_counts_twice(world: World) -> None:
    await world.upload(SEED)
    await world.upload(SEED)
    assert len(world.entries()) == 2


@pytest.mark.parametrize(
    ("key", "status"), [("k" * 255, 200), ("k" * 256, 400), ("k\tk", 400), ("\u00e9", 400), ("   ", 200)]
)
async def test_keys_have_a_length_and_are_printable(world: World, key: str, status: int) -> None:
    reply = await world.upload(SEED, headers={"Idempotency-Key": key})
    assert reply.status == status
    if status == 400:
        assert assert_envelope(reply, 400)["field"] == "Idempotency-Key"
        assert world.entries() == []


async def test_the_same_batch_from_eight_clients_at_once_has_one_effect(world: World) -> None:
    for batch in range(25):
        body = {"d": [dict(EVENT, identity=f"u{batch}")]}
        headers = {"Idempotency-Key": f"batch-{batch}"}
        replies = await asyncio.gather(*(world.upload(body, headers=headers) for _ in range(2 + batch % 7)))
        assert {(reply.status, reply.body) for reply in replies} == {(200, SUCCESS_OF_ONE)}
        assert sum("idempotent-replay" not in reply.headers for reply in replies) == 1
    assert world.appends_count == len(world.entries()) == 25


async def test_when_the_first_of_several_fails_the_next_one_acts(world: World) -> None:
    world.fails = LogBusy("full")
    tasks = [asyncio.create_task(world.upload(SEED, headers={"Idempotency-Key": "k"})) for _ in range(3)]
    replies = await asyncio.gather(*tasks)
    assert [reply.status for reply in replies] == [503, 503, 503]
    world.fails = None
    assert (await world.upload(SEED, headers={"Idempotency-Key": "k"})).status == 200


# --- S6: what names a tenant, mixed up -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "headers", "body"),
    [
        ("?account_id={other}", {}, {}),
        ("?X-CleverTap-Account-Id={other}&id={other}&p={secret}", {}, {}),
        ("", {"Cookie": "account={other}; X-CleverTap-Account-Id={other}"}, {}),
        ("", {"X-Account-Id": "{other}", "X-CleverTap-Token": "{secret}"}, {}),
        ("", {"Authorization": "Bearer {other}:{secret}"}, {}),
        ("", {"X-Forwarded-Account": "{other}", "Host": "{other}.example.org"}, {}),
        ("", {}, {"account_id": "{other}", "accountId": "{other}"}),
        ("", {}, {"d": [dict(EVENT, account_id="{other}", **{"X-CleverTap-Account-Id": "{other}"})]}),
    ],
)
async def test_the_credential_alone_decides_whose_data_it_is(
    world: World, query: str, headers: dict[str, str], body: dict[str, Any]
) -> None:
    def fill(text: str) -> str:
        return text.replace("{other}", world.other).replace("{secret}", world.secrets[world.other])

    whole = json.loads(fill(json.dumps({"d": [EVENT], **body})))
    reply = await world.upload(whole, fill(query), {name: fill(value) for name, value in headers.items()})
    assert reply.status == 200
    assert [stored.entry.account_id for stored in world.entries()] == [world.shop]


async def test_one_accounts_id_with_anothers_passcode_is_401(world: World) -> None:
    assert_envelope(await world.upload(SEED, account=world.shop, secret=world.secrets[world.other]), 401)
    assert world.entries() == []


async def test_headers_given_twice_never_mix_two_accounts(world: World) -> None:
    shop, other = world.shop, world.other
    pairs = [
        ("X-CleverTap-Account-Id", shop),
        ("X-CleverTap-Account-Id", other),
        ("X-CleverTap-Passcode", world.secrets[shop]),
    ]
    assert_envelope(await call(world.gate, "POST", "/1/upload", SEED, pairs), 401)
    assert world.entries() == []


# --- S14: hostile bodies ---------------------------------------------------------------------------------------------

HOSTILE = {
    "empty": b"",
    "null": b"null",
    "a number": b"1",
    "text": b'"d"',
    "no d": b"{}",
    "d null": b'{"d":null}',
    "d a number": b'{"d":7}',
    "records of every wrong kind": b'{"d":[null,1,"x",[],true,{}]}',
    "cut": b'{"d":[{"type":"event"',
    "comment": b'{"d":[] /* x */}',
    "trailing": b'{"d":[]}}',
    "single quotes": b"{'d':[]}",
    "NaN": b'{"d":[{"type":"event","identity":"a","evtName":"x","evtData":{"v":NaN}}]}',
    "Infinity": b'{"d":[{"type":"event","identity":"a","evtName":"x","evtData":{"v":-Infinity}}]}',
    "1e999": b'{"d":[{"type":"event","identity":"a","evtName":"x","evtData":{"v":1e999}}]}',
    "65 bit": b'{"d":[{"type":"event","identity":"a","evtName":"x","evtData":{"v":99999999999999999999}}]}',
    "10^4 digits": b'{"d":[{"type":"event","identity":"a","evtName":"x","evtData":{"v":' + b"9" * 10_000 + b"}}]}",
    "lone surrogate": b'{"d":[{"type":"event","identity":"a\\ud800","evtName":"x\\udfff"}]}',
    "raw surrogate": b'{"d":[{"type":"event","identity":"\xed\xa0\x80","evtName":"x"}]}',
    "not UTF-8": b'{"d":[{"type":"event","identity":"\xff","evtName":"x"}]}',
    "NUL": b'{"d":[{"type":"event","identity":"a\\u0000b","evtName":"x"}]}',
    "BOM": b"\xef\xbb\xbf" + SEED,
    "UTF-16": SEED.decode().encode("utf-16"),
    "duplicate keys": b'{"d":[],"d":[{"type":"event","type":"profile","identity":"a","identity":"b"}]}',
    "depth 100": b'{"d":[{"type":"event","identity":"a","evtName":"x","evtData":{"v":'
    + b"[" * 97
    + b"]" * 97
    + b"}}]}",
    "depth 10^5": b'{"d":[{"type":"event","identity":"a","evtData":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}",
    "open 10^5": b"[" * 100_000,
    "200 000 keys": b'{"d":[{"type":"event","identity":"a","evtName":"x","evtData":{'
    + b",".join(b'"k%d":1' % n for n in range(200_000))
    + b"}}]}",
    "long key": b'{"' + b"k" * 1_000_000 + b'":1}',
    "long name": b'{"d":[{"type":"event","identity":"' + b"i" * 100_000 + b'","evtName":"' + b"n" * 100_000 + b'"}]}',
    "identity kinds": b'{"d":[{"type":"event","identity":{"a":1}},{"type":"event","identity":[1]},{"identity":true}]}',
    "types of ts": b'{"d":[{"type":"event","identity":"a","evtName":"x","ts":{}},'
    b'{"type":"event","identity":"a","evtName":"x","ts":1e300},{"type":"event","identity":"a","evtName":"x","ts":[]}]}',
    "profile of wrong kinds": b'{"d":[{"type":"profile","identity":"a","profileData":{"Email":[],"Phone":{},"Age":[1],'
    b'"Gender":1,"Employed":{},"$add":1,"x":{"$incr":"y"},"y":{"$add":{}},"z":{"$incr":1e400}}}]}',
    "1001 of nothing": b'{"d":[' + b",".join([b"{}"] * 1001) + b"]}",
    "1000 of nothing": b'{"d":[' + b",".join([b"{}"] * 1000) + b"]}",
    "17 MiB": b'{"d":["' + b"x" * (17 * 1024 * 1024) + b'"]}',
    "bomb": gzip.compress(b'{"d":["' + b"x" * (64 * 1024 * 1024) + b'"]}', mtime=0),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_bodies_get_json_below_500_and_the_edge_goes_on(world: World, name: str) -> None:
    headers = {"Content-Encoding": "gzip"} if name == "bomb" else {}
    reply = await world.upload(HOSTILE[name], headers=headers)
    assert reply.status in {200, 400, 413}, reply.body[:300]
    assert reply.headers["content-type"] == "application/json;charset=utf-8"
    body = reply.json()
    if reply.status == 200:
        assert set(body) == {"status", "processed", "unprocessed"}
        assert len(reply.body) < 1024 * 1024
    else:
        assert_envelope(reply, reply.status)
        assert world.entries() == []
    assert (await world.upload(SEED)).body == SUCCESS_OF_ONE


async def test_without_a_body_nothing_breaks(world: World) -> None:
    assert_envelope(await world.upload(b""), 400)
