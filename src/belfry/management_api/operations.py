"""Commands to the pipeline: into the log, then a short wait for what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Controller, get
from litestar.params import FromPath
from litestar.response import Response

from belfry.accounts.model import Scope
from belfry.edge.exchange import Request
from belfry.edge.routes import Access
from belfry.edge.services import Services
from belfry.errors import Conflict, NotFound
from belfry.ids import AccountId
from belfry.management_api.bridge import Accepted, Uses, declared
from belfry.pipeline.operations import Operation

WAIT_S = 5.0
LOOK_EVERY_S = 0.1
PENDING = "pending"
REFUSED = "refused"

Sleep = Callable[[float], Awaitable[None]]


class OperationView(msgspec.Struct, frozen=True):
    """A command: `pending`, `done` with its result, or `refused` with the reason in `result.error`."""

    operation_id: str
    outcome: str
    kind: str | None = None
    result: dict[str, Any] | None = None  # the command's own JSON
    at_ms: int | None = None


class OperationsController(Controller):
    """`/api/v1/operations`"""

    path = "/api/v1/operations"
    tags = ("operations",)

    @get(
        "/{operation_id:str}",
        opt=declared(Access((Scope.PROFILES_WRITE, Scope.PROFILES_READ))),
        summary="What came of a command",
        description="404 as long as it waits in the log: a command is kept before its id is given out.",
    )
    async def show(self, accepted: Accepted, services: Uses, operation_id: FromPath[str]) -> OperationView:
        found = await services.lookups.run(services.operations.result, accepted.account_id, operation_id)
        if found is None:
            raise NotFound(f"No operation {operation_id[:64]} has finished in this account", field="operation_id")
        return _view(found)


async def command(
    accepted: Request, services: Services, name: str, arguments: dict[str, Any], *, sleep: Sleep = asyncio.sleep
) -> Response[OperationView]:
    """Keep a command and wait up to 5 s for its result: 200 when done, 202 when it still waits.

    Raises NotFound or Conflict if the pipeline refused it.
    """
    operation_id = await services.acceptance.keep_command(accepted, name, arguments)
    found = await _wait(services, accepted.account_id, operation_id, sleep)
    if found is None:
        return Response(OperationView(operation_id, PENDING), status_code=202)
    if found.outcome == REFUSED:
        text = str(found.result.get("error", REFUSED))
        raise NotFound(text) if found.result.get("code") == "not_found" else Conflict(text)
    return Response(_view(found), status_code=200)


async def _wait(services: Services, account_id: AccountId, operation_id: str, sleep: Sleep) -> Operation | None:
    for _ in range(round(WAIT_S / LOOK_EVERY_S)):
        found = await services.lookups.run(services.operations.result, account_id, operation_id)
        if found is not None:
            return found
        await sleep(LOOK_EVERY_S)
    return None


def _view(operation: Operation) -> OperationView:
    return OperationView(operation.operation_id, operation.outcome, operation.kind, operation.result, operation.at_ms)
