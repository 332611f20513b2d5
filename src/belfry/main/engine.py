"""The engine process: pipeline, launcher and dispatcher."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable

import structlog
import uvloop

from belfry.accounts.directory import Directory
from belfry.accounts.hashing import PasscodeHasher
from belfry.accounts.model import Account
from belfry.clock import Clock
from belfry.config import Settings
from belfry.errors import BelfryError
from belfry.ids import AccountId
from belfry.intake import PartnerPolicy
from belfry.main.listing import build_upload_worker
from belfry.main.sending import Sending, build_sending
from belfry.main.stores import Installation, open_installation
from belfry.pipeline.apply import BlockApplier
from belfry.pipeline.loop import Pipeline
from belfry.pipeline.operations import Heartbeats
from belfry.storage.columnar import Columnar
from belfry.storage.log import open_reader
from belfry.storage.relational import Database

log = structlog.get_logger(__name__)

HEARTBEAT_EVERY_S = 2.0
COLUMNAR_WAIT_S = 0.05


def run_engine(settings: Settings) -> None:
    """Apply the log and send messages until SIGTERM."""
    here = open_installation(settings)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    directory = Directory(here.database, PasscodeHasher(here.secret), here.clock)
    directory.start()
    _create_tables(here.columnar, stop)
    pipeline = _build_pipeline(here, directory)
    threads = [
        threading.Thread(target=pipeline.run, args=(stop,), name="pipeline"),
        threading.Thread(target=build_upload_worker(here).run, args=(stop,), name="upload-worker"),
        threading.Thread(target=_beat, args=(here.database, here.clock, stop), name="heartbeat"),
    ]
    for thread in threads:
        thread.start()
    try:
        _send_until(stop, lambda: build_sending(here))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        directory.stop()
        here.close()


def _build_pipeline(here: Installation, directory: Directory) -> Pipeline:
    applier = BlockApplier(
        database=here.database,
        columnar=here.columnar,
        accounts=lambda account_id: _account_now(directory, account_id),
        partners=lambda _: PartnerPolicy(),
        clock=here.clock,
        profiles_cached_max=here.settings.profiles_cached_max,
        secret=here.secret,
    )
    return Pipeline(
        reader=open_reader(here.settings.path("log")),
        stream=0,
        database=here.database,
        columnar=here.columnar,
        applier=applier,
        clock=here.clock,
        settings=here.settings,
    )


def _account_now(directory: Directory, account_id: AccountId) -> Account | None:
    """An account, also one that was made a moment ago: the edge may have known it first."""
    found = directory.account(account_id)
    if found is None:
        directory.refresh()
        found = directory.account(account_id)
    return found


def _create_tables(columnar: Columnar, stop: threading.Event) -> None:
    """Wait for the columnar store and make its tables."""
    while not stop.is_set():
        try:
            columnar.create_tables()
        except BelfryError as error:
            log.debug("waiting for the columnar store", error=str(error))
            stop.wait(COLUMNAR_WAIT_S)
        else:
            return


def _beat(database: Database, clock: Clock, stop: threading.Event) -> None:
    heartbeats, instance = Heartbeats(database), str(os.getpid())
    while True:
        with contextlib.suppress(BelfryError):
            heartbeats.beat("engine", instance, clock.now_ms())
        if stop.wait(HEARTBEAT_EVERY_S):
            return


def _send_until(stop: threading.Event, build: Callable[[], Sending]) -> None:
    async def run() -> None:
        sending = build()
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        watcher = threading.Thread(
            target=lambda: (stop.wait(), loop.call_soon_threadsafe(ended.set)), name="stop-watcher", daemon=True
        )
        watcher.start()
        await sending.run(ended)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
