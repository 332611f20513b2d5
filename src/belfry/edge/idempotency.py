"""One effect for one Idempotency-Key, also when the same request comes several times at once (server-api 1.6, R12)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

import msgspec

from belfry.edge.exchange import Answer, Request
from belfry.errors import BadRequest, Conflict
from belfry.ids import AccountId

HEADER = b"idempotency-key"
KEY_LENGTH_MAX = 255
REPLAYED = ((b"idempotent-replay", b"true"),)


class Remembered(msgspec.Struct, frozen=True):
    """The first answer to a key, and the hash of the request that got it."""

    fingerprint: str
    status: int
    body: bytes


Recall = Callable[[], Awaitable[Remembered | None]]
Act = Callable[[], Awaitable[Answer]]


def key_of(request: Request) -> str | None:
    """The request's key; None if it has none. Raises BadRequest if it is too long or not printable ASCII."""
    raw = request.headers.get(HEADER, b"").strip()
    if not raw:
        return None
    if len(raw) > KEY_LENGTH_MAX:
        raise BadRequest(
            f"Idempotency-Key has {len(raw)} characters, at most {KEY_LENGTH_MAX}",
            field="Idempotency-Key",
            limit=KEY_LENGTH_MAX,
        )
    key = raw.decode("latin-1")
    if not (key.isascii() and key.isprintable()):
        raise BadRequest("Idempotency-Key holds characters that are not printable ASCII", field="Idempotency-Key")
    return key


def fingerprint_of(request: Request) -> str:
    """What makes two requests the same: method, path, query and body."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (request.method.encode(), request.path.encode("utf-8", "replace"), request.query, request.body):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


class InFlight:
    """Requests with a key that are being answered by this process: who comes second waits for the first."""

    def __init__(self) -> None:
        self._running: dict[tuple[AccountId, str], tuple[str, asyncio.Future[Answer | None]]] = {}

    async def once(self, request: Request, key: str, fingerprint: str, recall: Recall, act: Act) -> Answer:
        """The remembered answer, else that of the same request in flight, else what `act` answers.

        recall  looks for an answer given earlier
        act     does the work, and sees to it that a successful answer will be found by `recall` from then on
        Raises Conflict if the key was used for another request. If the first of several requests fails, the next
        one acts: a failure is never shared.
        """
        place = (request.account_id, key)
        while (running := self._running.get(place)) is not None:
            answer = await asyncio.shield(running[1])
            if answer is not None:
                return _replayed(Remembered(running[0], answer.status, answer.body), fingerprint)
        first: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._running[place] = (fingerprint, first)
        answer = None
        try:
            remembered = await recall()
            if remembered is not None:
                return _replayed(remembered, fingerprint)
            acted = await act()
            answer = acted if acted.status < 300 else None
            return acted
        finally:
            del self._running[place]
            first.set_result(answer)


def _replayed(remembered: Remembered, fingerprint: str) -> Answer:
    if remembered.fingerprint != fingerprint:
        raise Conflict("Idempotency-Key was used for another request", field="Idempotency-Key")
    return Answer(remembered.status, remembered.body, REPLAYED)
