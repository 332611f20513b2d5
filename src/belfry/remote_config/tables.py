"""The table of remote config variables."""

import sqlalchemy as sa

from belfry.storage.relational import JsonBytes, metadata

remote_config_variables = sa.Table(
    "remote_config_variables",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(120), primary_key=True),
    sa.Column("draft", JsonBytes),
    sa.Column("published", JsonBytes),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
)
"""draft, published: `model.Definition`; at least one of them is there."""
