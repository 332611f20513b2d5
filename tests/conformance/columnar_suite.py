"""What every engine of the columnar store must do; run on the embedded one, and on a server if there is one.

Import the tests into a test module; they ask for the fixture `columnar`, an empty store with all tables.
"""

from __future__ import annotations

import itertools
import json
import threading
from datetime import UTC, date, datetime
from typing import Any

import pytest

from belfry.storage.columnar import Columnar, ColumnarError
from belfry.storage.columnar.ddl import REGISTRY
from support.columnar_rows import EVENT_COLUMNS, event_lines, event_row

TEXTS = [
    pytest.param("plain", id="plain"),
    pytest.param("", id="empty"),
    pytest.param("it's", id="quote"),
    pytest.param('say "hi"', id="double quote"),
    pytest.param("back\\slash", id="backslash"),
    pytest.param("\\n", id="backslash and n"),
    pytest.param("\\", id="only a backslash"),
    pytest.param("\\N", id="what means NULL elsewhere"),
    pytest.param("NULL", id="the word NULL"),
    pytest.param("two\nlines", id="newline"),
    pytest.param("\r\n", id="CRLF"),
    pytest.param("a\tb", id="tab"),
    pytest.param("a\x00b", id="NUL"),
    pytest.param("a`b", id="backtick"),
    pytest.param("{x:String}", id="placeholder"),
    pytest.param("'; DROP TABLE events; --", id="injection"),
    pytest.param("\u00e9\u4e2d\U0001f600\u202e", id="unicode"),
    pytest.param("%00+%20&=?#", id="what URLs escape"),
    pytest.param("\u00e9'\\\n" * 5000, id="longer than a URL"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_parameter_arrives_unchanged(columnar: Columnar, text: str) -> None:
    assert columnar.value("SELECT {x:String}", {"x": text}) == text
    assert columnar.value("SELECT {x:Nullable(String)}", {"x": text}) == text
    assert columnar.value("SELECT {x:Array(String)}", {"x": [text, "other", text]}) == [text, "other", text]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        pytest.param("Int64", 2**63 - 1, id="largest Int64"),
        pytest.param("Int64", -(2**63), id="smallest Int64"),
        pytest.param("UInt64", 2**64 - 1, id="largest UInt64"),
        pytest.param("Float64", 0.1, id="float"),
        pytest.param("Float64", -1.5e300, id="large float"),
        pytest.param("Float64", 2.2250738585072014e-308, id="smallest normal float"),
        pytest.param("Array(Int64)", [1, -2, 2**63 - 1], id="list of integers"),
        pytest.param("Array(Int64)", [], id="empty list"),
        pytest.param("Array(Float64)", [0.5, 1e20], id="list of floats"),
        pytest.param("Nullable(Int64)", None, id="NULL"),
        pytest.param("Date", date(2026, 11, 25), id="date"),
        pytest.param("DateTime64(3, 'UTC')", datetime(2026, 11, 25, 12, 0, 0, 123000, UTC), id="milliseconds"),
        pytest.param("DateTime64(3, 'UTC')", datetime(1969, 7, 20, 20, 17, 40, 0, UTC), id="before 1970"),
        pytest.param("Bool", True, id="boolean"),
        pytest.param("Array(Array(String))", [["a'", "\\"], []], id="nested list"),
    ],
)
def test_a_typed_parameter_arrives_unchanged(columnar: Columnar, type_: str, value: Any) -> None:
    got = columnar.value(f"SELECT {{x:{type_}}}", {"x": value})
    if isinstance(value, datetime):
        got = got.replace(tzinfo=UTC) if got.tzinfo is None else got
    assert got == value


@pytest.mark.parametrize("value", [4.5505915461857564e-05, -2.822791981304074e51, 5e-324, 1.7976931348623157e308])
def test_a_float_as_text_is_exact(columnar: Columnar, value: float) -> None:
    assert columnar.value("SELECT toFloat64({x:String})", {"x": repr(value)}) == value


@pytest.mark.parametrize("value", [0.1, 123456789.12345679, -1e300, 1.5e-9])
def test_a_float_property_is_kept_exactly(columnar: Columnar, value: float) -> None:
    columnar.insert_json("events", EVENT_COLUMNS, event_lines([event_row(1, props={"n": value})]), token="t")
    assert columnar.value("SELECT props.n.:Float64 FROM events") == value


