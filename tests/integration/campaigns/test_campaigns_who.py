"""Campaigns and the real segments, over the real columnar store."""

from __future__ import annotations

import pytest

from belfry.accounts.model import Account
from belfry.campaigns import who
from belfry.campaigns.model import Campaign
from belfry.campaigns.who import ASKED_ONE_BY_ONE_MAX
from belfry.clock import ManualClock
from belfry.errors import BadRequest
from belfry.ids import ProfileId, SegmentId
from belfry.segments.actions import Segments
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database
from support.campaigns import CampaignWorld, account_id, definition
from support.segment_worlds import make_world, store

PEOPLE = make_world(seed=3, people=60, events=1)
VISIBLE = sorted(person.profile_id for person in PEOPLE.people if not person.hidden)


@pytest.fixture
def segments(sqlite_database: Database, columnar: Columnar, clock: ManualClock) -> Segments:
    store(PEOPLE, columnar, account_id())
    return Segments(sqlite_database, columnar, clock)


@pytest.fixture
def world(sqlite_database: Database, clock: ManualClock, segments: Segments) -> CampaignWorld:
    return CampaignWorld(sqlite_database, clock, segments=segments)  # type: ignore[arg-type]


@pytest.fixture
def shop(world: CampaignWorld) -> Account:
    return world.account()


@pytest.fixture
def campaign(world: CampaignWorld, shop: Account) -> Campaign:
    return world.draft(shop)


def test_everyone_is_every_visible_user(world: CampaignWorld, campaign: Campaign, clock: ManualClock) -> None:
    blocks = world.who.members(campaign, as_of_ms=clock.now_ms())
    assert [member for block in blocks for member in block] == VISIBLE


def test_a_saved_segment_is_followed(world: CampaignWorld, shop: Account, segments: Segments) -> None:
    saved = segments.create(shop, "Everybody", {"type": "everyone"})
    campaign = world.launched(shop, segment_id=SegmentId(saved.segment_id))
    world.prepare()
    (run,) = world.campaigns.runs(account_id(), campaign.campaign_id)
    assert run.qualified_count == len(VISIBLE)


@pytest.mark.parametrize("count", [1, ASKED_ONE_BY_ONE_MAX, ASKED_ONE_BY_ONE_MAX + 1, 40])
def test_who_is_in_the_segment_now_is_told_of_few_and_of_many(
    world: CampaignWorld, campaign: Campaign, count: int
) -> None:
    asked = [ProfileId(i) for i in range(10, 10 + count)]
    assert sorted(world.who.qualified(campaign, asked)) == [i for i in asked if i in VISIBLE]


def test_the_list_of_members_is_read_in_pages(
    world: CampaignWorld, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(who, "PAGE_MEMBERS", 7)
    asked = [ProfileId(i) for i in range(5, 50)]
    assert sorted(world.who.qualified(campaign, asked)) == [i for i in asked if i in VISIBLE]


def test_nobody_beyond_the_end_is_in_the_segment(world: CampaignWorld, campaign: Campaign) -> None:
    assert set(world.who.qualified(campaign, [ProfileId(i) for i in range(1_000, 1_020)])) == set()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"segment_id": SegmentId(99)}, id="unknown segment"),
        pytest.param({"rule": {"type": "segment", "id": 99}}, id="unknown segment inside a rule"),
        pytest.param({"rule": {"type": "nonsense"}}, id="no rule"),
    ],
)
def test_a_segment_that_cannot_be_computed_is_refused_when_saving(
    world: CampaignWorld, shop: Account, changes: dict[str, object]
) -> None:
    with pytest.raises(BadRequest):
        world.campaigns.create(shop, definition(**changes))


def test_an_account_does_not_see_the_users_of_another(world: CampaignWorld, clock: ManualClock) -> None:
    other = world.account("ACC-002-BBB")
    campaign = world.draft(other)
    assert list(world.who.members(campaign, as_of_ms=clock.now_ms())) == []
    assert set(world.who.qualified(campaign, [ProfileId(i) for i in VISIBLE])) == set()
