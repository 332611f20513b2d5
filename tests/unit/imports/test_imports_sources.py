"""Reading files: what each row becomes, and that no row ends the reading."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.errors import BadRequest
from belfry.imports import sources
from belfry.imports.chunks import CHUNK_ROWS, chunks, problems_of, refused_lines
from belfry.imports.model import ColumnRule, FileFormat, ImportKind, Mapping, ValueKind
from belfry.imports.records import Row
from belfry.imports.sources import Terms, open_rows
from belfry.intake import Refusal


def rows_of(
    file: bytes, kind: str = "users", form: str = "csv", timezone: str = "UTC", mapping: Mapping | None = None
) -> list[Row]:
    terms = Terms(ImportKind(kind), FileFormat(form), mapping or Mapping(), timezone)
    return list(open_rows(io.BytesIO(file), terms).rows)


def data_of(row: Row) -> Any:
    assert row.record is not None, row.problems
    return row.record.get("profileData", row.record.get("evtData"))


def only_problem(row: Row) -> tuple[str | None, str]:
    assert row.record is None
    (problem,) = row.problems
    return problem.column, problem.reason


def parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("header", "cell", "value"),
    [
        ("x", "5", 5), ("x", "5.5", 5.5), ("x", "true", True), ("x", "007", "007"), ("x", "'=1", "=1"),
        ("x<text>", "5", "5"), ("x<number>", " 5 ", 5), ("x<boolean>", "Y", True), ("x<list>", "a|b", ["a", "b"]),
        ("x<unix>", "1764590400", "$D_1764590400"), ("x<dd/MM/yyyy>", "01/12/2025", "$D_1764590400"),
        ("Customer Type", "5", "5"), ("Phone", "351912345678", "351912345678"), ("x <yes>", "5", None),
    ],
)  # fmt: skip
def test_a_cell_is_read_as_its_column_says(header: str, cell: str, value: object) -> None:
    name = header.partition("<")[0].strip() if value is not None else header
    (row,) = rows_of(f"identity,{header}\nu1,{cell}\n".encode())
    assert data_of(row) == {name: 5 if value is None else value}


@pytest.mark.parametrize(
    ("header", "cell", "word"), [("x<number>", "five", "number"), ("x<boolean>", "maybe", "true or false")]
)
def test_a_cell_that_cannot_be_what_its_column_says_refuses_its_row(header: str, cell: str, word: str) -> None:
    bad, good = rows_of(f"identity,{header}\nu1,{cell}\nu2,1\n".encode())
    column, reason = only_problem(bad)
    assert column == "x"
    assert word in reason
    assert good.record is not None


@pytest.mark.parametrize(
    ("line", "column", "word"),
    [
        (b"u1,2,3", None, "has 3 values, the header has 2"),
        (b"u1", None, "has 1 values"),
        (b"u1,\xff\xfe", "plan", "UTF-8"),
        (b"u1," + b"x" * (sources.CELL_LENGTH_MAX + 1), None, "field larger"),
    ],
)
def test_a_broken_row_of_csv_is_refused_and_the_next_ones_are_read(line: bytes, column: str | None, word: str) -> None:
    rows = rows_of(b"identity,plan\n" + line + b"\n\nu3,gold\n")
    assert only_problem(rows[0])[0] == column
    assert word in only_problem(rows[0])[1]
    assert (rows[-1].number, data_of(rows[-1])) == (4, {"plan": "gold"})


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(delimiter: str) -> None:
    text = f'identity{delimiter}note\nu1{delimiter}"a,b;c|d"\n'
    (row,) = rows_of(b"\xef\xbb\xbf" + text.encode())
    assert data_of(row) == {"note": "a,b;c|d"}


def test_a_cell_may_hold_line_breaks_and_quotes() -> None:
    (row,) = rows_of(b'identity,note\r\nu1,"two\r\nlines, ""quoted"""\r\n')
    assert data_of(row) == {"note": 'two\r\nlines, "quoted"'}


@pytest.mark.parametrize(
    ("file", "kind", "mapping", "word"),
    [
        (b"Identity,plan\n", "users", {}, "a column identity is needed"),
        (b"identity,a\n", "users", {"b": ColumnRule(skip=True)}, "the file has identity, a"),
        (b"identity,a,b\n", "users", {"a": ColumnRule(to="b")}, "two columns become 'b'"),
        (b"identity,a\n", "users", {"a": ColumnRule(kind=ValueKind.DATE)}, "needs a format"),
        (b"identity,a\n", "users", {"a": ColumnRule(format="dd/XX/yyyy")}, "unknown date format"),
        (b"identity,,b\n", "users", {}, "column 2 needs a name"),
        (b"identity,a\n", "events", {}, "evtName"),
        (b"identity," + b",".join(b"c%d" % n for n in range(1024)) + b"\n", "users", {}, "at most 1024"),
        (b"", "users", {}, "no header"),
        (b"\xff\xfei\x00d\x00\n", "users", {}, "UTF-8"),
    ],
)
def test_a_file_that_can_be_no_import_is_refused(file: bytes, kind: str, mapping: Any, word: str) -> None:
    with pytest.raises(BadRequest, match=word):
        rows_of(file, kind, mapping=Mapping(columns=mapping))


