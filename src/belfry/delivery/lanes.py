"""Lanes: what goes to one provider, kept apart so that a slow one delays nobody else (trial R10).

All calls to one host share a lane, whichever campaign they belong to. With n busy lanes each may have 1/(n+1) of the
requests in flight, so that a part of the whole is always left for the next one to come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from belfry.delivery.model import Plan, RunKey
from belfry.delivery.prepare import Ready

ROWS_MIN = 16
ROWS_MAX = 2_000
DRAIN_MS_MIN = 250
DRAIN_MS_MAX = 1_000


class Lane:
    """One provider's calls: prepared ones in order, and how many are in flight.

    plans            the runs that send through it; the first one's turn is next
    rows_max         how many messages to claim at once: as many as leave in about half a second, so that checks are
                     fresh when a provider is slow, and transactions few when it is fast
    is_feeding       calls are being claimed for it
    paused_until_ms  nothing is claimed before: the provider's circuit is open
    quiet_until_ms   nothing is claimed before: none of its runs has anything due
    """

    def __init__(self, key: str, *, rows_max: int) -> None:
        self.key = key
        self.plans: deque[Plan] = deque()
        self.queue: deque[Ready] = deque()
        self.in_flight_count = 0
        self.rows_max = max(rows_max, ROWS_MIN)
        self.is_feeding = False
        self.paused_until_ms = 0
        self.quiet_until_ms = 0
        self._fed_at_ms: int | None = None

    @property
    def is_busy(self) -> bool:
        return bool(self.queue) or self.in_flight_count > 0

    def had_turn(self, run: RunKey) -> None:
        """Runs of one lane take turns: this one comes last now."""
        self.plans = deque(sorted(self.plans, key=lambda plan: plan.run == run))

    def set_plans(self, plans: Iterable[Plan]) -> None:
        """Replace its runs; those that stay keep their turns, new ones come last."""
        turn = {plan.run: index for index, plan in enumerate(self.plans)}
        self.plans = deque(sorted(plans, key=lambda plan: turn.get(plan.run, len(turn))))

    def learn(self, rows_count: int, now_ms: int) -> None:
        """Adapt `rows_max` to how long the messages claimed before took to leave."""
        if self._fed_at_ms is not None and rows_count:
            elapsed_ms = now_ms - self._fed_at_ms
            if elapsed_ms < DRAIN_MS_MIN:
                self.rows_max = min(self.rows_max * 2, ROWS_MAX)
            elif elapsed_ms > DRAIN_MS_MAX:
                self.rows_max = max(self.rows_max // 2, ROWS_MIN)
        self._fed_at_ms = now_ms if rows_count else None


class Lanes:
    """All lanes, and who may send next.

    requests_max  requests in flight at once, all together
    """

    def __init__(self, requests_max: int) -> None:
        self._requests_max = requests_max
        self._lanes: dict[str, Lane] = {}
        self._busy: set[str] = set()
        self._denied: deque[Lane] = deque()
        self._in_flight_count = 0

    def __iter__(self) -> Iterator[Lane]:
        return iter(tuple(self._lanes.values()))

    @property
    def share(self) -> int:
        """How many requests one lane may have in flight now."""
        return max(1, self._requests_max // (len(self._busy) + 1))

    def set_plans(self, plans: Sequence[Plan]) -> None:
        """Sort the runs that may send into lanes; lanes without any disappear when they have finished."""
        by_key: dict[str, list[Plan]] = {}
        for plan in plans:
            by_key.setdefault(plan.host, []).append(plan)
        for key in by_key.keys() - self._lanes.keys():
            self._lanes[key] = Lane(key, rows_max=self._requests_max)
        for key, lane in list(self._lanes.items()):
            lane.set_plans(by_key.get(key, ()))
            if not lane.plans and not lane.is_busy and not lane.is_feeding:
                del self._lanes[key]

    def wants_more(self, lane: Lane, now_ms: int) -> bool:
        """Whether the lane will soon have nothing to send."""
        return (
            bool(lane.plans)
            and not lane.is_feeding
            and max(lane.paused_until_ms, lane.quiet_until_ms) <= now_ms
            and len(lane.queue) < self.share
        )

    def add(self, lane: Lane, calls: Sequence[Ready]) -> None:
        """Put prepared calls at the lane's end."""
        lane.queue.extend(calls)
        if lane.is_busy:
            self._busy.add(lane.key)

    def start(self, lane: Lane) -> Ready | None:
        """The lane's next call if it may leave now. The caller says `finish` when it is over."""
        if not lane.queue or lane.in_flight_count >= self.share:
            return None
        if self._in_flight_count >= self._requests_max:
            if lane not in self._denied:
                self._denied.append(lane)
            return None
        lane.in_flight_count += 1
        self._in_flight_count += 1
        return lane.queue.popleft()

    def finish(self, lane: Lane) -> list[Lane]:
        """Note that one of the lane's calls is over; returns the lanes that may start one now, in their turn."""
        lane.in_flight_count -= 1
        self._in_flight_count -= 1
        if not lane.is_busy:
            self._busy.discard(lane.key)
        return [self._denied.popleft(), lane] if self._denied else [lane]

    def empty(self) -> list[Ready]:
        """Take back everything that has not left; what is in flight goes on."""
        calls = [call for lane in self for call in lane.queue]
        for lane in self:
            lane.queue.clear()
            if not lane.is_busy:
                self._busy.discard(lane.key)
        return calls


def runs_of(lanes: Lanes) -> frozenset[RunKey]:
    """The runs that may send."""
    return frozenset(plan.run for lane in lanes for plan in lane.plans)
