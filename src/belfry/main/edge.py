"""The edge process: HTTP in front of the log."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from pathlib import Path

import structlog
import uvicorn
import uvloop

from belfry.accounts.directory import Directory
from belfry.accounts.hashing import PasscodeHasher
from belfry.config import Settings
from belfry.edge.protocol import EnvelopeProtocol
from belfry.errors import BelfryError
from belfry.main.edge_services import EdgeParts, build_edge
from belfry.main.stores import Installation, open_installation
from belfry.pipeline.position import committed_position
from belfry.storage.log import FileLog, IdempotencyIndex, open_log

log = structlog.get_logger(__name__)

RETENTION_EVERY_S = 60.0
BACKLOG = 2048
KEEP_ALIVE_S = 75


def run_edge(settings: Settings) -> None:
    """Serve HTTP until SIGTERM; then finish what is under way and close the log."""
    here = open_installation(settings)
    index = IdempotencyIndex(
        settings.path("log", "0", "idempotency.db"), hours=settings.idempotency_hours, clock=here.clock
    )
    body_log = open_log(settings, clock=here.clock, ids=here.ids, on_durable=index.on_durable)
    index.catch_up(body_log)
    directory = Directory(here.database, PasscodeHasher(here.secret), here.clock)
    directory.start()
    parts = build_edge(here, body_log, index, directory)
    stop = threading.Event()
    keeper = threading.Thread(target=_keep_log_short, args=(body_log, here, stop), name="log-retention", daemon=True)
    keeper.start()
    try:
        _serve(settings, parts)
    finally:
        stop.set()
        for threads in parts.threads:
            threads.close()
        parts.discarded.close()
        directory.stop()
        body_log.close()
        index.close()
        here.close()


def _serve(settings: Settings, parts: EdgeParts) -> None:
    config = uvicorn.Config(
        parts.application,
        http=EnvelopeProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(int(settings.stop_within_s / 2), 1),
    )
    server = _Server(config, parts)
    with _listener(settings) as listener:
        port = listener.getsockname()[1]
        _publish(settings.path("run", "edge.port"), port)
        log.info("edge listens", host=settings.host, port=port)
        # uvicorn raises the signal again when it is done; the log is still to be closed then.
        signal.signal(signal.SIGTERM, lambda *_: None)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets=[listener]))


class _Server(uvicorn.Server):
    """uvicorn, saying "not ready" from the moment it is told to stop; imports are worked on as long as it runs."""

    def __init__(self, config: uvicorn.Config, parts: EdgeParts) -> None:
        super().__init__(config)
        self._parts = parts

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._parts.import_worker.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._parts.health.start_draining()
        await self._parts.import_worker.stop()
        await super().shutdown(sockets)


def _listener(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    listener.set_inheritable(True)
    return listener


def _publish(path: Path, port: int) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(str(port), encoding="ascii")
    fresh.replace(path)


def _keep_log_short(body_log: FileLog, here: Installation, stop: threading.Event) -> None:
    """Drop applied log files after their retention. The writer's process is the only one that may."""
    while not stop.wait(RETENTION_EVERY_S):
        oldest_ms = here.clock.now_ms() - here.settings.log_retention_hours * 3_600_000
        with contextlib.suppress(BelfryError):
            dropped = body_log.drop(applied=committed_position(here.database, 0), older_than_ms=oldest_ms)
            if dropped:
                log.info("log files dropped after retention", files=dropped)
