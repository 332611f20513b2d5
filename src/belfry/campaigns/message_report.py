"""The messages that started within a range of days, with their figures (server-api 6.5). Reads only."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from belfry.accounts.model import Account
from belfry.campaigns.model import CampaignState
from belfry.campaigns.tables import campaigns, runs
from belfry.delivery.figures import SentSlot, messages_by_state, sent_by_slot
from belfry.delivery.model import MessageState
from belfry.ids import CampaignId
from belfry.segments.calendar import Calendar
from belfry.storage.relational import Database


class Started(msgspec.Struct, frozen=True):
    """A campaign that was launched. start: the first day of its first run, in the account's calendar."""

    campaign_id: CampaignId
    name: str
    channel: str
    state: CampaignState
    start: dt.date


class MessageFigures(msgspec.Struct, frozen=True):
    """What became of a campaign's messages until now, over all its runs.

    sent_by_day  messages sent on each day of the account's calendar, ascending; None: not asked for
    """

    message: Started
    sent_count: int
    failed_count: int
    sent_by_day: dict[dt.date, int] | None = None


class MessageReports:
    """Reports on messages of every account. Calls block."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def between(self, account: Account, first: dt.date, last: dt.date) -> list[Started]:
        """The campaigns whose first run began from the first to the last of these days, the newest first."""
        calendar = _calendar(account)
        began = sa.func.min(runs.c.started_at_ms)
        statement = (
            sa.select(campaigns.c.campaign_id, campaigns.c.name, campaigns.c.channel, campaigns.c.state, began)
            .join(runs, _same_campaign())
            .where(campaigns.c.account_id == account.account_id)
            .group_by(campaigns.c.campaign_id, campaigns.c.name, campaigns.c.channel, campaigns.c.state)
            .having(began >= calendar.day_start_ms(first))
            .order_by(began.desc(), campaigns.c.campaign_id.desc())
        )
        if last < dt.date.max:
            statement = statement.having(began < calendar.day_start_ms(last + dt.timedelta(days=1)))
        with self._database.read() as connection:
            return [
                Started(CampaignId(campaign_id), name, channel, CampaignState(state), calendar.day_of(began_ms))
                for campaign_id, name, channel, state, began_ms in connection.execute(statement)
            ]

    def figures(self, account: Account, messages: Iterable[Started], *, daily: bool) -> list[MessageFigures]:
        """The figures of these campaigns, in their order."""
        messages = list(messages)
        ids = [message.campaign_id for message in messages]
        with self._database.read() as connection:
            states = messages_by_state(connection, account.account_id, ids)
            slots = sent_by_slot(connection, account.account_id, ids) if daily else []
        counts = {(figure.campaign_id, figure.state): figure.count for figure in states}
        days = _by_day(slots, _calendar(account))
        return [
            MessageFigures(
                message,
                sent_count=counts.get((message.campaign_id, MessageState.SENT), 0),
                failed_count=counts.get((message.campaign_id, MessageState.FAILED), 0),
                sent_by_day=dict(sorted(days[message.campaign_id].items())) if daily else None,
            )
            for message in messages
        ]


def _same_campaign() -> sa.ColumnElement[bool]:
    return sa.and_(runs.c.account_id == campaigns.c.account_id, runs.c.campaign_id == campaigns.c.campaign_id)


def _by_day(slots: Iterable[SentSlot], calendar: Calendar) -> defaultdict[CampaignId, Counter[dt.date]]:
    days: defaultdict[CampaignId, Counter[dt.date]] = defaultdict(Counter)
    for slot in slots:
        days[slot.campaign_id][calendar.day_of(slot.start_ms)] += slot.count
    return days


def _calendar(account: Account) -> Calendar:
    """The account's days; nothing here is relative to a moment."""
    return Calendar(account.timezone, 0)
