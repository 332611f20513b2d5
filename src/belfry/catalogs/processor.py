"""Uploaded files become products. Runs in the engine.

A file of the first generation replaces all products: it is written under a version of its own, which then holds. A file
of the second adds to, and overwrites, the products that are there. Both may be repeated from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from belfry.catalogs import rules, store
from belfry.catalogs.csv_file import (
    NEEDED,
    WANTED,
    CsvProblem,
    CsvRow,
    column_of,
    missing_columns,
    read_rows,
    why_no_product,
)
from belfry.catalogs.model import ROWS_MAX, Attribute, AttributeType, Catalog, CatalogKind, Product, Scalar
from belfry.clock import Clock
from belfry.storage.relational import Database
from belfry.uploads.model import Json, Unusable
from belfry.uploads.worker import Job

BATCH_ROWS = 1_000
SAMPLES_MAX = 20
_DEGREES_MAX = {"latitude": 90.0, "longitude": 180.0}

Read = Callable[[CsvRow], Product | str]
"""Makes a product of a row, or says why it is none."""


class _Figures(msgspec.Struct):
    """What became of the rows so far. samples: those that are no products, the first few."""

    accepted: int = 0
    malformed: int = 0
    samples: list[dict[str, Json]] = msgspec.field(default_factory=list)
    warnings: list[str] = msgspec.field(default_factory=list)

    def note(self, line: int, reason: str) -> None:
        self.malformed += 1
        if len(self.samples) < SAMPLES_MAX:
            self.samples.append({"line": line, "reason": reason})


class _Products:
    """What both processors share: reading a catalog, writing products batch by batch."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def _catalog(self, job: Job) -> Catalog:
        with self._database.read() as connection:
            catalog = store.read(connection, job.upload.account_id, int(job.upload.subject_id or 0))
        if catalog is None:
            raise Unusable("The catalog was deleted before its file was processed")
        return catalog

    def _write(
        self, job: Job, catalog: Catalog, rows: Iterable[tuple[str, ...] | CsvRow | CsvProblem], read: Read
    ) -> _Figures:
        figures, rows_max = _Figures(), ROWS_MAX[catalog.kind]
        for batch in _batches(rows, read, figures):
            if figures.accepted > rows_max:
                raise Unusable(f"The file has more than {rows_max} rows")
            job.is_alive()
            with self._database.begin() as connection:
                store.put_products(connection, catalog, batch, self._clock.now_ms())
        if figures.malformed and not figures.accepted:
            first = figures.samples[0]
            raise Unusable(f"No row is a product; line {first['line']}: {first['reason']}")
        return figures


class CatalogProcessor(_Products):
    """See `uploads.worker.Processor`. options of its uploads: `version`, `override`."""

    def process(self, job: Job) -> Mapping[str, Json]:
        """All rows become the products of a new version; the columns become the schema."""
        current = self._catalog(job)
        version = int(str(job.upload.options["version"]))
        catalog = msgspec.structs.replace(current, version=version)
        with job.open() as file:
            rows = read_rows(file)
            header = next(rows)
            if not isinstance(header, tuple):
                raise Unusable("The file has no header")
            schema = _schema_of(header, current, has_override=bool(job.upload.options.get("override")))
            figures = self._write(job, catalog, rows, _reader(header, schema, catalog.kind))
        if catalog.kind is CatalogKind.PRODUCT and column_of(header, WANTED) is None:
            figures.warnings.append(f"The file has no column {WANTED}")
        is_current = self._switch(catalog, schema)
        return {**msgspec.structs.asdict(figures), "is_current": is_current}

    def _switch(self, catalog: Catalog, schema: Sequence[Attribute]) -> bool:
        account_id, catalog_id, now_ms = catalog.account_id, catalog.catalog_id, self._clock.now_ms()
        with self._database.begin() as connection:
            if not store.switch(connection, account_id, catalog_id, catalog.version, schema, now_ms=now_ms):
                current = store.read(connection, account_id, catalog_id)
                return current is not None and current.version == catalog.version
        while True:
            with self._database.begin() as connection:
                gone = store.delete_other_versions(connection, catalog, below=catalog.version, limit=BATCH_ROWS)
            if gone < BATCH_ROWS:
                return True


