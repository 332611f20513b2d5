"""`ts` (server-api 3.4, scenario 4)."""

from __future__ import annotations

import pytest

from belfry.accounts.model import AccountSettings
from belfry.error_stream.model import ErrorKind
from belfry.intake import EventRecord, read_upload
from support.uploads import NOW_S, PARTNERS, body_of, code_of, event, kinds, profile, read_event, token

AT = 1_767_225_600  # 2026-01-01T00:00:00Z

TAKEN = [
    ("absent", None, None),
    ("seconds", AT, AT),
    ("one", 1, 1),
    ("text", str(AT), AT),
    ("text with spaces", f" {AT} ", AT),
    ("float", AT + 0.999, AT),
    ("text with fraction", f"{AT}.75", AT),
    ("ISO", "2026-01-01T00:00:00Z", AT),
    ("ISO with milliseconds", "2026-01-01T00:00:00.750Z", AT),
    ("ISO with offset", "2026-01-01T05:30:00+05:30", AT),
    ("ISO without offset", "2026-01-01T00:00:00", AT),
    ("ISO date", "2026-01-01", AT),
    ("ten minutes ahead", NOW_S + 600, NOW_S + 600),
]


@pytest.mark.parametrize(("ts", "seconds"), [case[1:] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_a_time_is_read_in_whole_seconds(ts: object, seconds: int | None) -> None:
    record = read_event(event(ts=ts))
    assert record.ts_ms == (None if seconds is None else seconds * 1000)
    assert record.remarks == ()


@pytest.mark.parametrize("ts", [AT * 1000, str(AT * 1000), AT * 1000 + 999, AT * 1000 + 0.5])
def test_milliseconds_are_divided_and_remarked(ts: object) -> None:
    record = read_event(event(ts=ts))
    assert record.ts_ms == AT * 1000
    assert kinds(record) == [ErrorKind.MILLISECONDS]


REFUSED = [
    0,
    -1,
    -AT,
    0.5,
    "0",
    "-5",
    "",
    " ",
    "tomorrow",
    "fv8YT)gSPkb9T7",
    "2026-13-01",
    "2026-01-01T00:00:00" + "0" * 60,
    "1" * 5000,
    "١٧٦٧٢٢٥٦٠٠",
    True,
    False,
    [AT],
    {"s": AT},
    AT * 1_000_000,
    2**70,
    1e300,
    NOW_S + 601,
    (NOW_S + 601) * 1000,
    "2127-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
]


@pytest.mark.parametrize("ts", REFUSED, ids=lambda ts: repr(ts)[:40])
@pytest.mark.parametrize("make", [event, profile, token], ids=["event", "profile", "token"])
def test_what_is_no_epoch_time_is_refused_with_525(make: object, ts: object) -> None:
    assert code_of(make(ts=ts)) == 525  # type: ignore[operator]


def test_what_the_edge_accepted_is_read_whenever_it_is_replayed() -> None:
    body = body_of(event(ts=NOW_S + 600))
    for received_at_ms in (0, NOW_S * 1000, NOW_S * 2000):
        (record,) = read_upload(body, AccountSettings(), (), received_at_ms, PARTNERS)
        assert isinstance(record, EventRecord)
        assert record.ts_ms == (NOW_S + 600) * 1000
