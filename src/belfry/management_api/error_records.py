"""The error stream: groups of records that went wrong, the records themselves, and sending them in again."""

from __future__ import annotations

import msgspec
from litestar import Controller, get, post
from litestar.params import FromQuery, JSONBody

from belfry.accounts.model import Scope
from belfry.edge.routes import Access
from belfry.error_stream.actions import ErrorGroup, ErrorView, GroupKey
from belfry.management_api.bridge import Accepted, Uses, declared
from belfry.management_api.wire import PAGE_ITEMS, PAGE_ITEMS_MAX, CursorText, Limit, Page, key_of, page_of

UPLOADS_MAX = 100
"""Uploads of up to 1000 records that one replay call sends; call again while `remaining` is true."""

READ = declared(Access((Scope.ERRORS_READ,)))


class ErrorRecordView(msgspec.Struct, frozen=True):
    """One record in the error stream. `id`: hex digits, its place in the log."""

    id: str
    kind: str
    source: str
    subject: str
    severity: str
    code: int
    detail: str
    request_id: str
    record: str
    received_at_ms: int


class ReplayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The group to send in again: `kind`, `source` and `subject` as the list of groups shows them."""

    kind: str
    source: str
    subject: str


class Replayed(msgspec.Struct, frozen=True):
    """What a replay did.

    records_count   records that were sent in again
    accepted_count  of these, how many the edge accepted this time; the others are in the stream again
    remaining       there is more: call again
    """

    records_count: int
    accepted_count: int
    remaining: bool


class ErrorsController(Controller):
    """`/api/v1/errors`"""

    path = "/api/v1/errors"
    tags = ("error stream",)

    @get(opt=READ, summary="Groups of records that were refused, dropped or changed; the latest first")
    async def groups(self, accepted: Accepted, services: Uses, limit: Limit = PAGE_ITEMS_MAX) -> Page[ErrorGroup]:
        return Page(await services.queries.run(services.errors.groups, accepted.account_id, limit=limit))

    @get("/records", opt=READ, summary="Records of one group with their original bytes, in the order of acceptance")
    async def records(
        self,
        *,
        accepted: Accepted,
        services: Uses,
        kind: FromQuery[str],
        source: FromQuery[str],
        subject: FromQuery[str],
        limit: Limit = PAGE_ITEMS,
        cursor: CursorText = None,
    ) -> Page[ErrorRecordView]:
        found = await services.queries.run(
            services.errors.records,
            accepted.account_id,
            GroupKey(kind, source, subject),
            after=key_of(cursor) or 0,
            limit=limit + 1,
        )
        return page_of([_view(view) for view in found], [view.id for view in found], limit)

    @post(
        "/replay",
        opt=declared(Access((Scope.ERRORS_WRITE,), repeats=True)),
        status_code=200,
        summary="Send a group's refused records in again, after what was wrong with them was put right",
        description="Through the same door as an upload. Records that were accepted with a remark are not sent again.",
    )
    async def replay(self, accepted: Accepted, services: Uses, data: JSONBody[ReplayRequest]) -> Replayed:
        group = GroupKey(data.kind, data.source, data.subject)
        account_id = accepted.account_id
        sent = accepted_count = 0
        for _ in range(UPLOADS_MAX):
            upload = await services.queries.run(services.errors.next_upload, account_id, group)
            if upload is None:
                return Replayed(sent, accepted_count, remaining=False)
            body, up_to, count = upload
            if count:
                verdict = await services.acceptance.check(accepted, body)
                await services.acceptance.keep_upload(accepted, body, verdict, {})
                accepted_count += verdict.total - len(verdict.refusals)
            await services.lookups.run(
                services.errors.mark_replayed, account_id, group, up_to=up_to, records_count=count
            )
            sent += count
            if count and len(verdict.refusals) == verdict.total:
                # Nothing was put right: these records are in the stream again and would come round for ever.
                break
        return Replayed(sent, accepted_count, remaining=True)


def _view(record: ErrorView) -> ErrorRecordView:
    return ErrorRecordView(
        id=f"{record.id:x}",
        kind=record.kind,
        source=record.source,
        subject=record.subject,
        severity=record.severity,
        code=record.code,
        detail=record.detail,
        request_id=record.request_id,
        record=record.record,
        received_at_ms=record.received_at_ms,
    )
