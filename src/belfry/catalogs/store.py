"""All SQL of catalogs and their products."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.catalogs.model import Attribute, Catalog, CatalogKind, CatalogStatus, Product, Summary
from belfry.catalogs.tables import catalogs, products
from belfry.ids import AccountId
from belfry.storage.relational import bulk_insert, chunks, upsert

SORTS = {"createdAt": catalogs.c.created_at_ms, "catalogName": catalogs.c.name, "updatedAt": catalogs.c.updated_at_ms}
"""What lists of catalogs may be sorted by, as callers name it."""
_encode = msgspec.json.Encoder().encode
_NAMES = tuple(products.columns.keys())


class Page(msgspec.Struct, frozen=True):
    """Which catalogs to list. search: a part of the name, in any case."""

    status: CatalogStatus | None
    search: str
    page: int
    size: int
    sort_by: str
    is_ascending: bool


def insert(connection: sa.Connection, catalog: Catalog) -> None:
    connection.execute(catalogs.insert().values(**_values(catalog)))


def update(connection: sa.Connection, catalog: Catalog) -> None:
    """Write everything but the versions, which `issue_version` and `switch` change."""
    values = _values(catalog)
    for name in ("account_id", "catalog_id", "version", "version_issued"):
        del values[name]
    connection.execute(catalogs.update().where(*_is(catalog.account_id, catalog.catalog_id)).values(**values))


def next_id(connection: sa.Connection, account_id: AccountId) -> int:
    """A number that no catalog of the account had before."""
    highest = sa.select(sa.func.max(catalogs.c.catalog_id)).where(catalogs.c.account_id == account_id)
    return (connection.execute(highest).scalar() or 0) + 1


def live_count(connection: sa.Connection, account_id: AccountId, kind: CatalogKind) -> int:
    statement = sa.select(sa.func.count()).where(
        catalogs.c.account_id == account_id, catalogs.c.kind == kind, catalogs.c.live_name.is_not(None)
    )
    return int(connection.execute(statement).scalar_one())


def by_name(connection: sa.Connection, account_id: AccountId, name: str) -> Catalog | None:
    statement = sa.select(catalogs).where(catalogs.c.account_id == account_id, catalogs.c.live_name == name)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _catalog(row)


def read(connection: sa.Connection, account_id: AccountId, catalog_id: int) -> Catalog | None:
    """A catalog that is not deleted."""
    statement = sa.select(catalogs).where(*_is(account_id, catalog_id), catalogs.c.live_name.is_not(None))
    row = connection.execute(statement).one_or_none()
    return None if row is None else _catalog(row)


def page(connection: sa.Connection, account_id: AccountId, asked: Page) -> tuple[list[Catalog], int]:
    """One page of catalogs, and how many there are."""
    where = [catalogs.c.account_id == account_id]
    if asked.status is not None:
        where.append(catalogs.c.status == asked.status)
    else:
        where.append(catalogs.c.live_name.is_not(None))
    if asked.search:
        where.append(sa.func.lower(catalogs.c.name).contains(asked.search.lower(), autoescape=True))
    total = connection.execute(sa.select(sa.func.count()).select_from(catalogs).where(*where)).scalar_one()
    column = SORTS[asked.sort_by]
    order = column.asc() if asked.is_ascending else column.desc()
    statement = (
        sa.select(catalogs)
        .where(*where)
        .order_by(order, catalogs.c.catalog_id)
        .limit(asked.size)
        .offset(asked.page * asked.size)
    )
    return [_catalog(row) for row in connection.execute(statement)], int(total)


def issue_version(connection: sa.Connection, account_id: AccountId, catalog_id: int) -> int:
    """A number for one more set of products."""
    connection.execute(
        catalogs.update().where(*_is(account_id, catalog_id)).values(version_issued=catalogs.c.version_issued + 1)
    )
    found = sa.select(catalogs.c.version_issued).where(*_is(account_id, catalog_id))
    return int(connection.execute(found).scalar_one())


def switch(
    connection: sa.Connection,
    account_id: AccountId,
    catalog_id: int,
    version: int,
    schema: Sequence[Attribute],
    *,
    now_ms: int,
) -> bool:
    """Let a set of products hold, with its columns; False if a later one does already, or the catalog is gone."""
    statement = (
        catalogs.update()
        .where(*_is(account_id, catalog_id), catalogs.c.version < version, catalogs.c.live_name.is_not(None))
        .values(version=version, schema=list(schema), status=CatalogStatus.ACTIVE, updated_at_ms=now_ms)
    )
    return connection.execute(statement).rowcount == 1


# ---- products


def put_products(connection: sa.Connection, catalog: Catalog, found: Sequence[Product], now_ms: int) -> None:
    """Insert or replace products in the catalog's version, sorted: two writers never deadlock."""
    rows = [
        (
            catalog.account_id,
            catalog.catalog_id,
            catalog.version,
            product.identity,
            product.name,
            product.image_url,
            _encode(product.attributes),
            product.is_active,
            now_ms,
        )
        for product in sorted(found, key=lambda product: product.identity)
    ]
    bulk_insert(connection, upsert(products, connection), _NAMES, rows)


