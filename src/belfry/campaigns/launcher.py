"""Turns the segments of launched campaigns into outbox rows, and closes runs of which nothing is left to come.

A run is prepared by one worker at a time. Its rows are written in chunks while it is *preparing*, when none of them
may be claimed; then the safety limit is checked, and only then it is *sending*. A crash on the way leaves a run that
is preparing and belongs to no living worker: the next one removes its rows and starts over, so that calls are cut the
same way and nobody is missing or twice there.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
import structlog

from belfry import faults
from belfry.campaigns.model import Campaign, CampaignState, Run, RunState
from belfry.campaigns.store import CampaignStore
from belfry.campaigns.who import Who
from belfry.clock import Clock
from belfry.connectors.webhook import messages_per_call
from belfry.delivery.checks import is_over_limit
from belfry.delivery.liveness import Worker
from belfry.delivery.model import RunKey
from belfry.delivery.store import Outbox
from belfry.errors import BelfryError, CallerError
from belfry.ids import MessageId, ProfileId, message_id
from belfry.storage.relational import Database

log = structlog.get_logger(__name__)

CHUNK_ROWS = 4_000
"""Outbox rows in one transaction: some 50 ms of the write lock."""
RUNS_MAX = 4
"""Runs that are prepared side by side, a chunk of each in turn: a large segment does not keep small ones waiting."""
IDLE_WAIT_S = 0.2
RETRY_WAIT_S = 1.0


class Taken(BelfryError):
    """Another worker prepares this run, or it is not to be prepared any more."""


class Launcher:
    """Prepares and closes runs. `run` until told to stop, or `step` by step.

    message_key  the installation's key that message ids are made with
    """

    def __init__(
        self,
        *,
        database: Database,
        store: CampaignStore,
        outbox: Outbox,
        who: Who,
        worker: Worker,
        clock: Clock,
        message_key: bytes,
    ) -> None:
        self._database = database
        self._store = store
        self._outbox = outbox
        self._who = who
        self._worker = worker
        self._clock = clock
        self._message_key = message_key
        self._preparing: dict[RunKey, Iterator[None]] = {}

    def run(self, stop: threading.Event) -> None:
        """Prepare and close runs until told to stop. Stores that fail are waited for."""
        while not stop.is_set():
            try:
                wait_s = 0.0 if self.step() else IDLE_WAIT_S
            except (BelfryError, sa.exc.SQLAlchemyError, OSError):
                log.exception("launcher failed, trying again")
                self._preparing.clear()
                wait_s = RETRY_WAIT_S
            stop.wait(wait_s)
        self.leave()

    def step(self) -> bool:
        """Write one chunk of each run that is being prepared and close what is over; False if nothing is left to do."""
        if self._worker.is_beat_due():
            self._worker.beat()
        self._take_runs()
        for key, preparation in list(self._preparing.items()):
            self._advance(key, preparation)
        self._close_runs()
        return bool(self._preparing)

    def leave(self) -> None:
        """Strike the worker off; runs that it was preparing are another's then."""
        self._preparing.clear()
        try:
            self._worker.leave()
        except (sa.exc.SQLAlchemyError, OSError):
            log.exception("launcher cannot leave; a restart takes over")

    def _take_runs(self) -> None:
        if len(self._preparing) >= RUNS_MAX:
            return
        with self._database.read() as connection:
            waiting = self._store.runs_in(connection, RunState.PREPARING)
        for run in waiting:
            if len(self._preparing) < RUNS_MAX and run.key not in self._preparing:
                self._preparing[run.key] = self._prepare(run)

    def _advance(self, key: RunKey, preparation: Iterator[None]) -> None:
        """Do the next piece of a run; drop it when it is done or failed. What failed is taken up again."""
        is_done = True
        try:
            next(preparation)
            is_done = False
        except (StopIteration, Taken):
            pass
        except CallerError as error:
            # The segment cannot be computed: it was deleted, or refers to one that was.
            self._refuse(key, error.text)
        finally:
            if is_done:
                del self._preparing[key]

    def _prepare(self, run: Run) -> Iterator[None]:
        """Write the run's rows, a chunk at a time."""
        with self._database.begin() as connection:
            if not self._store.take_to_prepare(connection, run.key, self._worker.id):
                raise Taken
            campaign = self._store.find(connection, run.account_id, run.campaign_id)
        if campaign is None:
            raise Taken
        self._outbox.clear(run.key)
        count = 0
        for chunk in self._rows(campaign, run):
            yield
            with self._owned(run.key) as connection:
                count += self._outbox.enqueue(connection, run.key, chunk)
            faults.hit("launch.after_rows")
        self._release(campaign, run, count)

    def _rows(self, campaign: Campaign, run: Run) -> Iterator[Sequence[tuple[MessageId, ProfileId, int]]]:
        """The run's messages as (message, user, call), in chunks; each call has the next users of the segment."""
        per_call = messages_per_call(campaign.definition.webhook)
        users = itertools.chain.from_iterable(self._who.members(campaign, as_of_ms=run.as_of_ms))
        rows = (
            (self._message_id(run, profile_id), profile_id, place // per_call) for place, profile_id in enumerate(users)
        )
        while chunk := list(itertools.islice(rows, CHUNK_ROWS)):
            yield chunk

    def _message_id(self, run: Run, profile_id: ProfileId) -> MessageId:
        return message_id(self._message_key, run.account_id, run.campaign_id, run.run_id, profile_id)

    @contextlib.contextmanager
    def _owned(self, key: RunKey) -> Iterator[sa.Connection]:
        """A transaction in which the run is still this worker's to prepare. Raises Taken."""
        with self._database.begin() as connection:
            if not self._store.is_preparing(connection, key, self._worker.id):
                raise Taken
            yield connection

    def _release(self, campaign: Campaign, run: Run, qualified_count: int) -> None:
        """Everybody is there: let the messages leave, or none of them if there are more than the safety limit."""
        limit = campaign.definition.upper_cap_for_target_segment
        if is_over_limit(qualified_count, limit):
            self._outbox.refuse(run.key)
            self._refuse(run.key, f"{qualified_count} users qualified, the safety limit is {limit}", qualified_count)
            return
        with self._owned(run.key) as connection:
            self._store.move_run(
                connection, run.key, RunState.PREPARING, RunState.SENDING, qualified_count=qualified_count
            )

    def _refuse(self, key: RunKey, why: str, qualified_count: int | None = None) -> None:
        with self._owned(key) as connection:
            self._store.move_run(
                connection,
                key,
                RunState.PREPARING,
                RunState.REFUSED,
                detail=why,
                qualified_count=qualified_count,
                finished_at_ms=self._clock.now_ms(),
            )
            self._complete_campaign(connection, key)

    def _close_runs(self) -> None:
        with self._database.read() as connection:
            sending = self._store.runs_in(connection, RunState.SENDING)
            stopped = self._store.runs_in(connection, RunState.STOPPED)
        for run in sending:
            if self._outbox.is_over(run.key):
                self._close(run.key)
        for run in stopped:
            self._settle_stopped(run.key)

    def _close(self, key: RunKey) -> None:
        with self._database.begin() as connection:
            # A replay queues messages and reopens the run under the same lock: look again now that it is ours.
            run = self._store.lock_run(connection, key)
            if run is not None and run.state is RunState.SENDING and self._outbox.is_over(key):
                self._store.move_run(
                    connection, key, RunState.SENDING, RunState.COMPLETED, finished_at_ms=self._clock.now_ms()
                )
                self._complete_campaign(connection, key)

    def _settle_stopped(self, key: RunKey) -> None:
        """Cancel what came back into the queue of a stopped run, and note when the last call has ended."""
        cancelled_count = self._outbox.cancel(key)
        is_over = self._outbox.is_over(key)
        if not cancelled_count and not is_over:
            return
        with self._database.begin() as connection:
            self._store.note_cancelled(connection, key, cancelled_count)
            if is_over:
                self._store.finish_run(connection, key)

    def _complete_campaign(self, connection: sa.Connection, key: RunKey) -> None:
        self._store.move(connection, key.account_id, key.campaign_id, CampaignState.RUNNING, CampaignState.COMPLETED)
