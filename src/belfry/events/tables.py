"""The columnar tables: what happened, and the newest snapshot of each profile. DDL of ClickHouse's dialect.

Both begin with the account in their sort key. Rows are inserted in blocks that carry a deduplication token.
"""

import sqlalchemy as sa

from belfry.storage.columnar.ddl import Table
from belfry.storage.relational import metadata

EVENTS = Table(
    "events",
    """
    account_id LowCardinality(String),
    name LowCardinality(String),
    day Date,
    profile_id Int64,
    ts DateTime64(3, 'UTC'),
    seq Int64,
    recorded_profile_id Int64,
    moved_by Int64 DEFAULT 0,
    device_id String,
    session_id Int64 DEFAULT 0,
    source LowCardinality(String),
    flags UInt8 DEFAULT 0,
    key_hash UInt64,
    received_at DateTime64(3, 'UTC'),
    props JSON(max_dynamic_paths = 512)
    """,
    partition_by="toYYYYMM(day)",
    order_by="account_id, name, day, profile_id, ts, seq",
)
"""name        folded: lower case, no spaces (`names.fold`); the shown form is in `event_schema`
day         UTC day of ts, for the sort key; ranges in an account's calendar filter on ts as well
seq         the event's id, a pure function of its place in the log (`ids.sequence_at`): the order of
            acceptance, ties in ts are broken by it; shown to people in hex
recorded_profile_id  whose it was when it happened; profile_id is whose it is now
moved_by    id of the `event_moves` row that made this copy, 0 for an original
flags       1 late (older than 60 min at arrival), 2 adopted, 4 imported, 8 system event
key_hash    hash of (device, name, ts, props) to recognise a repeated request
props       flat values: text, integer, float, boolean, list of text; dates as text `$D_<epoch seconds>`
"""

LATE, ADOPTED, IMPORTED, SYSTEM = 1, 2, 4, 8

PROFILES = Table(
    "profile_snapshots",
    """
    account_id LowCardinality(String),
    profile_id Int64,
    version Int64,
    hidden UInt8,
    bucket UInt16,
    created_at DateTime64(3, 'UTC'),
    identified UInt8,
    identity String,
    email String,
    phone String,
    reachable Array(LowCardinality(String)),
    devices String DEFAULT '[]',
    props JSON(max_dynamic_paths = 512)
    """,
    engine="ReplacingMergeTree(version)",
    order_by="account_id, profile_id",
)
"""One row a version of a profile; the newest wins (`FINAL`). hidden: orphan, merged, deleted or opted out.

reachable  channels that a message can reach the user on: email, sms, push, whatsapp, webpush
devices    JSON text: list of {platform, os_version, app_version, make, model}
"""

event_schema = sa.Table(
    "event_schema",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(512), primary_key=True),
    sa.Column("shown_as", sa.String(512), nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("is_system", sa.Boolean, nullable=False),
    sa.Column("first_seen_ms", sa.BigInteger, nullable=False),
    sa.Column("last_seen_ms", sa.BigInteger, nullable=False),
)
"""Event names that an account has seen. name is folded; state: active or discarded (engagement 2.4)."""

property_schema = sa.Table(
    "property_schema",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("owner", sa.String(512), primary_key=True),
    sa.Column("property", sa.String(512), primary_key=True),
    sa.Column("type", sa.String(12), primary_key=True),
    sa.Column("first_seen_ms", sa.BigInteger, nullable=False),
    sa.Column("last_seen_ms", sa.BigInteger, nullable=False),
)
"""Properties seen, by type. owner: a folded event name, or `` (empty) for profile properties.

type: String, Integer, Float, Boolean, Date, List, Object
"""

event_discards = sa.Table(
    "event_discards",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(512), primary_key=True),
    sa.Column("discarded_at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("restored_at_ms", sa.BigInteger),
)
"""From when to when an event name was discarded; restored_at_ms NULL: it is. Never removed, so that a replay of the
log drops the same events. `event_schema.state` says the same of now.
"""
