"""Uploads by signed URL and their parts. The bytes are on disk (`files.py`)."""

import sqlalchemy as sa

from belfry.storage.relational import JsonBytes, metadata

uploads = sa.Table(
    "uploads",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("upload_id", sa.String(32), primary_key=True),
    sa.Column("purpose", sa.String(20), nullable=False),
    sa.Column("parts_count", sa.Integer, nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("subject_id", sa.BigInteger),
    sa.Column("options", JsonBytes, nullable=False),
    sa.Column("result", JsonBytes, nullable=False),
    sa.Column("attempts_count", sa.Integer, nullable=False),
    sa.Column("lease_ms", sa.BigInteger, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("changed_at_ms", sa.BigInteger, nullable=False),
    sa.Column("expires_at_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_uploads_state", "state", "changed_at_ms"),
    sa.Index("ix_uploads_subject", "account_id", "subject_id"),
)
"""state: `model.UploadState`, always changed by an update that names the old one. The worker alone reads across
accounts, by `ix_uploads_state`."""

upload_parts = sa.Table(
    "upload_parts",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("upload_id", sa.String(32), primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("bytes_count", sa.BigInteger, nullable=False),
    sa.Column("etag", sa.String(32), nullable=False),
)
"""Parts that are whole on disk; a part that is sent again replaces the one before."""