def test_lines_of_json_are_records_export_lines_or_flat_rows() -> None:
    lines = [
        {"type": "profile", "identity": "u1", "profileData": {"plan": "gold"}},
        {"identity": "u2", "email": "a@example.org", "profileData": {"plan": "free"}, "platformInfo": [], "name": None},
        {"identity": "u3", "type": "student", "tags": ["a"], "joined": "$D_5"},
        {"type": "event", "identity": "u4", "evtName": "Viewed"},
        {"plan": "gold"},
        5,
    ]
    rows = rows_of(b"\n".join(json.dumps(line).encode() for line in lines) + b"\n{oops\n", form="jsonl")
    assert [data_of(row) for row in rows[:3]] == [
        {"plan": "gold"},
        {"Email": "a@example.org", "plan": "free"},
        {"type": "student", "tags": ["a"], "joined": "$D_5"},
    ]
    assert only_problem(rows[3]) == ("type", "needs to be profile in an import of users")
    assert rows[4].record == {"type": "profile", "profileData": {"plan": "gold"}}  # intake says who is missing
    assert only_problem(rows[5])[1] == "needs to be a JSON object"
    assert "is not JSON" in only_problem(rows[6])[1]


def test_a_line_that_is_too_long_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LINE_BYTES_MAX", 64)
    file = b'{"identity":"' + b"u" * 200 + b'"}\n{"identity":"u2"}'
    first, second = rows_of(file, form="jsonl")
    assert only_problem(first)[1] == "is longer than 64 bytes"
    assert (second.number, second.record) == (2, {"type": "profile", "profileData": {}, "identity": "u2"})


def test_values_of_parquet_keep_their_types() -> None:
    file = parquet(
        identity=["u1"],
        whole=[5],
        share=[float("nan")],
        money=pa.array([decimal.Decimal("12.50")], pa.decimal128(10, 2)),
        day=[dt.date(2025, 12, 1)],
        moment=[dt.datetime(2025, 12, 1, 12, tzinfo=dt.UTC)],
        tags=[["a", "b"]],
        nested=[{"a": 1, "b": None}],
        nothing=pa.array([None], pa.string()),
    )
    (row,) = rows_of(file, form="parquet")
    assert data_of(row) == {
        "whole": 5, "money": 12.5, "day": "$D_1764590400", "moment": "$D_1764590400", "tags": ["a", "b"],
        "nested": {"a": 1},
    }  # fmt: skip


def test_a_small_parquet_that_unfolds_to_gigabytes_is_refused() -> None:
    bomb = parquet(identity=pa.DictionaryArray.from_arrays(pa.array([0] * 5000, pa.int32()), ["x" * 5_000_000]))
    assert len(bomb) < 5_100_000
    with pytest.raises(BadRequest, match="bytes, at most"):
        rows_of(bomb, form="parquet")


def test_bytes_in_parquet_refuse_their_row() -> None:
    (row,) = rows_of(parquet(identity=["u1"], blob=[b"\x00\xff"]), form="parquet")
    assert only_problem(row) == ("blob", "needs to be text, got bytes")


@given(st.binary(max_size=300), st.sampled_from(list(FileFormat)), st.sampled_from(list(ImportKind)))
def test_any_bytes_are_rows_or_no_import(data: bytes, form: FileFormat, kind: ImportKind) -> None:
    for file in (data, b"identity,evtName,ts,x\n" + data):
        try:
            rows = rows_of(file, kind, form)
        except BadRequest:
            continue
        for chunk in chunks(iter(rows)):
            refused_lines(chunk, problems_of(chunk, [], None))
        assert all(row.record is not None or row.problems for row in rows)


def test_chunks_hold_a_thousand_rows_and_are_the_same_from_any_row_on() -> None:
    file = b"identity,n\n" + b"".join(b"u%d,%d\n" % (n, n) if n % 7 else b"broken\n" for n in range(2500))
    whole = list(chunks(iter(rows_of(file))))
    assert [(chunk.start, len(chunk.rows)) for chunk in whole] == [(0, 1000), (1000, 1000), (2000, 500)]
    rest = list(chunks(iter(rows_of(file)[CHUNK_ROWS:]), CHUNK_ROWS))
    assert [chunk.body for chunk in rest] == [chunk.body for chunk in whole[1:]]


def test_refusals_of_uploads_name_row_and_column_of_the_file() -> None:
    file = b"mail,Customer\nx,u1\nbroken\nnot-an-address,u2\n"
    mapping = Mapping(columns={"mail": ColumnRule(to="Email"), "Customer": ColumnRule(to="identity")})
    terms = Terms(ImportKind.USERS, FileFormat.CSV, mapping, "UTC")
    source = open_rows(io.BytesIO(file), terms)
    (chunk,) = chunks(source.rows)
    text = "Profile data is incorrect. Email is not valid.Skipped record number : 2"
    problems = problems_of(chunk, [Refusal(1, 515, text)], source.plan)
    assert [(p.row, p.column, p.code) for p in problems] == [(3, None, None), (4, "mail", 515)]
    assert problems[1].reason == "Profile data is incorrect. Email is not valid."
    lines = [json.loads(line) for line in refused_lines(chunk, problems).splitlines()]
    assert lines[1]["values"] == ["not-an-address", "u2"]
