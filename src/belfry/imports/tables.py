"""The one table of imports."""

import sqlalchemy as sa

from belfry.storage.relational import JsonBytes, metadata

import_jobs = sa.Table(
    "import_jobs",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("import_id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("format", sa.String(8), nullable=False),
    sa.Column("mapping", JsonBytes, nullable=False),
    sa.Column("timezone", sa.String(64), nullable=False),
    sa.Column("is_history", sa.Boolean, nullable=False),
    sa.Column("passcode_id", sa.String(64), nullable=False),
    sa.Column("partner", sa.String(200)),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("bytes_count", sa.BigInteger, nullable=False),
    sa.Column("bytes_read", sa.BigInteger, nullable=False),
    sa.Column("counts", JsonBytes, nullable=False),
    sa.Column("problems", JsonBytes, nullable=False),
    sa.Column("refused_bytes", sa.BigInteger, nullable=False),
    sa.Column("log_position", sa.BigInteger, nullable=False),
    sa.Column("error", sa.String(1000)),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("changed_at_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_import_jobs_state", "state", "created_at_ms"),
)
"""One import a row; the columns are those of `model.ImportJob`. state: `model.ImportState`.

counts    `model.Counts`; with `refused_bytes` and `log_position` written together, after the chunks they count
problems  the first refused or noted rows, for a quick look
"""