class ProductsProcessor(_Products):
    """See `uploads.worker.Processor`."""

    def process(self, job: Job) -> Mapping[str, Json]:
        """Every row is a product of the catalog that is there, typed by its schema."""
        catalog = self._catalog(job)
        with job.open() as file:
            rows = read_rows(file)
            header = next(rows)
            if not isinstance(header, tuple):
                raise Unusable("The file has no header")
            missing = [name for name in ("identity", "name") if column_of(header, name) is None]
            if missing:
                raise Unusable(f"The file has no column {missing[0]}")
            figures = self._write(job, catalog, rows, _reader(header, catalog.schema, CatalogKind.PRODUCT))
        known = {attribute.name.lower() for attribute in catalog.schema} | {name.lower() for name in rules.FIXED}
        ignored = [name for name in header if name.lower() not in known]
        if ignored:
            figures.warnings.append(f"Columns that the schema does not have were ignored: {', '.join(ignored)}")
        return msgspec.structs.asdict(figures)


def _batches(
    rows: Iterable[tuple[str, ...] | CsvRow | CsvProblem], read: Read, figures: _Figures
) -> Iterator[list[Product]]:
    """Products in batches; of several with one identity in a batch the last one counts."""
    batch: dict[str, Product] = {}
    for row in rows:
        if isinstance(row, CsvProblem):
            figures.note(row.line, row.reason)
        elif isinstance(row, CsvRow):
            made = read(row)
            if isinstance(made, str):
                figures.note(row.line, made)
                continue
            figures.accepted += 1
            batch[made.identity] = made
            if len(batch) == BATCH_ROWS:
                yield list(batch.values())
                batch.clear()
    if batch:
        yield list(batch.values())


def _schema_of(header: tuple[str, ...], current: Catalog, *, has_override: bool) -> tuple[Attribute, ...]:
    """The columns that are attributes. Raises Unusable: mandatory, or without `override` known columns are missing."""
    missing = missing_columns(header, current.kind)
    if missing:
        raise Unusable(f"The file has no column {', '.join(missing)}")
    lower = {name.lower() for name in header}
    lost = [attribute.name for attribute in current.schema if attribute.name.lower() not in lower]
    if lost and not has_override:
        raise Unusable(f"The file has no column {', '.join(lost)}, which the catalog has; send override to drop it")
    filterable = {attribute.name for attribute in current.schema if attribute.filterable}
    fixed = {name.lower() for name in NEEDED[CatalogKind.PRODUCT]}
    if current.kind is CatalogKind.LOCATION:
        fixed = {"identity"}
    return tuple(
        Attribute(name, _type_of(name, current.kind), name in filterable)
        for name in header
        if name.lower() not in fixed
    )


def _type_of(name: str, kind: CatalogKind) -> AttributeType:
    is_degrees = kind is CatalogKind.LOCATION and name.lower() in _DEGREES_MAX
    return AttributeType.NUMBER if is_degrees else AttributeType.STRING


def _reader(header: tuple[str, ...], schema: Sequence[Attribute], kind: CatalogKind) -> Read:
    """Makes products of rows with this header."""
    identity, name, image = (column_of(header, wanted) for wanted in ("identity", "name", "imageurl"))
    columns = [(column, one) for one in schema if (column := column_of(header, one.name)) is not None]

    def read(row: CsvRow) -> Product | str:
        cell = row.cells.get
        product = Product(
            identity=cell(identity or "", ""),
            name=cell(name or "", ""),
            image_url=cell(image or "", ""),
            attributes={},
        )
        problem = why_no_product(product.identity, product.name, product.image_url)
        if problem is not None:
            return problem
        attributes: dict[str, Scalar] = {}
        for column, attribute in columns:
            text = row.cells[column]
            value = rules.from_text(text, attribute.type) if text else None
            if text and value is None:
                return f"{column} needs to be a {attribute.type}"
            if value is not None:
                attributes[attribute.name] = value
        if kind is CatalogKind.LOCATION and not _is_place(attributes):
            return "latitude or longitude is missing or out of bounds"
        return msgspec.structs.replace(product, attributes=attributes)

    return read


def _is_place(attributes: Mapping[str, Scalar]) -> bool:
    degrees = {name.lower(): value for name, value in attributes.items()}
    for name, bound in _DEGREES_MAX.items():
        value = degrees.get(name)
        if not isinstance(value, int | float) or not -bound <= value <= bound:
            return False
    return True
