"""Segments: saved rule trees, and how many users a rule picks."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.params import JSONBody, PathParameter

from belfry.accounts.model import Scope
from belfry.edge.routes import Access
from belfry.management_api.bridge import Accepted, Uses, declared
from belfry.management_api.wire import PAGE_ITEMS, CursorText, Limit, Page, key_of, page_of
from belfry.segments.parse import parse
from belfry.segments.store import SavedSegment

READ = declared(Access((Scope.SEGMENTS_READ,)))
WRITE = declared(Access((Scope.SEGMENTS_WRITE,), repeats=True))
SegmentPath = Annotated[int, PathParameter(ge=1, le=2**53, description="The segment's number")]
RuleTree = dict[str, Any]  # JSON of engagement 3.2; `segments.parse` reads it and names what is wrong in it


class SegmentDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A segment to save: a name and a rule tree."""

    name: str
    rule: RuleTree


class SegmentChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a segment; what is left out stays."""

    name: str | None = None
    rule: RuleTree | None = None


class RuleRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule tree that is not saved."""

    rule: RuleTree


class SegmentView(msgspec.Struct, frozen=True):
    """A saved segment. in_words: the rule as a sentence, its ranges as dates of the account's calendar as of now."""

    segment_id: int
    name: str
    rule: RuleTree
    in_words: str
    created_at_ms: int
    updated_at_ms: int


class CountView(msgspec.Struct, frozen=True):
    """How many users a rule picks, and the rule as a sentence. computed_at: when, ISO 8601 in UTC."""

    count: int
    computed_at: str
    in_words: str


class SegmentsController(Controller):
    """`/api/v1/segments`"""

    path = "/api/v1/segments"
    tags = ("segments",)

    @post(opt=WRITE, summary="Save a segment")
    async def create(self, accepted: Accepted, services: Uses, data: JSONBody[SegmentDraft]) -> SegmentView:
        def act() -> SegmentView:
            saved = services.segments.create(accepted.account, data.name, data.rule)
            return _view(accepted, services, saved)

        return await services.lookups.run(act)

    @get(opt=READ, summary="Saved segments, by number")
    async def list_segments(
        self, accepted: Accepted, services: Uses, limit: Limit = PAGE_ITEMS, cursor: CursorText = None
    ) -> Page[SegmentView]:
        after = key_of(cursor) or 0

        def act() -> Page[SegmentView]:
            saved = services.segments.list_segments(accepted.account_id)
            shown = [one for one in saved if one.segment_id > after][: limit + 1]
            views = [_view(accepted, services, one) for one in shown]
            return page_of(views, [view.segment_id for view in views], limit)

        return await services.lookups.run(act)

    @get("/{segment_id:int}", opt=READ, summary="One saved segment")
    async def show(self, accepted: Accepted, services: Uses, segment_id: SegmentPath) -> SegmentView:
        def act() -> SegmentView:
            return _view(accepted, services, services.segments.get(accepted.account_id, segment_id))

        return await services.lookups.run(act)

    @patch("/{segment_id:int}", opt=WRITE, summary="Change a segment's name or rule")
    async def change(
        self, accepted: Accepted, services: Uses, segment_id: SegmentPath, data: JSONBody[SegmentChange]
    ) -> SegmentView:
        def act() -> SegmentView:
            saved = services.segments.update(accepted.account, segment_id, name=data.name, rule=data.rule)
            return _view(accepted, services, saved)

        return await services.lookups.run(act)

    @delete(
        "/{segment_id:int}",
        opt=WRITE,
        status_code=204,
        summary="Remove a segment",
        description="409 while another segment contains it.",
    )
    async def remove(self, accepted: Accepted, services: Uses, segment_id: SegmentPath) -> None:
        await services.lookups.run(services.segments.delete, accepted.account_id, segment_id)

    @get("/{segment_id:int}/count", opt=READ, summary="How many users are in a saved segment now")
    async def count(self, accepted: Accepted, services: Uses, segment_id: SegmentPath) -> CountView:
        def act() -> CountView:
            return _count(accepted, services, services.segments.get(accepted.account_id, segment_id).rule)

        return await services.queries.run(act)

    @post("/preview", opt=READ, status_code=200, summary="How many users a rule picks now; nothing is saved")
    async def preview(self, accepted: Accepted, services: Uses, data: JSONBody[RuleRequest]) -> CountView:
        return await services.queries.run(_count, accepted, services, data.rule)


def _count(accepted: Accepted, services: Uses, tree: RuleTree) -> CountView:
    rule = parse(tree)
    computed_at = dt.datetime.fromtimestamp(services.clock.now_ms() / 1000, dt.UTC)
    count = services.segments.count(accepted.account, rule)
    shown = computed_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return CountView(count, shown, services.segments.in_words(rule, accepted.account))


def _view(accepted: Accepted, services: Uses, saved: SavedSegment) -> SegmentView:
    return SegmentView(
        segment_id=saved.segment_id,
        name=saved.name,
        rule=saved.rule,
        in_words=services.segments.in_words(parse(saved.rule), accepted.account),
        created_at_ms=saved.created_at_ms,
        updated_at_ms=saved.updated_at_ms,
    )
