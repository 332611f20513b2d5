"""The door to the log for the rows of imports: the same one as for uploads."""

from __future__ import annotations

from collections.abc import Callable

from belfry.accounts.model import Account, Caller, Passcode, Scope
from belfry.clock import Clock
from belfry.edge.acceptance import Acceptance
from belfry.edge.exchange import Request
from belfry.errors import NotFound
from belfry.ids import AccountId
from belfry.imports.model import ImportJob
from belfry.intake import Verdict


class ImportDoor:
    """Checks and keeps chunks of imports in the name of whoever made them.

    accounts   what an account is now; None: it is gone
    """

    def __init__(self, acceptance: Acceptance, accounts: Callable[[AccountId], Account | None], clock: Clock) -> None:
        self._acceptance = acceptance
        self._accounts = accounts
        self._clock = clock

    async def check(self, job: ImportJob, body: bytes) -> Verdict:
        """As for an upload; history is checked as history. Raises NotFound if the account is gone."""
        return await self._acceptance.check(self._request(job, body), body, is_history=job.is_history)

    async def keep(self, job: ImportJob, body: bytes, verdict: Verdict, extra: dict[str, object]) -> None:
        """As for an upload. Raises LogBusy, LogUnavailable."""
        meta = {**extra, "history": True} if job.is_history else extra
        await self._acceptance.keep_upload(self._request(job, body), body, verdict, meta)

    def _request(self, job: ImportJob, body: bytes) -> Request:
        account = self._accounts(job.account_id)
        if account is None:
            raise NotFound("The account is gone")
        # What the passcode may do was asked when the import was made; only who it was matters now.
        passcode = Passcode(
            job.account_id, job.passcode_id, job.name, frozenset({Scope.ALL}), job.partner, job.created_at_ms
        )
        return Request(
            method="POST",
            path="/api/v1/imports",
            route="/api/v1/imports",
            query=b"",
            headers={},
            body=body,
            caller=Caller(account, passcode),
            request_id=f"import-{job.import_id}",
            received_at_ms=self._clock.now_ms(),
            address="",
        )