def read_products(connection: sa.Connection, catalog: Catalog, identities: Collection[str]) -> dict[str, Product]:
    """Products of the version by identity; unknown ones are left out."""
    found = {}
    for part in chunks(sorted(set(identities))):
        statement = sa.select(products).where(*_in(catalog), products.c.identity.in_(part))
        for row in connection.execute(statement):
            found[row.identity] = Product(row.identity, row.name, row.image_url, row.attributes, row.is_active)
    return found


def delete_products(connection: sa.Connection, catalog: Catalog, identities: Collection[str]) -> None:
    for part in chunks(sorted(set(identities))):
        connection.execute(products.delete().where(*_in(catalog), products.c.identity.in_(part)))


def delete_other_versions(connection: sa.Connection, catalog: Catalog, *, below: int, limit: int) -> int:
    """Remove up to `limit` products of versions below one; how many went."""
    keys = (
        sa.select(products.c.version, products.c.identity)
        .where(
            products.c.account_id == catalog.account_id,
            products.c.catalog_id == catalog.catalog_id,
            products.c.version < below,
        )
        .limit(limit)
    )
    found = connection.execute(keys).all()
    by_version: dict[int, list[str]] = {}
    for version, identity in found:
        by_version.setdefault(version, []).append(identity)
    for version, identities in by_version.items():
        delete_products(connection, msgspec.structs.replace(catalog, version=version), identities)
    return len(found)


def summary(connection: sa.Connection, catalog: Catalog) -> Summary:
    statement = sa.select(sa.func.count(), sa.func.sum(sa.case((products.c.is_active, 1), else_=0))).where(
        *_in(catalog)
    )
    total, active = connection.execute(statement).one()
    return Summary(int(total), int(active or 0))


def _is(account_id: AccountId, catalog_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return catalogs.c.account_id == account_id, catalogs.c.catalog_id == catalog_id


def _in(catalog: Catalog) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        products.c.account_id == catalog.account_id,
        products.c.catalog_id == catalog.catalog_id,
        products.c.version == catalog.version,
    )


def _values(catalog: Catalog) -> dict[str, Any]:
    is_live = catalog.status is not CatalogStatus.DELETED
    return {**msgspec.structs.asdict(catalog), "live_name": catalog.name if is_live else None}


def _catalog(row: sa.Row[Any]) -> Catalog:
    return Catalog(
        account_id=AccountId(row.account_id),
        catalog_id=row.catalog_id,
        kind=CatalogKind(row.kind),
        name=row.name,
        description=row.description,
        status=CatalogStatus(row.status),
        schema=tuple(msgspec.convert(item, Attribute) for item in row.schema),
        sync=row.sync,
        version=row.version,
        version_issued=row.version_issued,
        creator=row.creator,
        updated_by=row.updated_by,
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
    )
