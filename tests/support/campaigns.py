"""Campaigns as they run in an engine: real stores of one database, segments that the test decides."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from belfry.accounts.actions import Accounts
from belfry.accounts.model import Account
from belfry.campaigns.actions import Campaigns
from belfry.campaigns.audience import ProfileAudience
from belfry.campaigns.explain import Explain
from belfry.campaigns.launcher import Launcher
from belfry.campaigns.model import Campaign, WebhookCampaign
from belfry.campaigns.plans import RunningPlans
from belfry.campaigns.seal import Seal
from belfry.campaigns.store import CampaignStore
from belfry.campaigns.who import Who
from belfry.clock import Clock
from belfry.connectors.webhook import WebhookTemplate
from belfry.delivery.dispatcher import Dispatcher, Limits
from belfry.delivery.history import History
from belfry.delivery.liveness import Worker
from belfry.delivery.model import OutboundError, OutboundRequest, OutboundResponse, Sender
from belfry.delivery.store import Outbox
from belfry.errors import BadRequest
from belfry.ids import AccountId, ProfileId, SystemIds
from belfry.outbound.gate import Gate
from belfry.profiles import store as profile_store
from belfry.profiles.actions import Profiles
from belfry.profiles.graph import MemoryGraph, Wanted
from belfry.profiles.history import LogEntry, LogKind, Picture
from belfry.profiles.journal import write_log
from belfry.profiles.model import Identity, IdentityKind, ProfileStatus
from belfry.segments.model import Rule, SegmentRule
from belfry.storage.relational import Database
from support.delivery import KEY, OK, Answer

ACCOUNT = "ACC-001-AAA"
URL = "https://hook.example/users"
EVERYBODY = {"type": "everyone"}


class FakeSegments:
    """Saved segments by id, as lists of users; any rule tree that is not a saved segment means `everybody`."""

    def __init__(self) -> None:
        self.saved: dict[tuple[str, int], list[int]] = {}
        self.everybody: dict[str, list[int]] = {}
        self.block = 700
        self.fails_after: int | None = None

    def stream_profile_ids(
        self, account: Account, rule: Rule, *, after: int = 0, as_of_ms: int | None = None
    ) -> Iterator[list[ProfileId]]:
        ids = sorted(i for i in self._ids(account, rule) if i > after)
        for start in range(0, len(ids), self.block):
            if self.fails_after is not None and start >= self.fails_after:
                self.fails_after = None
                raise OSError("the columnar store went away")
            yield [ProfileId(i) for i in ids[start : start + self.block]]

    def profile_ids(self, account: Account, rule: Rule, *, after: int = 0, limit: int) -> list[ProfileId]:
        return [ProfileId(i) for i in sorted(self._ids(account, rule)) if i > after][:limit]

    def contains(self, account: Account, rule: Rule, profile_id: ProfileId) -> bool:
        return profile_id in self._ids(account, rule)

    def _ids(self, account: Account, rule: Rule) -> list[int]:
        if not isinstance(rule, SegmentRule):
            return self.everybody.get(account.account_id, [])
        try:
            return self.saved[account.account_id, rule.segment_id]
        except KeyError:
            raise BadRequest(f"there is no segment {rule.segment_id}", field="segment_id") from None


class FakeEndpoint:
    """Stands in for the outbound client and the customer's endpoint behind it. `answer` decides for each request.

    taken  how often each message was taken, by its id
    """

    def __init__(self) -> None:
        self.requests: list[OutboundRequest] = []
        self.taken: Counter[str] = Counter()
        self.answer: Callable[[OutboundRequest], Answer] = lambda _: OK

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        self.requests.append(request)
        await asyncio.sleep(0)
        answer = self.answer(request)
        if isinstance(answer, OutboundError):
            raise answer
        if answer.status < 300:
            self.taken.update(message_ids_in(request))
        return answer


def message_ids_in(request: OutboundRequest) -> list[str]:
    """The ids of the messages in a call: of its body if it is ours, else of the header."""
    body = json.loads(request.body or b"null")
    if isinstance(body, dict) and "message_id" in body:
        return list(body["message_id"])
    return [dict(request.headers)["Idempotency-Key"]]


def identities_in(request: OutboundRequest) -> list[str]:
    """Whom a call with the default body is about."""
    return [profile["identity"] for profile in json.loads(request.body or b"{}")["profiles"]]


class CampaignWorld:
    """One engine's campaigns and delivery. Several may share a database: several engines."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        sender: Sender | None = None,
        segments: FakeSegments | None = None,
        name: str = "engine",
        allow: Sequence[str] = (),
        retry_delays_s: tuple[float, ...] = (15.0, 60.0, 300.0),
        requests_max: int = 16,
    ) -> None:
        ids = SystemIds()
        self.database = database
        self.clock = clock
        self.endpoint = FakeEndpoint()
        self.segments = segments or FakeSegments()
        self.accounts = Accounts(database, clock, ids, region="eu1")
        self.profiles = Profiles(database)
        self.outbox = Outbox(database, clock)
        self.history = History(database)
        self.store = CampaignStore(Seal(KEY, ids), clock)
        self.who = Who(self.segments, self.accounts)  # type: ignore[arg-type]
        self.audience = ProfileAudience(database, self.profiles)
        self.campaigns = Campaigns(
            database=database,
            store=self.store,
            outbox=self.outbox,
            history=self.history,
            who=self.who,
            clock=clock,
            allow=allow,
        )
        self.explain = Explain(
            database=database,
            store=self.store,
            history=self.history,
            profiles=self.profiles,
            audience=self.audience,
            who=self.who,
            message_key=KEY,
        )
        self.launcher = Launcher(
            database=database,
            store=self.store,
            outbox=self.outbox,
            who=self.who,
            worker=Worker(database, clock, ids, name=f"{name}/launcher"),
            clock=clock,
            message_key=KEY,
        )
        self.plans = RunningPlans(
            database=database, store=self.store, accounts=self.accounts, who=self.who, clock=clock, allow=allow
        )
        self.sender = sender or self.endpoint
        self._make_dispatcher: Callable[[], Dispatcher] = lambda: Dispatcher(
            outbox=self.outbox,
            plans=self.plans,
            audience=self.audience,
            sender=self.sender,
            gate=Gate(clock),
            worker=Worker(database, clock, ids, name=f"{name}/dispatcher"),
            clock=clock,
            limits=Limits(requests_max=requests_max, retry_delays_s=retry_delays_s, drain_s=5.0),
            message_key=KEY,
        )

    def dispatcher(self) -> Dispatcher:
        """A new one; close it."""
        return self._make_dispatcher()

    def account(self, account_id: str = ACCOUNT, timezone: str = "UTC") -> Account:
        return self.accounts.create("Shop", account_id=account_id, timezone=timezone)

    def prepare(self) -> None:
        """Let the launcher do all there is to do."""
        while self.launcher.step():
            pass

    def add_users(self, account: Account, profile_ids: Iterable[int], **properties: Any) -> list[int]:
        """Users `u-<id>` with these properties; everybody is in the segment `everybody`."""
        added = list(profile_ids)
        graph = MemoryGraph(account.account_id)
        for profile_id in added:
            graph.create(ProfileId(profile_id), self.clock.now_ms())
            identity = Identity(IdentityKind.IDENTITY, f"u-{profile_id}")
            graph.attach_identity(identity, ProfileId(profile_id), self.clock.now_ms())
            graph.profiles[ProfileId(profile_id)].state.properties.update(properties)
        self._save(graph)
        self.segments.everybody.setdefault(account.account_id, []).extend(added)
        return added

    def change(self, account: Account, profile_id: int, change: Callable[[MemoryGraph], object]) -> None:
        graph = MemoryGraph(account.account_id)
        with self.database.read() as connection:
            profile_store.load(connection, graph, Wanted(profile_ids={ProfileId(profile_id)}))
        change(graph)
        self._save(graph)

    def merge(self, account: Account, keep: int, absorb: int) -> None:
        """As the pipeline does it: hide one behind the other, and write the identity log."""
        target, hidden = ProfileId(keep), ProfileId(absorb)
        self.change(account, absorb, lambda graph: graph.hide(hidden, ProfileStatus.MERGED, target))
        picture = Picture()
        entry = LogEntry(
            kind=LogKind.MERGE,
            profile_id=target,
            other_id=hidden,
            source="test",
            reason="asked for",
            at_ms=self.clock.now_ms(),
            before=picture,
            after=picture,
        )
        with self.database.begin() as connection:
            write_log(connection, account.account_id, [(absorb, entry)])

    def delete(self, account: Account, profile_id: int) -> None:
        self.change(account, profile_id, lambda g: g.hide(ProfileId(profile_id), ProfileStatus.DELETED, None))

    def draft(self, account: Account, **changes: Any) -> Campaign:
        return self.campaigns.create(account, definition(**changes))

    def launched(self, account: Account, **changes: Any) -> Campaign:
        campaign = self.draft(account, **changes)
        self.campaigns.launch(account, campaign.campaign_id)
        return campaign

    def _save(self, graph: MemoryGraph) -> None:
        with self.database.begin() as connection:
            profile_store.save(connection, graph)


def definition(*, webhook: dict[str, Any] | None = None, **changes: Any) -> WebhookCampaign:
    template = WebhookTemplate(**{"name": "CRM", "url": URL, **(webhook or {})})
    who = {} if "segment_id" in changes or "rule" in changes else {"rule": EVERYBODY}
    return WebhookCampaign(**{"name": "Winback", "webhook": template, **who, **changes})


def account_id(text: str = ACCOUNT) -> AccountId:
    return AccountId(text)
