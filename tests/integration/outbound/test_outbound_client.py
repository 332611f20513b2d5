"""The client against a real server on loopback: trials S1 (sockets), S2, S3 and the faults of R10."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import AddrInfoType

from belfry.config import Settings
from belfry.outbound import (
    AddressRefused,
    NoAnswer,
    OutboundClient,
    OutboundError,
    OutboundRequest,
    TooLarge,
    Unreachable,
)
from belfry.outbound.model import HEADER_BYTES_MAX, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX
from belfry.outbound.resolver import checked_socket
from support import endpoint as misbehave
from support.certificates import self_signed
from support.endpoint import Behaviour, Endpoint, answer, redirect
from support.hostile_urls import HOSTILE_URLS, REFUSED_ADDRESSES

SHORT_MS = 400
CANARY = "canary-71c2"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        yield server


@pytest_asyncio.fixture
async def client(endpoint: Endpoint) -> AsyncIterator[OutboundClient]:
    """A client that may call the endpoint."""
    async with OutboundClient(Settings(outbound_allow=[endpoint.host_port])) as made:
        yield made


@pytest_asyncio.fixture
async def strict() -> AsyncIterator[OutboundClient]:
    """A client of an installation that allows nothing by name."""
    async with OutboundClient(Settings()) as made:
        yield made


def post(url: str, body: bytes = b"{}", timeout_ms: int = 5_000) -> OutboundRequest:
    return OutboundRequest(method="POST", url=url, body=body, timeout_ms=timeout_ms)


class TestSending:
    async def test_method_target_headers_and_body_arrive_as_given(
        self, endpoint: Endpoint, client: OutboundClient
    ) -> None:
        request = OutboundRequest(
            method="PUT",
            url=endpoint.url("/a%2Fb/c?x=%20y&x=2#fragment"),
            headers=(("X-One", "1"), ("Content-Type", "application/json")),
            body='{"name":"ü"}'.encode(),
        )
        response = await client.send(request)
        received = endpoint.requests[0]
        assert response.status == 200
        assert (received.method, received.target) == ("PUT", "/a%2Fb/c?x=%20y&x=2")
        assert received.headers["x-one"] == "1"
        assert received.headers["content-type"] == "application/json"
        assert received.headers["content-length"] == str(len(request.body or b""))
        assert received.headers["accept-encoding"] == "identity"
        assert received.headers["host"] == endpoint.host_port
        assert received.body == request.body

    async def test_the_connections_own_headers_cannot_be_set(self, endpoint: Endpoint, client: OutboundClient) -> None:
        headers = (("Host", "evil.example"), ("Content-Length", "1"), ("Connection", "close"), ("Cookie", "a=b"))
        await client.send(OutboundRequest(method="POST", url=endpoint.url(), headers=headers, body=b"{}"))
        received = endpoint.requests[0].headers
        assert received["host"] == endpoint.host_port
        assert received["content-length"] == "2"
        assert "cookie" not in received

    @pytest.mark.parametrize("text", ["a\r\nX: y", "a\nb", "a\x00b"])
    def test_a_header_that_would_begin_another_one_cannot_be_made(self, text: str) -> None:
        with pytest.raises(ValueError, match="cannot be sent"):
            OutboundRequest(method="GET", url="https://example.com/", headers=(("X", text),))

    async def test_cookies_are_not_kept(self, endpoint: Endpoint, client: OutboundClient) -> None:
        endpoint.always(answer(headers=[("Set-Cookie", "session=1; Path=/")]))
        await client.send(post(endpoint.url()))
        await client.send(post(endpoint.url()))
        assert "cookie" not in endpoint.requests[1].headers

    async def test_the_environments_proxy_plays_no_part(
        self, endpoint: Endpoint, client: OutboundClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        assert (await client.send(post(endpoint.url()))).status == 200

    async def test_a_connection_is_used_again(self, endpoint: Endpoint, client: OutboundClient) -> None:
        for _ in range(5):
            await client.send(post(endpoint.url()))
        assert endpoint.connections_count == 1

    async def test_a_request_over_the_limit_is_not_sent(self, endpoint: Endpoint, client: OutboundClient) -> None:
        with pytest.raises(TooLarge):
            await client.send(post(endpoint.url(), b"x" * (REQUEST_BYTES_MAX + 1)))
        assert endpoint.connections_count == 0

    async def test_closing_lets_what_is_in_flight_end_and_takes_nothing_new(
        self, endpoint: Endpoint, client: OutboundClient
    ) -> None:
        endpoint.always(answer(after_s=0.2))
        sending = asyncio.create_task(client.send(post(endpoint.url())))
        await until(lambda: len(endpoint.requests) == 1)
        await client.close()
        assert (await sending).status == 200
        with pytest.raises(Unreachable, match="closing"):
            await client.send(post(endpoint.url()))


class TestAddresses:
    """S1: 0 connections."""

    @pytest.mark.parametrize("url", HOSTILE_URLS)
    async def test_a_hostile_url_is_refused_when_sending(self, url: str, strict: OutboundClient) -> None:
        with pytest.raises(AddressRefused):
            await strict.send(post(url))

    async def test_every_spelling_of_a_listening_loopback_port_makes_no_connection(
        self, endpoint: Endpoint, strict: OutboundClient
    ) -> None:
        hosts = ["127.0.0.1", "localhost", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]"]
        hosts += ["127.0.0.1.", "localhost.", "0.0.0.0", "0", "a.localhost", "u:p@127.0.0.1"]
        for host in hosts:
            with pytest.raises(AddressRefused):
                await strict.send(post(f"http://{host}:{endpoint.port}/"))
        assert endpoint.connections_count == 0

    @pytest.mark.parametrize("address", [a for a in REFUSED_ADDRESSES if "%" not in a])
    async def test_a_public_name_with_an_inside_address_is_refused(self, address: str) -> None:
        async with OutboundClient(Settings(), lookup=lambda _host, _port: [address]) as client:
            with pytest.raises(AddressRefused):
                await client.send(post("http://inside.example/"))

    async def test_of_several_addresses_only_the_public_ones_are_tried(self, endpoint: Endpoint) -> None:
        def lookup(_host: str, _port: int) -> list[str]:
            return ["127.0.0.1", "192.0.2.1", "::1"]

        async with OutboundClient(Settings(), lookup=lookup) as client:
            with pytest.raises(AddressRefused):
                await client.send(post(f"http://mixed.example:{endpoint.port}/"))
        assert endpoint.connections_count == 0

    async def test_a_name_is_allowed_only_with_its_port(self, endpoint: Endpoint) -> None:
        settings = Settings(outbound_allow=[f"receiver.example:{endpoint.port}"])
        async with OutboundClient(settings, lookup=lambda _host, _port: ["127.0.0.1"]) as client:
            assert (await client.send(post(f"http://receiver.example:{endpoint.port}/"))).status == 200
            with pytest.raises(AddressRefused):
                await client.send(post(f"http://other.example:{endpoint.port}/"))
        assert endpoint.connections_count == 1


class TestRebinding:
    """S2: what was checked is what is connected to."""

    async def test_a_name_that_changes_after_the_check_is_never_followed_inside(
        self, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """First answer public, second inside: only the first is ever used. No packet leaves the machine."""
        asked: list[str] = []
        connected: list[str] = []

        def lookup(host: str, _port: int) -> list[str]:
            asked.append(host)
            return ["8.8.4.4"] if asked.count(host) == 1 else ["127.0.0.1"]

        def record(address_info: AddrInfoType) -> socket.socket:
            checked_socket(address_info).close()
            connected.append(str(address_info[4][0]))
            raise OSError("the test goes no further")

        monkeypatch.setattr("belfry.outbound.client.checked_socket", record)
        async with OutboundClient(Settings(), lookup=lookup) as client:
            for number in range(200):
                for _ in range(2):
                    with pytest.raises(OutboundError):
                        await client.send(post(f"http://rebind{number}.example:{endpoint.port}/"))
        assert set(connected) == {"8.8.4.4"}
        assert endpoint.connections_count == 0

    async def test_the_socket_is_refused_even_if_the_resolver_were_deceived(
        self, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("belfry.outbound.resolver._permitted", lambda addresses: addresses)
        async with OutboundClient(Settings(), lookup=lambda _host, _port: ["127.0.0.1"]) as client:
            with pytest.raises(AddressRefused):
                await client.send(post(f"http://deceived.example:{endpoint.port}/"))
        assert endpoint.connections_count == 0

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_is_an_answer_and_is_not_followed(
        self, status: int, endpoint: Endpoint, client: OutboundClient
    ) -> None:
        with Endpoint() as inside:
            endpoint.always(redirect(inside.url("/latest/meta-data/"), status))
            response = await client.send(post(endpoint.url()))
            assert response.status == status
            assert inside.connections_count == 0
        assert len(endpoint.requests) == 1


class TestHostileAnswers:
    """S3: bounded by limit, others unaffected."""

    @pytest.mark.parametrize(
        "behaviour",
        [
            pytest.param(misbehave.endless_headers(), id="endless headers"),
            pytest.param(misbehave.endless_header(), id="one endless header"),
            pytest.param(misbehave.large_headers(), id="headers above 32 KiB"),
            pytest.param(misbehave.garbage(), id="not HTTP"),
            pytest.param(misbehave.drip_head(), id="status line a byte at a time"),
            pytest.param(misbehave.hang(), id="silence"),
            pytest.param(misbehave.close_silently(), id="closed without an answer"),
            pytest.param(misbehave.reset(), id="reset"),
            pytest.param(misbehave.endless_informational(), id="endless provisional answers"),
            pytest.param(answer(101, headers=[("Upgrade", "x"), ("Connection", "upgrade")]), id="another protocol"),
        ],
    )
    async def test_without_a_readable_status_line_there_is_no_answer(
        self, behaviour: Behaviour, endpoint: Endpoint, client: OutboundClient
    ) -> None:
        endpoint.always(behaviour)
        with pytest.raises(NoAnswer) as caught:
            await client.send(post(endpoint.url(f"/{CANARY}"), timeout_ms=SHORT_MS))
        assert CANARY not in str(caught.value)
        assert len(endpoint.requests) == 1

    @pytest.mark.parametrize(
        "behaviour",
        [
            pytest.param(misbehave.endless_body(), id="ten gigabytes"),
            pytest.param(misbehave.drip(), id="a byte at a time"),
            pytest.param(misbehave.half_body(), id="half a body"),
        ],
    )
    async def test_after_a_status_line_the_status_counts_and_the_body_is_cut(
        self, behaviour: Behaviour, endpoint: Endpoint, client: OutboundClient
    ) -> None:
        endpoint.always(behaviour)
        response = await client.send(post(endpoint.url(), timeout_ms=SHORT_MS))
        assert response.status == 200
        assert response.is_cut
        assert len(response.body) <= RESPONSE_BYTES_MAX

    @pytest.mark.parametrize(("size", "is_cut"), [(RESPONSE_BYTES_MAX, False), (RESPONSE_BYTES_MAX + 1, True)])
    async def test_the_body_is_read_up_to_the_limit(
        self, size: int, is_cut: bool, endpoint: Endpoint, client: OutboundClient
    ) -> None:
        endpoint.always(answer(200, b"x" * size))
        response = await client.send(post(endpoint.url()))
        assert (len(response.body), response.is_cut) == (RESPONSE_BYTES_MAX, is_cut)

    async def test_headers_just_below_the_limit_are_read(self, endpoint: Endpoint, client: OutboundClient) -> None:
        endpoint.always(answer(headers=[(f"X-{n}", "x" * 4000) for n in range(HEADER_BYTES_MAX // 4010)]))
        assert (await client.send(post(endpoint.url()))).status == 200

    async def test_a_gzip_bomb_stays_as_small_as_it_was_sent(self, endpoint: Endpoint, client: OutboundClient) -> None:
        endpoint.always(misbehave.gzip_bomb())
        await client.send(post(endpoint.url()))
        tracemalloc.start()
        try:
            response = await client.send(post(endpoint.url()))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert response.status == 200
        assert len(response.body) < RESPONSE_BYTES_MAX
        assert peak < 4 * 1024 * 1024

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
    async def test_a_request_whose_connection_breaks_is_not_repeated(
        self, method: str, endpoint: Endpoint, client: OutboundClient
    ) -> None:
        endpoint.always(misbehave.close_silently())
        with pytest.raises(NoAnswer):
            await client.send(OutboundRequest(method=method, url=endpoint.url()))
        assert len(endpoint.requests) == 1

    async def test_one_bad_host_does_not_slow_another(self, endpoint: Endpoint) -> None:
        with Endpoint() as bad:
            bad.always(misbehave.hang())
            settings = Settings(outbound_allow=[endpoint.host_port, bad.host_port], dispatch_requests_max=4)
            async with OutboundClient(settings) as client:
                stuck = [asyncio.create_task(client.send(post(bad.url()))) for _ in range(20)]
                await until(lambda: len(bad.requests) == 4)
                for _ in range(50):
                    assert (await client.send(post(endpoint.url(), timeout_ms=1_000))).status == 200
                for task in stuck:
                    task.cancel()
                await asyncio.gather(*stuck, return_exceptions=True)


class TestNotSent:
    async def test_a_closed_port_is_unreachable(self, client: OutboundClient, endpoint: Endpoint) -> None:
        with Endpoint() as gone:
            port = gone.port
        async with OutboundClient(Settings(outbound_allow=[f"127.0.0.1:{port}"])) as other:
            with pytest.raises(Unreachable):
                await other.send(post(f"http://127.0.0.1:{port}/{CANARY}"))

    async def test_a_name_without_an_address_is_unreachable(self) -> None:
        def lookup(_host: str, _port: int) -> list[str]:
            raise OSError(f"no such name {CANARY}")

        async with OutboundClient(Settings(), lookup=lookup) as client:
            with pytest.raises(Unreachable) as caught:
                await client.send(post("http://nowhere.example/"))
        assert CANARY not in str(caught.value)

    async def test_waiting_for_a_free_connection_is_not_sending(self, endpoint: Endpoint) -> None:
        endpoint.always(misbehave.hang())
        settings = Settings(outbound_allow=[endpoint.host_port], dispatch_requests_max=1)
        async with OutboundClient(settings) as client:
            first = asyncio.create_task(client.send(post(endpoint.url(), timeout_ms=2 * SHORT_MS)))
            await until(lambda: len(endpoint.requests) == 1)
            with pytest.raises(Unreachable):
                await client.send(post(endpoint.url(), timeout_ms=100))
            with pytest.raises(NoAnswer):
                await first
        assert len(endpoint.requests) == 1


class TestTls:
    async def test_a_certificate_of_an_unknown_authority_is_unreachable(self, tmp_path: Path) -> None:
        server_context, _ = self_signed(tmp_path)
        with Endpoint(server_context) as endpoint:
            async with OutboundClient(Settings(outbound_allow=[endpoint.host_port])) as client:
                with pytest.raises(Unreachable, match="certificate"):
                    await client.send(post(endpoint.url()))
            assert endpoint.requests == []

    async def test_a_known_authority_is_accepted(self, tmp_path: Path) -> None:
        server_context, client_context = self_signed(tmp_path)
        with Endpoint(server_context) as endpoint:
            settings = Settings(outbound_allow=[endpoint.host_port])
            async with OutboundClient(settings, tls=client_context) as client:
                assert (await client.send(post(endpoint.url()))).status == 200

    async def test_tls_below_1_2_is_not_spoken(self) -> None:
        client = OutboundClient(Settings())
        assert client._tls.minimum_version is ssl.TLSVersion.TLSv1_2
        assert client._tls.verify_mode is ssl.CERT_REQUIRED
        assert client._tls.check_hostname
        await client.close()


def test_what_is_logged_of_a_request_holds_no_secret() -> None:
    """S17."""
    request = OutboundRequest(
        method="POST",
        url=f"https://u.example/{CANARY}?key={CANARY}",
        headers=(("Authorization", f"Bearer {CANARY}"),),
        body=CANARY.encode(),
    )
    assert CANARY not in repr(request)
    assert CANARY not in f"{request}"
    assert "https://u.example" in repr(request)


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)
