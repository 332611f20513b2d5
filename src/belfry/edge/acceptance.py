"""The one door to the log: uploads are checked and kept, commands are kept (design: one way in)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from belfry.accounts.model import Passcode, Scope
from belfry.edge.exchange import Request
from belfry.edge.threads import Threads
from belfry.errors import Forbidden
from belfry.ids import AccountId, Ids
from belfry.intake import PartnerPolicy, UploadLimits, Verdict, check_upload
from belfry.intake.wire import WireRecord, decode
from belfry.observability.metrics import EdgeMetrics
from belfry.storage.log import Entry, Log

PARTNER_HEADER = b"x-partner-id"
INLINE_BYTES_MAX = 512 * 1024
"""Larger bodies are checked in a thread: tens of milliseconds of work would keep every small upload waiting."""


class Acceptance:
    """Checks bodies against an account's rules and appends them to the log.

    partners      which Partner IDs an account deals with
    discarded     an account's discarded event names, folded
    known_device  whether a device of the account has an id; asked (in a thread, of the relational store) only for
                  an objectId that is of no known form
    """

    def __init__(
        self,
        *,
        log: Log,
        limits: UploadLimits,
        threads: Threads,
        metrics: EdgeMetrics,
        ids: Ids,
        partners: Callable[[AccountId], PartnerPolicy],
        discarded: Callable[[AccountId], frozenset[str]],
        known_device: Callable[[AccountId, str], bool],
    ) -> None:
        self._log = log
        self._limits = limits
        self._threads = threads
        self._metrics = metrics
        self._ids = ids
        self._partners = partners
        self._discarded = discarded
        self._known_device = known_device

    async def check(self, request: Request, body: bytes, *, is_history: bool = False) -> Verdict:
        """What is accepted of an upload and why not the rest. Keeps nothing.

        is_history   what was recorded elsewhere before: system events are accepted

        Raises BadRequest for a body that cannot be read, Forbidden for records beyond the passcode's scopes.
        """
        if len(body) <= INLINE_BYTES_MAX:
            try:
                return self._verdict(request, body, _ask_the_store, is_history=is_history)
            except _StoreNeeded:
                pass
        account_id = request.account_id
        return await self._threads.run(
            self._verdict,
            request,
            body,
            lambda device_id: self._known_device(account_id, device_id),
            is_history=is_history,
        )

    async def keep_upload(self, request: Request, body: bytes, verdict: Verdict, extra: dict[str, Any]) -> None:
        """Have an upload on disk when this returns, with what the edge found out about it.

        extra   goes into the entry's meta beside the usual
        Raises LogBusy, LogUnavailable: then nothing of it was kept.
        """
        refused = [[refusal.index, refusal.code, refusal.text] for refusal in verdict.refusals]
        await self._append(request, "upload", {"partner": partner_of(request), "refused": refused, **extra}, body)
        self._metrics.accepted.inc(verdict.total - len(refused))
        self._metrics.refused.inc(len(refused))

    async def keep_command(self, request: Request, command: str, arguments: dict[str, Any]) -> str:
        """Have a command for the pipeline on disk when this returns; the id under which its answer will be found."""
        operation_id = self._ids.token_hex(16)
        body = {"command": command, "operation_id": operation_id, **arguments}
        await self._append(request, "command", {}, msgspec.json.encode(body))
        return operation_id

    async def _append(self, request: Request, kind: str, meta: dict[str, Any], body: bytes) -> None:
        whole = {"passcode": request.known_caller.passcode.passcode_id, **meta}
        await self._log.append(Entry(request.account_id, kind, request.received_at_ms, request.request_id, whole, body))

    def _verdict(
        self, request: Request, body: bytes, known_device: Callable[[str], bool], *, is_history: bool
    ) -> Verdict:
        caller = request.known_caller
        _refuse_beyond_scopes(body, caller.passcode, self._limits)
        account_id = caller.account.account_id
        return check_upload(
            body,
            caller.account.settings,
            self._limits,
            request.received_at_ms,
            self._partners(account_id),
            partner_header=partner_of(request),
            discarded=self._discarded(account_id),
            known_device=known_device,
            is_history=is_history,
        )


class _StoreNeeded(Exception):
    """The check has to be repeated where a store may be asked."""


def _ask_the_store(_device_id: str) -> bool:
    raise _StoreNeeded


def partner_of(request: Request) -> str | None:
    """The Partner ID of records that name none: the passcode's own partner, else the header's."""
    return request.known_caller.passcode.partner or request.header(PARTNER_HEADER)


def _refuse_beyond_scopes(body: bytes, passcode: Passcode, limits: UploadLimits) -> None:
    if passcode.allows(Scope.EVENTS_WRITE) and passcode.allows(Scope.PROFILES_WRITE):
        return
    for record in decode(body, limits).records:
        needed = _scope_of(record)
        if not passcode.allows(needed):
            raise Forbidden(f"Passcode is not allowed to {needed}", field="scope")


def _scope_of(record: WireRecord) -> Scope:
    kind = record.type
    is_event = isinstance(kind, str) and kind.strip().lower() == "event"
    return Scope.EVENTS_WRITE if is_event else Scope.PROFILES_WRITE
