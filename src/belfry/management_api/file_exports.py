"""Exports for people: all users, or events by name and day, streamed as one file. Routes of their own, because the
answers of controllers are whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import parse_qsl

from belfry.accounts.model import Scope
from belfry.edge.exchange import Answer, Request
from belfry.edge.routes import Access, Document, Route
from belfry.edge.services import Services
from belfry.edge.slots import SlotClass
from belfry.errors import BadRequest
from belfry.exporting.actions import NAMES_MAX, Days
from belfry.exporting.writers import MEDIA, ExportFormat
from belfry.segments.calendar import Calendar

FORMATS = ", ".join(form.value for form in ExportFormat)
_FORMAT_TEXT = f"{FORMATS}; required"


class FileExportEndpoint:
    """Starts a file, then hands on its pieces as they are made."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def users(self, request: Request) -> Answer:
        """All users, as they are now."""
        form = _format_of(request)
        return await self._file(form, lambda: self._services.file_exports.users(request.account, form))

    async def events(self, request: Request) -> Answer:
        """Events of the names given with `event`, or of all, of some days."""
        form = _format_of(request)
        names = [value for key, value in _pairs(request) if key == "event" and value.strip()]
        if len(names) > NAMES_MAX:
            raise BadRequest(f"event is given {len(names)} times, at most {NAMES_MAX}", field="event", limit=NAMES_MAX)
        today = Calendar(request.account.timezone, request.received_at_ms).today
        days = Days(_day(request, "from"), _day(request, "to"))
        return await self._file(
            form, lambda: self._services.file_exports.events(request.account, form, names, days, today)
        )

    async def _file(self, form: ExportFormat, begin: Callable[[], Iterator[bytes]]) -> Answer:
        """The answer; what is wrong with the question is found before it begins."""
        threads = self._services.exporting

        def first() -> tuple[Iterator[bytes], bytes]:
            pieces = begin()
            # Head and first page: from here on only a store that fails can end the file early.
            return pieces, next(pieces) + next(pieces, b"")

        pieces, head = await threads.run(first)

        async def stream() -> AsyncIterator[bytes]:
            while (piece := await threads.run(next, pieces, None)) is not None:
                if piece:
                    yield piece

        return Answer(200, head, content_type=MEDIA[form], stream=stream())


def routes(services: Services) -> tuple[Route, ...]:
    endpoint = FileExportEndpoint(services)
    days = "a day of the account's calendar, yyyyMMdd, included; required"
    return (
        Route(
            path="/api/v1/exports/users",
            method="GET",
            access=Access((Scope.PROFILES_READ,), SlotClass.EXPORT),
            handler=endpoint.users,
            document=Document(
                summary="All users as one file",
                description="Streamed as it is made; a connection that is cut means that the file is not whole.",
                tag="exports",
                parameters={"format": _FORMAT_TEXT},
            ),
        ),
        Route(
            path="/api/v1/exports/events",
            method="GET",
            access=Access((Scope.EVENTS_READ,), SlotClass.EXPORT),
            handler=endpoint.events,
            document=Document(
                summary="Events as one file, each with its user",
                description="One event alone has its properties as columns of CSV and Parquet.",
                tag="exports",
                parameters={
                    "format": _FORMAT_TEXT,
                    "event": "an event's name; repeat it for several; none: all events",
                    "from": days,
                    "to": days,
                },
            ),
        ),
    )


def _pairs(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(request.query.decode("latin-1"), keep_blank_values=True)


def _format_of(request: Request) -> ExportFormat:
    text = request.parameters().get("format", "")
    try:
        return ExportFormat(text)
    except ValueError:
        raise BadRequest(f"format needs to be one of {FORMATS}; got {text[:40]!r}", field="format") from None


def _day(request: Request, name: str) -> int:
    text = request.parameters().get(name, "")
    if len(text) != 8 or not (text.isascii() and text.isdecimal()):
        raise BadRequest(f"{name} needs to be a day, yyyyMMdd; got {text[:40]!r}", field=name)
    return int(text)
