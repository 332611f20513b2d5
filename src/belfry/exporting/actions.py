"""Going through an account's users or events for a file: a fixed bound, pages of constant size."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import msgspec

from belfry.accounts.model import Account
from belfry.errors import BadRequest
from belfry.events.names import fold
from belfry.events.schema import read_schema
from belfry.exporting.columns import table_of
from belfry.exporting.lines import Line, event_line, user_line
from belfry.exporting.writers import ExportFormat, Writer, writer_of
from belfry.profiles.actions import Profiles
from belfry.segments.cql import Purpose, Query, translate
from belfry.segments.exports import ExportKind, Exports, Page
from belfry.storage.relational import Database

PAGE_ROWS = 2000
NAMES_MAX = 100
EVERYONE: dict[str, object] = {"type": "everyone"}


class Days(msgspec.Struct, frozen=True):
    """Days of the account's calendar, both included, as `yyyyMMdd`."""

    first: int
    last: int


class FileExports:
    """Files of users and events; each call names the account. Several threads may use it."""

    def __init__(self, database: Database, exports: Exports, profiles: Profiles) -> None:
        self._database = database
        self._exports = exports
        self._profiles = profiles

    def users(self, account: Account, form: ExportFormat) -> Iterator[bytes]:
        """All users, in the order of their making, as pieces of one file."""
        _, properties = read_schema(self._database, account.account_id)
        table = table_of([one for one in properties if one.owner == ""], users=True)
        query = Query(users=EVERYONE, occurrences=None, others=None, warnings=[])
        writer = writer_of(form, table, None)
        pages = self._pages(account, ExportKind.PROFILES, query)
        return _pieces(writer, (self._user_lines(account, page) for page in pages))

    def events(
        self, account: Account, form: ExportFormat, names: list[str], days: Days, today: dt.date
    ) -> Iterator[bytes]:
        """Events of some names, or of all when none is given, one name after the other, each by time.

        Raises BadRequest for an event that the account has never seen, or for a bad range.
        """
        events, properties = read_schema(self._database, account.account_id)
        shown = {event.name: event.shown_as for event in events}
        unknown = next((name for name in names if fold(name) not in shown), None)
        if unknown is not None:
            raise BadRequest(f"the account has never seen the event {unknown[:60]!r}", field="event")
        folded = list(dict.fromkeys(fold(name) for name in names)) or sorted(shown)
        queries = [(shown[name], self._event_query(shown[name], days, today)) for name in folded]
        table = table_of([one for one in properties if len(folded) == 1 and one.owner == folded[0]], users=False)
        writer = writer_of(form, table, shown[folded[0]] if len(folded) == 1 else None)
        return _pieces(writer, self._event_batches(account, queries))

    def _event_query(self, name: str, days: Days, today: dt.date) -> Query:
        return translate({"event_name": name, "from": days.first, "to": days.last}, Purpose.EVENTS, today)

    def _event_batches(self, account: Account, queries: list[tuple[str, Query]]) -> Iterator[list[Line]]:
        for shown_as, query in queries:
            for page in self._pages(account, ExportKind.EVENTS, query):
                yield self._event_lines(account, page, shown_as)

    def _pages(self, account: Account, kind: ExportKind, query: Query) -> Iterator[Page]:
        cursor: str | None = self._exports.start(account, kind, query, {}, PAGE_ROWS)
        while cursor is not None:
            page = self._exports.page(account, kind, cursor)
            yield page
            cursor = page.next_cursor

    def _user_lines(self, account: Account, page: Page) -> list[Line]:
        return [user_line(card) for card in self._profiles.cards(account.account_id, page.profile_ids)]

    def _event_lines(self, account: Account, page: Page, shown_as: str) -> list[Line]:
        ids = [event.profile_id for event in page.events]
        cards = {card.profile_id: card for card in self._profiles.cards(account.account_id, ids)}
        return [event_line(event, cards.get(event.profile_id), shown_as, account.timezone) for event in page.events]


def _pieces(writer: Writer, batches: Iterator[list[Line]]) -> Iterator[bytes]:
    yield writer.head()
    for lines in batches:
        yield writer.rows(lines)
    yield writer.tail()
