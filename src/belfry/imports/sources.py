"""The rows of a file, one after another, whichever format it has. Constant memory; no row ends the reading.

`open_rows` looks at the beginning of the file and raises BadRequest if it can be no import at all; a row that cannot
be one is given with its reason, and the next ones are read.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO

import msgspec

from belfry.errors import BadRequest
from belfry.imports.columns import WHO, Plan, plan_of
from belfry.imports.model import FileFormat, ImportKind, Mapping, RowProblem
from belfry.imports.records import Builder, Row

CELL_LENGTH_MAX = 1024 * 1024
"""Longer cells are refused: an open quotation mark would swallow the rest of the file."""
LINE_BYTES_MAX = 4 * 1024 * 1024
DELIMITERS = ",;\t|"
_TYPES = {ImportKind.USERS: "profile", ImportKind.EVENTS: "event"}
_decode = msgspec.json.Decoder().decode


class Terms(msgspec.Struct, frozen=True):
    """How a file is to be read. timezone: of dates that name none"""

    kind: ImportKind
    format: FileFormat
    mapping: Mapping
    timezone: str


class Source(msgspec.Struct, frozen=True):
    """An opened file. plan: of all rows; None where each row has columns of its own."""

    rows: Iterator[Row]
    plan: Plan | None = None


def open_rows(file: BinaryIO, terms: Terms) -> Source:
    """The rows of a file that is at its beginning.

    Raises BadRequest: no such format, no header, a header without what is needed (see `columns.plan_of`).
    """
    return _OPENERS[terms.format](file, terms)


def _csv_rows(file: BinaryIO, terms: Terms) -> Source:
    csv.field_size_limit(CELL_LENGTH_MAX)
    # Bytes that are no UTF-8 come as lone surrogates: the row they stand in is refused, not the file.
    text = io.TextIOWrapper(io.BufferedReader(_Unclosed(file), 256 * 1024), "utf-8-sig", "surrogateescape", newline="")
    first = text.readline(CELL_LENGTH_MAX)
    if not first.strip():
        raise BadRequest("the file has no header: its first line is empty")
    delimiter = terms.mapping.delimiter or max(DELIMITERS, key=first.count)
    reader = csv.reader(itertools.chain([first], text), delimiter=delimiter)
    try:
        header = next(reader)
    except csv.Error as error:
        raise BadRequest(f"the header cannot be read: {error}") from None
    if any(_has_foreign_bytes(name) for name in header):
        raise BadRequest("the file is not UTF-8: its header holds other bytes; save it as CSV UTF-8")
    plan = plan_of(header, terms.kind, terms.format, terms.mapping, terms.timezone)
    return Source(_csv_body(reader, Builder(plan, terms.timezone), header), plan)


def _csv_body(reader: Iterator[list[str]], builder: Builder, header: list[str]) -> Iterator[Row]:
    from_cells = builder.from_cells
    for number in itertools.count(2):
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _unreadable(number, f"cannot be read: {error}")
            continue
        if not cells:
            continue
        if not "".join(cells).isascii() and (column := _foreign_column(cells, header)) is not None:
            problem = RowProblem(number, column, "holds bytes that are not UTF-8")
            yield Row(number, None, (problem,), [_readable(cell) for cell in cells])
            continue
        yield from_cells(number, cells)


def _foreign_column(cells: list[str], header: list[str]) -> str | None:
    for index, cell in enumerate(cells):
        if _has_foreign_bytes(cell):
            return header[index] if index < len(header) else ""
    return None


def _has_foreign_bytes(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _readable(cell: str) -> str:
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _json_rows(file: BinaryIO, terms: Terms) -> Source:
    return Source(_JsonLines(terms).rows(io.BufferedReader(_Unclosed(file), 256 * 1024)))


class _JsonLines:
    """Lines of JSON: records of an upload, lines of our exports, or flat objects whose keys are columns."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._event_name = terms.mapping.event_name
        self._builders: dict[tuple[str, ...], Builder | str] = {}

    def rows(self, file: io.BufferedReader) -> Iterator[Row]:
        for number in itertools.count(1):
            line = file.readline(LINE_BYTES_MAX)
            if not line:
                return
            if not line.endswith(b"\n") and len(line) == LINE_BYTES_MAX:
                _skip_line(file)
                yield _unreadable(number, f"is longer than {LINE_BYTES_MAX} bytes")
                continue
            line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if line.strip():
                row = self._row(number, line)
                if row is not None:
                    yield row

    def _row(self, number: int, line: bytes) -> Row | None:
        try:
            value = _decode(line)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            return _unreadable(number, f"is not JSON: {error}")
        if isinstance(value, str) and number == 1 and self._terms.kind is ImportKind.EVENTS:
            self._event_name = self._event_name or value  # the first line of an export of one event (8.8)
            return None
        if not isinstance(value, dict):
            return _unreadable(number, "needs to be a JSON object")
        if _is_record(value):
            return self._whole(number, value)
        return self._flat(number, _unfolded(value), value)

    def _whole(self, number: int, record: dict[str, object]) -> Row:
        needed = _TYPES[self._terms.kind]
        if record["type"] != needed:
            problem = RowProblem(number, "type", f"needs to be {needed} in an import of {self._terms.kind}")
            return Row(number, None, (problem,), record)
        return Row(number, record, (), record)

    def _flat(self, number: int, value: dict[str, object], shown: dict[str, object]) -> Row:
        keys = tuple(value)
        builder = self._builders.get(keys)
        if builder is None:
            if len(self._builders) > 1000:
                self._builders.clear()
            builder = self._builders[keys] = self._builder(keys)
        if isinstance(builder, str):
            return Row(number, None, (RowProblem(number, None, builder),), shown)
        return builder.from_values(number, list(value.values()), shown)

    def _builder(self, keys: tuple[str, ...]) -> Builder | str:
        terms = self._terms
        mapping = msgspec.structs.replace(terms.mapping, event_name=self._event_name)
        try:
            return Builder(plan_of(keys, terms.kind, terms.format, mapping, terms.timezone), terms.timezone)
        except BadRequest as error:
            return error.text


