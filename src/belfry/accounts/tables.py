"""The tables of accounts and their passcodes."""

import sqlalchemy as sa

from belfry.storage.relational import JsonBytes, metadata

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("timezone", sa.String(64), nullable=False),
    sa.Column("region", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("settings", JsonBytes, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("changed_at_ms", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
"""`settings` is `model.AccountSettings`; `state` is `model.AccountState`; `revision`: see `account_revisions`."""

passcodes = sa.Table(
    "passcodes",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("passcode_id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("creator", sa.String(200), nullable=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
    sa.Column("previous_hash", sa.LargeBinary(32)),
    sa.Column("previous_expires_at_ms", sa.BigInteger),
    sa.Column("scopes", JsonBytes, nullable=False),
    sa.Column("networks", JsonBytes, nullable=False),
    sa.Column("partner", sa.String(64)),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("expires_at_ms", sa.BigInteger),
    sa.Column("revoked_at_ms", sa.BigInteger),
    sa.Column("last_used_at_ms", sa.BigInteger),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
"""A passcode itself is never stored: `hash` is keyed (BLAKE2b with the installation's secret).

previous_hash  the value before the latest rotation, good until previous_expires_at_ms
"""

account_revisions = sa.Table(
    "account_revisions",
    metadata,
    sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
"""One row: how many changes accounts and passcodes have seen. Each change raises it first and stamps its row with
it, so changes commit in the order of their revisions, and whoever has seen revision n asks only for higher ones.
No clock is involved: machines may disagree about the time.
"""
