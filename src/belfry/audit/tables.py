"""The table of the audit log."""

import sqlalchemy as sa

from belfry.storage.relational import metadata

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("audit_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("passcode_id", sa.String(32), nullable=False),
    sa.Column("request_id", sa.String(200), nullable=False),
    sa.Column("asked_count", sa.BigInteger, nullable=False),
    sa.Column("done_count", sa.BigInteger, nullable=False),
    sa.Column("detail", sa.String(200), nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.LargeBinary(16), nullable=False),
)
"""See `model.AuditEntry`. Rows are never changed or deleted.

audit_id   the number of the place in the log (`ids.sequence_at`) that asked
hash       over this row and the hash of the account's row before it
"""
