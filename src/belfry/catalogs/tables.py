"""Catalogs and their products."""

import sqlalchemy as sa

from belfry.storage.relational import JsonBytes, metadata

catalogs = sa.Table(
    "catalogs",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("catalog_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("live_name", sa.String(200)),
    sa.Column("description", sa.String(1000), nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("schema", JsonBytes, nullable=False),
    sa.Column("sync", JsonBytes),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("version_issued", sa.BigInteger, nullable=False),
    sa.Column("creator", sa.String(320), nullable=False),
    sa.Column("updated_by", sa.String(320), nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("account_id", "live_name"),
)
"""kind        `model.CatalogKind`; status: `model.CatalogStatus`
live_name   the name, NULL once it is deleted: another catalog may have it then
schema      list of `model.Attribute`, without the columns that every product has
version     of the products that hold; version_issued: the highest number that an upload was given
"""

products = sa.Table(
    "catalog_products",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("catalog_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("identity", sa.String(500), primary_key=True),
    sa.Column("name", sa.String(1000), nullable=False),
    sa.Column("image_url", sa.String(2000), nullable=False),
    sa.Column("attributes", JsonBytes, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
)
"""attributes  name -> text, number or boolean, as the catalog's schema says"""
