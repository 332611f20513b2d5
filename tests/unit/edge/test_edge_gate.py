"""What holds for every path, before a handler is asked."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Any

import msgspec
import pytest
import zstandard

from belfry.accounts.model import Account, AccountSettings, AccountState, Caller, Passcode, Scope
from belfry.clock import ManualClock
from belfry.config import Settings
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.gate import Gate
from belfry.edge.routes import PUBLIC, Access, Handler, Route, RouteTable, Undeclared
from belfry.edge.slots import SlotClass
from belfry.errors import Conflict, Forbidden, Unauthorized
from belfry.ids import AccountId, SequentialIds
from belfry.observability.metrics import EdgeMetrics
from belfry.storage.columnar import ColumnarError
from belfry.storage.log import LogBusy, LogUnavailable
from belfry.storage.relational import StoreBusy, StoreUnavailable
from support.asgi import Reply, assert_envelope, call

SHOP = {"X-CleverTap-Account-Id": "K7P-22M-9Q4Z", "X-CleverTap-Passcode": "good-passcode"}
LIMIT = 64 * 1024


class FakeDirectory:
    """Knows one account with one passcode."""

    def __init__(self) -> None:
        self.scopes = frozenset({Scope.ALL})
        self.settings = AccountSettings(upload_requests_max=15, read_requests_max=3)
        self.is_suspended = False

    def authenticate(self, account_id: str, passcode: str, _address: str) -> Caller:
        if not account_id:
            raise Unauthorized("12 digit account ID mandatory")
        if (account_id, passcode) != ("K7P-22M-9Q4Z", "good-passcode"):
            raise Unauthorized("Invalid Credentials")
        if self.is_suspended:
            raise Forbidden("Account blocked")
        known = AccountId(account_id)
        account = Account(known, "Shop", "UTC", "eu1", AccountState.ACTIVE, self.settings, 0)
        return Caller(account, Passcode(known, "p1", "backend", self.scopes, None, 0))

    def may_call_from(self, origin: str) -> bool:
        return origin in self.settings.cors_origins


class World:
    """A gate with a few routes; `waits` holds what answers had to wait."""

    def __init__(self) -> None:
        self.directory = FakeDirectory()
        self.metrics = EdgeMetrics()
        self.waits: list[float] = []
        self.seen: list[Request] = []
        self.raises: BaseException | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.gate = Gate(
            table=RouteTable(
                [
                    _route("POST", "/1/upload", self._echo, Access((Scope.EVENTS_WRITE,), SlotClass.UPLOAD)),
                    _route("GET", "/1/profile.json", self._echo, Access((Scope.PROFILES_READ,))),
                    _route("POST", "/1/profile.json", self._echo, Access((Scope.PROFILES_READ,))),
                    _route("GET", "/1/counts/events.json", self._echo, Access()),
                    _route("GET", "/api/v1/segments/{segment_id}", self._echo, Access()),
                    _route("GET", "/livez", self._echo, PUBLIC),
                ]
            ),
            directory=self.directory,  # type: ignore[arg-type]
            metrics=self.metrics,
            settings=Settings(body_bytes_max=LIMIT, slot_wait_ms=20),
            clock=ManualClock(1_795_608_000_000),
            ids=SequentialIds(),
            sleep=self._sleep,
        )

    async def _echo(self, request: Request) -> Answer:
        self.seen.append(request)
        await self.open.wait()
        if self.raises is not None:
            raise self.raises
        return json_answer({"status": "success", "bytes": len(request.body)})

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def call(self, method: str, target: str, body: Any = b"", headers: Any = SHOP) -> Reply:
        return await call(self.gate, method, target, body, headers)


def _route(method: str, path: str, handler: Handler, access: Access) -> Route:
    return Route(path=path, method=method, access=access, handler=handler)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_good_request_is_answered_with_its_request_id(world: World) -> None:
    reply = await world.call("POST", "/1/upload", b"{}", {**SHOP, "X-Request-Id": "abc-1"})
    assert (reply.status, reply.json()) == (200, {"status": "success", "bytes": 2})
    assert reply.headers["x-request-id"] == "abc-1"
    assert world.seen[0].request_id == "abc-1"
    assert reply.headers["content-length"] == str(len(reply.body))


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', "a\r\nb", "é"])
async def test_a_request_id_that_could_forge_a_log_line_is_replaced(world: World, given: str) -> None:
    reply = await world.call("GET", "/livez", b"", {"X-Request-Id": given})
    assert reply.headers["x-request-id"] == f"{1:032x}"


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        pytest.param({}, 401, "12 digit account ID mandatory", id="no header"),
        pytest.param({"X-CleverTap-Account-Id": "  "}, 401, "12 digit account ID mandatory", id="empty account"),
        pytest.param({"X-CleverTap-Account-Id": "K7P-22M-9Q4Z"}, 401, "Invalid Credentials", id="no passcode"),
        pytest.param({**SHOP, "X-CleverTap-Passcode": "bad"}, 401, "Invalid Credentials", id="bad passcode"),
        pytest.param({**SHOP, "X-CleverTap-Account-Id": "X"}, 401, "Invalid Credentials", id="bad account"),
        pytest.param({"X-Account-Id": "K7P-22M-9Q4Z"}, 401, "12 digit account ID mandatory", id="alias off /v2"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/1/upload"), ("GET", "/nowhere"), ("PATCH", "/1/upload"), ("OPTIONS", "/")]
)
async def test_credentials_come_before_everything_else(
    world: World, headers: dict[str, str], status: int, text: str, method: str, path: str
) -> None:
    assert assert_envelope(await world.call(method, path, b"", headers), status)["error"] == text
    assert world.seen == []


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(
            {"X-CLEVERTAP-ACCOUNT-ID": "K7P-22M-9Q4Z", "x-clevertap-passcode": "good-passcode"}, id="case of names"
        ),
        pytest.param(
            {"X-CleverTap-Account-Id": " K7P-22M-9Q4Z\t", "X-CleverTap-Passcode": " good-passcode "}, id="spaces"
        ),
    ],
)
async def test_header_names_have_no_case_and_values_no_spaces(world: World, headers: dict[str, str]) -> None:
    assert (await world.call("GET", "/1/profile.json", b"", headers)).status == 200


async def test_v2_paths_take_the_other_name_of_the_account_header(world: World) -> None:
    headers = {"X-Account-Id": "K7P-22M-9Q4Z", "X-CleverTap-Passcode": "good-passcode"}
    assert_envelope(await world.call("GET", "/v2/catalogs", b"", headers), 404)


async def test_a_suspended_account_is_told_so(world: World) -> None:
    world.directory.is_suspended = True
    assert assert_envelope(await world.call("POST", "/1/upload"), 403)["error"] == "Account blocked"


async def test_a_passcode_without_the_scope_is_told_which(world: World) -> None:
    world.directory.scopes = frozenset({Scope.EVENTS_WRITE})
    assert (await world.call("POST", "/1/upload")).status == 200
    refused = assert_envelope(await world.call("GET", "/1/profile.json"), 403)
    assert refused["error"] == "Passcode is not allowed to profiles:read"


async def test_from_the_tenth_failure_on_answers_wait_and_stay_the_same(world: World) -> None:
    bad = {**SHOP, "X-CleverTap-Passcode": "bad"}
    bodies = [assert_envelope(await world.call("POST", "/1/upload", b"", bad), 401) for _ in range(18)]
    assert {body["error"] for body in bodies} == {"Invalid Credentials"}
    assert len(world.waits) == 9
    assert world.waits == sorted(world.waits)
    assert world.waits[-1] == 2.0
    assert (await world.call("POST", "/1/upload")).status == 200
    assert len(world.waits) == 9


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/1/profile.json", 200),
        ("/1/profile.json/", 200),
        ("/1/profile.json//", 404),
        ("/1/Profile.json", 404),
        ("//1/profile.json", 404),
        ("/1/profile.json/x", 404),
        ("/api/v1/segments/12", 200),
        ("/api/v1/segments/12/", 200),
        ("/api/v1/segments/", 404),
        ("/api/v1/segments/1/2", 404),
        ("/", 404),
    ],
)
async def test_paths_have_case_and_may_end_with_one_slash(world: World, path: str, status: int) -> None:
    assert (await world.call("GET", path)).status == status


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/1/counts/event.json", "/1/counts/events.json"),
        ("/counts.json", "/1/counts/events.json"),
        ("/1/profle.json", "/1/profile.json"),
        ("/profiles/push", "/1/upload"),
    ],
)
async def test_a_404_names_the_path_that_was_meant(world: World, path: str, meant: str) -> None:
    body = assert_envelope(await world.call("GET", path), 404)
    assert body["error"] == f"Path not found. Did you mean {meant}"


async def test_a_404_for_something_else_says_no_more(world: World) -> None:
    body = assert_envelope(await world.call("GET", "/wp-login.php" + "x" * 5000), 404)
    assert body["error"] == "Path not found"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"])
async def test_another_method_is_405_and_says_which_there_are(world: World, method: str) -> None:
    reply = await world.call(method, "/1/upload")
    assert assert_envelope(reply, 405)["error"] == "Method Not Allowed"
    assert reply.headers["allow"] == "POST"


async def test_the_body_of_a_get_is_ignored(world: World) -> None:
    reply = await world.call("GET", "/1/profile.json", b"\xff" * 10, {**SHOP, "Content-Encoding": "gzip"})
    assert (reply.status, reply.json()["bytes"]) == (200, 0)


BODY = b'{"d":[]}' * 1000


def _deflate_raw(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("", BODY),
        ("identity", BODY),
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("GZIP", gzip.compress(BODY, mtime=0)),
        ("x-gzip", gzip.compress(BODY[:99], mtime=0) + gzip.compress(BODY[99:], mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", _deflate_raw(BODY)),
        ("zstd", zstandard.compress(BODY)),
        ("zstd", zstandard.compress(BODY[:99]) + zstandard.compress(BODY[99:])),
    ],
)
async def test_encoded_bodies_reach_the_handler_as_they_were(world: World, encoding: str, raw: bytes) -> None:
    reply = await world.call("POST", "/1/upload", raw, {**SHOP, "Content-Encoding": encoding})
    assert reply.status == 200
    assert world.seen[0].body == BODY


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress), ("", bytes)],
)
@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413), (300 * LIMIT, 413)])
async def test_the_size_limit_holds_after_decoding(
    world: World, encoding: str, compress: Any, size: int, status: int
) -> None:
    reply = await world.call("POST", "/1/upload", compress(b"0" * size), {**SHOP, "Content-Encoding": encoding})
    assert reply.status == status
    if status == 413:
        assert assert_envelope(reply, 413)["limit"] == LIMIT
        assert world.seen == []


async def test_an_announced_size_over_the_limit_is_refused_unread(world: World) -> None:
    reply = await world.call("POST", "/1/upload", b"", {**SHOP, "Content-Length": str(LIMIT + 1)})
    assert_envelope(reply, 413)


async def test_a_body_in_chunks_is_put_together_and_stopped_at_the_limit(world: World) -> None:
    assert (await world.call("POST", "/1/upload", [b"ab", b"", b"cd"])).json()["bytes"] == 4
    assert_envelope(await world.call("POST", "/1/upload", (b"x" * 1024 for _ in range(100))), 413)


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("gzip", b""),
        ("gzip", b"not gzip"),
        ("gzip", gzip.compress(BODY, mtime=0)[:-9]),
        ("deflate", b"\x78\x9c\xff\xff"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("zstd", zstandard.compress(BODY)[:-5]),
        ("zstd", b"plain"),
    ],
)
async def test_broken_compression_is_400_and_not_the_text_that_clients_repeat_for_ever(
    world: World, encoding: str, raw: bytes
) -> None:
    reply = await world.call("POST", "/1/upload", raw, {**SHOP, "Content-Encoding": encoding})
    if reply.status == 200:  # an empty gzip or zstd stream is an empty body
        assert world.seen[0].body == b""
        return
    assert "Malformed request" not in assert_envelope(reply, 400)["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "br"},
        {"Content-Encoding": "gzip, gzip"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/octet-stream+hpke"},
    ],
)
async def test_what_is_not_served_is_415(world: World, headers: dict[str, str]) -> None:
    assert_envelope(await world.call("POST", "/1/upload", b"d=1", {**SHOP, **headers}), 415)


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/json; charset=utf-8", "x", "application/x-www-form-urlencoded"],
)
async def test_a_wrong_content_type_does_not_matter(world: World, content_type: str) -> None:
    assert (await world.call("POST", "/1/upload", b"{}", {**SHOP, "Content-Type": content_type})).status == 200


async def test_the_sixteenth_upload_in_flight_is_429_and_others_go_on(world: World) -> None:
    world.open.clear()
    uploads = [asyncio.create_task(world.call("POST", "/1/upload")) for _ in range(16)]
    while not any(upload.done() for upload in uploads):
        await asyncio.sleep(0)
    (refused,) = [upload.result() for upload in uploads if upload.done()]
    assert assert_envelope(refused, 429)["error"] == "Too many concurrent requests"
    assert refused.headers["retry-after"] == "1"
    world.open.set()
    assert sorted(reply.status for reply in await asyncio.gather(*uploads)) == [200] * 15 + [429]
    assert (await world.call("POST", "/1/upload")).status == 200


async def test_a_request_that_waits_gets_the_slot_that_becomes_free(world: World) -> None:
    world.open.clear()
    reads = [asyncio.create_task(world.call("GET", "/1/profile.json")) for _ in range(5)]
    while len(world.seen) < 3:
        await asyncio.sleep(0)
    world.open.set()
    assert [reply.status for reply in await asyncio.gather(*reads)] == [200] * 5


async def test_uploads_take_no_slots_from_reads(world: World) -> None:
    world.open.clear()
    uploads = [asyncio.create_task(world.call("POST", "/1/upload")) for _ in range(15)]
    while len(world.seen) < 15:
        await asyncio.sleep(0)
    read = asyncio.create_task(world.call("GET", "/1/profile.json"))
    while len(world.seen) < 16:
        await asyncio.sleep(0)
    world.open.set()
    assert (await read).status == 200
    await asyncio.gather(*uploads)


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        pytest.param(Conflict("taken", field="name", limit=3), 409, None, id="caller"),
        pytest.param(LogBusy("full"), 503, "1", id="log busy"),
        pytest.param(LogUnavailable("no space"), 503, "5", id="log unavailable"),
        pytest.param(ColumnarError("down", 0), 503, "2", id="columnar down"),
        pytest.param(StoreBusy("locked"), 503, "2", id="relational busy"),
        pytest.param(StoreUnavailable("gone"), 503, "2", id="relational down"),
        pytest.param(ColumnarError("syntax", 62), 500, None, id="columnar fault of ours"),
        pytest.param(RuntimeError("secret detail"), 500, None, id="fault of ours"),
        pytest.param(RecursionError(), 500, None, id="recursion"),
    ],
)
async def test_every_error_becomes_the_envelope(
    world: World, error: Exception, status: int, retry_after: str | None
) -> None:
    world.raises = error
    reply = await world.call("POST", "/1/upload")
    body = assert_envelope(reply, status)
    assert body["request_id"] == reply.headers["x-request-id"]
    assert reply.headers.get("retry-after") == retry_after
    if status == 500:
        assert body["error"] == "An unknown error occurred"
        assert body["error_id"]
    if status == 409:
        assert (body["field"], body["limit"]) == ("name", 3)


async def test_texts_with_lone_surrogates_still_become_json(world: World) -> None:
    world.raises = Conflict("bad \udcff value" + "x" * 10_000)
    body = assert_envelope(await world.call("POST", "/1/upload"), 409)
    assert len(body["error"]) <= 2000


async def test_a_client_that_leaves_is_not_answered(world: World) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in SHOP.items()]
    scope = {"type": "http", "method": "POST", "path": "/1/upload", "headers": headers, "client": None}
    await world.gate(scope, receive, send)
    assert sent == []
    assert world.seen == []


async def test_websockets_are_closed_and_the_lifespan_is_followed(world: World) -> None:
    sent: list[Any] = []
    coming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict[str, Any]:
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await world.gate({"type": "websocket"}, receive, send)
    await world.gate({"type": "lifespan"}, receive, send)
    assert sent == ["websocket.close", "lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_pages_of_a_listed_origin_may_call_and_no_others(world: World) -> None:
    asks = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    assert_envelope(await world.call("OPTIONS", "/1/upload", b"", asks), 401)
    world.directory.settings = msgspec.structs.replace(world.directory.settings, cors_origins=["https://shop.example"])
    allowed = await world.call("OPTIONS", "/1/upload", b"", asks)
    assert (allowed.status, allowed.body) == (204, b"")
    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    answered = await world.call("POST", "/1/upload", b"", {**SHOP, "Origin": "https://shop.example"})
    assert answered.headers["access-control-allow-origin"] == "https://shop.example"
    other = await world.call("POST", "/1/upload", b"", {**SHOP, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


async def test_metrics_name_routes_and_never_what_came(world: World) -> None:
    await world.call("GET", "/api/v1/segments/12345")
    await world.call("GET", "/secret-path")
    await world.call("POST", "/1/upload", b"", {**SHOP, "X-CleverTap-Passcode": "bad-passcode"})
    text = world.metrics.exposition().decode()
    assert 'route="/api/v1/segments/{segment_id}",status="200"' in text
    assert "belfry_auth_failures_total 1.0" in text
    for canary in ("12345", "secret-path", "bad-passcode", "K7P-22M-9Q4Z"):
        assert canary not in text


def test_two_routes_cannot_claim_one_path() -> None:
    async def handler(_request: Request) -> Answer:
        return json_answer({})

    with pytest.raises(Undeclared):
        RouteTable([_route("GET", "/x", handler, PUBLIC), _route("GET", "/x", handler, PUBLIC)])
    with pytest.raises(Undeclared):
        RouteTable([_route("GET", "/x", handler, PUBLIC), _route("POST", "/x", handler, Access())])


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        (b"", {}),
        (b"a=1&a=2&b", {"a": "2", "b": ""}),
        (b"identity=a%2Bb+c%20d", {"identity": "a+b c d"}),
        (b"x=%ff%zz&=y&&&", {"x": "\ufffd%zz", "": "y"}),
    ],
)
async def test_the_query_is_read_leniently(world: World, query: bytes, parameters: dict[str, str]) -> None:
    await world.call("GET", "/1/profile.json?" + query.decode("latin-1"))
    assert world.seen[0].parameters() == parameters


async def test_many_failures_are_json_whatever_comes(world: World) -> None:
    for target in ("/1/upload?%00", "/%ff%fe", "/1/upload/../profile.json", "/1/upload%00"):
        for method in ("GET", "POST"):
            reply = await world.call(method, target, b"\x00\xff")
            assert reply.status < 500
            json.loads(reply.body)
