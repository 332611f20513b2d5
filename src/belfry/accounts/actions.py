"""What one can do with accounts and passcodes: the verbs of the CLI and, later, the console."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from belfry.accounts import rules, store
from belfry.accounts.hashing import PasscodeHasher
from belfry.accounts.model import Account, AccountSettings, AccountState, Issued, Passcode, Scope
from belfry.accounts.store import PasscodeRow
from belfry.clock import Clock
from belfry.errors import BadRequest, Conflict, NotFound
from belfry.ids import AccountId, Ids
from belfry.storage.relational import Database

ROTATION_OVERLAP_MS = 24 * 3_600_000
"""How long the old value of a rotated passcode stays good unless told otherwise."""


class Accounts:
    """Accounts of this installation."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, *, region: str) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._region = region

    def create(
        self,
        name: str,
        *,
        account_id: str | None = None,
        timezone: str = "UTC",
        settings: AccountSettings | None = None,
    ) -> Account:
        """Make an account; without an id it gets a random one (`W9R-486-4W5Z`).

        Raises BadRequest for an id, name or time zone that cannot be used, Conflict if the id is taken.
        """
        chosen_id = rules.account_id_from(self._ids.token_hex(8)) if account_id is None else account_id
        rules.check_account_id(chosen_id)
        rules.check_name(name)
        rules.check_timezone(timezone)
        account = Account(
            account_id=AccountId(chosen_id),
            name=name.strip(),
            timezone=timezone,
            region=self._region,
            state=AccountState.ACTIVE,
            settings=settings or AccountSettings(),
            created_at_ms=self._clock.now_ms(),
        )
        with self._database.begin() as connection:
            revision = store.next_revision(connection)
            if store.find_account(connection, account.account_id) is not None:
                raise Conflict(f"account {chosen_id} exists already", field="account_id")
            store.insert_account(connection, account, at_revision=revision)
        return account

    def list_accounts(self) -> list[Account]:
        """All accounts, by id."""
        with self._database.read() as connection:
            return store.accounts_since(connection)

    def show(self, account_id: AccountId) -> Account:
        """One account. Raises NotFound."""
        with self._database.read() as connection:
            return _existing(store.find_account(connection, account_id), account_id)

    def set_state(self, account_id: AccountId, state: AccountState) -> Account:
        """Suspend an account (its requests get 403 within a second) or serve it again."""
        return self._change(account_id, state=state)

    def configure(self, account_id: AccountId, settings: AccountSettings) -> Account:
        """Replace the account's settings."""
        return self._change(account_id, settings=settings)

    def _change(
        self, account_id: AccountId, *, state: AccountState | None = None, settings: AccountSettings | None = None
    ) -> Account:
        with self._database.begin() as connection:
            revision = store.next_revision(connection)
            before = _existing(store.find_account(connection, account_id), account_id)
            after = msgspec.structs.replace(before, state=state or before.state, settings=settings or before.settings)
            store.update_account(connection, after, changed_at_ms=self._clock.now_ms(), at_revision=revision)
        return after


