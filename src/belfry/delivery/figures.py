"""Figures over many campaigns' messages at once. Reads only; one campaign in detail is `history.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import sqlalchemy as sa

from belfry.delivery.model import MessageState
from belfry.delivery.tables import outbox
from belfry.ids import AccountId, CampaignId
from belfry.storage.relational import chunks

SLOT_MS = 900_000
"""Every time zone's days begin on a quarter of an hour."""


class StateFigure(msgspec.Struct, frozen=True):
    """How many messages of a campaign are in one state."""

    campaign_id: CampaignId
    state: MessageState
    count: int


class SentSlot(msgspec.Struct, frozen=True):
    """How many messages of a campaign were sent in the quarter of an hour that begins at `start_ms`."""

    campaign_id: CampaignId
    start_ms: int
    count: int


def messages_by_state(
    connection: sa.Connection, account_id: AccountId, campaign_ids: Sequence[CampaignId]
) -> list[StateFigure]:
    """The messages of these campaigns, each counted once."""
    columns = (outbox.c.campaign_id, outbox.c.state)
    return [
        StateFigure(CampaignId(campaign_id), MessageState(state), int(count))
        for where in _of(account_id, campaign_ids)
        for campaign_id, state, count in connection.execute(
            sa.select(*columns, sa.func.count()).where(where).group_by(*columns)
        )
    ]


def sent_by_slot(
    connection: sa.Connection, account_id: AccountId, campaign_ids: Sequence[CampaignId]
) -> list[SentSlot]:
    """When the messages of these campaigns were sent."""
    slot = outbox.c.updated_at_ms // SLOT_MS
    return [
        SentSlot(CampaignId(campaign_id), int(number) * SLOT_MS, int(count))
        for where in _of(account_id, campaign_ids)
        for campaign_id, number, count in connection.execute(
            sa.select(outbox.c.campaign_id, slot.label("slot"), sa.func.count())
            .where(where, outbox.c.state == MessageState.SENT)
            .group_by(outbox.c.campaign_id, sa.text("slot"))
        )
    ]


def _of(account_id: AccountId, campaign_ids: Sequence[CampaignId]) -> Iterator[sa.ColumnElement[bool]]:
    for some in chunks(list(campaign_ids)):
        yield sa.and_(outbox.c.account_id == account_id, outbox.c.campaign_id.in_(some))
