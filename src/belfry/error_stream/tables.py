"""Where refused and dropped records wait with their reason and their original bytes."""

import sqlalchemy as sa

from belfry.storage.columnar.ddl import Table
from belfry.storage.relational import metadata

ERRORS = Table(
    "error_records",
    """
    account_id LowCardinality(String),
    kind LowCardinality(String),
    day Date,
    seq Int64,
    source LowCardinality(String),
    subject String,
    severity LowCardinality(String),
    code Int32,
    detail String,
    request_id String,
    record String,
    received_at DateTime64(3, 'UTC')
    """,
    partition_by="day",
    order_by="account_id, kind, source, subject, day, seq",
    ttl="toDateTime(received_at) + INTERVAL 7 DAY",
)
"""kind     what went wrong, a closed list (`model.ErrorKind`)
subject  the event, property or identity that it is about
severity high: the record was dropped; low: it was accepted, changed
record   the record's original bytes (UTF-8 text; other bytes are escaped as U+FFFD)
seq      the place in the log (`ids.sequence_at`), as in events
"""

replays = sa.Table(
    "error_replays",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("replay_id", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(1024), nullable=False),
    sa.Column("up_to_seq", sa.BigInteger, nullable=False),
    sa.Column("records_count", sa.BigInteger, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
)
"""Groups that were sent into the log again, up to which record."""
