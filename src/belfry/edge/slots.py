"""How many requests of one account may be in flight at once (server-api 1.8)."""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections import deque
from collections.abc import AsyncIterator

from belfry.accounts.model import Account
from belfry.config import Settings
from belfry.errors import TooManyRequests
from belfry.ids import AccountId

TOO_MANY = "Too many concurrent requests"


class SlotClass(enum.StrEnum):
    """APIs that do not take slots from each other. `NONE`: public paths, not counted."""

    NONE = "none"
    UPLOAD = "upload"
    READ = "read"
    EXPORT = "export"


class _Pool:
    """Slots of one account and class; `waiting` are served in the order they came, none of them is done yet."""

    __slots__ = ("in_use_count", "waiting")

    def __init__(self) -> None:
        self.in_use_count = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Slots:
    """All accounts' slots. Only accounts with requests in flight take memory."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._wait_s = settings.slot_wait_ms / 1000
        self._pools: dict[tuple[AccountId, SlotClass], _Pool] = {}

    @contextlib.asynccontextmanager
    async def hold(self, account: Account, slot_class: SlotClass) -> AsyncIterator[None]:
        """Keep one slot for the time of the block; waits up to `slot_wait_ms` for it.

        Raises TooManyRequests, with `Retry-After: 1`, if none became free.
        """
        if slot_class is SlotClass.NONE:
            yield
            return
        key = (account.account_id, slot_class)
        await self._take(key, self.limit(account, slot_class))
        try:
            yield
        finally:
            self._give_back(key)

    def limit(self, account: Account, slot_class: SlotClass) -> int:
        """Slots that an account has: its own setting, else the installation's."""
        if slot_class is SlotClass.UPLOAD:
            own = account.settings.upload_requests_max
            return self._settings.upload_requests_max if own is None else own
        own = account.settings.read_requests_max
        return self._settings.read_requests_max if own is None else own

    async def _take(self, key: tuple[AccountId, SlotClass], limit: int) -> None:
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = _Pool()
        if pool.in_use_count < limit and not pool.waiting:
            pool.in_use_count += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        pool.waiting.append(turn)
        try:
            await asyncio.wait((turn,), timeout=self._wait_s)
        except asyncio.CancelledError:
            self._leave(key, pool, turn)
            raise
        if not turn.done():
            pool.waiting.remove(turn)
            raise TooManyRequests(TOO_MANY, limit=limit, retry_after_s=1)

    def _leave(self, key: tuple[AccountId, SlotClass], pool: _Pool, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self._give_back(key)
        else:
            pool.waiting.remove(turn)

    def _give_back(self, key: tuple[AccountId, SlotClass]) -> None:
        pool = self._pools[key]
        if pool.waiting:
            pool.waiting.popleft().set_result(None)  # the slot goes over; the count stays
            return
        pool.in_use_count -= 1
        if pool.in_use_count == 0:
            del self._pools[key]
