"""Exports: a fixed upper bound, repeatable pages, cursors that expire (server-api 13, scenarios 13–15, 28)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from belfry.accounts.model import Account, AccountSettings, AccountState
from belfry.clock import ManualClock
from belfry.errors import BadRequest
from belfry.ids import AccountId, SequentialIds
from belfry.segments.cql import Purpose, translate
from belfry.segments.exports import ExportKind, Exports, Page
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database
from support.segment_oracle import Happened, Person, World
from support.segment_worlds import store

NOON_MS = 1_795_608_000_000
HOUR_MS = 3_600_000
ACME = Account(AccountId("acme"), "Acme", "UTC", "eu1", AccountState.ACTIVE, AccountSettings(), 0)
OTHER = Account(AccountId("other"), "Other", "UTC", "eu1", AccountState.ACTIVE, AccountSettings(), 0)
BODY = {"event_name": "Ride Booked", "from": 20261101, "to": 20261125}
PURPOSE = {ExportKind.EVENTS: Purpose.EVENTS, ExportKind.PROFILES: Purpose.PROFILE_EXPORT}
Open = Callable[[], Exports]


@pytest.fixture
def reopened(database: Database, columnar: Columnar, clock: ManualClock, ids: SequentialIds) -> Open:
    """Exports as a fresh process would open them."""
    return lambda: Exports(database, columnar, clock, ids, b"secret")


@pytest.fixture
def exports(reopened: Open) -> Exports:
    return reopened()


def rides(start: int, count: int, *, hours_apart: int = 5) -> list[Happened]:
    """Every third in the same instant as the one before; users in turn."""
    return [
        Happened(1 + n % 7, "ridebooked", NOON_MS - (count - n + n % 3) * hours_apart * HOUR_MS, start + n, {"Fare": n})
        for n in range(count)
    ]


def stored(columnar: Columnar, events: list[Happened], account_id: str = "acme", token: str = "") -> None:
    people = [Person(n, {"plan": "gold" if n % 2 else "free"}, hidden=n == 7) for n in range(1, 8)]
    store(World(people, events, "UTC", NOON_MS), columnar, account_id, token)


def started(exports: Exports, kind: ExportKind, body: dict[str, Any] = BODY, batch_size: int = 5) -> str:
    query = translate(body, PURPOSE[kind], dt.date(2026, 11, 25))
    return exports.start(ACME, kind, query, {"app": True}, batch_size)


def all_pages(exports: Exports, kind: ExportKind, cursor: str | None) -> list[Page]:
    pages = []
    while cursor is not None:
        page = exports.page(ACME, kind, cursor)
        pages.append(page)
        cursor = page.next_cursor
    return pages


def test_events_come_by_time_then_by_acceptance_each_once(exports: Exports, columnar: Columnar) -> None:
    events = rides(1, 40)
    stored(columnar, events)
    pages = all_pages(exports, ExportKind.EVENTS, started(exports, ExportKind.EVENTS))
    found = [(event.ts_ms, event.seq) for page in pages for event in page.events]
    expected = sorted((event.ts_ms, event.seq) for event in events if event.profile_id != 7)
    assert found == expected
    assert all(len(page.events) == 5 for page in pages[:-1])
    assert pages[0].events[0].props == {"Fare": pages[0].events[0].seq - 1}


def test_users_come_by_id_each_once(exports: Exports, columnar: Columnar) -> None:
    stored(columnar, rides(1, 40))
    pages = all_pages(exports, ExportKind.PROFILES, started(exports, ExportKind.PROFILES, batch_size=4))
    assert [page.profile_ids for page in pages] == [[1, 2, 3, 4], [5, 6]]


def test_the_flags_come_back_with_every_page(exports: Exports, columnar: Columnar) -> None:
    stored(columnar, rides(1, 12))
    pages = all_pages(exports, ExportKind.EVENTS, started(exports, ExportKind.EVENTS))
    assert {page.flags["app"] for page in pages} == {True}


@pytest.mark.parametrize("kind", list(ExportKind))
def test_an_export_of_nothing_is_one_empty_page(exports: Exports, kind: ExportKind) -> None:
    [page] = all_pages(exports, kind, started(exports, kind))
    assert (page.events, page.profile_ids, page.next_cursor) == ([], [], None)


@pytest.mark.parametrize("kind", list(ExportKind))
def test_a_full_last_page_has_no_next(exports: Exports, columnar: Columnar, kind: ExportKind) -> None:
    stored(columnar, rides(1, 6))
    pages = all_pages(exports, kind, started(exports, kind, batch_size=6))
    assert len(pages) == 1


@pytest.mark.parametrize("kind", list(ExportKind))
def test_events_that_arrive_later_shift_no_page(exports: Exports, columnar: Columnar, kind: ExportKind) -> None:
    stored(columnar, rides(1, 20)[:-6])
    cursor: str | None = started(exports, kind, batch_size=2)
    before = all_pages(exports, kind, cursor)
    assert cursor is not None
    first = exports.page(ACME, kind, cursor)
    late = [Happened(n, "ridebooked", NOON_MS - 90 * HOUR_MS, 1000 + n, {}) for n in range(1, 7)]
    stored(columnar, late, token="-late")
    assert [first, *all_pages(exports, kind, first.next_cursor)] == before
    assert all_pages(exports, kind, started(exports, kind, batch_size=2)) != before


@pytest.mark.parametrize("kind", list(ExportKind))
def test_a_page_may_be_fetched_again_also_after_a_restart(
    exports: Exports, reopened: Open, columnar: Columnar, kind: ExportKind
) -> None:
    stored(columnar, rides(1, 20))
    cursor = started(exports, kind, batch_size=3)
    second = exports.page(ACME, kind, cursor).next_cursor
    assert second is not None
    page = exports.page(ACME, kind, second)
    assert exports.page(ACME, kind, second) == page
    assert reopened().page(ACME, kind, second) == page


def test_relative_windows_are_those_of_the_start(exports: Exports, columnar: Columnar, clock: ManualClock) -> None:
    stored(columnar, rides(1, 12))
    cursor = started(exports, ExportKind.PROFILES, {"event_name": "Ride Booked"}, batch_size=6)
    before = exports.page(ACME, ExportKind.PROFILES, cursor)
    clock.advance_ms(3 * HOUR_MS)
    assert exports.page(ACME, ExportKind.PROFILES, cursor) == before


def test_other_conditions_limit_whose_events_are_exported(exports: Exports, columnar: Columnar) -> None:
    stored(columnar, rides(1, 40))
    body = {**BODY, "common_profile_properties": {"profile_fields": [{"name": "plan", "value": "gold"}]}}
    pages = all_pages(exports, ExportKind.EVENTS, started(exports, ExportKind.EVENTS, body))
    assert {event.profile_id for page in pages for event in page.events} == {1, 3, 5}


def test_only_first_occurrences_are_exported_when_asked(exports: Exports, columnar: Columnar) -> None:
    events = rides(1, 40)
    stored(columnar, events)
    body = {**BODY, "session_properties": [{"name": "first_time", "value": "True"}]}
    pages = all_pages(exports, ExportKind.EVENTS, started(exports, ExportKind.EVENTS, body))
    found = {event.profile_id: event.seq for page in pages for event in page.events}
    ordered = sorted(events, key=lambda event: (event.ts_ms, event.seq), reverse=True)
    assert found == {event.profile_id: event.seq for event in ordered if event.profile_id != 7}


@pytest.mark.parametrize(
    ("step_ms", "steps", "is_live"),
    [
        pytest.param(4 * HOUR_MS, 1, True, id="idle for four hours"),
        pytest.param(4 * HOUR_MS + 1000, 1, False, id="idle for four hours and a second"),
        pytest.param(4 * HOUR_MS, 24, True, id="four days of use"),
        pytest.param(4 * HOUR_MS, 25, False, id="more than four days"),
    ],
)
def test_a_cursor_lives_four_hours_idle_and_four_days_at_most(
    exports: Exports, clock: ManualClock, step_ms: int, steps: int, is_live: bool
) -> None:
    cursor = started(exports, ExportKind.PROFILES)
    for _ in range(steps - 1):
        clock.advance_ms(step_ms)
        exports.page(ACME, ExportKind.PROFILES, cursor)
    clock.advance_ms(step_ms)
    if is_live:
        assert exports.page(ACME, ExportKind.PROFILES, cursor)
        return
    with pytest.raises(BadRequest) as caught:
        exports.page(ACME, ExportKind.PROFILES, cursor)
    assert (caught.value.text, caught.value.code) == ("Invalid cursor", "CURSOR_INVALIDATED")


def test_a_cursor_is_good_for_its_own_account_and_kind_only(exports: Exports) -> None:
    cursor = started(exports, ExportKind.PROFILES)
    for account, kind in ((OTHER, ExportKind.PROFILES), (ACME, ExportKind.EVENTS)):
        with pytest.raises(BadRequest) as caught:
            exports.page(account, kind, cursor)
        assert caught.value.code == "CURSOR_INVALIDATED"


def test_expired_exports_are_removed_at_the_next_start(
    exports: Exports, clock: ManualClock, database: Database
) -> None:
    from belfry.segments.tables import exports as table

    started(exports, ExportKind.PROFILES)
    clock.advance_ms(5 * HOUR_MS)
    started(exports, ExportKind.PROFILES)
    with database.read() as connection:
        assert len(connection.execute(table.select()).all()) == 1
