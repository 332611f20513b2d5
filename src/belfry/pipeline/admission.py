"""What the account had decided when an upload was accepted: discarded events, and which subscription groups there are.

The edge refuses discarded events itself (528), but hears of a discard up to a second late; what it took in that second
is dropped here. Decisions go by the time of receipt, so a replay of the log admits the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa

from belfry.events.discards import Discard, discarded_at, read_discards
from belfry.ids import AccountId
from belfry.intake import EventRecord, ProfileRecord, Record, Refusal
from belfry.intake.codes import Code, refusal
from belfry.storage.relational import Database
from belfry.subscription_groups.model import SubscriptionGroup
from belfry.subscription_groups.rules import KnownGroups
from belfry.subscription_groups.store import read_groups

T = TypeVar("T")


class Admission:
    """Looks decisions up once a block and account, groups only if an upload names any."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._discards: dict[AccountId, list[Discard]] = {}
        self._groups: dict[AccountId, list[SubscriptionGroup]] = {}

    def begin(self) -> None:
        """Forget what was looked up: a new block begins."""
        self._discards.clear()
        self._groups.clear()

    def admit(
        self, account_id: AccountId, records: list[Record | Refusal], received_at_ms: int
    ) -> list[Record | Refusal]:
        """The records, with a refusal in place of each discarded event, and without wishes for unknown groups."""
        discards = self._read(self._discards, account_id, read_discards)
        if discards:
            records = refuse_discarded(records, discarded_at(discards, received_at_ms))
        naming = [record for record in records if isinstance(record, ProfileRecord) and _names_groups(record)]
        if naming:
            groups = self._read(self._groups, account_id, read_groups)
            known = KnownGroups(groups, received_at_ms)
            for record in naming:
                keep_known_groups(record, known)
        return records

    def _read(
        self, cache: dict[AccountId, T], account_id: AccountId, read: Callable[[sa.Connection, AccountId], T]
    ) -> T:
        found = cache.get(account_id)
        if found is None:
            with self._database.read() as connection:
                found = cache[account_id] = read(connection, account_id)
        return found


def refuse_discarded(records: list[Record | Refusal], discarded: frozenset[str]) -> list[Record | Refusal]:
    """The records, with a refusal 528 in place of each event of these names (folded)."""
    return [
        refusal(record.index, Code.DISCARDED)
        if isinstance(record, EventRecord) and record.folded in discarded
        else record
        for record in records
    ]


def keep_known_groups(record: ProfileRecord, known: KnownGroups) -> None:
    """Take the wishes that name no group of the account out of a record, in place, each with a remark."""
    remarks = list(record.remarks)
    record.groups_left = known.only_known(record.groups_left, remarks)
    record.groups_joined = known.only_known(record.groups_joined, remarks)
    record.remarks = tuple(remarks)


def _names_groups(record: ProfileRecord) -> bool:
    return record.groups_left is not None or record.groups_joined is not None
