"""The one client for calls to third parties (partner integrations 0.5; trials S1 to S3, R10).

    async with OutboundClient(settings) as client:
        response = await client.send(OutboundRequest(method="POST", url=url, body=body))

Each host has its own connections: one that is slow fills its own and nobody else's. Redirects are not followed, no
proxy or cookie or environment variable plays a part, answers are not decompressed. A request goes out once: nothing is
repeated here.
"""

from __future__ import annotations

import asyncio
import ssl
from contextvars import ContextVar
from types import TracebackType

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from belfry.config import Settings
from belfry.outbound.addresses import Destination, check_url
from belfry.outbound.model import (
    CONNECT_TIMEOUT_MS,
    HEADER_BYTES_MAX,
    OWN_HEADERS,
    REQUEST_BYTES_MAX,
    RESPONSE_BYTES_MAX,
    AddressRefused,
    NoAnswer,
    OutboundRequest,
    OutboundResponse,
    TooLarge,
    Unreachable,
)
from belfry.outbound.resolver import CheckedResolver, Lookup, checked_socket, current_destination, system_lookup

_LINE_BYTES_MAX = 8190
_HEADERS_MAX = 100
_NAMES_KEPT_S = 30
_IDLE_S = 4
"""Many servers drop an idle connection after five seconds; one that they dropped costs a NoAnswer."""
_DEFAULTS = {"User-Agent": "Belfry", "Accept": "*/*", "Accept-Encoding": "identity"}


class OutboundClient:
    """Sends requests, one method: `send`. Made anywhere, used in one event loop.

    lookup       how names become addresses; tests give their own
    tls          the TLS context; by default the system's authorities, verified, TLS 1.2 or newer
    """

    def __init__(
        self, settings: Settings, *, lookup: Lookup = system_lookup, tls: ssl.SSLContext | None = None
    ) -> None:
        self._allow = frozenset(settings.outbound_allow)
        self._requests_per_host_max = settings.dispatch_requests_max
        self._lookup = lookup
        self._tls = tls or _verified_tls()
        self._session: aiohttp.ClientSession | None = None
        self._in_flight_count = 0
        self._idle = asyncio.Event()
        self._is_closing = False

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        """Send one request and read its answer.

        returns  the answer, whatever its status
        raises   AddressRefused, TooLarge, Unreachable: surely not sent. NoAnswer: perhaps taken
        """
        destination = check_url(request.url, self._allow)
        if len(request.body or b"") > REQUEST_BYTES_MAX:
            raise TooLarge(f"the request is larger than {REQUEST_BYTES_MAX} bytes")
        if self._is_closing:
            raise Unreachable("the client is closing")
        self._in_flight_count += 1
        self._idle.clear()
        try:
            return await self._exchange(request, destination)
        finally:
            self._in_flight_count -= 1
            if not self._in_flight_count:
                self._idle.set()

    async def close(self, within_s: float = 5.0) -> None:
        """Take no more requests, let those in flight end for at most `within_s`, then cut what is left."""
        self._is_closing = True
        if self._in_flight_count:
            try:
                await asyncio.wait_for(self._idle.wait(), within_s)
            except TimeoutError:
                pass
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> OutboundClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _exchange(self, request: OutboundRequest, destination: Destination) -> OutboundResponse:
        attempt = _Attempt()
        _current_attempt.set(attempt)
        current_destination.set(destination)
        try:
            response = await self._opened_session().request(
                request.method,
                _target(request.url, destination),
                headers=_headers(request),
                data=request.body,
                timeout=_timeout(request.timeout_ms),
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _failure(error, attempt) from None
        return await _read(response)

    def _opened_session(self) -> aiohttp.ClientSession:
        """The session, made in the event loop that sends first."""
        if self._session is None:
            connector = _Connector(
                limit=0,
                limit_per_host=self._requests_per_host_max,
                resolver=CheckedResolver(self._allow, self._lookup),
                ttl_dns_cache=_NAMES_KEPT_S,
                keepalive_timeout=_IDLE_S,
                ssl=self._tls,
                socket_factory=checked_socket,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                max_line_size=_LINE_BYTES_MAX,
                max_field_size=_LINE_BYTES_MAX,
                max_headers=_HEADERS_MAX,
            )
        return self._session


class _Attempt:
    """Whether a request got a connection: from then on it may have been sent."""

    __slots__ = ("is_connected",)

    def __init__(self) -> None:
        self.is_connected = False


_current_attempt: ContextVar[_Attempt] = ContextVar("_current_attempt")


class _SentBefore(aiohttp.ClientError):
    """aiohttp wants a second connection for the same request."""


class _Connector(aiohttp.TCPConnector):
    """Notes when a request gets its connection, and gives it one only once.

    aiohttp repeats PUT, GET and DELETE by itself when a connection breaks. Whether to repeat is the caller's to
    decide and to count.
    """

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's own method
    ) -> Connection:
        attempt = _current_attempt.get()
        if attempt.is_connected:
            raise _SentBefore
        connection = await super().connect(req, traces, timeout)
        attempt.is_connected = True
        return connection


