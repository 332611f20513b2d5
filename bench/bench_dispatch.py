"""How fast a webhook campaign is prepared and sent, beside a bare aiohttp client to the same endpoint in the same run.

    python bench/bench_dispatch.py [--messages 20000] [--delay-ms 5] [--per-call 1] [--dsn sqlite:///…]

The endpoint is a process of its own that answers 200 after the delay. Everything else is what an engine does: users
with properties in the relational store, outbox rows written by the launcher, and for each message the checks, a
Liquid body, the signed request, one HTTP call, and its outcome noted.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import aiohttp
import uvloop

from belfry.accounts.actions import Accounts
from belfry.accounts.model import Account
from belfry.campaigns.actions import Campaigns
from belfry.campaigns.audience import ProfileAudience
from belfry.campaigns.launcher import Launcher
from belfry.campaigns.model import RunState, WebhookCampaign
from belfry.campaigns.plans import RunningPlans
from belfry.campaigns.seal import Seal
from belfry.campaigns.store import CampaignStore
from belfry.campaigns.who import Who
from belfry.clock import SystemClock
from belfry.config import Settings
from belfry.connectors.secret import Secret
from belfry.connectors.webhook import WebhookTemplate
from belfry.delivery.dispatcher import Dispatcher, Limits
from belfry.delivery.history import History
from belfry.delivery.liveness import Worker
from belfry.delivery.model import MessageState
from belfry.delivery.store import Outbox
from belfry.ids import ProfileId, SystemIds
from belfry.outbound import OutboundClient
from belfry.outbound.gate import Gate
from belfry.profiles import store as profile_store
from belfry.profiles.actions import Profiles
from belfry.profiles.graph import MemoryGraph
from belfry.profiles.model import Identity, IdentityKind
from belfry.storage.relational import Database, metadata

KEY = b"k" * 32
IN_FLIGHT = 64
BODY = '{"customer": "{{ Profile.Identity }}", "hello": "{{ Profile.Name }}", "tier": "{{ Profile.Tier }}"}'
PROPERTIES = {"Name": "Ines", "Tier": "gold", "Email": "ines@example.org", "City": "Madrid", "visits": 12}


class Everybody:
    """Stands in for the columnar store, which is measured elsewhere."""

    def __init__(self, count: int) -> None:
        self._ids = [ProfileId(i) for i in range(1, count + 1)]

    def contains(self, *_: object) -> bool:
        return True

    def stream_profile_ids(self, *_: object, **__: object) -> Iterator[list[ProfileId]]:
        for start in range(0, len(self._ids), 65_536):
            yield self._ids[start : start + 65_536]


class Answering(asyncio.Protocol):
    """Answers each request with 200 after the delay. Knows just enough HTTP for the clients measured here."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            fields = self._buffer[:end].lower()
            start = fields.find(b"content-length: ")
            size = int(fields[start + 16 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
            if len(self._buffer) < end + 4 + size:
                return
            self._buffer = self._buffer[end + 4 + size :]
            asyncio.get_running_loop().call_later(self._delay_s, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def serve(pipe: Connection, delay_s: float) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: Answering(delay_s), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(pipe.recv)
        server.close()

    uvloop.run(run())


class Engine:
    """What is measured, built as the engine builds it."""

    def __init__(self, database: Database, settings: Settings, users_count: int) -> None:
        clock, ids = SystemClock(), SystemIds()
        segments: Any = Everybody(users_count)
        self.settings = settings
        self.database = database
        self.clock, self.ids = clock, ids
        self.accounts = Accounts(database, clock, ids, region="eu1")
        self.outbox = Outbox(database, clock)
        self.history = History(database)
        self.store = CampaignStore(Seal(KEY, ids), clock)
        who = Who(segments, self.accounts)
        allow = settings.outbound_allow
        self.campaigns = Campaigns(
            database=database,
            store=self.store,
            outbox=self.outbox,
            history=self.history,
            who=who,
            clock=clock,
            allow=allow,
        )
        self.launcher = Launcher(
            database=database,
            store=self.store,
            outbox=self.outbox,
            who=who,
            worker=Worker(database, clock, ids, name="bench/launcher"),
            clock=clock,
            message_key=KEY,
        )
        self.plans = RunningPlans(
            database=database, store=self.store, accounts=self.accounts, who=who, clock=clock, allow=allow
        )

    def dispatcher(self, client: OutboundClient) -> Dispatcher:
        return Dispatcher(
            outbox=self.outbox,
            plans=self.plans,
            audience=ProfileAudience(self.database, Profiles(self.database)),
            sender=client,
            gate=Gate(self.clock),
            worker=Worker(self.database, self.clock, self.ids, name="bench/dispatcher"),
            clock=self.clock,
            limits=Limits(self.settings.dispatch_requests_max, (15.0, 60.0, 300.0), 10.0),
            message_key=KEY,
        )

    def add_users(self, account: Account, count: int) -> None:
        for start in range(1, count + 1, 5_000):
            graph = MemoryGraph(account.account_id)
            for i in range(start, min(start + 5_000, count + 1)):
                graph.create(ProfileId(i), 0)
                graph.attach_identity(Identity(IdentityKind.IDENTITY, f"user-{i}"), ProfileId(i), 0)
                graph.profiles[ProfileId(i)].state.properties.update(PROPERTIES)
            with self.database.begin() as connection:
                profile_store.save(connection, graph)


async def bare(url: str, count: int, in_flight: int) -> float:
    """Calls a second of aiohttp alone, with a body of the same size."""
    body = BODY.encode()
    left = iter(range(count))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def work() -> None:
            for _ in left:
                async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                    await response.read()

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        return count / (time.perf_counter() - started)


async def send_all(engine: Engine, account: Account, campaign_id: Any, count: int) -> float:
    """Messages a second from the first claim to the last note."""
    stop = asyncio.Event()
    async with OutboundClient(engine.settings) as client:
        started = time.perf_counter()
        running = asyncio.create_task(engine.dispatcher(client).run(stop))
        while not await asyncio.to_thread(is_over, engine, account, campaign_id):
            await asyncio.sleep(0.02)
        seconds = time.perf_counter() - started
        stop.set()
        await running
    return count / seconds


def is_over(engine: Engine, account: Account, campaign_id: Any) -> bool:
    (run,) = engine.campaigns.runs(account.account_id, campaign_id)
    return engine.outbox.is_over(run.key)


def webhook(url: str, per_call: int) -> WebhookTemplate:
    body = BODY if per_call == 1 else None
    secrets = (Secret("whsec_" + "a" * 32),)
    return WebhookTemplate(name="bench", url=url, body=body, messages_per_call_max=per_call, signing_secrets=secrets)


def measure(dsn: str, port: int, count: int, per_call: int) -> None:
    settings = Settings(outbound_allow=[f"127.0.0.1:{port}"])
    url = f"http://127.0.0.1:{port}/hook"
    database = Database(dsn)
    with database.begin() as connection:
        metadata.create_all(connection)
    engine = Engine(database, settings, count)
    account = engine.accounts.create("Bench", account_id=f"BENCH-{time.time_ns() % 10**9}")
    engine.add_users(account, count)
    definition = WebhookCampaign(name="bench", webhook=webhook(url, per_call), rule={"type": "everyone"})
    campaign_id = engine.campaigns.create(account, definition).campaign_id
    engine.campaigns.launch(account, campaign_id)

    started = time.perf_counter()
    while (
        engine.launcher.step() or engine.campaigns.runs(account.account_id, campaign_id)[0].state is RunState.PREPARING
    ):
        pass
    print(f"prepared     {count / (time.perf_counter() - started):10,.0f} rows/s")

    limit = uvloop.run(bare(url, count, IN_FLIGHT))
    sent = uvloop.run(send_all(engine, account, campaign_id, count))
    report = engine.campaigns.report(account.account_id, campaign_id).runs[0]
    assert report.states == {MessageState.SENT: count}, report
    print(f"sent         {sent:10,.0f} messages/s, {per_call} a call")
    print(f"bare aiohttp {limit:10,.0f} calls/s, {IN_FLIGHT} in flight")
    print(f"ratio        {sent / limit:10.2f}")
    database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--delay-ms", type=float, default=5.0)
    parser.add_argument("--per-call", type=int, default=1)
    parser.add_argument("--dsn", default="", help="a relational store; by default SQLite in a fresh folder")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    endpoint = context.Process(target=serve, args=(theirs, arguments.delay_ms / 1000), daemon=True)
    endpoint.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            dsn = arguments.dsn or f"sqlite:///{Path(folder) / 'bench.db'}"
            measure(dsn, ours.recv(), arguments.messages, arguments.per_call)
    finally:
        ours.send(None)
        endpoint.join()


if __name__ == "__main__":
    main()
