"""Planted secrets never come out of a log line (trial S17)."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from belfry.observability import logs
from belfry.observability.redaction import REDACTED, redact_text

CANARY = "c4n4ry5d1f0c7a93e24b6b8d20c1a9e6f7b413"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("debug", "json", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "fields",
    [
        {"passcode": CANARY},
        {"Authorization": f"Bearer {CANARY}"},
        {"headers": {"X-CleverTap-Passcode": CANARY, "other": 1}},
        {"nested": [{"deep": {"api_key": CANARY}}]},
        {"push_token": CANARY},
        {"dsn": f"postgresql://belfry:{CANARY}@db.example/belfry"},
        {"url": f"https://hooks.example/x?token={CANARY}&a=1"},
        {"text": f"X-CleverTap-Passcode: {CANARY}"},
        {"text": f'{{"passcode":"{CANARY}"}}'},
        {"text": f"authorization=Basic {CANARY}"},
        {"body": CANARY.encode()},
    ],
)
def test_a_secret_under_any_name_is_redacted(lines: io.StringIO, fields: dict[str, object]) -> None:
    structlog.get_logger("test").info("something happened", **fields)
    text = lines.getvalue()
    assert CANARY not in text
    assert json.loads(text)["event"] == "something happened"


def test_exceptions_are_redacted_too(lines: io.StringIO) -> None:
    try:
        raise ValueError(f"cannot reach clickhouse://default:{CANARY}@10.0.0.1:8123/belfry")
    except ValueError as error:
        structlog.get_logger("test").error("failed", exc_info=error)
        logging.getLogger("library").exception("failed: passcode=%s", CANARY)
    text = lines.getvalue()
    assert CANARY not in text
    assert text.count(REDACTED) >= 2
    assert len(text.splitlines()) == 2


def test_what_is_no_secret_stays(lines: io.StringIO) -> None:
    structlog.get_logger("test").info("used", passcode_id="p1", account_id="A-1", url="https://x.example/a:b@c")
    line = json.loads(lines.getvalue())
    assert (line["passcode_id"], line["account_id"]) == ("p1", "A-1")
    assert redact_text("tokens are counted, passcodes are not shown") == "tokens are counted, passcodes are not shown"


def test_a_line_has_time_level_logger_and_request(lines: io.StringIO) -> None:
    token = logs.request_id.set("req-1")
    structlog.get_logger("belfry.x").warning("look\nhere", n=1)
    logs.request_id.reset(token)
    (raw,) = lines.getvalue().splitlines()
    line = json.loads(raw)
    assert {key: line[key] for key in ("level", "logger", "request_id", "n", "event")} == {
        "level": "warning",
        "logger": "belfry.x",
        "request_id": "req-1",
        "n": 1,
        "event": "look\nhere",
    }
    assert line["timestamp"].endswith("Z")
