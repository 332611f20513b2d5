"""Names to addresses, checked: what comes out of here may be connected to, and nothing else is.

aiohttp connects to exactly the addresses that the resolver returned, so the name is not asked again between check and
connect. The socket factory checks once more at the last moment, also for addresses that stood in the URL.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

from belfry.outbound.addresses import Destination, check_address, host_port
from belfry.outbound.model import AddressRefused

LOOKUPS_MAX = 64
"""Names that are asked for at once. A thread each: a slow name server holds up its own names only."""

current_destination: ContextVar[Destination | None] = ContextVar("current_destination", default=None)
"""Where the request that this task is sending leads: aiohttp gives the socket factory nothing but numbers."""

Lookup = Callable[[str, int], list[str]]
"""The addresses of a name, blocking. Raises OSError."""


def system_lookup(host: str, port: int) -> list[str]:
    """Ask the system."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class CheckedResolver(AbstractResolver):
    """Resolves a name to those of its addresses that may be called."""

    def __init__(self, allow: Collection[str], lookup: Lookup = system_lookup) -> None:
        self._allow = allow
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(LOOKUPS_MAX, thread_name_prefix="lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses to connect to. Raises AddressRefused if all are refused, OSError if there are none."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._lookup, host, port)
        if not found:
            raise OSError("the name has no address")
        if host_port(host, port) not in self._allow:
            found = _permitted(found)
        return [_result(host, address, port) for address in found if family in (socket.AF_UNSPEC, _family(address))]

    async def close(self) -> None:
        """Stop looking up."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def checked_socket(address_info: AddrInfoType) -> socket.socket:
    """Make the socket for one connection attempt. Raises AddressRefused if it may not go there."""
    family, kind, protocol, _, address = address_info
    destination = current_destination.get()
    if destination is None or not destination.is_allowed_by_name:
        check_address(str(address[0]))
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setblocking(False)
    return made


def _permitted(addresses: list[str]) -> list[str]:
    permitted: list[str] = []
    refused: AddressRefused | None = None
    for address in addresses:
        try:
            check_address(address)
            permitted.append(address)
        except AddressRefused as error:
            refused = error
    if not permitted and refused is not None:
        raise refused
    return permitted


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _result(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=_family(address),
        proto=0,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
