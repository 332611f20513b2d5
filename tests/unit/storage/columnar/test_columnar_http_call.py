"""Requests of ClickHouse's HTTP interface become one statement each, or are refused with a code."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.storage.columnar.http_call import BadCall, Call, read_call

FORM = "multipart/form-data; boundary=xyz"


def call(
    query: dict[str, str] | None = None,
    body: bytes = b"",
    content_type: str = "",
    *,
    is_get: bool = False,
    **headers: str,
) -> Call:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_call(
        urlencode(query or {}).encode(), body=body, content_type=content_type, headers=named, is_get=is_get
    )


def form(**fields: str) -> bytes:
    parts = [f'--xyz\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
    return "".join([*parts, "--xyz--\r\n"]).encode()


@pytest.mark.parametrize(
    ("query", "body", "sql"),
    [
        pytest.param({"query": "SELECT 1"}, b"", b"SELECT 1", id="in the URL"),
        pytest.param({}, b"SELECT 1", b"SELECT 1", id="in the body"),
        pytest.param({"query": "INSERT INTO t FORMAT TSV"}, b"1\n", b"INSERT INTO t FORMAT TSV\n1\n", id="in both"),
        pytest.param({}, b"INSERT INTO t FORMAT RowBinary\n\xff", b"INSERT INTO t FORMAT RowBinary\n\xff", id="bytes"),
        pytest.param({}, b"", b"", id="nowhere"),
    ],
)
def test_the_statement_is_in_the_url_the_body_or_both(query: dict[str, str], body: bytes, sql: bytes) -> None:
    assert call(query, body).sql == sql


def test_parameters_settings_and_words_about_the_request_are_told_apart() -> None:
    read = call({
        "query": "SELECT {x:String}", "param_x": "a\\nb", "max_threads": "2", "database": "shop", "query_id": "q-1",
        "wait_end_of_query": "1", "default_format": "JSON", "session_timeout": "3", "compress": "0",
    })  # fmt: skip
    assert read.parameters == {"x": "a\\nb"}
    assert read.settings == {"max_threads": "2"}
    assert (read.database, read.query_id, read.is_buffered, read.format) == ("shop", "q-1", True, "JSON")


def test_headers_say_what_the_url_does_not() -> None:
    read = call(body=b"SELECT 1", x_clickhouse_database="shop", x_clickhouse_format="CSV")
    assert (read.database, read.format) == ("shop", "CSV")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        pytest.param(b"SELECT 1 FORMAT Native", "Native", id="at the end"),
        pytest.param(b"SELECT 1\n format jsoneachrow ;\n", "jsoneachrow", id="any case, semicolon"),
        pytest.param(b"SELECT 'FORMAT TSV'", "TabSeparated", id="in a literal it is text"),
        pytest.param(b"SELECT 1", "TabSeparated", id="default"),
    ],
)
def test_the_answers_format_is_the_statements_or_the_default(sql: bytes, expected: str) -> None:
    assert call(body=sql).format == expected


@pytest.mark.parametrize(
    ("sql", "verb", "is_clean"),
    [
        pytest.param(b"SELECT 1", "SELECT", True, id="query"),
        pytest.param(b" \n(select 1)", "SELECT", True, id="in parentheses"),
        pytest.param(b"-- SET x\n/* USE y */ INSERT INTO t VALUES (1)", "INSERT", True, id="after comments"),
        pytest.param(b"SET max_threads = 1", "SET", False, id="setting of the session"),
        pytest.param(b"USE shop", "USE", False, id="database of the session"),
        pytest.param(b"CREATE TEMPORARY TABLE t (x Int8)", "CREATE", False, id="table of the session"),
        pytest.param(b"CREATE TABLE t (x Int8)", "CREATE", True, id="table of the store"),
        pytest.param(b"BEGIN", "BEGIN", False, id="whatever is not known"),
        pytest.param(b"-- nothing", "", True, id="no statement"),
    ],
)
def test_a_statement_that_changes_its_session_is_known(sql: bytes, verb: str, is_clean: bool) -> None:
    read = call(body=sql)
    assert (read.verb, read.leaves_session_clean) == (verb, is_clean)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param({"query": {"max threads": "1"}}, 115, id="a setting's name is a word"),
        pytest.param({"query": {"x=1, y": "1"}}, 115, id="a setting's name is no SQL"),
        pytest.param({"query": {"Max": "1"}}, 115, id="a setting's name is lower case"),
        pytest.param({"query": {"": "1"}}, 115, id="a setting has a name"),
        pytest.param({"body": b"", "content_type": "multipart/form-data"}, 36, id="form without boundary"),
        pytest.param(
            {"body": b'--xyz\r\nX: form-data; filename="f"; name="t"\r\n\r\n1\r\n--xyz--', "content_type": FORM},
            36,
            id="file",
        ),
        pytest.param(
            {"body": b'--xyz\r\nX: form-data; name="query"\r\n\r\n\xff\r\n--xyz--', "content_type": FORM},
            36,
            id="not UTF-8",
        ),
        pytest.param({"query": {"query": "INSERT INTO t VALUES (1)"}, "is_get": True}, 164, id="GET never writes"),
        pytest.param({"query": {"query": "DROP TABLE t"}, "is_get": True}, 164, id="GET never drops"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_a_code(arguments: dict[str, object], code: int) -> None:
    with pytest.raises(BadCall) as refusal:
        call(**arguments)  # type: ignore[arg-type]
    assert refusal.value.code == code
    assert str(refusal.value).startswith(f"Code: {code}. DB::Exception: ")


def test_a_url_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(BadCall, match="cannot be read"):
        read_call(b"param_x=%ff", body=b"SELECT 1", content_type="", headers={})


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",))))
def test_a_long_parameter_in_a_form_arrives_unchanged(value: str) -> None:
    read = call(body=form(query="SELECT {x:String}", param_x=value), content_type=FORM)
    assert read.sql == b"SELECT {x:String}"
    assert read.parameters == {"x": value}
