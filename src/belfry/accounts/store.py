"""All SQL for accounts and passcodes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from belfry.accounts.model import Account, AccountSettings, AccountState, Passcode, Scope
from belfry.accounts.tables import account_revisions, accounts, passcodes
from belfry.ids import AccountId
from belfry.storage.relational import upsert


class PasscodeRow(msgspec.Struct, frozen=True):
    """A passcode with the hashes of its live values."""

    passcode: Passcode
    hash: bytes
    previous_hash: bytes | None


def next_revision(connection: sa.Connection) -> int:
    """Raise the revision and hold it until this transaction ends: see `tables.account_revisions`."""
    insert = upsert(account_revisions, connection, update=())
    connection.execute(insert.values(only=1, revision=0))
    raised = sa.update(account_revisions).values(revision=account_revisions.c.revision + 1)
    connection.execute(raised.where(account_revisions.c.only == 1))
    return revision(connection)


def revision(connection: sa.Connection) -> int:
    """How many changes there have been; 0 for an empty store."""
    found = connection.scalar(sa.select(account_revisions.c.revision).where(account_revisions.c.only == 1))
    return int(found or 0)


def insert_account(connection: sa.Connection, account: Account, *, at_revision: int) -> None:
    connection.execute(
        accounts.insert().values(
            account_id=account.account_id,
            name=account.name,
            timezone=account.timezone,
            region=account.region,
            state=account.state.value,
            settings=msgspec.to_builtins(account.settings),
            created_at_ms=account.created_at_ms,
            changed_at_ms=account.created_at_ms,
            revision=at_revision,
        )
    )


def update_account(connection: sa.Connection, account: Account, *, changed_at_ms: int, at_revision: int) -> None:
    """Write name, time zone, state and settings of an account that exists."""
    connection.execute(
        accounts.update()
        .where(accounts.c.account_id == account.account_id)
        .values(
            name=account.name,
            timezone=account.timezone,
            state=account.state.value,
            settings=msgspec.to_builtins(account.settings),
            changed_at_ms=changed_at_ms,
            revision=at_revision,
        )
    )


def find_account(connection: sa.Connection, account_id: AccountId) -> Account | None:
    row = connection.execute(sa.select(accounts).where(accounts.c.account_id == account_id)).mappings().first()
    return None if row is None else _account(row)


def accounts_since(connection: sa.Connection, seen_revision: int = 0) -> list[Account]:
    """Accounts that changed after a revision (0: all), by id."""
    statement = sa.select(accounts).where(accounts.c.revision > seen_revision).order_by(accounts.c.account_id)
    return [_account(row) for row in connection.execute(statement).mappings()]


def insert_passcode(connection: sa.Connection, row: PasscodeRow, *, at_revision: int) -> None:
    passcode = row.passcode
    connection.execute(
        passcodes.insert().values(
            account_id=passcode.account_id,
            passcode_id=passcode.passcode_id,
            name=passcode.name,
            creator=passcode.creator,
            hash=row.hash,
            previous_hash=row.previous_hash,
            previous_expires_at_ms=passcode.previous_expires_at_ms,
            scopes=sorted(passcode.scopes),
            networks=list(passcode.networks),
            partner=passcode.partner,
            created_at_ms=passcode.created_at_ms,
            expires_at_ms=passcode.expires_at_ms,
            revision=at_revision,
        )
    )


def update_passcode(connection: sa.Connection, row: PasscodeRow, *, at_revision: int) -> None:
    """Write what a rotation or a revocation changes."""
    passcode = row.passcode
    connection.execute(
        passcodes.update()
        .where(passcodes.c.account_id == passcode.account_id, passcodes.c.passcode_id == passcode.passcode_id)
        .values(
            hash=row.hash,
            previous_hash=row.previous_hash,
            previous_expires_at_ms=passcode.previous_expires_at_ms,
            revoked_at_ms=passcode.revoked_at_ms,
            revision=at_revision,
        )
    )


def find_passcode(connection: sa.Connection, account_id: AccountId, passcode_id: str) -> PasscodeRow | None:
    statement = sa.select(passcodes).where(passcodes.c.account_id == account_id, passcodes.c.passcode_id == passcode_id)
    row = connection.execute(statement).mappings().first()
    return None if row is None else _passcode(row)


def passcodes_of(connection: sa.Connection, account_id: AccountId) -> list[PasscodeRow]:
    """An account's passcodes, also those that are dead, the oldest first."""
    statement = (
        sa.select(passcodes)
        .where(passcodes.c.account_id == account_id)
        .order_by(passcodes.c.created_at_ms, passcodes.c.passcode_id)
    )
    return [_passcode(row) for row in connection.execute(statement).mappings()]


def passcodes_since(connection: sa.Connection, seen_revision: int = 0) -> list[PasscodeRow]:
    """Passcodes of all accounts that changed after a revision (0: all); for the directory alone."""
    statement = sa.select(passcodes).where(passcodes.c.revision > seen_revision)
    return [_passcode(row) for row in connection.execute(statement).mappings()]


def note_uses(connection: sa.Connection, uses: Iterable[tuple[AccountId, str, int]]) -> None:
    """Write when passcodes were last used; never earlier than what is there, and no change of revision."""
    rows = [{"b_account": account, "b_passcode": passcode, "b_at_ms": at_ms} for account, passcode, at_ms in uses]
    if not rows:
        return
    at_ms = sa.bindparam("b_at_ms", type_=sa.BigInteger)
    connection.execute(
        passcodes.update()
        .where(
            passcodes.c.account_id == sa.bindparam("b_account"),
            passcodes.c.passcode_id == sa.bindparam("b_passcode"),
            sa.func.coalesce(passcodes.c.last_used_at_ms, 0) < at_ms,
        )
        .values(last_used_at_ms=at_ms),
        rows,
    )


def _account(row: sa.RowMapping) -> Account:
    return Account(
        account_id=AccountId(row["account_id"]),
        name=row["name"],
        timezone=row["timezone"],
        region=row["region"],
        state=AccountState(row["state"]),
        settings=msgspec.convert(row["settings"], AccountSettings),
        created_at_ms=row["created_at_ms"],
    )


def _passcode(row: sa.RowMapping) -> PasscodeRow:
    passcode = Passcode(
        account_id=AccountId(row["account_id"]),
        passcode_id=row["passcode_id"],
        name=row["name"],
        scopes=frozenset(Scope(scope) for scope in row["scopes"]),
        partner=row["partner"],
        created_at_ms=row["created_at_ms"],
        expires_at_ms=row["expires_at_ms"],
        revoked_at_ms=row["revoked_at_ms"],
        last_used_at_ms=row["last_used_at_ms"],
        creator=row["creator"],
        networks=tuple(row["networks"]),
        previous_expires_at_ms=row["previous_expires_at_ms"],
    )
    return PasscodeRow(passcode, row["hash"], row["previous_hash"])
