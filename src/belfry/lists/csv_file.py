"""Reading a custom list's file: the columns `Type` and `Identity`, one user a row (server-api 9.1)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from belfry.lists.model import IDENTITY_LENGTH_MAX, Malformed, MemberKind, Named
from belfry.uploads.model import Unusable

COLUMNS = ("Type", "Identity")
FIELD_LENGTH_MAX = 16 * 1024
_SHOWN_MAX = 80
_KINDS = {kind.value: kind for kind in MemberKind}


def read_members(file: io.BufferedReader) -> Iterator[Named | Malformed]:
    """The rows after the header, in order; constant memory, whatever the size.

    file    UTF-8, with or without a byte order mark; empty lines are passed over
    raises  Unusable: the header is another one, or the file is no text in columns
    """
    csv.field_size_limit(FIELD_LENGTH_MAX)
    with io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="") as text:
        rows = csv.reader(text)
        try:
            _check_header(next(rows, []))
            for row in rows:
                if row:
                    yield read_row(row, rows.line_num)
        except csv.Error as error:
            raise Unusable(f"line {rows.line_num}: {error}") from error


def read_row(row: list[str], line: int) -> Named | Malformed:
    """One row as a name of a user, or why it is none."""
    if len(row) != len(COLUMNS):
        return Malformed(line, f"has {len(row)} columns, needs {len(COLUMNS)}")
    kind, value = _KINDS.get(row[0].strip().lower()), row[1].strip()
    if kind is None:
        return Malformed(line, f"Type is {row[0][:_SHOWN_MAX]!r}, needs i or g")
    if not value:
        return Malformed(line, "Identity is empty")
    if len(value) > IDENTITY_LENGTH_MAX:
        return Malformed(line, f"Identity has {len(value)} characters, at most {IDENTITY_LENGTH_MAX}")
    if "\ufffd" in value or "\x00" in value:
        return Malformed(line, "Identity is not UTF-8 text")
    return Named(kind, value)


def _check_header(header: list[str]) -> None:
    found = tuple(name.strip() for name in header)
    if found != COLUMNS:
        shown = ",".join(found)[:_SHOWN_MAX]
        raise Unusable(f"The header needs to be exactly {','.join(COLUMNS)}, it is {shown!r}")
