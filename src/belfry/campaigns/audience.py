"""What delivery asks about users, answered by `profiles`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from belfry.connectors.model import ProfileView
from belfry.ids import AccountId, ProfileId
from belfry.profiles.actions import Profiles
from belfry.profiles.cards import ProfileCard
from belfry.profiles.history import LogKind
from belfry.profiles.tables import identity_log
from belfry.storage.relational import Database, chunks

TAKES_OVER = (LogKind.MERGE, LogKind.ORPHAN)
"""Rows of the identity log after which `other_id` resolves to `profile_id`."""


class ProfileAudience:
    """Users by the id that a message was made for."""

    def __init__(self, database: Database, profiles: Profiles) -> None:
        self._database = database
        self._profiles = profiles

    def views(self, account_id: AccountId, profile_ids: Sequence[ProfileId]) -> Mapping[ProfileId, ProfileView]:
        """Users by the id asked for, merged ones as who took them over; those that are gone are left out."""
        found = {card.profile_id: view_of(card) for card in self._profiles.cards(account_id, profile_ids)}
        for hidden in set(profile_ids) - found.keys():
            person = self._profiles.resolve(account_id, hidden)
            cards = [] if person is None else self._profiles.cards(account_id, [person])
            found.update((hidden, view_of(card)) for card in cards)
        return found

    def merged_into(
        self, account_id: AccountId, profile_ids: Sequence[ProfileId]
    ) -> Mapping[ProfileId, Sequence[ProfileId]]:
        """For each of these users that took over others, directly or through another one: their ids."""
        taken: dict[ProfileId, list[ProfileId]] = {}
        pairs = [(user, user) for user in profile_ids]
        while pairs:
            by_taker = self._taken_by(account_id, {via for _, via in pairs})
            pairs = [(user, other) for user, via in pairs for other in by_taker.get(via, ())]
            pairs = [(user, other) for user, other in pairs if other != user and other not in taken.get(user, ())]
            for user, other in pairs:
                taken.setdefault(user, []).append(other)
        return taken

    def _taken_by(self, account_id: AccountId, takers: Iterable[ProfileId]) -> dict[ProfileId, list[ProfileId]]:
        taken: dict[ProfileId, list[ProfileId]] = {}
        with self._database.read() as connection:
            for some in chunks(sorted(takers)):
                statement = (
                    sa.select(identity_log.c.profile_id, identity_log.c.other_id)
                    .where(identity_log.c.account_id == account_id, identity_log.c.profile_id.in_(some))
                    .where(identity_log.c.kind.in_(TAKES_OVER), identity_log.c.undone_by.is_(None))
                )
                for taker, other in connection.execute(statement):
                    taken.setdefault(taker, []).append(other)
        return taken


def view_of(card: ProfileCard) -> ProfileView:
    """A user as checks and templates see them."""
    return ProfileView(
        profile_id=card.profile_id,
        identity=card.identity,
        all_identities=card.all_identities,
        email=card.email,
        phone=card.phone,
        name=card.name,
        object_id=card.object_id,
        push_token=card.push_token,
        properties=card.properties,
        subscriptions=card.subscriptions,
        is_opted_out=any(device.fields.get("optout") is True for device in card.devices),
    )
