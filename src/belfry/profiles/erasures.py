"""SQL of erasures: those that wait to be done, and what is taken out of the identity log and the ids of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import sqlalchemy as sa

from belfry.ids import AccountId, ProfileId
from belfry.profiles import tables
from belfry.profiles.history import LogKind
from belfry.profiles.model import Erasure
from belfry.storage.relational import chunks, upsert

_erasures = tables.erasures
_log = tables.identity_log
_EMPTY_BEFORE: dict[str, object] = {"picture": {}, "move": None}
_EMPTY_AFTER: dict[str, object] = {"picture": {}}
NEEDLES_MAX = 40
"""Texts that one statement looks for."""


def write(connection: sa.Connection, account_id: AccountId, erasures: Iterable[Erasure]) -> None:
    """Note erasures to be done after the commit. Writing them again changes nothing."""
    for erasure in erasures:
        connection.execute(
            upsert(_erasures, connection, update=()).values(
                account_id=account_id,
                erasure_id=erasure.erasure_id,
                profile_ids=erasure.profile_ids,
                absorbed_ids=erasure.absorbed_ids,
                personal=erasure.personal,
                erases_events=erasure.erases_events,
                version=erasure.version,
                at_ms=erasure.at_ms,
            )
        )


def waiting(connection: sa.Connection) -> list[tuple[AccountId, Erasure]]:
    """Erasures of all accounts that are not done, in the order in which they were asked for."""
    statement = (
        sa.select(_erasures)
        .where(_erasures.c.purged_at_ms.is_(None), _erasures.c.done_at_ms.is_(None))
        .order_by(_erasures.c.erasure_id)
    )
    return [
        (
            AccountId(row.account_id),
            Erasure(
                row.erasure_id,
                tuple(row.profile_ids),
                tuple(row.absorbed_ids),
                tuple(row.personal),
                row.erases_events,
                row.version,
                row.at_ms,
            ),
        )
        for row in connection.execute(statement)
    ]


def mark_done(connection: sa.Connection, account_id: AccountId, erasure_id: int, at_ms: int) -> None:
    """Note that it is done, and forget by what the users could be recognised."""
    connection.execute(
        sa.update(_erasures)
        .where(_erasures.c.account_id == account_id, _erasures.c.erasure_id == erasure_id)
        .values(done_at_ms=at_ms, personal=[])
    )


def oldest_unpurged_ms(connection: sa.Connection) -> int | None:
    """When the oldest erasure was done whose rows may still be on the disk."""
    statement = sa.select(sa.func.min(_erasures.c.done_at_ms)).where(
        _erasures.c.purged_at_ms.is_(None), _erasures.c.done_at_ms.is_not(None)
    )
    found: int | None = connection.execute(statement).scalar()
    return found


def mark_purged(connection: sa.Connection, done_until_ms: int, at_ms: int) -> None:
    """Note that the rows of erasures done up to then have left the disk."""
    connection.execute(
        sa.update(_erasures)
        .where(_erasures.c.purged_at_ms.is_(None), _erasures.c.done_at_ms <= done_until_ms)
        .values(purged_at_ms=at_ms)
    )


def scrub_log(
    connection: sa.Connection, account_id: AccountId, profile_ids: Sequence[ProfileId], personal: Sequence[str], by: int
) -> None:
    """Empty the pictures of all earlier rows that are about these profiles or hold one of these texts.

    They can no longer be taken back: `by` stands where the row stands that took them back.
    """
    for condition in _about(profile_ids, personal, is_sqlite=connection.dialect.name == "sqlite"):
        connection.execute(
            sa.update(_log)
            .where(_log.c.account_id == account_id, _log.c.log_id < by, _log.c.kind != str(LogKind.ERASE), condition)
            .values(before=_EMPTY_BEFORE, after=_EMPTY_AFTER, undone_by=sa.func.coalesce(_log.c.undone_by, by))
        )


def forget_event_keys(connection: sa.Connection, account_id: AccountId, profile_ids: Sequence[ProfileId]) -> None:
    """Forget the ids that senders gave these profiles' events."""
    keys = tables.event_keys
    for part in chunks(profile_ids):
        connection.execute(sa.delete(keys).where(keys.c.account_id == account_id, keys.c.profile_id.in_(part)))


def _about(
    profile_ids: Sequence[ProfileId], personal: Sequence[str], *, is_sqlite: bool
) -> Iterator[sa.ColumnElement[bool]]:
    for ids in chunks(profile_ids):
        yield _log.c.profile_id.in_(ids)
        yield _log.c.other_id.in_(ids)
    for texts in chunks(personal, NEEDLES_MAX):
        # As the pictures hold it: a JSON text with its quotes, so that `13` is not found in `1300`.
        needles = [msgspec.json.encode(text) for text in texts]
        columns = (_log.c.before, _log.c.after)
        yield sa.or_(*(_holds(column, needle, is_sqlite) for needle in needles for column in columns))


def _holds(column: sa.ColumnElement[bytes], needle: bytes, is_sqlite: bool) -> sa.ColumnElement[bool]:
    raw, value = sa.type_coerce(column, sa.LargeBinary), sa.literal(needle, sa.LargeBinary)
    # `position(x IN y)` is syntax, not a call with two arguments.
    at: sa.ColumnElement[int] = sa.func.instr(raw, value) if is_sqlite else sa.func.position(value.op("IN")(raw))
    return at > 0
