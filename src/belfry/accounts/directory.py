"""What the edge asks on every request: who is this? Answered from memory, never from a store."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec
import structlog
from sqlalchemy.exc import SQLAlchemyError

from belfry.accounts import rules, store
from belfry.accounts.hashing import PasscodeHasher
from belfry.accounts.model import Account, AccountState, Caller
from belfry.accounts.store import PasscodeRow
from belfry.clock import Clock
from belfry.errors import BelfryError, Forbidden, Unauthorized
from belfry.ids import AccountId
from belfry.storage.relational import Database

log = structlog.get_logger(__name__)

REFRESH_S = 0.4
"""Pause between two looks at the store: a revoked passcode is dead everywhere in less than a second."""
USES_WRITTEN_EVERY = 75
"""Looks between two writes of `last_used_at_ms`: about half a minute."""

INVALID = "Invalid Credentials"
ACCOUNT_MISSING = "12 digit account ID mandatory"
BLOCKED = "Account blocked"


class _Credential(msgspec.Struct, frozen=True):
    caller: Caller
    good_until_ms: int | None


class _View(msgspec.Struct, frozen=True):
    """All accounts and passcodes as of one revision. Replaced as a whole, never changed."""

    revision: int = 0
    accounts: dict[AccountId, Account] = {}
    passcodes: dict[tuple[AccountId, str], PasscodeRow] = {}
    credentials: dict[bytes, _Credential] = {}


class Directory:
    """An in-memory copy of all accounts and passcodes that follows the store.

    `refresh` brings it up to date; `start` keeps doing so in a thread. When the store cannot be read, the last
    good copy stays: the edge goes on accepting.
    """

    def __init__(self, database: Database, hasher: PasscodeHasher, clock: Clock) -> None:
        self._database = database
        self._hasher = hasher
        self._clock = clock
        self._view = _View()
        self._refreshing = threading.Lock()
        self._uses: dict[tuple[AccountId, str], int] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def authenticate(self, account_id: str, passcode: str, address: str) -> Caller:
        """The caller that these credentials prove.

        address  the client's IP address, for passcodes that are bound to networks
        Raises Unauthorized with the texts of server-api 1.5, Forbidden for a suspended account.

        Unknown account and wrong passcode take the same way: one keyed hash of both, one look-up of the result.
        The look-up need not take constant time: without the key nobody can choose or predict a digest.
        """
        if not account_id:
            raise Unauthorized(ACCOUNT_MISSING)
        credential = self._view.credentials.get(self._hasher.digest(account_id, passcode))
        now_ms = self._clock.now_ms()
        if credential is None or not _is_good(credential, now_ms, address):
            raise Unauthorized(INVALID)
        caller = credential.caller
        if caller.account.state is AccountState.SUSPENDED:
            raise Forbidden(BLOCKED)
        self._uses[(caller.account.account_id, caller.passcode.passcode_id)] = now_ms
        return caller

    def account(self, account_id: AccountId) -> Account | None:
        return self._view.accounts.get(account_id)

    def may_call_from(self, origin: str) -> bool:
        """Whether any account lets pages of this origin call (a CORS preflight carries no credentials)."""
        return any(origin in account.settings.cors_origins for account in self._view.accounts.values())

    def refresh(self) -> bool:
        """Read what changed; True if anything did. Raises what the store raises; the copy stays as it was."""
        with self._refreshing:  # two at once could put an older copy over a newer one
            return self._refresh()

    def _refresh(self) -> bool:
        seen = self._view.revision
        with self._database.read() as connection:
            revision = store.revision(connection)
            if revision == seen:
                return False
            # A store that was restored from a backup is behind what we saw: everything is read again.
            since = seen if revision > seen else 0
            accounts = store.accounts_since(connection, since)
            passcodes = store.passcodes_since(connection, since)
        old = self._view if since else _View()
        self._view = _view(
            revision,
            {**old.accounts, **{account.account_id: account for account in accounts}},
            {**old.passcodes, **{(row.passcode.account_id, row.passcode.passcode_id): row for row in passcodes}},
        )
        return True

    def start(self) -> None:
        """Follow the store in a thread of its own, after one `refresh` that must succeed."""
        self.refresh()
        self._thread = threading.Thread(target=self._follow, name="account-directory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and write when passcodes were last used."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._try(self.write_uses)

    def write_uses(self) -> None:
        """Write when passcodes were used since the last call, in one statement."""
        taken, self._uses = self._uses, {}
        uses = [(account_id, passcode_id, at_ms) for (account_id, passcode_id), at_ms in list(taken.items())]
        if uses:
            with self._database.begin() as connection:
                store.note_uses(connection, uses)

    def _follow(self) -> None:
        looks = 0
        while not self._stopping.wait(REFRESH_S):
            self._try(self.refresh)
            looks += 1
            if looks % USES_WRITTEN_EVERY == 0:
                self._try(self.write_uses)

    def _try(self, step: Callable[[], object]) -> None:
        try:
            step()
        except (SQLAlchemyError, BelfryError) as error:
            log.warning("account directory cannot reach the store, keeps its last copy", error=type(error).__name__)


def _view(
    revision: int, accounts: dict[AccountId, Account], passcodes: dict[tuple[AccountId, str], PasscodeRow]
) -> _View:
    credentials: dict[bytes, _Credential] = {}
    for row in passcodes.values():
        account = accounts.get(row.passcode.account_id)
        if account is None or row.passcode.revoked_at_ms is not None:
            continue
        caller = Caller(account, row.passcode)
        if row.previous_hash is not None:
            credentials[row.previous_hash] = _Credential(caller, row.passcode.previous_expires_at_ms)
        credentials[row.hash] = _Credential(caller, None)
    return _View(revision, accounts, passcodes, credentials)


def _is_good(credential: _Credential, now_ms: int, address: str) -> bool:
    passcode = credential.caller.passcode
    return (
        passcode.is_live(now_ms)
        and (credential.good_until_ms is None or now_ms < credential.good_until_ms)
        and rules.may_come_from(passcode, address)
    )
