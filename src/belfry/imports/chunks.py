"""Rows, a thousand at a time, as bodies of uploads. Pure: the same file gives the same chunks from the same row on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from belfry.imports.columns import Plan
from belfry.imports.model import RowProblem
from belfry.imports.records import Row
from belfry.intake import Refusal

CHUNK_ROWS = 1000
CHUNK_BYTES = 4 * 1024 * 1024
"""A chunk of large rows ends early: its body stays far below the limit of bodies."""
RECORD_BYTES_MAX = 1024 * 1024
VALUES_KEPT_BYTES_MAX = 4 * 1024
"""Of a refused row: a longer one is shown by its reason alone."""

_COLUMNS_OF_CODES = {
    509: "evtName", 513: "evtName", 514: "Gender", 515: "Email", 516: "Phone", 517: "Employed", 518: "Education",
    519: "Married", 520: "Age", 523: "identity", 525: "ts", 526: "objectId", 528: "evtName",
}  # fmt: skip
_SKIPPED = "Skipped record number"
_encode = msgspec.json.Encoder().encode


class Chunk(msgspec.Struct, frozen=True):
    """Some rows in a row.

    start      how many rows came before
    rows       all of them, refused ones too
    body       `{"d":[…]}` of those that became records; None if none did
    records    of each record in the body: its row's place in `rows`
    """

    start: int
    rows: Sequence[Row]
    body: bytes | None
    records: Sequence[int]


class RefusedRow(msgspec.Struct, frozen=True):
    """A line of the file of refused rows. values: the row as it was; None where it was unreadable or very long."""

    row: int
    column: str | None
    code: int | None
    reason: str
    values: object = None


def chunks(rows: Iterator[Row], start: int = 0) -> Iterator[Chunk]:
    """Cut rows into chunks. start: how many rows were passed over before."""
    taken: list[Row] = []
    encoded: list[bytes] = []
    places: list[int] = []
    size = 0
    for row in rows:
        size += _take(row, taken, encoded, places)
        if len(taken) >= CHUNK_ROWS or size >= CHUNK_BYTES:
            yield _chunk(start, taken, encoded, places)
            start += len(taken)
            taken, encoded, places, size = [], [], [], 0
    if taken:
        yield _chunk(start, taken, encoded, places)


def _take(row: Row, taken: list[Row], encoded: list[bytes], places: list[int]) -> int:
    """Add a row; the bytes that it brings."""
    if row.record is None:
        taken.append(row)
        return 0
    try:
        data = _encode(row.record)
    except (UnicodeEncodeError, RecursionError, OverflowError) as error:
        taken.append(_refused(row, f"cannot be written as JSON: {type(error).__name__}"))
        return 0
    if len(data) > RECORD_BYTES_MAX:
        taken.append(_refused(row, f"has {len(data)} bytes, at most {RECORD_BYTES_MAX}"))
        return 0
    places.append(len(taken))
    taken.append(row)
    encoded.append(data)
    return len(data)


def _refused(row: Row, reason: str) -> Row:
    return Row(row.number, None, (RowProblem(row.number, None, reason),), row.values)


def _chunk(start: int, rows: list[Row], encoded: list[bytes], places: list[int]) -> Chunk:
    body = b'{"d":[' + b",".join(encoded) + b"]}" if encoded else None
    return Chunk(start, rows, body, places)


def problems_of(chunk: Chunk, refusals: Sequence[Refusal], plan: Plan | None) -> list[RowProblem]:
    """Why rows of the chunk are refused, in their order.

    refusals  of the chunk's body, by the rules of uploads
    plan      tells what the file calls a column; None: as uploads do
    """
    found = [row.problems[0] for row in chunk.rows if row.record is None]
    for refusal in refusals:
        row = chunk.rows[chunk.records[refusal.index]]
        to = _COLUMNS_OF_CODES.get(refusal.code)
        column = None if to is None else (plan.column_of(to) if plan is not None else None) or to
        reason = refusal.text.partition(_SKIPPED)[0].strip()
        found.append(RowProblem(row.number, column, reason, refusal.code))
    return sorted(found, key=lambda problem: problem.row)


def refused_lines(chunk: Chunk, problems: Sequence[RowProblem]) -> bytes:
    """Lines of the file of refused rows, JSON."""
    values = {row.number: row.values for row in chunk.rows}
    return b"".join(
        _encode(RefusedRow(p.row, p.column, p.code, p.reason, _shown(values.get(p.row)))) + b"\n" for p in problems
    )


def _shown(values: object) -> object:
    try:
        data = _encode(values)
    except (UnicodeEncodeError, RecursionError, OverflowError, TypeError):
        return None
    return values if len(data) <= VALUES_KEPT_BYTES_MAX else None
