"""What both generations of the catalog API call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from belfry.catalogs import rules, store
from belfry.catalogs.model import (
    BULK_MAX,
    CATALOGS_MAX,
    Attribute,
    Catalog,
    CatalogKind,
    CatalogStatus,
    Failure,
    Json,
    Product,
    ProductChange,
    Summary,
)
from belfry.catalogs.store import Page
from belfry.clock import Clock
from belfry.errors import BadRequest, Conflict, NotFound
from belfry.ids import AccountId
from belfry.storage.relational import Database
from belfry.uploads.actions import Issued, SentPart, Uploads
from belfry.uploads.model import Purpose, Upload

DUPLICATE = "duplicate_name"
DELETE_ROWS = 2_000
T = TypeVar("T", Product, ProductChange)


class CatalogForm(msgspec.Struct, frozen=True, kw_only=True):
    """A catalog as its owner describes it."""

    name: str
    schema: tuple[Attribute, ...]
    description: str = ""
    status: CatalogStatus = CatalogStatus.ACTIVE
    sync: Json = None
    by: str = ""


class FileForm(msgspec.Struct, frozen=True, kw_only=True):
    """What completes the upload of a whole catalog.

    replace   a catalog of this name gets other products
    override  even if the file lacks columns that the catalog has
    """

    name: str
    creator: str
    kind: CatalogKind
    replace: bool
    override: bool


class Bulk(msgspec.Struct, frozen=True):
    """What came of many products."""

    success_count: int
    failures: list[Failure]


class Catalogs:
    """Catalogs of every account."""

    def __init__(self, database: Database, uploads: Uploads, clock: Clock) -> None:
        self._database = database
        self._uploads = uploads
        self._clock = clock

    # ---- catalogs

    def create(self, account_id: AccountId, form: CatalogForm) -> Catalog:
        """A new catalog of products. Raises Conflict: the name is taken, or the account has five already."""
        with _unique(form.name), self._database.begin() as connection:
            return self._create(connection, account_id, form, CatalogKind.PRODUCT)

    def get(self, account_id: AccountId, catalog_id: int) -> Catalog:
        """One catalog that is not deleted. Raises NotFound."""
        with self._database.read() as connection:
            return _existing(store.read(connection, account_id, catalog_id), catalog_id)

    def summary(self, catalog: Catalog) -> Summary:
        """How many products it has."""
        with self._database.read() as connection:
            return store.summary(connection, catalog)

    def page(self, account_id: AccountId, asked: Page) -> tuple[list[Catalog], int]:
        """Catalogs, and how many there are of the kind asked for."""
        with self._database.read() as connection:
            return store.page(connection, account_id, asked)

    def replace(self, account_id: AccountId, catalog_id: int, form: CatalogForm) -> Catalog:
        """Write a catalog's description anew. Raises NotFound, Conflict."""

        def change(catalog: Catalog) -> Catalog:
            return msgspec.structs.replace(
                catalog,
                name=form.name,
                description=form.description,
                status=form.status,
                schema=form.schema,
                sync=form.sync,
                updated_by=form.by,
            )

        with _unique(form.name):
            return self._change(account_id, catalog_id, change)

    def delete(self, account_id: AccountId, catalog_id: int, by: str) -> None:
        """Remove a catalog and all its products, for good. Raises NotFound."""
        catalog = self._change(
            account_id,
            catalog_id,
            lambda catalog: msgspec.structs.replace(catalog, status=CatalogStatus.DELETED, updated_by=by),
        )
        while True:
            # In steps: one transaction over millions of rows would keep every other writer waiting.
            with self._database.begin() as connection:
                gone = store.delete_other_versions(
                    connection, catalog, below=catalog.version_issued + 1, limit=DELETE_ROWS
                )
            if gone < DELETE_ROWS:
                return

    def set_filterable(self, account_id: AccountId, catalog_id: int, name: str, is_filterable: bool, by: str) -> None:
        """Let recommendations be filtered by an attribute, or no longer. Raises NotFound."""

        def change(catalog: Catalog) -> Catalog:
            if all(attribute.name != name for attribute in catalog.schema):
                raise NotFound(f"Catalog {catalog_id} has no attribute {name}", field="attributeName")
            schema = tuple(
                msgspec.structs.replace(one, filterable=is_filterable) if one.name == name else one
                for one in catalog.schema
            )
            return msgspec.structs.replace(catalog, schema=schema, updated_by=by)

        self._change(account_id, catalog_id, change)

    # ---- products

    def add(self, catalog: Catalog, product: Product) -> Product:
        """A new product. Raises Conflict if there is one of this identity."""
        bulk = self.add_many(catalog, [product])
        if bulk.failures:
            raise Conflict(bulk.failures[0].error, field="identity")
        return product

    def add_many(self, catalog: Catalog, found: Sequence[Product]) -> Bulk:
        """New products; those that exist (and are active) are failures, the others go in."""

        def decide(there: dict[str, Product], product: Product) -> Product | str:
            known = there.get(product.identity)
            is_taken = known is not None and known.is_active
            return f"Product {product.identity} exists already" if is_taken else product

        return self._write(catalog, found, decide)

    def change_many(self, catalog: Catalog, changes: Sequence[ProductChange]) -> Bulk:
        """Change products that exist; the others are failures."""

        def decide(there: dict[str, Product], change: ProductChange) -> Product | str:
            known = there.get(change.identity)
            return f"Product {change.identity} not found" if known is None else rules.changed(known, change)

        return self._write(catalog, changes, decide)

    def change(self, catalog: Catalog, change: ProductChange) -> None:
        """Change one product. Raises NotFound."""
        bulk = self.change_many(catalog, [change])
        if bulk.failures:
            raise NotFound(bulk.failures[0].error)

    def deactivate(self, catalog: Catalog, identity: str) -> None:
        """Mark a product inactive. Raises NotFound."""
        with self._database.begin() as connection:
            known = store.read_products(connection, catalog, [identity]).get(identity)
            if known is None:
                raise NotFound(f"Product {identity} not found")
            gone = msgspec.structs.replace(known, is_active=False)
            store.put_products(connection, catalog, [gone], self._clock.now_ms())

    def delete_many(self, catalog: Catalog, identities: Sequence[str]) -> Bulk:
        """Remove products for good; those that do not exist are failures."""
        _check_bulk(identities)
        with self._database.begin() as connection:
            there = store.read_products(connection, catalog, identities)
            store.delete_products(connection, catalog, list(there))
        unknown = [Failure(one, f"Product {one} not found") for one in dict.fromkeys(identities) if one not in there]
        return Bulk(len(there), unknown)

    def _write(
        self, catalog: Catalog, asked: Sequence[T], decide: Callable[[dict[str, Product], T], Product | str]
    ) -> Bulk:
        """Decide one after another on what is there, earlier ones of the same call included; write what is good."""
        _check_bulk(asked)
        failures, fresh = [], {}
        with self._database.begin() as connection:
            there = store.read_products(connection, catalog, [one.identity for one in asked])
            for one in asked:
                decided = decide(there, one)
                if isinstance(decided, str):
                    failures.append(Failure(one.identity, decided))
                else:
                    there[one.identity] = fresh[one.identity] = decided
            store.put_products(connection, catalog, list(fresh.values()), self._clock.now_ms())
        return Bulk(len(asked) - len(failures), failures)

    # ---- files

    def complete(
        self, account_id: AccountId, form: FileForm, upload_id: str, *, sent: Sequence[SentPart] | None = None
    ) -> Catalog:
        """Submit an upload as all products of a catalog, new or (with `replace`) of that name.

        raises  Conflict with `duplicate_name`; BadRequest, Conflict: the upload is not whole, or not open any more
        """
        upload = self._uploads.whole(account_id, upload_id, Purpose.CATALOG, sent=sent)
        with _unique(form.name), self._database.begin() as connection:
            catalog = store.by_name(connection, account_id, form.name)
            if catalog is not None and (not form.replace or catalog.kind is not form.kind):
                raise _duplicate(form.name)
            if catalog is None:
                described = CatalogForm(name=form.name, schema=(), status=CatalogStatus.INACTIVE, by=form.creator)
                catalog = self._create(connection, account_id, described, form.kind)
            version = store.issue_version(connection, account_id, catalog.catalog_id)
            options = {"version": version, "override": form.override}
            self._uploads.submit(connection, upload, catalog.catalog_id, options)
        return catalog

    def products_url(self, account_id: AccountId, catalog_id: int) -> Issued:
        """A signed URL for a file of products of a catalog that exists. Raises NotFound."""
        catalog = self.get(account_id, catalog_id)
        return self._uploads.issue(account_id, Purpose.CATALOG_PRODUCTS, subject_id=catalog.catalog_id)

    def products_completed(self, account_id: AccountId, catalog_id: int, upload_id: str, bytes_count: int) -> None:
        """Submit a file of products. Raises NotFound; BadRequest: not all of its bytes came."""
        self.get(account_id, catalog_id)
        upload = self._uploads.whole(account_id, upload_id, Purpose.CATALOG_PRODUCTS)
        _check_products(upload, catalog_id)
        received = self._uploads.bytes_count(account_id, upload_id)
        if received != bytes_count:
            raise BadRequest(f"fileSize is {bytes_count}, received were {received} bytes", field="fileSize")
        with self._database.begin() as connection:
            self._uploads.submit(connection, upload, catalog_id, {})

    def _create(
        self, connection: sa.Connection, account_id: AccountId, form: CatalogForm, kind: CatalogKind
    ) -> Catalog:
        if store.live_count(connection, account_id, kind) >= CATALOGS_MAX:
            raise Conflict(f"an account has at most {CATALOGS_MAX} {kind} catalogs", limit=CATALOGS_MAX)
        now_ms = self._clock.now_ms()
        catalog = Catalog(
            account_id=account_id,
            catalog_id=store.next_id(connection, account_id),
            kind=kind,
            name=form.name,
            description=form.description,
            status=form.status,
            schema=form.schema,
            sync=form.sync,
            version=0,
            version_issued=0,
            creator=form.by,
            updated_by=form.by,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
        )
        store.insert(connection, catalog)
        return catalog

    def _change(self, account_id: AccountId, catalog_id: int, change: Callable[[Catalog], Catalog]) -> Catalog:
        with self._database.begin() as connection:
            catalog = change(_existing(store.read(connection, account_id, catalog_id), catalog_id))
            catalog = msgspec.structs.replace(catalog, updated_at_ms=self._clock.now_ms())
            store.update(connection, catalog)
        return catalog


class _unique:  # noqa: N801 - reads as the statement that it is used as
    """Another catalog of this name, made at the same time, is the caller's conflict."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, IntegrityError):
            raise _duplicate(self._name) from error


def _duplicate(name: str) -> Conflict:
    return Conflict(f"{DUPLICATE}: a catalog named {name} exists", field="name")


def _existing(catalog: Catalog | None, catalog_id: int) -> Catalog:
    if catalog is None:
        raise NotFound(f"Catalog - {catalog_id} not found")
    return catalog


def _check_products(upload: Upload, catalog_id: int) -> None:
    if upload.subject_id != catalog_id:
        raise BadRequest("uploadId belongs to another catalog", field="uploadId")


def _check_bulk(asked: Sequence[object]) -> None:
    if not 1 <= len(asked) <= BULK_MAX:
        raise BadRequest(f"a call takes 1 to {BULK_MAX} products, got {len(asked)}", field="products", limit=BULK_MAX)
