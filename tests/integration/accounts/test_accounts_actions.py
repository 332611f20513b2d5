"""Accounts and passcodes in a real store."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from belfry.accounts.actions import Accounts, Passcodes, bootstrap
from belfry.accounts.hashing import PasscodeHasher
from belfry.accounts.model import AccountSettings, AccountState, Scope
from belfry.accounts.tables import passcodes as passcodes_table
from belfry.clock import ManualClock
from belfry.errors import BadRequest, CallerError, Conflict, NotFound
from belfry.ids import AccountId, SequentialIds
from belfry.storage.relational import Database

SHOP = AccountId("K7P-22M-9Q4Z")


@pytest.fixture
def accounts(database: Database, clock: ManualClock, ids: SequentialIds) -> Accounts:
    return Accounts(database, clock, ids, region="eu1")


@pytest.fixture
def passcodes(database: Database, clock: ManualClock, ids: SequentialIds) -> Passcodes:
    return Passcodes(database, clock, ids, PasscodeHasher(b"s" * 32))


def test_an_account_is_shown_as_it_was_made(accounts: Accounts) -> None:
    settings = AccountSettings(default_country="PT", read_requests_max=3, cors_origins=["https://shop.example"])
    made = accounts.create("Shop", account_id=SHOP, timezone="Europe/Lisbon", settings=settings)
    assert accounts.show(SHOP) == made
    assert accounts.list_accounts() == [made]
    assert (made.region, made.state, made.settings.default_country) == ("eu1", AccountState.ACTIVE, "PT")


def test_an_account_without_an_id_gets_one_in_the_usual_form(accounts: Accounts) -> None:
    assert accounts.create("Shop").account_id == "000-000-0001"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        pytest.param({"account_id": "ab"}, "account_id", id="too short"),
        pytest.param({"account_id": "abc-def"}, "account_id", id="small letters"),
        pytest.param({"account_id": "A" * 41}, "account_id", id="too long"),
        pytest.param({"name": "  "}, "name", id="no name"),
        pytest.param({"name": "x" * 201}, "name", id="long name"),
        pytest.param({"timezone": "Lisbon"}, "timezone", id="no such zone"),
        pytest.param({"timezone": "../etc/passwd"}, "timezone", id="a path for a zone"),
    ],
)
def test_an_account_that_cannot_be_is_refused_with_the_field(
    accounts: Accounts, arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        accounts.create(**{"name": "Shop", **arguments})
    assert refused.value.field == field
    assert accounts.list_accounts() == []


def test_an_id_is_given_once(accounts: Accounts) -> None:
    accounts.create("Shop", account_id=SHOP)
    with pytest.raises(Conflict):
        accounts.create("Other", account_id=SHOP)
    assert accounts.show(SHOP).name == "Shop"


def test_state_and_settings_change_and_the_rest_stays(accounts: Accounts) -> None:
    accounts.create("Shop", account_id=SHOP)
    accounts.set_state(SHOP, AccountState.SUSPENDED)
    changed = accounts.configure(SHOP, AccountSettings(nested_objects=False))
    assert (changed.state, changed.settings.nested_objects, changed.name) == (AccountState.SUSPENDED, False, "Shop")
    assert accounts.show(SHOP) == changed


def test_a_secret_is_32_hex_digits_and_nowhere_in_the_store(
    accounts: Accounts, passcodes: Passcodes, database: Database
) -> None:
    accounts.create("Shop", account_id=SHOP)
    issued = passcodes.create(SHOP, "backend", scopes=[Scope.EVENTS_WRITE], creator="ana", networks=["10.0.0.7/8"])
    assert len(issued.secret) == 32
    assert set(issued.secret) <= set("0123456789abcdef")
    assert passcodes.list_passcodes(SHOP) == [issued.passcode]
    assert issued.passcode.networks == ("10.0.0.0/8",)
    with database.read() as connection:
        stored = str(connection.execute(sa.select(passcodes_table)).mappings().all())
    assert issued.secret not in stored
    assert bytes.fromhex(issued.secret) not in stored.encode()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param({"secret": "short"}, BadRequest, id="secret too short"),
        pytest.param({"secret": "x" * 65}, BadRequest, id="secret too long"),
        pytest.param({"secret": "has a space"}, BadRequest, id="secret with a space"),
        pytest.param({"scopes": []}, BadRequest, id="no scope"),
        pytest.param({"networks": ["10.0.0.0/40"]}, BadRequest, id="no network"),
        pytest.param({"account_id": AccountId("NOB-ODY-HERE")}, NotFound, id="no account"),
    ],
)
def test_a_passcode_that_cannot_be_is_refused(
    accounts: Accounts, passcodes: Passcodes, arguments: dict[str, Any], error: type[CallerError]
) -> None:
    accounts.create("Shop", account_id=SHOP)
    with pytest.raises(error):
        passcodes.create(**{"account_id": SHOP, "name": "backend", **arguments})
    assert passcodes.list_passcodes(SHOP) == []


def test_a_rotation_keeps_the_passcode_and_changes_its_secret(
    accounts: Accounts, passcodes: Passcodes, clock: ManualClock
) -> None:
    accounts.create("Shop", account_id=SHOP)
    first = passcodes.create(SHOP, "backend")
    second = passcodes.rotate(SHOP, first.passcode.passcode_id, overlap_ms=1000)
    assert second.secret != first.secret
    assert second.passcode.passcode_id == first.passcode.passcode_id
    assert second.passcode.previous_expires_at_ms == clock.now_ms() + 1000
    assert passcodes.list_passcodes(SHOP) == [second.passcode]


def test_what_is_revoked_stays_revoked_and_is_not_rotated(
    accounts: Accounts, passcodes: Passcodes, clock: ManualClock
) -> None:
    accounts.create("Shop", account_id=SHOP)
    issued = passcodes.create(SHOP, "backend")
    revoked = passcodes.revoke(SHOP, issued.passcode.passcode_id)
    clock.advance_ms(5)
    assert passcodes.revoke(SHOP, issued.passcode.passcode_id) == revoked
    assert revoked.revoked_at_ms == clock.now_ms() - 5
    with pytest.raises(Conflict):
        passcodes.rotate(SHOP, issued.passcode.passcode_id)


def test_another_accounts_passcode_can_be_neither_rotated_nor_revoked(accounts: Accounts, passcodes: Passcodes) -> None:
    accounts.create("Shop", account_id=SHOP)
    accounts.create("Other", account_id="OTH-ER1-2345")
    issued = passcodes.create(SHOP, "backend")
    for verb in (passcodes.rotate, passcodes.revoke):
        with pytest.raises(NotFound):
            verb(AccountId("OTH-ER1-2345"), issued.passcode.passcode_id)
    assert passcodes.list_passcodes(SHOP) == [issued.passcode]


def test_one_secret_is_one_passcode_and_a_hundred_are_enough(accounts: Accounts, passcodes: Passcodes) -> None:
    accounts.create("Shop", account_id=SHOP)
    passcodes.create(SHOP, "first", secret="the-same-secret")
    with pytest.raises(Conflict):
        passcodes.create(SHOP, "second", secret="the-same-secret")
    for number in range(99):
        passcodes.create(SHOP, f"p{number}")
    with pytest.raises(Conflict) as refused:
        passcodes.create(SHOP, "one too many")
    assert refused.value.limit == 100


def test_bootstrap_makes_the_account_once_and_never_brings_a_passcode_back(
    accounts: Accounts, passcodes: Passcodes
) -> None:
    account = bootstrap(accounts, passcodes, f"{SHOP}:first-passcode")
    (only,) = passcodes.list_passcodes(SHOP)
    passcodes.revoke(SHOP, only.passcode_id)
    assert bootstrap(accounts, passcodes, f"{SHOP}:first-passcode") == account
    (still,) = passcodes.list_passcodes(SHOP)
    assert still.revoked_at_ms is not None


@pytest.mark.parametrize("text", ["", "K7P-22M-9Q4Z", "K7P-22M-9Q4Z:short", "lower:first-passcode"])
def test_a_bootstrap_that_cannot_be_read_is_refused(accounts: Accounts, passcodes: Passcodes, text: str) -> None:
    with pytest.raises(BadRequest):
        bootstrap(accounts, passcodes, text)
    assert accounts.list_accounts() == []
