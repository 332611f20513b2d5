"""Records that must not bring an erased user back (server-api 3.3, engagement 1.6).

For `erasure_block_days` after an erasure, a record that would make a profile for something that named the erased user
is refused unless it says by its own `ts` that it happened after the erasure. A record without one cannot be told from
a row of an old export that is imported once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from belfry.intake import Record, Refusal, TokenRecord
from belfry.intake.codes import Code
from belfry.pipeline.uploads import Work
from belfry.profiles import tombstones
from belfry.profiles.erase import DEVICE, Name, name_of
from belfry.profiles.tombstones import ErasureHasher

DAY_MS = 86_400_000
REASON = "The user was erased; until {until} only records with a ts after the erasure make a new profile."


def load(connection: sa.Connection, hasher: ErasureHasher, work: Work, records: Iterable[Record | Refusal]) -> None:
    """Find out which names in these records have a tombstone; their profiles are in the graph already."""
    account = work.account
    if not account.settings.erasure_block_days or not tombstones.has_any(connection, account.account_id):
        return
    strange = {name for record in records if not isinstance(record, Refusal) for name in _strangers(work, record)}
    by_hash = {hasher.name(account.account_id, name): name for name in strange}
    found = tombstones.read(connection, account.account_id, sorted(by_hash))
    work.tombstones.update((by_hash[digest], erased_at_ms) for digest, erased_at_ms in found.items())


def checked(work: Work, records: Iterable[Record | Refusal], received_at_ms: int) -> Iterator[Record | Refusal]:
    """The records, each as it comes to its turn; a refusal in the place of one that must not be applied."""
    for record in records:
        if isinstance(record, Refusal):
            yield record
        else:
            yield _refusal(work, record, received_at_ms) or record


def _refusal(work: Work, record: Record, received_at_ms: int) -> Refusal | None:
    ts_ms = None if isinstance(record, TokenRecord) else record.ts_ms
    block_ms = work.account.settings.erasure_block_days * DAY_MS
    for name in _strangers(work, record):
        erased_at_ms = work.tombstones.get(name)
        if erased_at_ms is None or received_at_ms >= erased_at_ms + block_ms:
            continue
        if ts_ms is None or ts_ms <= erased_at_ms:
            return _refused(record.index, erased_at_ms + block_ms)
    return None


def _strangers(work: Work, record: Record) -> list[Name]:
    """What the record would make a profile for; empty if whoever it names is there already."""
    who, graph = record.who, work.graph
    if who.identity is not None:
        return [] if graph.owner_of_identity(who.identity) is not None else [name_of(who.identity)]
    if who.device_id is None:
        return []
    names = [name_of(identity) for identity in who.added if graph.owner_of_identity(identity) is None]
    if graph.owner_of_device(who.device_id) is None:
        names.append((DEVICE, who.device_id))
    return names


def _refused(index: int, until_ms: int) -> Refusal:
    reason = REASON.format(until=until_ms // 1000)
    return Refusal(index, int(Code.IDENTITY_MISSING), f"{reason} ErrorCode: 523. Skipped record number : {index + 1}")
