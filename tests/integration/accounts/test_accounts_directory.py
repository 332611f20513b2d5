"""The edge's copy of the accounts follows the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from belfry.accounts.actions import Accounts, Passcodes
from belfry.accounts.directory import Directory
from belfry.accounts.hashing import PasscodeHasher
from belfry.accounts.model import AccountSettings, AccountState, Issued
from belfry.accounts.tables import account_revisions
from belfry.clock import ManualClock
from belfry.errors import Forbidden, Unauthorized
from belfry.ids import AccountId, SequentialIds
from belfry.storage.relational import Database, StoreBusy, StoreUnavailable

SHOP = AccountId("K7P-22M-9Q4Z")
HOME = "192.0.2.1"


class World:
    def __init__(self, database: Database, clock: ManualClock, ids: SequentialIds) -> None:
        hasher = PasscodeHasher(b"s" * 32)
        self.clock = clock
        self.accounts = Accounts(database, clock, ids, region="eu1")
        self.passcodes = Passcodes(database, clock, ids, hasher)
        self.directory = Directory(database, hasher, clock)
        self.accounts.create("Shop", account_id=SHOP)
        self.issued: Issued = self.passcodes.create(SHOP, "backend")
        self.directory.refresh()

    def comes_in(self, secret: str, account_id: str = SHOP, address: str = HOME) -> bool:
        try:
            return self.directory.authenticate(account_id, secret, address).account.account_id == account_id
        except Unauthorized:
            return False


@pytest.fixture
def world(database: Database, clock: ManualClock, ids: SequentialIds) -> Iterator[World]:
    world = World(database, clock, ids)
    yield world
    world.directory.stop()


def test_good_credentials_name_account_and_passcode(world: World) -> None:
    caller = world.directory.authenticate(SHOP, world.issued.secret, HOME)
    assert (caller.account.account_id, caller.passcode) == (SHOP, world.issued.passcode)


@pytest.mark.parametrize(
    ("account_id", "passcode", "text"),
    [
        pytest.param("", "x", "12 digit account ID mandatory", id="no account"),
        pytest.param(SHOP, "", "Invalid Credentials", id="no passcode"),
        pytest.param(SHOP, "wrong-passcode", "Invalid Credentials", id="wrong passcode"),
        pytest.param("NOB-ODY-HERE", "good", "Invalid Credentials", id="unknown account, good passcode"),
        pytest.param("k7p-22m-9q4z", "good", "Invalid Credentials", id="account in small letters"),
        pytest.param(SHOP, "GOOD", "Invalid Credentials", id="passcode in capitals"),
        pytest.param("\udcff", "\x00", "Invalid Credentials", id="no text at all"),
    ],
)
def test_anything_else_is_one_of_two_texts(world: World, account_id: str, passcode: str, text: str) -> None:
    secret = {"good": world.issued.secret, "GOOD": world.issued.secret.upper() + "X"}.get(passcode, passcode)
    with pytest.raises(Unauthorized) as refused:
        world.directory.authenticate(account_id, secret, HOME)
    assert refused.value.text == text


def test_a_passcode_opens_no_other_account(world: World) -> None:
    world.accounts.create("Other", account_id="OTH-ER1-2345")
    world.directory.refresh()
    assert not world.comes_in(world.issued.secret, "OTH-ER1-2345")


def test_a_revoked_passcode_is_dead_at_the_next_look(world: World) -> None:
    world.passcodes.revoke(SHOP, world.issued.passcode.passcode_id)
    assert world.directory.refresh()
    assert not world.comes_in(world.issued.secret)


def test_a_revocation_noted_by_a_clock_ahead_of_ours_counts_at_once(world: World) -> None:
    world.clock.advance_ms(600_000)
    world.passcodes.revoke(SHOP, world.issued.passcode.passcode_id)
    world.clock.advance_ms(-600_000)
    world.directory.refresh()
    assert not world.comes_in(world.issued.secret)


def test_two_values_are_live_during_a_rotation_and_one_after_it(world: World) -> None:
    rotated = world.passcodes.rotate(SHOP, world.issued.passcode.passcode_id, overlap_ms=1000)
    world.directory.refresh()
    assert world.comes_in(world.issued.secret)
    assert world.comes_in(rotated.secret)
    world.clock.advance_ms(1000)
    assert not world.comes_in(world.issued.secret)
    assert world.comes_in(rotated.secret)


def test_a_second_rotation_ends_the_first_value(world: World) -> None:
    second = world.passcodes.rotate(SHOP, world.issued.passcode.passcode_id)
    third = world.passcodes.rotate(SHOP, world.issued.passcode.passcode_id)
    world.directory.refresh()
    assert not world.comes_in(world.issued.secret)
    assert world.comes_in(second.secret)
    assert world.comes_in(third.secret)


def test_a_passcode_ends_when_it_expires(world: World) -> None:
    issued = world.passcodes.create(SHOP, "short", expires_at_ms=world.clock.now_ms() + 10)
    world.directory.refresh()
    assert world.comes_in(issued.secret)
    world.clock.advance_ms(10)
    assert not world.comes_in(issued.secret)


@pytest.mark.parametrize(
    ("address", "is_let_in"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("2001:db8::9", True), ("192.0.2.1", False), ("", False)],
)
def test_a_passcode_bound_to_networks_works_from_there_alone(world: World, address: str, is_let_in: bool) -> None:
    issued = world.passcodes.create(SHOP, "office", networks=["10.0.0.0/8", "2001:db8::/32"])
    world.directory.refresh()
    assert world.comes_in(issued.secret, address=address) is is_let_in


def test_a_suspended_account_is_told_so_only_with_good_credentials(world: World) -> None:
    world.accounts.set_state(SHOP, AccountState.SUSPENDED)
    world.directory.refresh()
    with pytest.raises(Forbidden) as blocked:
        world.directory.authenticate(SHOP, world.issued.secret, HOME)
    assert blocked.value.text == "Account blocked"
    assert not world.comes_in("wrong-passcode")


def test_settings_reach_the_edge(world: World) -> None:
    world.accounts.configure(SHOP, AccountSettings(cors_origins=["https://shop.example"]))
    assert not world.directory.may_call_from("https://shop.example")
    world.directory.refresh()
    assert world.directory.may_call_from("https://shop.example")


def test_nothing_is_read_when_nothing_changed(world: World) -> None:
    assert not world.directory.refresh()


def test_a_store_restored_from_a_backup_is_read_again(world: World, database: Database) -> None:
    world.passcodes.create(SHOP, "later")
    world.directory.refresh()
    world.passcodes.revoke(SHOP, world.issued.passcode.passcode_id)
    with database.begin() as connection:
        connection.execute(account_revisions.update().values(revision=1))
    assert world.directory.refresh()
    assert not world.comes_in(world.issued.secret)


def test_the_last_good_copy_stays_when_the_store_is_gone(world: World, database: Database) -> None:
    with database.begin() as connection:
        connection.execute(sa.text("ALTER TABLE account_revisions RENAME TO away"))
    with pytest.raises(sa.exc.SQLAlchemyError):
        world.directory.refresh()
    assert world.comes_in(world.issued.secret)
    with database.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO account_revisions"))


def test_last_use_is_written_in_bulk_and_never_goes_back(world: World) -> None:
    other = world.passcodes.create(SHOP, "other")
    world.directory.refresh()
    assert world.comes_in(world.issued.secret)
    assert world.comes_in(other.secret)
    at_ms = world.clock.now_ms()
    assert [p.last_used_at_ms for p in world.passcodes.list_passcodes(SHOP)] == [None, None]
    world.directory.write_uses()
    world.clock.advance_ms(-50)
    assert world.comes_in(other.secret)
    world.directory.write_uses()
    assert [p.last_used_at_ms for p in world.passcodes.list_passcodes(SHOP)] == [at_ms, at_ms]
    assert not world.directory.refresh()


def test_a_running_directory_drops_a_revoked_passcode_in_less_than_a_second(world: World) -> None:
    world.directory.start()
    world.passcodes.revoke(SHOP, world.issued.passcode.passcode_id)
    revoked_at = time.monotonic()
    _wait_until(lambda: not world.comes_in(world.issued.secret), within_s=5)
    assert time.monotonic() - revoked_at < 1.0


def _wait_until(holds: Callable[[], bool], *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


@pytest.mark.parametrize("error", [StoreBusy("locked"), StoreUnavailable("gone")])
def test_a_store_that_is_away_for_a_while_does_not_end_the_following(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def away() -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(database, "read", away)
        world.directory._try(world.directory.refresh)
    world.passcodes.revoke(SHOP, world.issued.passcode.passcode_id)
    world.directory._try(world.directory.refresh)
    assert not world.comes_in(world.issued.secret)
