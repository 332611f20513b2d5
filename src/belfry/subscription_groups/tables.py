"""The table of subscription groups."""

import sqlalchemy as sa

from belfry.storage.relational import JsonBytes, metadata

subscription_groups = sa.Table(
    "subscription_groups",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("description", sa.String(500), nullable=False),
    sa.Column("channels", JsonBytes, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
    sa.Column("archived_at_ms", sa.BigInteger),
    sa.UniqueConstraint("account_id", "name", name="uq_subscription_groups_name"),
)
"""Rows are never removed: who left a group stays out of it. channels: list of `model.GroupChannel`."""
