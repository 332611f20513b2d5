"""The columnar process: chDB (ClickHouse as a library) behind ClickHouse's HTTP interface on loopback.

chDB opens its folder in one process only; this is that process, and the only module that imports chdb.
`http_interface.py` is what it speaks, `lanes.py` how statements run side by side, `address.py` how it is found,
`recovery.py` what a crash leaves to repair.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import cast

import uvicorn

from belfry.config import MIB, Settings
from belfry.ids import Ids, SystemIds
from belfry.storage.columnar.address import DATABASE, publish, withdraw
from belfry.storage.columnar.http_interface import HttpInterface
from belfry.storage.columnar.lanes import Connection, Lanes, quoted_name
from belfry.storage.columnar.recovery import take_back_lost_tokens

QUERY_LANES = 16
INSERT_LANES = 3
QUERY_SECONDS_MAX = 300
KEEP_ALIVE_S = 600
_MARK_CACHE_SHARE = 16

_opening = threading.Lock()


def run_embedded(settings: Settings, port: int, ready: Callable[[], None], ids: Ids | None = None) -> None:
    """Serve the data folder's columnar store until SIGTERM; call from the main thread of a process of its own.

    port     on 127.0.0.1; 0 takes a free one. Others find it by `address.embedded_dsn`
    ready    called when statements are taken
    Ends running queries at SIGTERM, finishes inserts, and leaves within `stop_within_s`. After a crash the next
    start recovers by itself. Raises OSError (port taken), RuntimeError (folder in use by another process).
    """
    connect = _opener(settings)
    with socket.create_server(("127.0.0.1", port), backlog=256) as listener:
        first = connect()
        first.query(f"CREATE DATABASE IF NOT EXISTS {quoted_name(DATABASE)}")
        ids = ids or SystemIds()
        token = ids.token_hex(32)
        publish(settings, listener.getsockname()[1], token)
        try:
            ready()
            _serve(settings, listener, HttpInterface(token, ids, **_lanes(settings, connect)))
        finally:
            withdraw(settings)
            # The last connection to close shuts the engine down and flushes it.
            first.close()


def _opener(settings: Settings) -> Callable[[], Connection]:
    """How to open one more connection to the data folder."""
    import chdb

    folder = settings.path("columnar")
    folder.mkdir(parents=True, exist_ok=True)
    take_back_lost_tokens(folder)
    memory = settings.columnar_memory_bytes_max
    options = f"max_server_memory_usage={memory}&mark_cache_size={max(8 * MIB, memory // _MARK_CACHE_SHARE)}"
    address = f"{folder}?{options}"

    def connect() -> Connection:
        with _opening:
            return cast("Connection", chdb.connect(address))

    return connect


def _lanes(settings: Settings, connect: Callable[[], Connection]) -> dict[str, Lanes]:
    query_memory = settings.columnar_memory_bytes_max // 2
    query_settings = {
        "max_execution_time": str(QUERY_SECONDS_MAX),
        "max_memory_usage": str(query_memory),
        "max_bytes_before_external_group_by": str(query_memory // 2),
        "max_bytes_before_external_sort": str(query_memory // 2),
    }
    return {
        "queries": Lanes("query", QUERY_LANES, connect, query_settings),
        "inserts": Lanes("insert", INSERT_LANES, connect, {}),
        "control": Lanes("control", 1, connect, {}),
    }


def _serve(settings: Settings, listener: socket.socket, interface: HttpInterface) -> None:
    config = uvicorn.Config(
        interface,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.stop_within_s) or 1,
    )
    _Server(config, interface).run(sockets=[listener])
    interface.close()


class _Server(uvicorn.Server):
    """uvicorn that leaves at SIGTERM only, and ends queries before it waits for its connections."""

    def __init__(self, config: uvicorn.Config, interface: HttpInterface) -> None:
        super().__init__(config)
        self._interface = interface

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM stops. SIGINT is the supervisor's to translate; uvicorn's own way repeats signals at the end."""
        before = signal.signal(signal.SIGTERM, self.handle_exit)
        yield
        signal.signal(signal.SIGTERM, before)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._interface.stop()
        await super().shutdown(sockets)
