"""`/1/segments/list.json` and `/1/segments/get.json`: saved segments (server-api 8.10)."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.accounts.model import Scope
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.routes import Access, Document, Route
from belfry.edge.services import Services
from belfry.segments.store import SavedSegment
from belfry.server_api.fields import Json, mandatory_number, number_in, object_of

READ = Access((Scope.SEGMENTS_READ,))
PAGE_SIZE, PAGE_SIZE_MAX = 50, 500
PAGES_MAX = 10**6


class SegmentListEndpoint:
    """Lists segments and shows one."""

    def __init__(self, services: Services) -> None:
        self._segments = services.segments
        self._threads = services.lookups

    async def list_segments(self, request: Request) -> Answer:
        """One page of segments, by number."""
        fields = object_of(request)
        page = number_in(fields, "page", at_most=PAGES_MAX) or 1
        limit = number_in(fields, "limit", at_most=PAGE_SIZE_MAX) or PAGE_SIZE
        segments = await self._threads.run(self._segments.list_segments, request.account_id)
        shown = segments[(page - 1) * limit : page * limit]
        return json_answer(
            {
                "status": "success",
                "segments": [_item(segment) for segment in shown],
                "total_pages": -(-len(segments) // limit),
                "total_count": len(segments),
            }
        )

    async def get(self, request: Request) -> Answer:
        """One segment with its rule tree."""
        segment_id = mandatory_number(object_of(request), "segment_id")
        segment = await self._threads.run(self._segments.get, request.account_id, segment_id)
        return json_answer({"status": "success", "segment": {**_item(segment), "definition": segment.rule}})


def _item(segment: SavedSegment) -> dict[str, Json]:
    return {"id": segment.segment_id, "name": segment.name, "status": "active"}


def routes(services: Services) -> tuple[Route, ...]:
    """Both routes."""
    endpoint = SegmentListEndpoint(services)
    return (
        Route(
            path="/1/segments/list.json",
            method="POST",
            access=READ,
            handler=endpoint.list_segments,
            document=Document(
                summary="Saved segments", body=SegmentPage, answer=SegmentList, example={"page": 1, "limit": 50}
            ),
        ),
        Route(
            path="/1/segments/get.json",
            method="POST",
            access=READ,
            handler=endpoint.get,
            document=Document(
                summary="One saved segment",
                description="`definition` is the rule tree of the management API.",
                body=SegmentWanted,
                answer=SegmentFound,
                example={"segment_id": 1042},
                failures={"404": "There is no such segment"},
            ),
        ),
    )


class SegmentPage(msgspec.Struct, omit_defaults=True):
    """For the reference: which page. limit: 1 to 500."""

    page: int = 1
    limit: int = PAGE_SIZE


class SegmentItem(msgspec.Struct):
    """For the reference: a segment in a list."""

    id: int
    name: str
    status: str


class SegmentList(msgspec.Struct):
    """For the reference: one page of segments."""

    status: str
    segments: list[SegmentItem]
    total_pages: int
    total_count: int


class SegmentWanted(msgspec.Struct):
    """For the reference: which segment."""

    segment_id: int


class SegmentDefinition(SegmentItem):
    """For the reference: a segment with its rule tree."""

    definition: dict[str, Any]


class SegmentFound(msgspec.Struct):
    """For the reference: one segment."""

    status: str
    segment: SegmentDefinition
