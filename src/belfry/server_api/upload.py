"""`POST /1/upload`: from a body to the log and back, in as few steps as there are (server-api 3)."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.edge.acceptance import Acceptance
from belfry.edge.exchange import Answer, Request
from belfry.edge.idempotency import InFlight, Remembered, fingerprint_of, key_of
from belfry.intake import UploadLimits, answer
from belfry.storage.log import IdempotencyIndex

DRY = frozenset({"1", "true"})


class UploadEndpoint:
    """Takes uploads.

    index   answers given earlier, by Idempotency-Key
    """

    def __init__(self, acceptance: Acceptance, index: IdempotencyIndex, limits: UploadLimits) -> None:
        self._acceptance = acceptance
        self._index = index
        self._limits = limits
        self._in_flight = InFlight()

    async def handle(self, request: Request) -> Answer:
        """Check, keep, answer. A 200 is given only when the body is on disk (server-api 3.13).

        Raises BadRequest for a call that cannot be read, Forbidden for records beyond the passcode's scopes,
        LogBusy and LogUnavailable: then nothing was accepted.
        """
        if request.query and request.parameters().get("dryRun", "").strip().lower() in DRY:
            verdict = await self._acceptance.check(request, request.body)
            return Answer(200, answer(verdict, request.body, self._limits))
        key = key_of(request)
        return await self._take(request, {}) if key is None else await self._take_once(request, key)

    async def _take_once(self, request: Request, key: str) -> Answer:
        fingerprint = fingerprint_of(request)

        async def recall() -> Remembered | None:
            found = self._index.lookup(request.account_id, key)
            return None if found is None else Remembered(found.body_hash, found.status, found.answer)

        async def act() -> Answer:
            # The answer goes into the log with what it answers: both are durable, or neither.
            return await self._take(request, {"idempotency_key": key, "body_hash": fingerprint})

        return await self._in_flight.once(request, key, fingerprint, recall, act)

    async def _take(self, request: Request, repeat: dict[str, str]) -> Answer:
        verdict = await self._acceptance.check(request, request.body)
        body = answer(verdict, request.body, self._limits)
        if repeat:
            await self._acceptance.keep_upload(request, request.body, verdict, {**repeat, "answer": body.decode()})
        elif verdict.total:
            await self._acceptance.keep_upload(request, request.body, verdict, repeat)
        return Answer(200, body)


class UploadBody(msgspec.Struct):
    """For the reference: the body of an upload."""

    d: list[dict[str, Any]]


class Unprocessed(msgspec.Struct):
    """For the reference: one record that was not accepted."""

    status: str
    code: int
    error: str
    record: dict[str, Any]


class UploadAnswer(msgspec.Struct):
    """For the reference: what an upload is answered. `status`: success, partial or fail."""

    status: str
    processed: int
    unprocessed: list[Unprocessed]
