"""The loop that sends: claim, check and render, send, note.

    claim     whole calls of a run that are due, by an update that names the old state          (thread)
    prepare   load the users, checks of engagement 5.9, Liquid                                  (thread)
    send      concurrently, each provider in its lane                                           (event loop)
    note      outcomes in bulk                                                                  (thread)

A crash between any two of these leaves claims that come back: what was not sent is sent; what was sent and not noted
is sent again under the same Idempotency-Key, the one ambiguous moment (partner integrations 0.6, `retry_same_id`).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import msgspec
import sqlalchemy as sa
import structlog

from belfry import faults
from belfry.clock import Clock
from belfry.delivery.claims import TROUBLE_MS, Claimed, Claims
from belfry.delivery.lanes import Lane, Lanes, runs_of
from belfry.delivery.liveness import Worker
from belfry.delivery.model import (
    Audience,
    OutboundRequest,
    OutboundResponse,
    Outcome,
    Plans,
    Reason,
    Result,
    RunKey,
    Sender,
    SendFailure,
)
from belfry.delivery.notes import Notes
from belfry.delivery.outcomes import concluded, given_back, put_off, stopped
from belfry.delivery.prepare import Preparation, Ready
from belfry.delivery.store import Outbox
from belfry.errors import BelfryError
from belfry.outbound import AddressRefused, NoAnswer, OutboundError, TooLarge, Unreachable
from belfry.outbound.gate import Gate, Hold

log = structlog.get_logger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")

POLL_S = 0.2
"""How often the dispatcher looks around when nothing wakes it."""
REFRESH_MS = 500
"""How old its list of runs may be: a stop takes hold within this."""
NOTES_WAITING_MAX = 10_000
THREADS = 8

REFUSALS: dict[type[object], Reason] = {AddressRefused: Reason.ADDRESS_REFUSED, TooLarge: Reason.TOO_LARGE}
STORE_ERRORS = (sa.exc.SQLAlchemyError, OSError, BelfryError)


class Limits(msgspec.Struct, frozen=True):
    """What the dispatcher keeps to.

    requests_max    outbound requests in flight at once
    retry_delays_s  waits before the first, second, … retry
    drain_s         how long calls in flight may take to finish when it stops
    """

    requests_max: int
    retry_delays_s: tuple[float, ...]
    drain_s: float


class Dispatcher:
    """Sends what is due; several may work on one outbox.

    `run` until told to stop, or, in tests and simulations, `step` by step.
    message_key  the installation's key that message ids are made with
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        plans: Plans,
        audience: Audience,
        sender: Sender,
        gate: Gate,
        worker: Worker,
        clock: Clock,
        limits: Limits,
        message_key: bytes,
    ) -> None:
        self._outbox = outbox
        self._plans = plans
        preparation = Preparation(outbox, audience, clock, message_key=message_key)
        self._claims = Claims(outbox, preparation, worker, clock)
        self._sender = sender
        self._gate = gate
        self._worker = worker
        self._clock = clock
        self._limits = limits
        self._lanes = Lanes(limits.requests_max)
        self._sending: frozenset[RunKey] = frozenset()
        self._quiet_until_ms: dict[RunKey, int] = {}
        self._refreshed_at_ms: int | None = None
        self._notes = Notes(self._note)
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._is_stopping = False
        self._is_closed = False
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="dispatch")
        self.calls_count = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop; then let calls in flight finish, and give back the rest.

        Stores that fail are waited for.
        """
        noting = asyncio.create_task(self._notes.run())
        waking = asyncio.create_task(self._wake_at(stop))
        try:
            while not stop.is_set():
                self._changed.clear()
                await self._tend()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), POLL_S)
        finally:
            waking.cancel()
            await self._drain()
            self._notes.close()
            await noting
            await self.close()

    async def step(self) -> int:
        """Send everything that is due now; returns how many calls were made. Waits for no time to pass."""
        before = self.calls_count
        self.wake()
        await self._look_around()
        self._feed()
        while self._tasks:
            await asyncio.wait(set(self._tasks))
            await self._notes.flush()
        await self._notes.flush()
        return self.calls_count - before

    async def close(self) -> None:
        """Write what is left to write, give back all claims and leave the workers. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.suppress(*STORE_ERRORS):
            await self._notes.flush()
            await self._in_thread(self._worker.leave)
            await self._in_thread(self._outbox.give_back_orphans)
        self._threads.shutdown()

    def wake(self) -> None:
        """Look for work now: something was queued or launched."""
        self._refreshed_at_ms = None
        self._quiet_until_ms.clear()
        for lane in self._lanes:
            lane.quiet_until_ms = 0
        self._changed.set()

    async def _tend(self) -> None:
        try:
            await self._look_around()
        except STORE_ERRORS:
            log.exception("dispatcher cannot read its store, trying again")
            return
        self._feed()

    async def _look_around(self) -> None:
        """Show that we live, and learn which runs may send."""
        if self._worker.is_beat_due():
            await self._in_thread(self._worker.beat)
            await self._in_thread(self._outbox.give_back_orphans)
        now_ms = self._clock.now_ms()
        if self._refreshed_at_ms is None or abs(now_ms - self._refreshed_at_ms) >= REFRESH_MS:
            self._lanes.set_plans(await self._in_thread(self._plans.sending))
            self._sending = runs_of(self._lanes)
            self._quiet_until_ms = {run: ms for run, ms in self._quiet_until_ms.items() if run in self._sending}
            self._refreshed_at_ms = now_ms

    def _feed(self) -> None:
        for lane in self._lanes:
            self._pump(lane)

    def _pump(self, lane: Lane) -> None:
        """Start what the lane may start, and claim more for it before it runs dry."""
        while (ready := self._lanes.start(lane)) is not None:
            self._spawn(self._send(lane, ready))
        has_room = len(self._notes) < NOTES_WAITING_MAX and not self._is_stopping
        if has_room and self._lanes.wants_more(lane, self._clock.now_ms()):
            lane.is_feeding = True
            self._spawn(self._claim_for(lane))

    async def _claim_for(self, lane: Lane) -> None:
        now_ms = self._clock.now_ms()
        plans = [plan for plan in lane.plans if self._quiet_until_ms.get(plan.run, 0) <= now_ms]
        try:
            claimed = await self._in_thread(self._claims.take, plans, lane.rows_max)
        except STORE_ERRORS:
            log.exception("cannot claim, trying again", lane=lane.key)
            lane.quiet_until_ms = self._clock.now_ms() + TROUBLE_MS
            return
        finally:
            lane.is_feeding = False
        self._notes.add(claimed.results)
        if self._is_stopping:
            self._give_back(claimed.ready)
            return
        self._take_in(lane, claimed)
        self._pump(lane)

    def _take_in(self, lane: Lane, claimed: Claimed) -> None:
        now_ms = self._clock.now_ms()
        self._quiet_until_ms.update(claimed.quiet_until_ms)
        self._lanes.add(lane, claimed.ready)
        lane.learn(claimed.rows_count, now_ms)
        if claimed.run is None:
            lane.quiet_until_ms = min(
                (self._quiet_until_ms.get(plan.run, now_ms) for plan in lane.plans), default=now_ms
            )
        else:
            lane.had_turn(claimed.run)

    async def _send(self, lane: Lane, ready: Ready) -> None:
        """Make one call; whatever happens, its messages get a result and its place is free again."""
        results: Sequence[Result] = given_back(ready.rows)
        try:
            results = await self._results(lane, ready)
        finally:
            self._notes.add(results)
            for free in self._lanes.finish(lane):
                self._pump(free)

    async def _results(self, lane: Lane, ready: Ready) -> Sequence[Result]:
        if ready.plan.run not in self._sending:
            return stopped(ready.rows)
        if not self._worker.is_current():
            # Others may have taken this worker for dead, and its claims.
            return given_back(ready.rows)
        hold = self._gate.hold(lane.key)
        if hold is not None:
            return self._put_off(lane, ready, hold)
        sent_at_ms = self._clock.now_ms()
        outcome, refusal = await self._exchange(ready)
        faults.hit("dispatcher.after_send")
        return concluded(
            ready,
            outcome,
            refusal=refusal,
            delays_s=self._limits.retry_delays_s,
            sent_at_ms=sent_at_ms,
            now_ms=self._clock.now_ms(),
        )

    async def _exchange(self, ready: Ready) -> tuple[Outcome, Reason | None]:
        """Make the call: what came of it, and the reason if our own client refused to make it."""
        try:
            answer = await self._answer(ready.request)
            self._gate.note(ready.plan.host, has_failed=_has_failed(answer))
            return ready.plan.outcome(answer), REFUSALS.get(type(answer))
        except Exception:
            # A fault of ours: it may have been sent, so it is tried again under the same id, and not for ever.
            log.exception("cannot tell what became of a call", run=ready.plan.run, messages_count=len(ready.rows))
            return Outcome(SendFailure.UNKNOWN, detail="an internal error; the server's log has it"), None

    async def _answer(self, request: OutboundRequest) -> OutboundResponse | OutboundError:
        self.calls_count += 1
        try:
            return await self._sender.send(request)
        except OutboundError as error:
            return error

    def _put_off(self, lane: Lane, ready: Ready, hold: Hold) -> Sequence[Result]:
        until_ms = self._clock.now_ms() + hold.wait_ms
        if hold.is_open:
            lane.paused_until_ms = until_ms
        return put_off(ready.rows, until_ms=until_ms, is_down=hold.is_open)

    async def _note(self, results: Sequence[Result]) -> None:
        await self._in_thread(self._outbox.note, self._worker.id, results)
        faults.hit("dispatcher.after_note")

    async def _drain(self) -> None:
        """Let calls in flight finish; what has not left, or takes too long, goes back to the queue."""
        self._is_stopping = True
        self._give_back(self._lanes.empty())
        if not self._tasks:
            return
        _, late = await asyncio.wait(set(self._tasks), timeout=self._limits.drain_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _give_back(self, calls: Sequence[Ready]) -> None:
        self._notes.add([result for ready in calls for result in given_back(ready.rows)])

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._changed.set()

    async def _in_thread(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, functools.partial(work, *args, **kwargs))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _has_failed(answer: OutboundResponse | OutboundError) -> bool:
    """Whether the provider is in trouble, as its circuit breaker sees it (partner integrations 4.4)."""
    if isinstance(answer, OutboundResponse):
        return answer.status >= 500
    return isinstance(answer, (Unreachable, NoAnswer))
