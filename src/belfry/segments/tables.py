"""Saved segments, members of listed ones, and queries whose result is being paged through."""

import sqlalchemy as sa

from belfry.storage.columnar.ddl import Table
from belfry.storage.relational import JsonBytes, metadata

segments = sa.Table(
    "segments",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("segment_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("rule", JsonBytes, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
)
"""rule: the tree of engagement 3.2, as it was given."""

exports = sa.Table(
    "export_queries",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("export_id", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("query", JsonBytes, nullable=False),
    sa.Column("up_to_seq", sa.BigInteger, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("used_at_ms", sa.BigInteger, nullable=False),
)
"""One row an export: its query, flags and the fixed upper bound, so that pages never shift (server-api 5.4)."""

MEMBERS = Table(
    "segment_members",
    """
    account_id LowCardinality(String),
    segment_id Int64,
    version Int64,
    profile_id Int64,
    is_member UInt8,
    seq Int64
    """,
    engine="ReplacingMergeTree(seq)",
    order_by="account_id, segment_id, version, profile_id",
)
"""Members of custom lists and API segments (`members.py`). A list's upload writes a version of its own, all with seq 0;
an API segment has one version, and seq is the place in the log of the newest change.
"""
