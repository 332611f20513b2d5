"""The audit log: who did what in the account."""

from __future__ import annotations

import msgspec
from litestar import Controller, get

from belfry.accounts.model import Scope
from belfry.audit.model import AuditEntry
from belfry.edge.routes import Access
from belfry.management_api.bridge import Accepted, Uses, declared
from belfry.management_api.wire import PAGE_ITEMS, CursorText, Limit, Page, key_of, page_of


class AuditView(msgspec.Struct, frozen=True):
    """One thing that was done.

    id            hex digits: its place in the log
    action        `profiles.delete`, `profiles.demerge`, `channels.subscribe`, …
    asked_count   how many users or addresses the request named; `done_count`: how many of them it changed
    """

    id: str
    action: str
    passcode_id: str
    request_id: str
    asked_count: int
    done_count: int
    detail: str
    at_ms: int


class AuditController(Controller):
    """`/api/v1/audit`"""

    path = "/api/v1/audit"
    tags = ("audit log",)

    @get(
        opt=declared(Access((Scope.AUDIT_READ,))),
        summary="What was done in the account, by whom and to how many; the newest first",
        description="Entries name passcodes and counts, never users. A request appears once it has been applied.",
    )
    async def page(
        self, accepted: Accepted, services: Uses, limit: Limit = PAGE_ITEMS, cursor: CursorText = None
    ) -> Page[AuditView]:
        found = await services.lookups.run(
            services.audit.page, accepted.account_id, before=key_of(cursor), limit=limit + 1
        )
        return page_of([_view(entry) for entry in found], [entry.audit_id for entry in found], limit)


def _view(entry: AuditEntry) -> AuditView:
    return AuditView(
        id=f"{entry.audit_id:x}",
        action=str(entry.action),
        passcode_id=entry.passcode_id,
        request_id=entry.request_id,
        asked_count=entry.asked_count,
        done_count=entry.done_count,
        detail=entry.detail,
        at_ms=entry.at_ms,
    )
