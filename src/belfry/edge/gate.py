"""The outer ASGI application: everything that holds for every path and method.

    request id -> path -> credentials -> scope -> slot -> body -> handler -> answer

Whatever happens on the way, the caller gets JSON: an answer or the failure envelope, with its `X-Request-Id`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable

import structlog

from belfry.accounts.directory import Directory
from belfry.accounts.failures import FailureDelays
from belfry.accounts.model import Caller
from belfry.clock import Clock
from belfry.config import Settings
from belfry.edge import body, cors, envelope
from belfry.edge.exchange import Request
from belfry.edge.routes import Match, Route, RouteTable
from belfry.edge.slots import Slots
from belfry.edge.visit import Receive, Scope, Send, Visit
from belfry.errors import Forbidden, MethodNotAllowed, NotFound, Unauthorized
from belfry.ids import Ids
from belfry.observability import logs
from belfry.observability.metrics import EdgeMetrics

log = structlog.get_logger(__name__)

Sleep = Callable[[float], Awaitable[None]]

ACCOUNT_HEADER = b"x-clevertap-account-id"
ACCOUNT_ALIAS = b"x-account-id"
PASSCODE_HEADER = b"x-clevertap-passcode"
PASSCODE_ALIAS = b"x-clevertap-token"
BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class Gate:
    """Stands before every handler. Built once, serves all requests of the process."""

    def __init__(
        self,
        *,
        table: RouteTable,
        directory: Directory,
        metrics: EdgeMetrics,
        settings: Settings,
        clock: Clock,
        ids: Ids,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.table = table
        self._directory = directory
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._sleep = sleep
        self._delays = FailureDelays(clock)
        self._slots = Slots(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection: a request, or the process's start and stop."""
        match scope["type"]:
            case "http":
                await self._serve(Visit(scope, receive, send))
            case "lifespan":
                await _follow_lifespan(receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, visit: Visit) -> None:
        started = time.perf_counter()
        visit.request_id = self._request_id(visit)
        token = logs.request_id.set(visit.request_id)
        try:
            await self._answer(visit)
        except body.ClientGone:
            return
        except Exception as error:  # the edge of the process: recorded, and the caller gets an envelope
            await self._answer_failure(visit, error)
        finally:
            logs.request_id.reset(token)
        self._note(visit, time.perf_counter() - started)

    async def _answer(self, visit: Visit) -> None:
        if cors.is_preflight(visit.method, visit.headers) and self._may_preflight(visit):
            await visit.send(cors.preflight(visit.headers))
            return
        match = self.table.find(visit.path)
        if match is not None and match.is_public:
            route = self._route(visit, match)
            await visit.send(await route.handler(await self._request(visit, route)))
            return
        # Credentials come before 404: whoever has none learns nothing about which paths there are.
        caller = visit.caller = await self._caller(visit)
        visit.extra_headers = cors.headers_for(caller.account, visit.headers)
        route = self._route(visit, match)
        missing = route.access.missing_scope(caller.passcode)
        if missing is not None:
            raise Forbidden(f"Passcode is not allowed to {missing}", field="scope")
        # The slot is kept until the answer is handed over: that is what "in flight" means.
        async with self._slots.hold(caller.account, route.access.slots):
            await visit.send(await route.handler(await self._request(visit, route)))

    async def _caller(self, visit: Visit) -> Caller:
        headers = visit.headers
        account_id = headers.get(ACCOUNT_HEADER)
        passcode = headers.get(PASSCODE_HEADER)
        if visit.path.startswith("/v2/"):  # two sets of names are documented there (server-api 9.4)
            account_id = headers.get(ACCOUNT_ALIAS) if account_id is None else account_id
            passcode = headers.get(PASSCODE_ALIAS) if passcode is None else passcode
        account_text = (account_id or b"").decode("latin-1").strip()
        passcode_text = (passcode or b"").decode("latin-1").strip()
        try:
            return self._directory.authenticate(account_text, passcode_text, visit.address)
        except Unauthorized:
            self._metrics.note_auth_failure()
            delay_s = self._delays.delay_s(visit.address, account_text)
            if delay_s > 0:
                await self._sleep(delay_s)
            raise

    def _route(self, visit: Visit, match: Match | None) -> Route:
        """The route of path and method. Raises NotFound, with the path that was probably meant, or MethodNotAllowed."""
        if match is None:
            raise NotFound(self.table.why_missing(visit.path))
        route = match.routes.get(visit.method)
        if route is None:
            raise MethodNotAllowed("Method Not Allowed", headers={"Allow": match.allowed})
        visit.route = route
        return route

    async def _request(self, visit: Visit, route: Route) -> Request:
        has_body = visit.method in BODY_METHODS and not route.streams
        return Request(
            method=visit.method,
            path=visit.path,
            route=route.path,
            query=visit.query,
            headers=visit.headers,
            body=await body.read(visit.receive, visit.headers, self._settings.body_bytes_max) if has_body else b"",
            caller=visit.caller,
            request_id=visit.request_id,
            received_at_ms=self._clock.now_ms(),
            address=visit.address,
            chunks=body.stream(visit.receive) if route.streams else None,
            raw_path=visit.raw_path,
        )

    async def _answer_failure(self, visit: Visit, error: Exception) -> None:
        exposed = envelope.as_caller_error(error)
        match = self.table.find(visit.path)
        keys = match.failure_keys if match else ()
        route = visit.route.path if visit.route else None
        account_id = visit.caller.account.account_id if visit.caller else None
        if exposed is None:
            error_id = self._ids.token_hex(8)
            log.error("request failed", error_id=error_id, route=route, account_id=account_id, exc_info=error)
            answer = envelope.internal_failure(visit.request_id, error_id, keys)
        else:
            if exposed.status >= 500:
                log.warning("request not served", reason=str(error), route=route, account_id=account_id)
            answer = envelope.failure(exposed, visit.request_id, keys)
        if visit.status:
            # Half of an answer is out: cutting the connection is the only way left to say that it failed.
            raise error
        await visit.send(answer)

    def _note(self, visit: Visit, seconds: float) -> None:
        if visit.route is None:
            self._metrics.note_request("unknown", "other", visit.status, seconds)
        else:
            self._metrics.note_request(visit.route.path, visit.route.method, visit.status, seconds)

    def _may_preflight(self, visit: Visit) -> bool:
        return self._directory.may_call_from(visit.headers[b"origin"].decode("latin-1"))

    def _request_id(self, visit: Visit) -> str:
        given = visit.headers.get(b"x-request-id", b"").decode("latin-1").strip()
        return given if _REQUEST_ID.fullmatch(given) else self._ids.token_hex(16)


async def _follow_lifespan(receive: Receive, send: Send) -> None:
    # Everything is built before the server starts and closed after it ended; there is nothing to do here.
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
