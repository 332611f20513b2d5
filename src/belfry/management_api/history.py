"""What was recorded before: events of an SDK or of another platform, system events like App Launched included."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Controller, post
from litestar.params import JSONBody

from belfry.accounts.model import Scope
from belfry.edge.routes import Access
from belfry.edge.slots import SlotClass
from belfry.intake import answer
from belfry.management_api.bridge import Accepted, Uses, declared


class HistoryBody(msgspec.Struct, frozen=True):
    """As the body of `POST /1/upload`."""

    d: list[dict[str, Any]]  # records are judged one by one, by their own rules


class HistoryAnswer(msgspec.Struct, frozen=True):
    """As the answer of `POST /1/upload`. status: success, partial or fail."""

    status: str
    processed: int
    unprocessed: list[dict[str, Any]]


class HistoryController(Controller):
    """`/api/v1/history`"""

    path = "/api/v1/history"
    tags = ("history",)

    @post(
        opt=declared(Access((Scope.HISTORY_WRITE,), SlotClass.UPLOAD, repeats=True)),
        status_code=200,
        summary="Bring in what an SDK or another platform recorded before",
        description=(
            "Records and answer as for `POST /1/upload`, by the same rules, but system events are accepted. The events "
            "are flagged as imported: they count everywhere and trigger nothing."
        ),
    )
    async def bring_in(self, accepted: Accepted, services: Uses, data: JSONBody[HistoryBody]) -> HistoryAnswer:
        verdict = await services.acceptance.check(accepted, accepted.body, is_history=True)
        if verdict.total:
            await services.acceptance.keep_upload(accepted, accepted.body, verdict, {"history": True})
        said = answer(verdict, accepted.body, services.upload_limits)
        return msgspec.json.decode(said, type=HistoryAnswer)
