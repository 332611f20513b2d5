"""The one table that the edge owns."""

import sqlalchemy as sa

from belfry.storage.relational import metadata

idempotent_answers = sa.Table(
    "idempotent_answers",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("fingerprint", sa.String(32), nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_idempotent_answers_age", "account_id", "at_ms"),
)
"""Successful answers of management calls that carried an Idempotency-Key; fingerprint: method, path, query, body."""
