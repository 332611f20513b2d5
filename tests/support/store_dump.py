"""Everything that a pipeline wrote, so that two runs can be compared row by row."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database, metadata


class Stores(NamedTuple):
    """A pair of stores, and where another process finds the columnar one."""

    database: Database
    columnar: Columnar
    columnar_dsn: str


LEFT_OUT = {
    "event_moves": {"done_at_ms"},  # when this run did it
    "pipeline_positions": {"updated_at_ms", "inflight_now_ms"},
    "erasures": {"done_at_ms", "purged_at_ms"},
}
"""Columns that tell of the run, not of the log."""

_EVENTS = (
    "SELECT account_id, name, day, profile_id, toUnixTimestamp64Milli(ts), seq, recorded_profile_id, moved_by,"
    " device_id, session_id, source, flags, key_hash, toUnixTimestamp64Milli(received_at), toJSONString(props)"
    " FROM events ORDER BY ALL"
)
_SNAPSHOTS = (
    "SELECT account_id, profile_id, version, hidden, bucket, identified, identity, email, phone, reachable, devices,"
    " toJSONString(props) FROM profile_snapshots FINAL ORDER BY ALL"
)
_ERRORS = "SELECT * EXCEPT (received_at), toUnixTimestamp64Milli(received_at) FROM error_records ORDER BY ALL"

Dump = dict[str, list[tuple[Any, ...]]]


def dump(database: Database, columnar: Columnar) -> Dump:
    """Table → rows in order, of both stores."""
    rows: Dump = {}
    with database.read() as connection:
        for table in metadata.sorted_tables:
            columns = [c for c in table.columns if c.name not in LEFT_OUT.get(table.name, ())]
            found = connection.execute(sa.select(*columns).order_by(*table.primary_key)).all()
            rows[table.name] = [tuple(row) for row in found]
    for name, sql in (("events", _EVENTS), ("profile_snapshots", _SNAPSHOTS), ("error_records", _ERRORS)):
        rows[name] = [tuple(map(_plain, row)) for row in columnar.rows(sql)]
    return rows


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def differences(one: Dump, other: Dump) -> dict[str, tuple[list[Any], list[Any]]]:
    """Table → rows that only the one has, rows that only the other has; tables without any are left out."""
    found = {}
    for table in one:
        only_one = [row for row in one[table] if row not in other[table]]
        only_other = [row for row in other[table] if row not in one[table]]
        if only_one or only_other or len(one[table]) != len(other[table]):
            found[table] = (only_one, only_other)
    return found
