"""What the command line works with: accounts and passcodes, without a running Belfry."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec

from belfry.accounts.actions import Accounts, Passcodes, bootstrap
from belfry.accounts.hashing import PasscodeHasher
from belfry.clock import Clock, SystemClock
from belfry.config import Settings
from belfry.ids import SystemIds
from belfry.main.stores import open_migrated, secret_of


class Administration(msgspec.Struct, frozen=True):
    """Accounts and passcodes of one installation."""

    accounts: Accounts
    passcodes: Passcodes
    clock: Clock


@contextlib.contextmanager
def administration(settings: Settings) -> Iterator[Administration]:
    """Open the relational store (and migrate it), for the time of a command."""
    database = open_migrated(settings)
    clock, ids = SystemClock(), SystemIds()
    try:
        yield Administration(
            Accounts(database, clock, ids, region=settings.region),
            Passcodes(database, clock, ids, PasscodeHasher(secret_of(settings))),
            clock,
        )
    finally:
        database.close()


def bootstrap_account(settings: Settings) -> None:
    """Make the account of the setting `bootstrap_account`, unless it is there."""
    if settings.bootstrap_account:
        with administration(settings) as admin:
            bootstrap(admin.accounts, admin.passcodes, settings.bootstrap_account)
