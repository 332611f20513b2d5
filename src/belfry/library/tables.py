"""The tables of the library."""

import sqlalchemy as sa

from belfry.storage.relational import JsonBytes, metadata

content_blocks = sa.Table(
    "content_blocks",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("block_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(120), nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("partner", sa.String(64)),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_by", sa.String(200), nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("account_id", "name", name="uq_content_blocks_name"),
)
"""kind: `model.BlockKind`. Numbers count from 1 in each account."""

content_block_translations = sa.Table(
    "content_block_translations",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("block_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("locale", sa.String(40), primary_key=True),
    sa.Column("replacements", JsonBytes, nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
)
"""replacements: text of the block → text in this language."""

email_templates = sa.Table(
    "email_templates",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("template_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("draft", JsonBytes, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_by", sa.String(200), nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
)
"""draft: `model.TemplateDraft`."""

email_template_translations = sa.Table(
    "email_template_translations",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("template_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("locale", sa.String(40), primary_key=True),
    sa.Column("draft", JsonBytes, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_by", sa.String(200), nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
)
"""template_id: of the template that was translated."""
