"""What lists have beside the segment that they are."""

import sqlalchemy as sa

from belfry.storage.relational import metadata

lists = sa.Table(
    "lists",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("segment_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("external_id", sa.String(200)),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("version_issued", sa.BigInteger, nullable=False),
    sa.Column("members_count", sa.BigInteger, nullable=False),
    sa.Column("creator", sa.String(200), nullable=False),
    sa.Column("email", sa.String(320), nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("account_id", "name"),
    sa.UniqueConstraint("account_id", "external_id"),
)
"""kind            `model.ListKind`
external_id     what the customer calls an API segment
version         of the members that hold; 0: nothing was processed yet
version_issued  the highest number that an upload was given, from the time of creation on: a later upload wins,
                whichever is processed first
"""
