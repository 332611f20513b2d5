"""Profiles: merging two, undoing what the identity log tells of, and reading that log."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, get, post
from litestar.params import JSONBody, QueryParameter
from litestar.response import Response

from belfry.accounts.model import Scope
from belfry.edge.exchange import Request
from belfry.edge.routes import Access
from belfry.edge.services import Services
from belfry.errors import BadRequest, NotFound
from belfry.ids import AccountId, ProfileId
from belfry.management_api.bridge import Accepted, Uses, declared
from belfry.management_api.operations import OperationView, command
from belfry.management_api.wire import PAGE_ITEMS_MAX, Identifier, Limit, Page, big_int
from belfry.profiles.history import StoredLogEntry

REASON_LENGTH_MAX = 400
WRITE = declared(Access((Scope.PROFILES_WRITE,), repeats=True))

Name = Annotated[str | None, QueryParameter(description="One of identity, email, object_id names the user")]


class MergeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two users of whom one is to be made: `keep` stays, `absorb` becomes part of it."""

    keep: Identifier
    absorb: Identifier
    reason: str = ""


class UndoRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The entry of the identity log to take back (`log_id`, as text)."""

    log_id: str
    reason: str = ""


class LogEntryView(msgspec.Struct, frozen=True):
    """One thing that happened to a profile.

    log_id     text: it is beyond the integers that JavaScript can hold
    undone_by  the entry that took it back
    """

    log_id: str
    kind: str
    profile_id: str
    other_id: str | None
    source: str
    reason: str
    at_ms: int
    undone_by: str | None
    before: dict[str, Any]  # what changed, as it was; see `profiles.history.Picture`
    after: dict[str, Any]


class ProfilesController(Controller):
    """`/api/v1/profiles`"""

    path = "/api/v1/profiles"
    tags = ("profiles",)

    @post(
        "/merge",
        opt=WRITE,
        status_code=200,
        summary="Make one user of two",
        description=(
            "Goes through the log like everything that changes customer data. 200 with the result if the pipeline "
            "comes to it within 5 s, else 202 with the operation's id. The result's `log_id` can be undone for 30 days."
        ),
    )
    async def merge(self, accepted: Accepted, services: Uses, data: JSONBody[MergeRequest]) -> Response[OperationView]:
        data.keep.check("keep")
        data.absorb.check("absorb")
        keep = await _found(services, accepted.account_id, data.keep)
        absorb = await _found(services, accepted.account_id, data.absorb)
        arguments = {"keep": keep, "absorb": absorb, **_by(accepted, data.reason)}
        return await command(accepted, services, "merge", arguments)

    @post("/undo", opt=WRITE, status_code=200, summary="Take back an entry of the identity log")
    async def undo(self, accepted: Accepted, services: Uses, data: JSONBody[UndoRequest]) -> Response[OperationView]:
        log_id = big_int(data.log_id, "log_id")
        return await command(accepted, services, "undo", {"log_id": log_id, **_by(accepted, data.reason)})

    @get(
        "/identity-log",
        opt=declared(Access((Scope.PROFILES_READ,))),
        summary="How a user's profile came to be what it is, the newest first",
    )
    async def identity_log(
        self,
        *,
        accepted: Accepted,
        services: Uses,
        identity: Name = None,
        email: Name = None,
        object_id: Name = None,
        limit: Limit = PAGE_ITEMS_MAX,
    ) -> Page[LogEntryView]:
        named = Identifier(identity, email, object_id)
        named.check("query")
        profile_id = await _found(services, accepted.account_id, named)
        entries = await services.lookups.run(
            services.profiles.identity_log, accepted.account_id, profile_id, limit=limit
        )
        return Page([_log_view(entry) for entry in entries])


async def _found(services: Services, account_id: AccountId, named: Identifier) -> ProfileId:
    """The user's profile id. Raises NotFound."""
    card = await services.lookups.run(
        services.profiles.find,
        account_id,
        object_id=named.object_id,
        identity=named.identity,
        email=named.email,
    )
    if card is None:
        raise NotFound("Profile not found")
    return card.profile_id


def _by(accepted: Request, reason: str) -> dict[str, str]:
    if len(reason) > REASON_LENGTH_MAX:
        raise BadRequest(
            f"reason has {len(reason)} characters, at most {REASON_LENGTH_MAX}", field="reason", limit=REASON_LENGTH_MAX
        )
    return {"source": f"passcode {accepted.known_caller.passcode.passcode_id}", "reason": reason}


def _log_view(stored: StoredLogEntry) -> LogEntryView:
    entry = stored.entry
    return LogEntryView(
        log_id=str(stored.log_id),
        kind=str(entry.kind),
        profile_id=str(entry.profile_id),
        other_id=None if entry.other_id is None else str(entry.other_id),
        source=entry.source,
        reason=entry.reason,
        at_ms=entry.at_ms,
        undone_by=None if stored.undone_by is None else str(stored.undone_by),
        before=msgspec.to_builtins(entry.before),
        after=msgspec.to_builtins(entry.after),
    )
