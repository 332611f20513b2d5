"""All SQL of campaigns and runs. Every change of a state names the old one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from belfry.campaigns.model import (
    CHANNEL,
    Campaign,
    CampaignState,
    Run,
    RunState,
    WebhookCampaign,
    check_campaign_move,
    check_run_move,
    decode_definition,
    encode_definition,
)
from belfry.campaigns.seal import Seal
from belfry.campaigns.tables import campaigns, runs
from belfry.clock import Clock
from belfry.delivery.liveness import living
from belfry.delivery.model import RunKey
from belfry.ids import AccountId, CampaignId
from belfry.storage.relational import upsert

_RUN = tuple(
    runs.c[name]
    for name in (
        "account_id",
        "campaign_id",
        "run_id",
        "state",
        "detail",
        "as_of_ms",
        "qualified_count",
        "cancelled_count",
        "started_at_ms",
        "finished_at_ms",
    )
)


class CampaignStore:
    """Campaigns and runs of every account, in the caller's transaction."""

    def __init__(self, seal: Seal, clock: Clock) -> None:
        self._seal = seal
        self._clock = clock

    def insert(self, connection: sa.Connection, account_id: AccountId, definition: WebhookCampaign) -> CampaignId:
        """Add a draft. Its id is the second at which that happens, or the next free one (engagement 0)."""
        now_ms = self._clock.now_ms()
        campaign_id = CampaignId(now_ms // 1000)
        while True:
            sealed = self._seal.close(encode_definition(definition), account_id, campaign_id)
            draft = upsert(campaigns, connection, update=()).values(
                account_id=account_id,
                campaign_id=campaign_id,
                name=definition.name,
                channel=CHANNEL,
                state=CampaignState.DRAFT,
                definition=sealed,
                created_at_ms=now_ms,
                updated_at_ms=now_ms,
            )
            if connection.execute(draft.returning(campaigns.c.campaign_id)).first() is not None:
                return campaign_id
            campaign_id = CampaignId(campaign_id + 1)

    def find(self, connection: sa.Connection, account_id: AccountId, campaign_id: CampaignId) -> Campaign | None:
        """One campaign; None if the account has none of this id."""
        statement = sa.select(campaigns).where(
            campaigns.c.account_id == account_id, campaigns.c.campaign_id == campaign_id
        )
        row = connection.execute(statement).first()
        return None if row is None else self._campaign(row)

    def list_newest(
        self, connection: sa.Connection, account_id: AccountId, *, before: int | None, limit: int
    ) -> list[Campaign]:
        """Campaigns of an account, the newest first, those with ids below `before`."""
        statement = sa.select(campaigns).where(campaigns.c.account_id == account_id)
        if before is not None:
            statement = statement.where(campaigns.c.campaign_id < before)
        rows = connection.execute(statement.order_by(campaigns.c.campaign_id.desc()).limit(limit))
        return [self._campaign(row) for row in rows]

    def move(
        self,
        connection: sa.Connection,
        account_id: AccountId,
        campaign_id: CampaignId,
        old: CampaignState,
        new: CampaignState,
    ) -> bool:
        """Move a campaign; False if it was not in the old state (any more)."""
        check_campaign_move(old, new)
        moved = connection.execute(
            sa.update(campaigns)
            .where(campaigns.c.account_id == account_id, campaigns.c.campaign_id == campaign_id)
            .where(campaigns.c.state == old)
            .values(state=new, updated_at_ms=self._clock.now_ms())
        )
        return moved.rowcount > 0

    def insert_run(self, connection: sa.Connection, run: RunKey) -> None:
        """Add a run that is to be prepared."""
        now_ms = self._clock.now_ms()
        connection.execute(
            sa.insert(runs).values(**_key(run), state=RunState.PREPARING, as_of_ms=now_ms, started_at_ms=now_ms)
        )

    def runs_of(self, connection: sa.Connection, account_id: AccountId, campaign_id: CampaignId) -> list[Run]:
        """The runs of a campaign, the latest first."""
        statement = (
            sa.select(*_RUN)
            .where(runs.c.account_id == account_id, runs.c.campaign_id == campaign_id)
            .order_by(runs.c.run_id.desc())
        )
        return [_run(row) for row in connection.execute(statement)]

    def runs_in(self, connection: sa.Connection, state: RunState) -> list[Run]:
        """All runs in a state; of stopped ones those that are not finished. The oldest first."""
        statement = sa.select(*_RUN).where(runs.c.state == state).order_by(runs.c.started_at_ms)
        if state is RunState.STOPPED:
            statement = statement.where(runs.c.finished_at_ms.is_(None))
        return [_run(row) for row in connection.execute(statement)]

    def lock_run(self, connection: sa.Connection, run: RunKey) -> Run | None:
        """A run that nobody else changes until this transaction ends."""
        row = connection.execute(sa.select(*_RUN).where(*_is(run)).with_for_update()).first()
        return None if row is None else _run(row)

    def move_run(self, connection: sa.Connection, run: RunKey, old: RunState, new: RunState, **values: object) -> bool:
        """Move a run and set other columns with it; False if it was not in the old state (any more)."""
        check_run_move(old, new)
        moved = connection.execute(sa.update(runs).where(*_is(run), runs.c.state == old).values(state=new, **values))
        return moved.rowcount > 0

    def note_cancelled(self, connection: sa.Connection, run: RunKey, count: int) -> None:
        """Add to how many messages a stop took out of the queue."""
        total = sa.func.coalesce(runs.c.cancelled_count, 0) + count
        connection.execute(sa.update(runs).where(*_is(run)).values(cancelled_count=total))

    def finish_run(self, connection: sa.Connection, run: RunKey) -> None:
        """Note that nothing of a stopped run is left to come."""
        connection.execute(sa.update(runs).where(*_is(run)).values(finished_at_ms=self._clock.now_ms()))

    def take_to_prepare(self, connection: sa.Connection, run: RunKey, worker_id: str) -> bool:
        """Make this worker the one that prepares the run; False if a living one does."""
        is_free = sa.or_(
            runs.c.prepared_by.is_(None), runs.c.prepared_by == worker_id, runs.c.prepared_by.not_in(living())
        )
        taken = connection.execute(
            sa.update(runs).where(*_is(run), runs.c.state == RunState.PREPARING, is_free).values(prepared_by=worker_id)
        )
        return taken.rowcount > 0

    def is_preparing(self, connection: sa.Connection, run: RunKey, worker_id: str) -> bool:
        """Whether this worker still prepares the run; true until the transaction ends."""
        statement = sa.select(runs.c.run_id).where(
            *_is(run), runs.c.state == RunState.PREPARING, runs.c.prepared_by == worker_id
        )
        return connection.execute(statement.with_for_update()).first() is not None

    def _campaign(self, row: sa.Row[Any]) -> Campaign:
        account_id, campaign_id = AccountId(row.account_id), CampaignId(row.campaign_id)
        return Campaign(
            account_id=account_id,
            campaign_id=campaign_id,
            state=CampaignState(row.state),
            definition=decode_definition(self._seal.open(row.definition, account_id, campaign_id)),
            created_at_ms=row.created_at_ms,
            updated_at_ms=row.updated_at_ms,
        )


def _run(row: Sequence[Any]) -> Run:
    account_id, campaign_id, run_id, state, detail, *rest = row
    return Run(account_id, campaign_id, run_id, RunState(state), detail or "", *rest)


def _key(run: RunKey) -> dict[str, object]:
    return {"account_id": run.account_id, "campaign_id": run.campaign_id, "run_id": run.run_id}


def _is(run: RunKey) -> list[sa.ColumnElement[bool]]:
    return [
        runs.c.account_id == run.account_id,
        runs.c.campaign_id == run.campaign_id,
        runs.c.run_id == run.run_id,
    ]