@pytest.mark.parametrize("value", ["not a number", "1; SELECT 2", "", "1'"])
def test_a_parameter_of_the_wrong_type_is_refused(columnar: Columnar, value: str) -> None:
    with pytest.raises(ColumnarError):
        columnar.value("SELECT {x:Int64}", {"x": value})
    assert columnar.value("SELECT 1") == 1


def test_a_parameter_that_is_no_unicode_is_refused(columnar: Columnar) -> None:
    with pytest.raises(ColumnarError, match="not valid Unicode"):
        columnar.value("SELECT {x:String}", {"x": "\ud800"})


def test_every_declared_table_exists_and_making_them_again_changes_nothing(columnar: Columnar) -> None:
    columnar.create_tables()
    names = {row[0] for row in columnar.rows("SHOW TABLES")}
    assert names == {table.name for table in REGISTRY}


@pytest.mark.parametrize(
    "props",
    [
        pytest.param({"a b": 1}, id="key with a space"),
        pytest.param({"": 1}, id="empty key"),
        pytest.param({"a`b": 1}, id="key with a backtick"),
        pytest.param({'a"b': 1}, id="key with a double quote"),
        pytest.param({"a'b": 1}, id="key with a quote"),
        pytest.param({"a\\b": 1}, id="key with a backslash"),
        pytest.param({"\u00e9\U0001f600": "\u4e2d"}, id="unicode"),
        pytest.param({"d": "2026-11-25"}, id="text that looks like a date"),
        pytest.param({"d": "2026-11-25 10:00:00"}, id="text that looks like a time"),
        pytest.param({"d": "2026-11-25T10:00:00.123Z"}, id="text that looks like an ISO time"),
        pytest.param({"d": "$D_1795608000"}, id="date as it is kept"),
        pytest.param({"n": "42"}, id="text that looks like a number"),
        pytest.param({"n": 2**63 - 1}, id="largest Int64"),
        pytest.param({"n": -(2**63)}, id="smallest Int64"),
        pytest.param({"n": 2**64 - 1}, id="largest UInt64"),
        pytest.param({"n": 0.1}, id="float"),
        pytest.param({"b": True, "c": False}, id="booleans"),
        pytest.param({"l": ["a", "b; c\n"]}, id="list of text"),
        pytest.param({"l": []}, id="empty list"),
        pytest.param({"o": {"p": {"q": "deep"}, "r": 1}}, id="nested objects"),
        pytest.param({"s": "a;\n{}\\"}, id="text that looks like the end of a row"),
        pytest.param({"s": "\x00"}, id="NUL"),
        pytest.param({"s": ""}, id="empty text"),
        pytest.param({}, id="nothing"),
    ],
)
def test_properties_come_back_as_they_went_in(columnar: Columnar, props: dict[str, Any]) -> None:
    columnar.insert_json("events", EVENT_COLUMNS, event_lines([event_row(1, props=props)]), token="t")
    text = columnar.value("SELECT toJSONString(props) FROM events")
    assert json.loads(text) == props


def test_a_property_is_a_column_of_its_type(columnar: Columnar) -> None:
    rows = [
        event_row(1, props={"Product name": "Casio", "price": 5}),
        event_row(2, props={"price": 7.5, "tags": ["x"]}),
    ]
    columnar.insert_json("events", EVENT_COLUMNS, event_lines(rows), token="t")
    assert columnar.rows(
        "SELECT props.`Product name`.:String, props.price.:Int64, props.price.:Float64, "
        "props.tags.:`Array(Nullable(String))` FROM events ORDER BY seq"
    ) == [("Casio", 5, None, []), (None, None, 7.5, ["x"])]


def test_an_integer_beyond_64_bits_is_refused_with_its_whole_block(columnar: Columnar) -> None:
    rows = [event_row(1), event_row(2, props={"n": 2**64})]
    with pytest.raises(ColumnarError) as error:
        columnar.insert_json("events", EVENT_COLUMNS, event_lines(rows), token="t")
    assert error.value.code == 117
    assert columnar.value("SELECT count() FROM events") == 0
    columnar.insert_json("events", EVENT_COLUMNS, event_lines(rows[:1]), token="t")
    assert columnar.value("SELECT count() FROM events") == 1, "the token of a refused block is free"


