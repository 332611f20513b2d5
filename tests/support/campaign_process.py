"""An engine's campaigns as a process of their own, to be killed: `python -m support.campaign_process <arguments>`.

Prepares and sends what is launched, with the real outbound client, until no run is open; then ends with code 0. With a
fault point it kills itself there.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import sqlalchemy as sa

from belfry import faults
from belfry.campaigns.model import RunState
from belfry.clock import SystemClock
from belfry.config import Settings
from belfry.outbound import OutboundClient
from belfry.profiles.tables import profiles
from belfry.storage.relational import Database
from support.campaigns import ACCOUNT, CampaignWorld, FakeSegments

TESTS = Path(__file__).resolve().parents[1]


class Arguments(msgspec.Struct):
    """dsn of the relational store, `host:port` of the endpoint, fault point or nothing."""

    dsn: str
    endpoint: str
    fault: str = ""
    name: str = "engine"


def start(arguments: Arguments) -> subprocess.Popen[bytes]:
    """Run it from a test."""
    command = [sys.executable, "-m", "support.campaign_process", msgspec.json.encode(arguments).decode()]
    return subprocess.Popen(command, cwd=TESTS)


def main(arguments: Arguments) -> None:
    if arguments.fault:
        faults.arm(arguments.fault)
    database = Database(arguments.dsn)
    segments = FakeSegments()
    with database.read() as connection:
        ids = connection.scalars(sa.select(profiles.c.profile_id).where(profiles.c.account_id == ACCOUNT))
        segments.everybody[ACCOUNT] = sorted(ids)
    asyncio.run(_send(database, segments, arguments))
    database.close()


async def _send(database: Database, segments: FakeSegments, arguments: Arguments) -> None:
    settings = Settings(outbound_allow=[arguments.endpoint])
    async with OutboundClient(settings) as client:
        world = CampaignWorld(
            database,
            SystemClock(),
            sender=client,
            segments=segments,
            allow=settings.outbound_allow,
            retry_delays_s=(0.05, 0.1, 0.2),
            name=arguments.name,
        )
        stop, stop_thread = asyncio.Event(), threading.Event()
        launching = threading.Thread(target=world.launcher.run, args=(stop_thread,), daemon=True)
        launching.start()
        sending = asyncio.create_task(world.dispatcher().run(stop))
        while not await asyncio.to_thread(_is_done, world):
            await asyncio.sleep(0.05)
        stop.set()
        stop_thread.set()
        await sending
        launching.join()


def _is_done(world: CampaignWorld) -> bool:
    with world.database.read() as connection:
        return not any(world.store.runs_in(connection, state) for state in (RunState.PREPARING, RunState.SENDING))


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Arguments))