class Passcodes:
    """Passcodes of the accounts. Secrets are returned once, when they are made, and never again."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, hasher: PasscodeHasher) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._hasher = hasher

    def create(
        self,
        account_id: AccountId,
        name: str,
        *,
        scopes: Iterable[Scope] = (Scope.ALL,),
        partner: str | None = None,
        expires_at_ms: int | None = None,
        networks: Iterable[str] = (),
        creator: str = "",
        secret: str | None = None,
    ) -> Issued:
        """Make a passcode of 32 random hex digits, or with a secret that is given (bootstrap, migration).

        Raises NotFound without the account, BadRequest for values that cannot be used, Conflict if the account
        has 100 live passcodes or this very secret already.
        """
        rules.check_name(name)
        chosen = self._ids.token_hex(16) if secret is None else secret
        rules.check_passcode(chosen)
        passcode = Passcode(
            account_id=account_id,
            passcode_id=self._ids.token_hex(6),
            name=name.strip(),
            scopes=_checked_scopes(scopes),
            partner=partner,
            created_at_ms=self._clock.now_ms(),
            expires_at_ms=expires_at_ms,
            creator=creator,
            networks=rules.checked_networks(list(networks)),
        )
        with self._database.begin() as connection:
            revision = store.next_revision(connection)
            _existing(store.find_account(connection, account_id), account_id)
            row = PasscodeRow(passcode, self._hasher.digest(account_id, chosen), None)
            self._refuse_clash(connection, row)
            store.insert_passcode(connection, row, at_revision=revision)
        return Issued(passcode, chosen)

    def list_passcodes(self, account_id: AccountId) -> list[Passcode]:
        """The account's passcodes, also dead ones, the oldest first. Raises NotFound without the account."""
        with self._database.read() as connection:
            _existing(store.find_account(connection, account_id), account_id)
            return [row.passcode for row in store.passcodes_of(connection, account_id)]

    def rotate(self, account_id: AccountId, passcode_id: str, *, overlap_ms: int = ROTATION_OVERLAP_MS) -> Issued:
        """Give a passcode a new secret; the one before it stays good for `overlap_ms`. At most two are live.

        Raises NotFound, or Conflict for a passcode that is revoked or expired.
        """
        if overlap_ms < 0:
            raise BadRequest(f"the overlap is {overlap_ms} ms, needs 0 or more", field="overlap_ms", limit=0)
        secret = self._ids.token_hex(16)
        now_ms = self._clock.now_ms()
        with self._database.begin() as connection:
            revision = store.next_revision(connection)
            row = self._found(connection, account_id, passcode_id)
            if not row.passcode.is_live(now_ms):
                raise Conflict(f"passcode {passcode_id} is revoked or expired; create a new one")
            passcode = msgspec.structs.replace(row.passcode, previous_expires_at_ms=now_ms + overlap_ms)
            rotated = PasscodeRow(passcode, self._hasher.digest(account_id, secret), row.hash)
            store.update_passcode(connection, rotated, at_revision=revision)
        return Issued(passcode, secret)

    def revoke(self, account_id: AccountId, passcode_id: str) -> Passcode:
        """Make all values of a passcode worthless, everywhere within a second. Twice does no harm."""
        with self._database.begin() as connection:
            revision = store.next_revision(connection)
            row = self._found(connection, account_id, passcode_id)
            if row.passcode.revoked_at_ms is not None:
                return row.passcode
            passcode = msgspec.structs.replace(row.passcode, revoked_at_ms=self._clock.now_ms())
            store.update_passcode(connection, PasscodeRow(passcode, row.hash, None), at_revision=revision)
        return passcode

    def _found(self, connection: sa.Connection, account_id: AccountId, passcode_id: str) -> PasscodeRow:
        row = store.find_passcode(connection, account_id, passcode_id)
        if row is None:
            raise NotFound(f"account {account_id} has no passcode {passcode_id}")
        return row

    def _refuse_clash(self, connection: sa.Connection, row: PasscodeRow) -> None:
        others = store.passcodes_of(connection, row.passcode.account_id)
        if any(row.hash in (other.hash, other.previous_hash) for other in others):
            raise Conflict("the account has this passcode already", field="passcode")
        live_count = sum(other.passcode.is_live(row.passcode.created_at_ms) for other in others)
        if live_count >= rules.PASSCODES_MAX:
            raise Conflict(
                f"the account has {live_count} live passcodes, the maximum; revoke one first",
                limit=rules.PASSCODES_MAX,
            )


def bootstrap(accounts: Accounts, passcodes: Passcodes, text: str) -> Account:
    """Make the account of the setting `bootstrap_account` (`ID:PASSCODE`, time zone UTC) unless it exists.

    An account that exists keeps its passcodes: the setting is for the first start only.
    """
    account_id, colon, secret = text.partition(":")
    if not colon:
        raise BadRequest("bootstrap_account needs the form ID:PASSCODE", field="bootstrap_account")
    rules.check_passcode(secret)
    try:
        account = accounts.create(account_id, account_id=account_id)
    except Conflict:
        account = accounts.show(AccountId(account_id))
    if not passcodes.list_passcodes(account.account_id):
        passcodes.create(account.account_id, "bootstrap", secret=secret, creator="bootstrap_account")
    return account


def _existing(account: Account | None, account_id: AccountId) -> Account:
    if account is None:
        raise NotFound(f"there is no account {account_id}")
    return account


def _checked_scopes(scopes: Iterable[Scope]) -> frozenset[Scope]:
    chosen = frozenset(scopes)
    if not chosen:
        raise BadRequest("a passcode needs at least one scope", field="scopes")
    return chosen
