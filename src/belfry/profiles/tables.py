"""The tables of profiles: who they are, what is known of them, how that came about.

The pipeline is their only writer. Every row is a function of the log, so a replay makes the same rows.
"""

import sqlalchemy as sa

from belfry.storage.relational import JsonBytes, metadata

profiles = sa.Table(
    "profiles",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("profile_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("target_id", sa.BigInteger),
    sa.Column("bucket", sa.Integer, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("properties", JsonBytes, nullable=False),
    sa.Column("written_at", JsonBytes, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Index(
        "ix_profiles_target",
        "account_id",
        "target_id",
        sqlite_where=sa.text("target_id IS NOT NULL"),
        postgresql_where=sa.text("target_id IS NOT NULL"),
    ),
)
"""status     `model.ProfileStatus`: active, orphan, merged, deleted
target_id  the profile that took over, of an orphan or a merged one
properties name → value: text, number, boolean, list of text, nested object; dates as `$D_<epoch seconds>`
written_at name → epoch milliseconds of the newest write, also of deleted names: an older write never wins
version    log position of the newest change; grows, is the version of the columnar snapshot
"""

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("kind", sa.String(8), primary_key=True),
    sa.Column("value", sa.String(1024), primary_key=True),
    sa.Column("whole", sa.LargeBinary),
    sa.Column("profile_id", sa.BigInteger, nullable=False),
    sa.Column("added_at_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_identities_profile", "account_id", "profile_id"),
)
"""An identity belongs to at most one profile of an account. kind: `model.IdentityKind`.

value   the text, or a hash of one that is too long for an index (`store.key_text`); then `whole` holds it in UTF-8
"""

devices = sa.Table(
    "devices",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("device_id", sa.String(1024), primary_key=True),
    sa.Column("profile_id", sa.BigInteger, nullable=False),
    sa.Column("fields", JsonBytes, nullable=False),
    sa.Column("added_at_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_devices_profile", "account_id", "profile_id"),
)
"""device_id is the wire's `objectId`. fields: platform, os_version, app_version, make, model, …"""

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("token", sa.String(1824), primary_key=True),
    sa.Column("whole", sa.LargeBinary),
    sa.Column("device_id", sa.String(1024), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("keys", JsonBytes),
    sa.Column("added_at_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_tokens_device", "account_id", "device_id"),
)
"""A push token belongs to one device: its latest owner wins (server-api 3.8). token, whole: as for identities."""

activity = sa.Table(
    "profile_activity",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("profile_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("events", sa.LargeBinary, nullable=False),
    sa.Column("recent", sa.LargeBinary, nullable=False),
)
"""events   JSON, event name (as shown) → [count, first seen, last seen] in epoch milliseconds
recent   the newest events by time, to recognise a repeated request: see `pipeline/duplicates.py`
"""

event_keys = sa.Table(
    "event_keys",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("profile_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key_hash", sa.LargeBinary(16), primary_key=True),
    sa.Column("seen_at_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_event_keys_seen", "account_id", "seen_at_ms"),
)
"""Ids that senders gave their events (`event_id`, `Charged ID`), for seven days."""

addresses = sa.Table(
    "addresses",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("kind", sa.String(8), primary_key=True),
    sa.Column("address", sa.String(1024), primary_key=True),
    sa.Column("flag", sa.String(24), primary_key=True),
    sa.Column("value", sa.Boolean, nullable=False),
    sa.Column("written_at_ms", sa.BigInteger, nullable=False),
)
"""Do-not-disturb by address: holds for every profile with it, now or later (engagement 1.4)."""

identity_log = sa.Table(
    "identity_log",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("log_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("profile_id", sa.BigInteger, nullable=False),
    sa.Column("other_id", sa.BigInteger),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("reason", sa.String(400), nullable=False),
    sa.Column("before", JsonBytes, nullable=False),
    sa.Column("after", JsonBytes, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("undone_by", sa.BigInteger),
    sa.Index("ix_identity_log_profile", "account_id", "profile_id"),
    sa.Index("ix_identity_log_other", "account_id", "other_id"),
)
"""Every merge, switch, orphan, refused identity, demerge and undo, with what was before and after.

kind           `history.LogKind`
profile_id     whose record it was, or who took over; other_id: from whom
before, after  `history.Picture`: exactly what changed, so that it can be put back
"""

event_moves = sa.Table(
    "event_moves",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("move_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("from_id", sa.BigInteger, nullable=False),
    sa.Column("to_id", sa.BigInteger, nullable=False),
    sa.Column("since_ms", sa.BigInteger, nullable=False),
    sa.Column("undoes", sa.BigInteger, nullable=False),
    sa.Column("done_at_ms", sa.BigInteger),
    sa.Index(
        "ix_event_moves_waiting",
        "account_id",
        "move_id",
        sqlite_where=sa.text("done_at_ms IS NULL"),
        postgresql_where=sa.text("done_at_ms IS NULL"),
    ),
)
"""Events to show under another profile (adopt, merge) or to take back (undo); done by the pipeline, in order.

move_id   the `log_id` of the identity_log row that caused it
undoes    the move whose copies an `undo` takes back; 0 for others
"""

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("erasure_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("profile_ids", JsonBytes, nullable=False),
    sa.Column("absorbed_ids", JsonBytes, nullable=False),
    sa.Column("personal", JsonBytes, nullable=False),
    sa.Column("erases_events", sa.Boolean, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("done_at_ms", sa.BigInteger),
    sa.Column("purged_at_ms", sa.BigInteger),
    sa.Index(
        "ix_erasures_unpurged",
        "account_id",
        "erasure_id",
        sqlite_where=sa.text("purged_at_ms IS NULL"),
        postgresql_where=sa.text("purged_at_ms IS NULL"),
    ),
)
"""Users to erase from the columnar store and the logs; done by the pipeline, in order (`model.Erasure`).

erasure_id    the number of the place in the log that asked for it
personal      by what the users could be recognised; emptied when it is done
version       of the snapshots that are left: all older ones go
purged_at_ms  when the rows that were deleted left the disk, too
"""

tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("hash", sa.LargeBinary(16), primary_key=True),
    sa.Column("erased_at_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_tombstones_erased", "account_id", "erased_at_ms"),
)
"""Keyed hashes of what named an erased user: an old record must not bring them back (engagement 1.6)."""
