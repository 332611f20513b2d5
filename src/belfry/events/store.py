"""Reading events from the columnar store. Which rows is the caller's WHERE; the account is always its first term."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from belfry.ids import AccountId, ProfileId
from belfry.storage.columnar import Columnar


class StoredEvent(msgspec.Struct, frozen=True):
    """One event as it is stored; see `tables.EVENTS`.

    name   folded; the shown form is in the schema
    props  nested objects as objects, dates as `$D_<epoch seconds>`
    """

    seq: int
    ts_ms: int
    profile_id: ProfileId
    name: str
    device_id: str
    session_id: int
    source: str
    received_at_ms: int
    props: dict[str, object]


class Where(msgspec.Struct, frozen=True):
    """A condition on rows of `events` and the values for its placeholders; made by the segment compiler."""

    sql: str
    parameters: Mapping[str, object]

    def also(self, sql: str, **parameters: object) -> Where:
        """One more condition that must hold."""
        return Where(f"{self.sql} AND {sql}", {**self.parameters, **parameters})


_COLUMNS = (
    "seq, toUnixTimestamp64Milli(ts), profile_id, name, device_id, session_id, source, "
    "toUnixTimestamp64Milli(received_at), props"
)


def newest_seq(columnar: Columnar, account_id: AccountId) -> int:
    """The greatest `seq` of an account's events, 0 if it has none: what is stored up to now."""
    sql = "SELECT max(seq) FROM events WHERE account_id = {account:String}"
    return int(columnar.value(sql, {"account": account_id}))


def count_events(columnar: Columnar, where: Where, *, users: bool = False) -> int:
    """How many events, or how many users have one."""
    figure = "uniqExact(profile_id)" if users else "count()"
    return int(columnar.value(f"SELECT {figure} FROM events WHERE {where.sql}", dict(where.parameters)))


def events_by_day(columnar: Columnar, where: Where) -> list[tuple[int, int]]:
    """(UTC day as days since the epoch, number of events) of every day that has one, ascending."""
    sql = f"SELECT toInt32(day), count() FROM events WHERE {where.sql} GROUP BY day ORDER BY day"
    return [(int(day), int(count)) for day, count in columnar.rows(sql, dict(where.parameters))]


def read_events(
    columnar: Columnar, where: Where, *, days: tuple[int, int], after: tuple[int, int] | None, limit: int
) -> list[StoredEvent]:
    """Events by (ts, seq), at most `limit`.

    days   first and last UTC day to look at, as days since the epoch: the sort key begins with the day, so a narrow
           window is what makes a page cheap
    after  only events with a greater (ts in milliseconds, seq)
    """
    where = where.also(
        "day >= toDate({page_day_from:Int32}) AND day <= toDate({page_day_to:Int32})",
        page_day_from=days[0],
        page_day_to=days[1],
    )
    if after is not None:
        where = where.also(
            "(ts > fromUnixTimestamp64Milli({page_ts:Int64}, 'UTC') OR "
            "(ts = fromUnixTimestamp64Milli({page_ts:Int64}, 'UTC') AND seq > {page_seq:Int64}))",
            page_ts=after[0],
            page_seq=after[1],
        )
    sql = f"SELECT {_COLUMNS} FROM events WHERE {where.sql} ORDER BY ts, seq LIMIT {int(limit)}"
    return [StoredEvent(*row) for row in columnar.rows(sql, dict(where.parameters))]


def counts_by_name(columnar: Columnar, account_id: AccountId) -> dict[str, int]:
    """How often each event of an account happened, by folded name: originals, whoever they belong to now."""
    sql = "SELECT name, count() FROM events WHERE account_id = {account:String} AND moved_by = 0 GROUP BY name"
    return {row[0]: row[1] for row in columnar.rows(sql, {"account": account_id})}