def _verified_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _target(url: str, destination: Destination) -> URL:
    """The URL as aiohttp takes it. It must see the same host as the check did."""
    target = URL(url.partition("#")[0], encoded=True)
    if (target.raw_host, target.port) != (destination.host, destination.port):
        raise AddressRefused("the URL can be read in two ways")
    return target


def _headers(request: OutboundRequest) -> list[tuple[str, str]]:
    given = {name.lower() for name, _ in request.headers}
    own = [(name, value) for name, value in _DEFAULTS.items() if name.lower() not in given or name == "Accept-Encoding"]
    return own + [(name, value) for name, value in request.headers if name.lower() not in OWN_HEADERS]


def _timeout(timeout_ms: int) -> aiohttp.ClientTimeout:
    connect_s = min(timeout_ms, CONNECT_TIMEOUT_MS) / 1000
    return aiohttp.ClientTimeout(total=timeout_ms / 1000, sock_connect=connect_s, ceil_threshold=3600)


async def _read(response: aiohttp.ClientResponse) -> OutboundResponse:
    """The answer, its body read up to the limit. What comes after the status line cannot undo the status."""
    try:
        _check_head(response)
        body, is_cut = await _read_body(response)
    finally:
        # Gives back a connection whose answer was read to its end; closes any other.
        response.close()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return OutboundResponse(response.status, headers, body, is_cut)


def _check_head(response: aiohttp.ClientResponse) -> None:
    if response.status < 200:
        raise NoAnswer("the server wants to speak another protocol")
    if sum(len(name) + len(value) + 4 for name, value in response.raw_headers) > HEADER_BYTES_MAX:
        raise NoAnswer(f"the answer's headers are larger than {HEADER_BYTES_MAX} bytes")


async def _read_body(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    chunks: list[bytes] = []
    left = RESPONSE_BYTES_MAX
    try:
        while chunk := await response.content.readany():
            chunks.append(chunk[:left])
            left -= len(chunk)
            if left < 0:
                return b"".join(chunks), True
    except (aiohttp.ClientError, TimeoutError, OSError):
        return b"".join(chunks), True
    return b"".join(chunks), False


def _failure(error: BaseException, attempt: _Attempt) -> Unreachable | NoAnswer:
    """Our name for what aiohttp raised. Its own texts are not passed on: some hold the whole URL."""
    if attempt.is_connected:
        return NoAnswer(_what_happened(error, "no answer in time", "the connection broke before an answer"))
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return Unreachable("the server's certificate or TLS version is not acceptable")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Unreachable("the host's name has no address")
    return Unreachable(_what_happened(error, "no connection in time", "the connection was refused"))


def _what_happened(error: BaseException, in_time: str, broken: str) -> str:
    if isinstance(error, TimeoutError):
        return in_time
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is not HTTP"
    return broken
