"""Messages by start date with their figures, on both relational stores."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from belfry.campaigns.message_report import MessageReports
from belfry.campaigns.model import CampaignState
from belfry.clock import ManualClock
from belfry.delivery.model import MessageState
from belfry.delivery.tables import outbox
from belfry.storage.relational import Database
from support.campaigns import CampaignWorld

DAY = dt.date(2026, 11, 25)
HOUR_MS = 3_600_000


@pytest.fixture
def world(database: Database, clock: ManualClock) -> Iterator[CampaignWorld]:
    engine = CampaignWorld(database, clock)
    yield engine
    engine.launcher.leave()


@pytest.fixture
def reports(database: Database) -> MessageReports:
    return MessageReports(database)


def settle(world: CampaignWorld, campaign_id: int, profile_id: int, state: MessageState, at_ms: int) -> None:
    """Put a message into its last state, as a dispatcher would have."""
    with world.database.begin() as connection:
        connection.execute(
            sa.update(outbox)
            .where(outbox.c.campaign_id == campaign_id, outbox.c.profile_id == profile_id)
            .values(state=state, updated_at_ms=at_ms)
        )


def test_a_campaign_is_found_by_the_day_it_started_in_the_accounts_time(
    world: CampaignWorld, reports: MessageReports, clock: ManualClock
) -> None:
    kolkata = world.account("ACC-IND-001", "Asia/Kolkata")
    clock.advance_ms(7 * HOUR_MS)  # 19:00 in UTC, after midnight in Kolkata
    launched = world.launched(kolkata)
    world.draft(kolkata)
    (found,) = reports.between(kolkata, DAY + dt.timedelta(days=1), DAY + dt.timedelta(days=1))
    assert (found.campaign_id, found.start, found.state, found.name) == (
        launched.campaign_id,
        dt.date(2026, 11, 26),
        CampaignState.RUNNING,
        "Winback",
    )
    assert reports.between(kolkata, DAY, DAY) == []
    assert reports.between(kolkata, dt.date.min, dt.date.max) == [found]


def test_messages_are_counted_by_state_and_by_the_day_they_were_sent(
    world: CampaignWorld, reports: MessageReports, clock: ManualClock
) -> None:
    shop = world.account(timezone="Europe/Lisbon")
    world.add_users(shop, range(1, 6))
    campaign = world.launched(shop)
    world.prepare()
    now_ms = clock.now_ms()
    for profile_id, state, later_ms in (
        (1, MessageState.SENT, 0),
        (2, MessageState.SENT, 0),
        (3, MessageState.SENT, 12 * HOUR_MS),
        (4, MessageState.FAILED, 0),
    ):
        settle(world, campaign.campaign_id, profile_id, state, now_ms + later_ms)
    (figures,) = reports.figures(shop, reports.between(shop, DAY, DAY), daily=True)
    assert (figures.sent_count, figures.failed_count) == (3, 1)
    assert figures.sent_by_day == {DAY: 2, DAY + dt.timedelta(days=1): 1}
    (plain,) = reports.figures(shop, reports.between(shop, DAY, DAY), daily=False)
    assert plain.sent_by_day is None


def test_another_accounts_messages_are_not_seen(world: CampaignWorld, reports: MessageReports) -> None:
    shop, other = world.account(), world.account("ACC-002-BBB")
    world.add_users(shop, [1])
    world.launched(shop)
    world.prepare()
    assert reports.between(other, DAY, DAY) == []
    assert reports.figures(other, reports.between(shop, DAY, DAY), daily=True)[0].sent_by_day == {}