def test_an_unknown_column_is_refused(columnar: Columnar) -> None:
    with pytest.raises(ColumnarError):
        columnar.insert_json("events", EVENT_COLUMNS, b'{"nobody": 1}\n', token="t")


def test_no_rows_are_no_insert(columnar: Columnar) -> None:
    columnar.insert_json("events", EVENT_COLUMNS, b"", token="t")
    assert columnar.value("SELECT count() FROM events") == 0


def test_a_block_with_a_token_is_inserted_once(columnar: Columnar) -> None:
    lines = event_lines(event_row(seq) for seq in range(20_000))
    for _ in range(3):
        columnar.insert_json("events", EVENT_COLUMNS, lines, token="same")
    assert columnar.value("SELECT count() FROM events") == 20_000
    columnar.insert_json("events", EVENT_COLUMNS, lines, token="other")
    assert columnar.value("SELECT count() FROM events") == 40_000


def test_a_block_over_many_months_is_inserted_once(columnar: Columnar) -> None:
    lines = event_lines(event_row(seq, day=f"20{20 + seq % 6}-{1 + seq % 12:02d}-11") for seq in range(600))
    for _ in range(2):
        columnar.insert_json("events", EVENT_COLUMNS, lines, token="months")
    assert columnar.value("SELECT count(), uniqExact(seq) FROM events") == 600
    assert columnar.value("SELECT uniqExact(toYYYYMM(day)) FROM events") == 12


def test_a_token_belongs_to_its_table(columnar: Columnar) -> None:
    row = {"account_id": "a", "kind": "k", "day": "2026-11-25", "seq": 1, "record": "{}", "received_at": 1795608000000}
    columnar.insert_json("events", EVENT_COLUMNS, event_lines([event_row(1)]), token="t")
    columnar.insert_json("error_records", list(row), json.dumps(row).encode(), token="t")
    assert columnar.value("SELECT count() FROM error_records") == 1


def test_a_large_result_comes_in_blocks_and_complete(columnar: Columnar) -> None:
    blocks = list(columnar.stream("SELECT number FROM numbers(300000)"))
    assert len(blocks) > 1
    assert [row[0] for row in itertools.chain.from_iterable(blocks)] == list(range(300_000))


def test_an_empty_result_has_no_rows(columnar: Columnar) -> None:
    assert columnar.rows("SELECT 1 WHERE 0") == []
    assert [row for block in columnar.stream("SELECT 1 WHERE 0") for row in block] == []


def test_an_error_in_the_middle_of_a_result_is_an_error(columnar: Columnar) -> None:
    sql = "SELECT throwIf(number = 250000, 'enough') FROM numbers(300000) SETTINGS max_block_size = 10000"
    with pytest.raises(ColumnarError) as error:
        for _ in columnar.stream(sql):
            pass
    assert error.value.code == 395
    with pytest.raises(ColumnarError) as error:
        columnar.rows(sql)
    assert error.value.code == 395


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        pytest.param("SELECT * FROM nowhere", 60, id="unknown table"),
        pytest.param("SELEC 1 FROM 2", 62, id="syntax"),
        pytest.param("SELECT nothing FROM events", 47, id="unknown column"),
    ],
)
def test_an_error_has_the_engines_code(columnar: Columnar, sql: str, code: int) -> None:
    with pytest.raises(ColumnarError) as error:
        columnar.rows(sql)
    assert error.value.code == code
    assert f"Code: {code}. DB::Exception" in str(error.value)


def test_settings_hold_for_one_statement(columnar: Columnar) -> None:
    sql = "SELECT getSetting('max_block_size')"
    before = columnar.value(sql)
    assert columnar.value(sql, max_block_size=1234) == 1234
    assert columnar.value(sql) == before


def test_a_query_over_its_time_is_ended(columnar: Columnar) -> None:
    with pytest.raises(ColumnarError) as error:
        columnar.rows("SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1", max_execution_time=1)
    assert error.value.code == 159


def test_many_threads_may_use_one_client(columnar: Columnar) -> None:
    answers: list[int] = []

    def ask(number: int) -> None:
        answers.extend(columnar.value("SELECT {x:Int64}", {"x": number}) for _ in range(20))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted(list(range(8)) * 20)
