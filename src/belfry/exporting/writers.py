"""Files of exports, piece by piece: what is written is handed on at once, so that size costs no memory."""

from __future__ import annotations

import csv
import enum
import io
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from belfry.cells import cell_of, text_cell
from belfry.exporting.columns import Kind, Table
from belfry.exporting.lines import Line

_encode = msgspec.json.Encoder().encode


class ExportFormat(enum.StrEnum):
    """How a file is written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


MEDIA = {
    ExportFormat.JSONL: b"application/x-ndjson",
    ExportFormat.CSV: b"text/csv;charset=utf-8",
    ExportFormat.PARQUET: b"application/vnd.apache.parquet",
}


class Writer(Protocol):
    """Makes the bytes of one file. `head` first, then any number of `rows`, then `tail`."""

    def head(self) -> bytes: ...

    def rows(self, lines: Sequence[Line]) -> bytes: ...

    def tail(self) -> bytes: ...


def writer_of(form: ExportFormat, table: Table, first_line: str | None) -> Writer:
    """A writer of a format. first_line: of JSON, the event's name (partner integrations 8.8)."""
    match form:
        case ExportFormat.JSONL:
            return JsonLinesWriter(first_line)
        case ExportFormat.CSV:
            return CsvWriter(table)
        case ExportFormat.PARQUET:
            return ParquetWriter(table)


class JsonLinesWriter:
    """A JSON object a line; before them, for one event alone, its name as a JSON string."""

    def __init__(self, first_line: str | None) -> None:
        self._first_line = first_line

    def head(self) -> bytes:
        return b"" if self._first_line is None else _encode(self._first_line) + b"\n"

    def rows(self, lines: Sequence[Line]) -> bytes:
        return b"".join(_encode(line) + b"\n" for line in lines)

    def tail(self) -> bytes:
        return b""


class CsvWriter:
    """CSV in UTF-8 with a header; cells as `belfry.cells` writes them, so that none is a formula (trial S13)."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._is_text = [column.kind is Kind.TEXT and not column.is_property for column in table.columns]

    def head(self) -> bytes:
        return self._text([[text_cell(column.name) for column in self._table.columns]])

    def rows(self, lines: Sequence[Line]) -> bytes:
        return self._text([self._cells(line) for line in lines])

    def tail(self) -> bytes:
        return b""

    def _cells(self, line: Line) -> list[str]:
        return [
            text_cell(value) if is_text and isinstance(value, str) else cell_of(value)
            for value, is_text in zip(self._table.row(line), self._is_text, strict=True)
        ]

    def _text(self, rows: list[list[str]]) -> bytes:
        file = io.StringIO(newline="")
        csv.writer(file).writerows(rows)
        return file.getvalue().encode("utf-8", "replace")


class ParquetWriter:
    """Parquet with a row group for each call of `rows`; the last column holds JSON text."""

    def __init__(self, table: Table) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types: dict[Kind, Any] = {  # pyarrow has no types of its own to annotate with
            Kind.TEXT: pa.string(),
            Kind.WHOLE: pa.int64(),
            Kind.NUMBER: pa.float64(),
            Kind.BOOLEAN: pa.bool_(),
            Kind.TEXTS: pa.list_(pa.string()),
            Kind.ANY: pa.string(),
        }
        self._table = table = table.typed()
        self._pa = pa
        self._schema = pa.schema([(column.name, types[column.kind]) for column in table.columns])
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")

    def head(self) -> bytes:
        return self._sink.take()

    def rows(self, lines: Sequence[Line]) -> bytes:
        if lines:
            self._writer.write_table(self._batch([self._table.row(line) for line in lines]))
        return self._sink.take()

    def tail(self) -> bytes:
        self._writer.close()
        return self._sink.take()

    def _batch(self, rows: list[list[object]]) -> Any:  # a pyarrow table
        columns = []
        for index, column in enumerate(self._table.columns):
            values = [row[index] for row in rows]
            if column.kind is Kind.ANY:
                values = [None if value is None else _encode(value).decode() for value in values]
            elif column.kind is Kind.NUMBER:
                values = [None if value is None else float(value) for value in values]  # type: ignore[arg-type]  # `_fits`
            columns.append(self._pa.array(values, type=self._schema.field(index).type))
        return self._pa.Table.from_arrays(columns, schema=self._schema)


class _Sink(io.RawIOBase):
    """Where Parquet goes before it is handed on; never sought in."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any) -> int:  # any buffer
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def take(self) -> bytes:
        """What was written since the last call."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
