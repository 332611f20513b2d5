"""Columnar rows have a value for each column, in the columns' order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from belfry.error_stream.model import ErrorKind, ErrorRecord, Severity
from belfry.events.model import Event, encode_props
from belfry.ids import AccountId, ProfileId
from belfry.pipeline.rows import ERROR_COLUMNS, EVENT_COLUMNS, date_text, error_lines, event_lines
from belfry.pipeline.snapshots import SNAPSHOT_COLUMNS, snapshot_lines
from belfry.profiles.graph import MemoryGraph
from belfry.profiles.model import Identity, IdentityKind, ProfileStatus

ACCOUNT = AccountId("ACME")
NOON_MS = 1_795_608_000_123


def only(columns: tuple[str, ...], lines: bytes) -> dict[str, Any]:
    (line,) = lines.splitlines()
    values = json.loads(line)
    assert len(values) == len(columns)
    return dict(zip(columns, values, strict=True))


def an_event(**changes: Any) -> Event:
    props = changes.pop("props", {"Amount": 5})
    values = {
        "name": "Sign Up",
        "folded": "signup",
        "ts_ms": NOON_MS - 1000,
        "props": props,
        "props_json": encode_props(props),
        "profile_id": ProfileId(7),
        "device_id": "__b41c2a6f0d9e",
        "source": "API",
        "seq": 99,
        "received_at_ms": NOON_MS,
        "flags": 1,
        "key_hash": 2**64 - 1,
    }
    return Event(**(values | changes))


def test_an_event_is_stored_under_its_folded_name_with_whole_milliseconds() -> None:
    assert only(EVENT_COLUMNS, event_lines(ACCOUNT, [an_event()])) == {
        "account_id": "ACME",
        "name": "signup",
        "day": "2026-11-25",
        "profile_id": 7,
        "ts": NOON_MS - 1000,
        "seq": 99,
        "recorded_profile_id": 7,
        "device_id": "__b41c2a6f0d9e",
        "session_id": 0,
        "source": "API",
        "flags": 1,
        "key_hash": 2**64 - 1,
        "received_at": NOON_MS,
        "props": {"Amount": 5},
    }


def test_text_with_line_breaks_stays_on_one_line() -> None:
    row = only(EVENT_COLUMNS, event_lines(ACCOUNT, [an_event(props={"note": "a\nb\u2028c"})]))
    assert row["props"] == {"note": "a\nb\u2028c"}


def test_no_events_are_no_lines() -> None:
    assert event_lines(ACCOUNT, []) == b""


@pytest.mark.parametrize(
    ("at_ms", "day"),
    [(0, "1970-01-01"), (86_399_999, "1970-01-01"), (86_400_000, "1970-01-02"), (NOON_MS, "2026-11-25")],
)
def test_days_are_those_of_utc(at_ms: int, day: str) -> None:
    assert date_text(at_ms) == day


def test_an_error_record_keeps_its_bytes_as_text() -> None:
    error = ErrorRecord(
        ACCOUNT, ErrorKind.REFUSED, Severity.HIGH, "API", "code 513", "why", 5, NOON_MS, "request-1", 513, b'{"\xff":1}'
    )
    row = only(ERROR_COLUMNS, error_lines([error]))
    assert (row["kind"], row["day"], row["received_at"], row["code"]) == ("refused", "2026-11-25", NOON_MS, 513)
    assert row["record"] == '{"\ufffd":1}'


def test_a_snapshot_tells_who_is_a_user_and_where_to_reach_them() -> None:
    graph = MemoryGraph(ACCOUNT)
    graph.version = 3
    for number in (1, 2):
        graph.create(ProfileId(number), NOON_MS)
    graph.attach_identity(Identity(IdentityKind.IDENTITY, "ana"), ProfileId(1), 1)
    graph.profiles[ProfileId(1)].state.properties.update({"Email": "ana@example.org", "tier": "gold"})
    graph.hide(ProfileId(2), ProfileStatus.MERGED, ProfileId(1))
    first, second = snapshot_lines(ACCOUNT, graph, [ProfileId(1), ProfileId(2)]).splitlines()
    ana = only(SNAPSHOT_COLUMNS, first)
    assert (ana["hidden"], ana["identified"], ana["identity"], ana["email"]) == (0, 1, "ana", "ana@example.org")
    assert (ana["version"], ana["created_at"], ana["reachable"]) == (3, NOON_MS, ["email"])
    assert ana["props"] == {"Email": "ana@example.org", "tier": "gold"}
    merged = only(SNAPSHOT_COLUMNS, second)
    assert (merged["hidden"], merged["identified"], merged["reachable"]) == (1, 0, [])
