"""One request of ClickHouse's HTTP interface as a value: what is asked, with which parameters and settings.

Source: ClickHouse documentation, "HTTP interface".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl

import msgspec

BAD_ARGUMENTS = 36
UNKNOWN_SETTING = 115
READONLY = 164

_NOT_SETTINGS = frozenset({
    "query", "database", "default_format", "query_id", "session_id", "session_timeout", "session_check", "user",
    "password", "quota_key", "role", "compress", "decompress", "wait_end_of_query", "buffer_size", "stacktrace",
    "client_protocol_version", "enable_http_compression", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close",
})  # fmt: skip
"""URL parameters that are about the request, or that this server has no use for."""

_SETTING_NAME = re.compile(r"[a-z][a-z_0-9]*\Z")
_SKIPPED = rb"(?:\s|--[^\n]*(?:\n|\Z)|#![^\n]*(?:\n|\Z)|/\*.*?\*/|\()*"
_VERB = re.compile(_SKIPPED + rb"([A-Za-z]+)(?:\s+([A-Za-z]+))?", re.DOTALL)
_LAST_FORMAT = re.compile(rb"\bFORMAT\s+([A-Za-z]+)[\s;]*\Z", re.IGNORECASE)
_TAIL_BYTES = 200

READS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS"})
_KEEPS_SESSION_CLEAN = READS | {"INSERT", "ALTER", "DROP", "TRUNCATE", "OPTIMIZE", "KILL", "SYSTEM", "CREATE", "RENAME"}


class BadCall(Exception):
    """The request cannot be understood.

    code     of ClickHouse's error codes
    """

    def __init__(self, text: str, code: int = BAD_ARGUMENTS) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {text}")
        self.code = code


class Call(msgspec.Struct, frozen=True):
    """One statement to run.

    sql         the statement; for an INSERT with its data
    parameters  values of `{name:Type}`, escaped as in TSV, as they came
    is_buffered the whole answer is wanted before its status line (`wait_end_of_query`)
    """

    sql: bytes
    parameters: dict[str, str]
    settings: dict[str, str]
    database: str
    default_format: str
    is_buffered: bool
    query_id: str

    @property
    def verb(self) -> str:
        found = _VERB.match(self.sql)
        return found.group(1).decode().upper() if found else ""

    @property
    def leaves_session_clean(self) -> bool:
        """Whether the connection may serve the next request as it is: no SET, USE, temporary table."""
        found = _VERB.match(self.sql)
        if found is None:
            return True
        verb, noun = (word.decode().upper() if word else "" for word in found.groups())
        return verb in _KEEPS_SESSION_CLEAN and noun != "TEMPORARY"

    @property
    def format(self) -> str:
        """The format of the answer."""
        found = _LAST_FORMAT.search(self.sql[-_TAIL_BYTES:])
        return found.group(1).decode() if found else self.default_format


def read_call(
    query_string: bytes, *, body: bytes, content_type: str, headers: dict[str, str], is_get: bool = False
) -> Call:
    """Read one request.

    headers  with names in lower case
    raises   BadCall: not UTF-8, a form without a boundary, a setting name that is none, a GET that writes
    """
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=10_000)
    except ValueError as error:
        raise BadCall(f"the URL's parameters cannot be read: {error}") from None
    if content_type.lower().startswith("multipart/form-data"):
        pairs += _form_fields(body, content_type)
        body = b""
    fields = dict(pairs)
    call = Call(
        sql=_joined(fields.get("query", ""), body),
        parameters={name[6:]: value for name, value in pairs if name.startswith("param_")},
        settings=_settings(pairs),
        database=fields.get("database") or headers.get("x-clickhouse-database", ""),
        default_format=fields.get("default_format") or headers.get("x-clickhouse-format", "TabSeparated"),
        is_buffered=fields.get("wait_end_of_query") == "1",
        query_id=fields.get("query_id", ""),
    )
    if is_get and call.verb not in READS:
        raise BadCall("Cannot execute query in readonly mode: over HTTP, GET implies readonly", READONLY)
    return call


def _joined(query: str, body: bytes) -> bytes:
    """The statement may be in the URL, in the body, or begin in the one and end in the other."""
    if not query:
        return body
    return query.encode() + b"\n" + body if body else query.encode()


def _settings(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    settings = {}
    for name, value in pairs:
        if name in _NOT_SETTINGS or name.startswith("param_"):
            continue
        if not _SETTING_NAME.match(name):
            raise BadCall(f"Unknown setting {name!r}", UNKNOWN_SETTING)
        settings[name] = value
    return settings


def _form_fields(body: bytes, content_type: str) -> list[tuple[str, str]]:
    """Fields of multipart/form-data, as clients send long parameters; files are not served."""
    found = re.search(r'boundary="?([^";]+)"?', content_type, re.IGNORECASE)
    if not found:
        raise BadCall("multipart/form-data without a boundary")
    fields = []
    for part in body.split(b"--" + found.group(1).encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'\bname="([^"]*)"', head)
        if not name or b"filename=" in head:
            raise BadCall("only plain fields are served in multipart/form-data")
        try:
            fields.append((name.group(1).decode(), content.removesuffix(b"\r\n").decode()))
        except UnicodeDecodeError:
            raise BadCall("a form field is not UTF-8") from None
    return fields
