"""Two messages of one run to the same user: profiles that were merged after the run was prepared.

Only one of them may leave (`duplicate_address`, engagement 5.9). The survivor's message goes before those of the
merged ones, an older profile's before a younger one's; but what has left has left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from belfry.delivery.model import OPEN, Audience, MessageState, OutboxRow, Plan, ProfileView
from belfry.delivery.store import Outbox
from belfry.ids import MessageId, ProfileId, message_id


class Twin(msgspec.Struct, frozen=True):
    """The other message.

    precedes     it goes first, if neither has left
    is_in_batch  it was claimed together with this one and is decided on in the same breath
    """

    state: MessageState
    precedes: bool
    is_in_batch: bool


def is_duplicate(twins: Iterable[Twin]) -> bool:
    """Whether another message serves this user."""
    return any(twin.state is MessageState.SENT or (twin.precedes and twin.state in OPEN) for twin in twins)


def must_wait(twins: Iterable[Twin]) -> bool:
    """Whether another message may be leaving right now, claimed when the two were not yet one user."""
    return any(twin.state is MessageState.SENDING and not twin.is_in_batch for twin in twins)


class Twins:
    """Finds them.

    message_key  the installation's key that message ids are made with
    """

    def __init__(self, outbox: Outbox, audience: Audience, *, message_key: bytes) -> None:
        self._outbox = outbox
        self._audience = audience
        self._message_key = message_key

    def find(
        self, plan: Plan, rows: Sequence[OutboxRow], views: Mapping[ProfileId, ProfileView]
    ) -> dict[MessageId, list[Twin]]:
        """The twins of those of these messages that have any. Blocks."""
        persons = {row.profile_id: views[row.profile_id].profile_id for row in rows if row.profile_id in views}
        merged = self._audience.merged_into(plan.run.account_id, sorted(set(persons.values())))
        candidates: dict[MessageId, dict[MessageId, bool]] = {}
        for row in rows:
            person = persons.get(row.profile_id)
            if person is not None and (person != row.profile_id or person in merged):
                candidates[row.message_id] = self._candidates(plan, row, person, merged.get(person, ()))
        if not candidates:
            return {}
        states = self._outbox.states(plan.run.account_id, {m for found in candidates.values() for m in found})
        batch = {row.message_id for row in rows}
        return {
            message: [Twin(states[m], precedes, m in batch) for m, precedes in found.items() if m in states]
            for message, found in candidates.items()
        }

    def _candidates(
        self, plan: Plan, row: OutboxRow, person: ProfileId, merged: Sequence[ProfileId]
    ) -> dict[MessageId, bool]:
        """Ids that a twin would have, each with whether it would go first."""
        mine = (row.profile_id != person, row.profile_id)
        others = {person, *merged} - {row.profile_id}
        return {self._id(plan, other): (other != person, other) < mine for other in others}

    def _id(self, plan: Plan, profile_id: ProfileId) -> MessageId:
        run = plan.run
        return message_id(self._message_key, run.account_id, run.campaign_id, run.run_id, profile_id)
