"""Subscription groups in the relational store, on each engine."""

from __future__ import annotations

import pytest

from belfry.clock import ManualClock
from belfry.errors import Conflict, NotFound
from belfry.ids import AccountId
from belfry.storage.relational import Database
from belfry.subscription_groups.actions import SubscriptionGroups
from belfry.subscription_groups.model import GroupChannel

SHOP, OTHER = AccountId("SHO-P00-0001"), AccountId("OTH-ER0-0002")
EMAIL = [GroupChannel.EMAIL]


@pytest.fixture
def groups(database: Database, clock: ManualClock) -> SubscriptionGroups:
    return SubscriptionGroups(database, clock)


def test_groups_are_numbered_in_each_account(groups: SubscriptionGroups) -> None:
    offers = groups.create(SHOP, " Offers ", description="Weekly offers", channels=EMAIL)
    news = groups.create(SHOP, "News", channels=[GroupChannel.SMS, GroupChannel.EMAIL])
    assert groups.list_groups(SHOP) == [offers, news]
    assert (offers.key, offers.name, news.key) == (1, "Offers", 2)
    assert news.channels == (GroupChannel.EMAIL, GroupChannel.SMS)
    assert groups.create(OTHER, "Offers", channels=EMAIL).key == 1


def test_fifty_groups_are_active_and_archiving_frees_a_slot(groups: SubscriptionGroups) -> None:
    for number in range(50):
        groups.create(SHOP, f"Group {number}", channels=EMAIL)
    with pytest.raises(Conflict, match="the account has 50 active groups, the maximum; archive one first") as caught:
        groups.create(SHOP, "One more", channels=EMAIL)
    assert caught.value.limit == 50
    groups.archive(SHOP, 7)
    assert groups.create(SHOP, "One more", channels=EMAIL).key == 51
    with pytest.raises(Conflict, match="the account has 50 active groups"):
        groups.restore(SHOP, 7)
    assert len(groups.list_groups(SHOP)) == 50
    assert len(groups.list_groups(SHOP, with_archived=True)) == 51


def test_a_name_is_never_given_twice_even_of_an_archived_group(groups: SubscriptionGroups) -> None:
    groups.create(SHOP, "Offers", channels=EMAIL)
    with pytest.raises(Conflict, match="a group named Offers exists already"):
        groups.create(SHOP, "Offers", channels=EMAIL)
    groups.archive(SHOP, 1)
    with pytest.raises(Conflict, match="a group named Offers is archived; restore it"):
        groups.create(SHOP, "Offers", channels=EMAIL)
    assert groups.restore(SHOP, 1).is_active


def test_a_change_moves_the_time_and_a_repetition_does_not(groups: SubscriptionGroups, clock: ManualClock) -> None:
    made = groups.create(SHOP, "Offers", channels=EMAIL)
    clock.advance_ms(1000)
    changed = groups.update(SHOP, 1, description="Daily", channels=[GroupChannel.PUSH])
    assert (changed.description, changed.channels) == ("Daily", (GroupChannel.PUSH,))
    assert changed.updated_at_ms == made.updated_at_ms + 1000
    archived = groups.archive(SHOP, 1)
    clock.advance_ms(1000)
    assert groups.archive(SHOP, 1) == archived
    assert groups.update(SHOP, 1) == archived


def test_another_accounts_group_is_not_there(groups: SubscriptionGroups) -> None:
    groups.create(OTHER, "Offers", channels=EMAIL)
    for act in (groups.archive, groups.restore, groups.update):
        with pytest.raises(NotFound, match="there is no subscription group 1"):
            act(SHOP, 1)
    assert groups.list_groups(SHOP, with_archived=True) == []
