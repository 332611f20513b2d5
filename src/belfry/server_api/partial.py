"""The partial protocol of counts and reports: wait for the answer a while, or come back for it (server-api 6.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from belfry.accounts.model import Account
from belfry.edge.exchange import Answer, Request, json_answer, warnings_header
from belfry.edge.services import Services
from belfry.errors import BadRequest
from belfry.server_api.pending import Partial, Pending
from belfry.server_api.queries import Json, body_of

WAIT_S = 25.0
"""How long a request waits for its answer: most clients never ask a second time."""
_NO_REQUEST = frozenset({"", "0"})


class Question(Protocol):
    """What was asked, read from a body."""

    @property
    def warnings(self) -> list[str]:
        """What was ignored of it."""
        ...

    def key(self) -> bytes:
        """The same for two questions with the same answer."""
        ...


Q = TypeVar("Q", bound=Question)
T = TypeVar("T")


class PartialProtocol(Generic[T]):
    """Answers of one kind. shown: an answer as the caller reads it, without `status`."""

    def __init__(self, services: Services, pending: Pending[T], shown: Callable[[T], dict[str, Json]]) -> None:
        self._services = services
        self._pending = pending
        self._shown = shown

    async def answer(
        self, request: Request, read: Callable[[Request, Json], Q], compute: Callable[[Account, Q], T]
    ) -> Answer:
        """`req_id` asks for the answer to an earlier call, whatever the body; without it the body is a new question.

        `read` and `compute` run in threads.
        """
        parameters = request.parameters()
        request_id = parameters.get("req_id", "").strip()
        if request_id not in _NO_REQUEST:
            found = await self._pending.poll(request.account_id, request.route, _request_id(request_id))
            return json_answer(self._body(found))
        question = await self._services.lookups.run(read, request, body_of(request, parameters))

        async def start() -> T:
            return await self._services.queries.run(compute, request.account, question)

        found = await self._pending.answer(request.account_id, request.route, question.key(), start)
        return json_answer(self._body(found), headers=warnings_header(question.warnings))

    def _body(self, found: T | Partial) -> dict[str, Json]:
        if isinstance(found, Partial):
            return {"status": "partial", "req_id": found.request_id}
        return {"status": "success", **self._shown(found)}


def _request_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 16:
        raise BadRequest("Invalid request id", field="req_id")
    return int(text)
