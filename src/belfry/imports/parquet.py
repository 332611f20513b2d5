"""Rows of a Parquet file, with a bound on what a small file may unfold to (trial S15)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from belfry.errors import BadRequest

ROWS_AT_ONCE = 1000
GROUP_BYTES_MAX = 1024**3
"""Of one row group, unpacked, as the file declares it."""
VALUE_BYTES_MAX = 4 * 1024 * 1024
"""Of one text, and what the longest texts of a row may have together."""
BATCH_BYTES_MAX = 256 * 1024 * 1024
_SLICE_BYTES = 64 * 1024 * 1024
_FAILURES = (pa.ArrowException, OSError, ValueError, OverflowError)


class ParquetRows:
    """A Parquet file. Raises BadRequest for what is none.

    Texts are read as dictionaries, as they are stored: a text that a million rows repeat is held once, until the few
    rows at hand are looked at.
    """

    def __init__(self, file: BinaryIO) -> None:
        try:
            names = [field.name for field in pq.read_schema(file) if _is_text(field.type)]
            file.seek(0)
            self._parquet = pq.ParquetFile(file, read_dictionary=names)
        except _FAILURES as error:
            raise BadRequest(f"the file is not Parquet: {_first_line(error)}") from None
        self.names: list[str] = self._parquet.schema_arrow.names
        metadata = self._parquet.metadata
        sizes = [metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)]
        if max(sizes, default=0) > GROUP_BYTES_MAX:
            raise BadRequest(f"a row group has {max(sizes)} bytes, at most {GROUP_BYTES_MAX}", limit=GROUP_BYTES_MAX)

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        """Values of each row. Raises BadRequest where the file is damaged or its values are too large."""
        count = 0
        batches = self._parquet.iter_batches(batch_size=ROWS_AT_ONCE)
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    return
                for rows in _slices(batch):
                    yield from rows
                    count += len(rows)
            except _FAILURES as error:
                raise BadRequest(f"the file is damaged after row {count}: {_first_line(error)}") from None


def _slices(batch: Any) -> Iterator[list[tuple[object, ...]]]:  # a pyarrow batch: it has no types
    """Rows of a batch, as many at once as surely fit into memory."""
    if batch.nbytes > BATCH_BYTES_MAX:
        raise BadRequest(f"{batch.num_rows} rows have {batch.nbytes} bytes, at most {BATCH_BYTES_MAX}")
    widest = sum(_longest(column) for column in batch.columns)
    if widest > VALUE_BYTES_MAX:
        raise BadRequest(f"the texts of a row have up to {widest} bytes, at most {VALUE_BYTES_MAX}")
    step = max(1, min(batch.num_rows, _SLICE_BYTES // max(widest, 1)))
    for start in range(0, batch.num_rows, step):
        columns = [column.to_pylist() for column in batch.slice(start, step).columns]
        yield list(zip(*columns, strict=True))


def _longest(column: Any) -> int:
    values = column.dictionary if pa.types.is_dictionary(column.type) else column
    if not _is_text(values.type):
        return 0
    return pc.max(pc.binary_length(values)).as_py() or 0


def _is_text(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_string(kind) or types.is_binary(kind) or types.is_large_string(kind))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