def _is_record(value: dict[str, object]) -> bool:
    """Whether this is a record of an upload; a flat row may have a column `type` of its own."""
    return value.get("type") in ("profile", "event", "token") and (
        "profileData" in value or "evtName" in value or "tokenData" in value
    )


def _unfolded(value: dict[str, object]) -> dict[str, object]:
    """An export's line of an event as a flat row: who it was stands inside `profile`."""
    profile = value.get("profile")
    if not isinstance(profile, dict) or "eventName" not in value:
        return value
    who = {key: profile[key] for key in WHO if profile.get(key) is not None}
    return {**value, **({"identity": who["identity"]} if "identity" in who else who)}


def _skip_line(file: io.BufferedReader) -> None:
    while (rest := file.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
        pass


def _parquet_rows(file: BinaryIO, terms: Terms) -> Source:
    from belfry.imports.parquet import ParquetRows

    parquet = ParquetRows(file)
    plan = plan_of(parquet.names, terms.kind, terms.format, terms.mapping, terms.timezone)
    return Source(_parquet_body(parquet, Builder(plan, terms.timezone), parquet.names), plan)


def _parquet_body(parquet: Iterable[Sequence[object]], builder: Builder, names: Sequence[str]) -> Iterator[Row]:
    for number, values in enumerate(parquet, 1):
        yield builder.from_values(number, values, dict(zip(names, values, strict=True)))


def _unreadable(number: int, reason: str) -> Row:
    return Row(number, None, (RowProblem(number, None, reason),), None)


class _Unclosed(io.RawIOBase):
    """A file for a buffer over it: who opened the file closes it."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


_OPENERS: dict[FileFormat, Callable[[BinaryIO, Terms], Source]] = {
    FileFormat.CSV: _csv_rows,
    FileFormat.JSONL: _json_rows,
    FileFormat.PARQUET: _parquet_rows,
}
