"""A small world around the dispatcher: a run, its users, and a provider that counts what it takes by id."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from belfry.clock import Clock, ManualClock
from belfry.connectors.webhook import CallTooLarge
from belfry.delivery.dispatcher import Dispatcher, Limits
from belfry.delivery.liveness import Worker
from belfry.delivery.model import (
    MessageState,
    OutboundError,
    OutboundRequest,
    OutboundResponse,
    Outcome,
    ProfileView,
    RunKey,
    SendFailure,
)
from belfry.delivery.store import Outbox
from belfry.ids import AccountId, CampaignId, MessageId, ProfileId, SystemIds, message_id
from belfry.outbound import AddressRefused, NoAnswer, Unreachable
from belfry.outbound.gate import Gate
from belfry.storage.relational import Database

KEY = b"k" * 32
RUN = RunKey(AccountId("ACC-1"), CampaignId(1_795_608_000), 20261125)
DELAYS_S = (15.0, 60.0, 300.0)
Answer = OutboundResponse | OutboundError
OK = OutboundResponse(200, {}, b"")


def view(profile_id: int, *, is_opted_out: bool = False) -> ProfileView:
    return ProfileView(
        profile_id=ProfileId(profile_id),
        identity=f"u-{profile_id}",
        all_identities=(f"u-{profile_id}",),
        email=None,
        phone=None,
        name=None,
        object_id=None,
        push_token=None,
        properties={},
        subscriptions={},
        is_opted_out=is_opted_out,
    )


def id_of(profile_id: int, run: RunKey = RUN) -> MessageId:
    return message_id(KEY, run.account_id, run.campaign_id, run.run_id, profile_id)


class FakePlan:
    """A run whose call carries nothing but the ids of its messages."""

    def __init__(self, run: RunKey = RUN, *, host: str = "hook.example:443", per_call: int = 1) -> None:
        self.run = run
        self.host = host
        self.messages_per_call_max = per_call
        self.is_over_limit = False
        self.rechecks_segment = True
        self.segment: set[int] | None = None
        self.failing: dict[int, Exception] = {}
        self.users_per_body_max = 1000

    def qualified(self, profile_ids: Sequence[ProfileId]) -> Collection[ProfileId]:
        return [i for i in profile_ids if self.segment is None or i in self.segment]

    def request(
        self, messages: Sequence[tuple[MessageId, ProfileView]], *, attempt: int, now_ms: int
    ) -> OutboundRequest:
        for _, user in messages:
            if user.profile_id in self.failing:
                raise self.failing[user.profile_id]
        if len(messages) > self.users_per_body_max:
            raise CallTooLarge("too large")
        body = msgspec.json.encode([[m, v.profile_id] for m, v in messages])
        return OutboundRequest(method="POST", url=f"https://{self.host}/", body=body)

    def outcome(self, answer: Answer) -> Outcome:
        if isinstance(answer, Unreachable):
            return Outcome(SendFailure.UNREACHABLE, detail=str(answer))
        if isinstance(answer, NoAnswer):
            return Outcome(SendFailure.UNKNOWN, detail=str(answer))
        if isinstance(answer, AddressRefused):
            return Outcome(SendFailure.MISCONFIGURED, detail=str(answer))
        assert isinstance(answer, OutboundResponse), answer
        if 200 <= answer.status < 300:
            return Outcome(None, answer.status)
        is_busy = answer.status == 429
        is_final = 400 <= answer.status < 500 and not is_busy
        failure = SendFailure.REJECTED if is_final else SendFailure.THROTTLED if is_busy else SendFailure.UNREACHABLE
        asked = answer.headers.get("retry-after")
        return Outcome(failure, answer.status, answer.body.decode(), float(asked) if asked else None)


class FakePlans:
    def __init__(self, *plans: FakePlan) -> None:
        self.plans = list(plans)

    def sending(self) -> Sequence[FakePlan]:
        return list(self.plans)


class FakeAudience:
    """Every user exists unless they are in `gone`; `merged` tells whom a profile became."""

    def __init__(self) -> None:
        self.gone: set[int] = set()
        self.opted_out: set[int] = set()
        self.merged: dict[int, int] = {}

    def views(self, account_id: AccountId, profile_ids: Sequence[ProfileId]) -> Mapping[ProfileId, ProfileView]:
        found = {i: self.merged.get(i, i) for i in profile_ids}
        return {
            i: view(person, is_opted_out=person in self.opted_out)
            for i, person in found.items()
            if person not in self.gone
        }

    def merged_into(
        self, account_id: AccountId, profile_ids: Sequence[ProfileId]
    ) -> Mapping[ProfileId, Sequence[ProfileId]]:
        into: dict[ProfileId, list[ProfileId]] = {}
        for absorbed, person in self.merged.items():
            if person in profile_ids:
                into.setdefault(ProfileId(person), []).append(ProfileId(absorbed))
        return into


class FakeProvider:
    """Takes calls and counts messages by id. `answer` decides; 200 unless told otherwise.

    gate   when given, calls wait for it: a provider that hangs
    """

    def __init__(self, answer: Callable[[int], Answer] | None = None) -> None:
        self.answer = answer or (lambda _: OK)
        self.taken: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()
        self.calls: list[list[str]] = []
        self.users: list[int] = []
        self.hang: asyncio.Event | None = None
        self.arrived = asyncio.Event()

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        messages = msgspec.json.decode(request.body or b"[]", type=list[tuple[str, int]])
        self.calls.append([m for m, _ in messages])
        self.tried.update(m for m, _ in messages)
        self.arrived.set()
        if self.hang is not None:
            await self.hang.wait()
        else:
            await asyncio.sleep(0)
        answer = self.answer(messages[0][1])
        if isinstance(answer, OutboundError):
            raise answer
        if answer.status < 300:
            self.taken.update(m for m, _ in messages)
            self.users += [user for _, user in messages]
        return answer


class World:
    """A dispatcher with everything around it. Several worlds may share one database: several dispatchers."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        plans: FakePlans | None = None,
        audience: FakeAudience | None = None,
        provider: FakeProvider | None = None,
        name: str = "engine",
        requests_max: int = 16,
        drain_s: float = 5.0,
    ) -> None:
        self.database = database
        self.clock = clock
        self.plans = plans or FakePlans(FakePlan())
        self.audience = audience or FakeAudience()
        self.provider = provider or FakeProvider()
        self.outbox = Outbox(database, clock)
        self.worker = Worker(database, clock, SystemIds(), name=name)
        self.dispatcher = Dispatcher(
            outbox=self.outbox,
            plans=self.plans,
            audience=self.audience,
            sender=self.provider,
            gate=Gate(clock),
            worker=self.worker,
            clock=clock,
            limits=Limits(requests_max=requests_max, retry_delays_s=DELAYS_S, drain_s=drain_s),
            message_key=KEY,
        )

    def enqueue(self, profile_ids: Sequence[int], *, run: RunKey = RUN, per_call: int = 1) -> int:
        messages = [(id_of(p, run), ProfileId(p), place // per_call) for place, p in enumerate(profile_ids)]
        with self.database.begin() as connection:
            return self.outbox.enqueue(connection, run, messages)

    def states(self, profile_ids: Sequence[int], run: RunKey = RUN) -> list[MessageState | None]:
        found = self.outbox.states(run.account_id, [id_of(p, run) for p in profile_ids])
        return [found.get(id_of(p, run)) for p in profile_ids]

    async def advance_and_step(self, seconds: float) -> int:
        """Let time pass (the clock must be a manual one), beating on the way, and send what is due."""
        assert isinstance(self.clock, ManualClock)
        self.clock.advance_ms(round(seconds * 1000))
        return await self.dispatcher.step()
