"""Idempotency-Key for handlers whose effects are in the relational store: the management API."""

from __future__ import annotations

from belfry.edge.exchange import Answer, Request
from belfry.edge.idempotency import InFlight, Remembered, fingerprint_of, key_of
from belfry.edge.remembered import RememberedAnswers
from belfry.edge.routes import Handler
from belfry.edge.threads import Threads


class Repeatable:
    """Wraps handlers so that the same request under the same key acts once and is answered alike.

    Only successes are remembered: whoever was refused may correct the request and use the key again. A crash
    between the effect and the note of the answer lets a repeated request act again.
    """

    def __init__(self, answers: RememberedAnswers, threads: Threads) -> None:
        self._answers = answers
        self._threads = threads
        self._in_flight = InFlight()

    def wrap(self, handler: Handler) -> Handler:
        async def handle(request: Request) -> Answer:
            key = key_of(request)
            if key is None:
                return await handler(request)
            fingerprint = fingerprint_of(request)

            async def recall() -> Remembered | None:
                return await self._threads.run(self._answers.recall, request.account_id, key)

            async def act() -> Answer:
                answer = await handler(request)
                if answer.status < 300:
                    first = Remembered(fingerprint, answer.status, answer.body)
                    await self._threads.run(self._answers.remember, request.account_id, key, first)
                return answer

            return await self._in_flight.once(request, key, fingerprint, recall, act)

        return handle
