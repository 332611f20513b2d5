"""How far the pipeline has come, and what asked-for operations answered."""

import sqlalchemy as sa

from belfry.storage.relational import JsonBytes, metadata

positions = sa.Table(
    "pipeline_positions",
    metadata,
    sa.Column("stream", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("inflight_to", sa.BigInteger, nullable=False),
    sa.Column("inflight_now_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
)
"""position     the last log entry whose effects are committed, with these effects
inflight_to  the last entry of the block that is being applied: noted before its columnar insert, so that a
             restart applies exactly the same block again (0: none)
"""

operations = sa.Table(
    "operations",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("operation_id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("outcome", sa.String(12), nullable=False),
    sa.Column("result", JsonBytes, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
)
"""Answers of commands that went through the log (merge, undo, …); outcome: done or refused."""

heartbeats = sa.Table(
    "heartbeats",
    metadata,
    sa.Column("role", sa.String(16), primary_key=True),
    sa.Column("instance", sa.String(32), primary_key=True),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
)
"""When each process of a role last said that it lives; `/readyz` looks here."""
