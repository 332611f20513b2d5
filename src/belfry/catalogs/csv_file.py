"""Reading uploaded catalogs: CSV with a header, one product or place a row (server-api 9.3)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

import msgspec

from belfry.catalogs.model import (
    COLUMNS_MAX,
    IDENTITY_LENGTH_MAX,
    IMAGE_URL_LENGTH_MAX,
    PRODUCT_NAME_LENGTH_MAX,
    CatalogKind,
)
from belfry.uploads.model import Unusable

FIELD_LENGTH_MAX = 64 * 1024
NEEDED = {
    CatalogKind.PRODUCT: ("Identity", "Name", "ImageURL"),
    CatalogKind.LOCATION: ("identity", "latitude", "longitude"),
}
WANTED = "Category"
"""Named as mandatory by one page and not by the other: missing, it is a warning."""


class CsvRow(msgspec.Struct, frozen=True):
    """A row: its cells by the header's names, as they stand in the file, and its line."""

    line: int
    cells: Mapping[str, str]


class CsvProblem(msgspec.Struct, frozen=True):
    """A row that is no product."""

    line: int
    reason: str


def read_rows(file: io.BufferedReader) -> Iterator[tuple[str, ...] | CsvRow | CsvProblem]:
    """First the header, then the rows. Raises Unusable: no header, or no text in columns."""
    csv.field_size_limit(FIELD_LENGTH_MAX)
    with io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="") as text:
        rows = csv.reader(text)
        try:
            header = _checked_header(next(rows, []))
            yield header
            for row in rows:
                if row:
                    yield _row(header, row, rows.line_num)
        except csv.Error as error:
            raise Unusable(f"line {rows.line_num}: {error}") from error


def column_of(header: tuple[str, ...], name: str) -> str | None:
    """The header's column of a name, whatever its capitals; None if there is none."""
    return next((column for column in header if column.lower() == name.lower()), None)


def missing_columns(header: tuple[str, ...], kind: CatalogKind) -> list[str]:
    """Columns that a catalog of this kind needs and the file lacks."""
    return [name for name in NEEDED[kind] if column_of(header, name) is None]


def why_no_product(identity: str, name: str, image_url: str) -> str | None:
    """The reason why a row is no product; None if it is one."""
    if not identity:
        return "Identity is empty"
    if len(identity) > IDENTITY_LENGTH_MAX:
        return f"Identity has {len(identity)} characters, at most {IDENTITY_LENGTH_MAX}"
    if len(name) > PRODUCT_NAME_LENGTH_MAX:
        return f"Name has {len(name)} characters, at most {PRODUCT_NAME_LENGTH_MAX}"
    if len(image_url) > IMAGE_URL_LENGTH_MAX:
        return f"ImageURL has {len(image_url)} characters, at most {IMAGE_URL_LENGTH_MAX}"
    if image_url and not image_url.lower().startswith(("http://", "https://")):
        return "ImageURL needs to begin with http:// or https://"
    return None


def _checked_header(header: list[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in header)
    if not any(names):
        raise Unusable("The file has no header")
    if len(names) > COLUMNS_MAX:
        raise Unusable(f"The file has {len(names)} columns, at most {COLUMNS_MAX}")
    lower = [name.lower() for name in names]
    if "" in lower or len(set(lower)) < len(lower):
        raise Unusable("The header needs a name for each column, each once")
    return names


def _row(header: tuple[str, ...], row: list[str], line: int) -> CsvRow | CsvProblem:
    if len(row) != len(header):
        return CsvProblem(line, f"has {len(row)} columns, the header has {len(header)}")
    if any("\x00" in cell for cell in row):
        return CsvProblem(line, "holds a NUL character")
    return CsvRow(line, dict(zip(header, (cell.strip() for cell in row), strict=True)))
