"""Campaigns as both processes build them, and the sending half of the engine."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading

import msgspec

from belfry.accounts.actions import Accounts
from belfry.campaigns.actions import Campaigns
from belfry.campaigns.audience import ProfileAudience
from belfry.campaigns.explain import Explain
from belfry.campaigns.launcher import Launcher
from belfry.campaigns.plans import RunningPlans
from belfry.campaigns.seal import Seal
from belfry.campaigns.store import CampaignStore
from belfry.campaigns.who import Who
from belfry.delivery.dispatcher import Dispatcher, Limits
from belfry.delivery.history import History
from belfry.delivery.liveness import Worker
from belfry.delivery.store import Outbox
from belfry.main.stores import Installation
from belfry.outbound.client import OutboundClient
from belfry.outbound.gate import Gate
from belfry.profiles.actions import Profiles
from belfry.segments.actions import Segments


class CampaignParts(msgspec.Struct, frozen=True):
    """What campaigns are made of; the edge uses the verbs, the engine sends."""

    accounts: Accounts
    store: CampaignStore
    outbox: Outbox
    history: History
    profiles: Profiles
    segments: Segments
    who: Who
    audience: ProfileAudience
    campaigns: Campaigns
    explain: Explain
    message_key: bytes


def build_campaigns(here: Installation) -> CampaignParts:
    """Everything that the two processes have in common."""
    settings, clock, ids, database = here.settings, here.clock, here.ids, here.database
    accounts = Accounts(database, clock, ids, region=settings.region)
    segments = Segments(database, here.columnar, clock)
    profiles = Profiles(database)
    store, outbox, history = CampaignStore(Seal(here.secret, ids), clock), Outbox(database, clock), History(database)
    who, audience = Who(segments, accounts), ProfileAudience(database, profiles)
    message_key = hashlib.blake2b(here.secret, digest_size=32, person=b"belfry.message").digest()
    campaigns = Campaigns(
        database=database,
        store=store,
        outbox=outbox,
        history=history,
        who=who,
        clock=clock,
        allow=settings.outbound_allow,
    )
    explain = Explain(
        database=database,
        store=store,
        history=history,
        profiles=profiles,
        audience=audience,
        who=who,
        message_key=message_key,
    )
    return CampaignParts(
        accounts=accounts,
        store=store,
        outbox=outbox,
        history=history,
        profiles=profiles,
        segments=segments,
        who=who,
        audience=audience,
        campaigns=campaigns,
        explain=explain,
        message_key=message_key,
    )


class Sending:
    """Launcher (in a thread) and dispatcher (on the event loop) of one engine process."""

    def __init__(self, launcher: Launcher, dispatcher: Dispatcher, client: OutboundClient) -> None:
        self._launcher = launcher
        self._dispatcher = dispatcher
        self._client = client

    async def run(self, stop: asyncio.Event) -> None:
        """Prepare runs and send messages until told to stop; then let calls in flight finish."""
        launcher_stop = threading.Event()
        thread = threading.Thread(target=self._launcher.run, args=(launcher_stop,), name="launcher")
        thread.start()
        try:
            await self._dispatcher.run(stop)
        finally:
            launcher_stop.set()
            await asyncio.to_thread(thread.join)
            await self._client.close()


def build_sending(here: Installation) -> Sending:
    """The sending half of the engine. Call it on the event loop that it will run on."""
    settings, clock, ids, database = here.settings, here.clock, here.ids, here.database
    parts = build_campaigns(here)
    client = OutboundClient(settings)
    dispatcher = Dispatcher(
        outbox=parts.outbox,
        plans=RunningPlans(
            database=database,
            store=parts.store,
            accounts=parts.accounts,
            who=parts.who,
            clock=clock,
            allow=settings.outbound_allow,
        ),
        audience=parts.audience,
        sender=client,
        gate=Gate(clock),
        worker=Worker(database, clock, ids, name=f"{_engine_name(here)}/dispatcher"),
        clock=clock,
        limits=Limits(
            requests_max=settings.dispatch_requests_max,
            retry_delays_s=tuple(settings.webhook_retry_delays_s),
            drain_s=settings.stop_within_s / 3,
        ),
        message_key=parts.message_key,
    )
    launcher = Launcher(
        database=database,
        store=parts.store,
        outbox=parts.outbox,
        who=parts.who,
        worker=Worker(database, clock, ids, name=f"{_engine_name(here)}/launcher"),
        clock=clock,
        message_key=parts.message_key,
    )
    return Sending(launcher, dispatcher, client)


def _engine_name(here: Installation) -> str:
    """A name that no other living engine has, and that this one has again after a restart: host and data folder."""
    place = f"{socket.gethostname()}:{here.settings.path()}".encode()
    return hashlib.blake2b(place, digest_size=8).hexdigest()
