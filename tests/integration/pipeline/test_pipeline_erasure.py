"""Erasing users: nothing of them is left in any row of any store, and what they did still counts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from belfry.audit.actions import AuditLog
from belfry.audit.model import AuditAction
from belfry.clock import ManualClock
from belfry.ids import AccountId
from belfry.pipeline.erasure import PURGE_AFTER_MS
from belfry.profiles.graph import MemoryGraph, Wanted
from belfry.profiles.model import Identity, IdentityKind, ProfileStatus
from belfry.profiles.store import load
from belfry.storage.columnar import Columnar
from belfry.storage.columnar.ddl import REGISTRY
from belfry.storage.relational import Database, metadata
from support.thread import ACCOUNT, DataThread, event, profile

DAY_S = 86_400
OTHER = AccountId("BBB-CCC-DDDD")
INES = ("rider-81", "ines@example.org", "+351912345678", "Ines Duarte", "__a1b2c3d4e5f6", "fcm-token-of-ines")
"""Everything by which the user of these tests could be recognised."""


def now_s(thread: DataThread) -> int:
    return thread.clock.now_ms() // 1000


def ines(thread: DataThread, **root: Any) -> list[dict[str, Any]]:
    data = {"Name": "Ines Duarte", "Email": "ines@example.org", "Phone": "+351912345678", "MSG-dndEmail": True}
    device = "__a1b2c3d4e5f6"
    token = {"type": "token", "objectId": device, "tokenData": {"id": "fcm-token-of-ines", "type": "fcm"}}
    return [
        event(None, "Looked", {"n": 1}, objectId=device, ts=now_s(thread) - 60),
        profile("rider-81", data, objectId=device, **root),
        event(
            "rider-81", "Bought", {"Amount": 5, "Email": "ines@example.org", "note": "for Ines Duarte"}, objectId=device
        ),
        event("rider-81", "Bought", {"Amount": 7, "gift": ["INES@example.org"]}),
        event("rider-81", "Charged", {"Amount": 7, "Charged ID": "C-1"}),
        token,
    ]


def erase(thread: DataThread, *identities: str, account: AccountId = ACCOUNT, **fields: Any) -> None:
    whole = {"identities": identities, "guids": [], "operation_id": f"erase-{thread.log.end()}", **fields}
    thread.command(account, command="erase", **whole)


def all_rows(database: Database, columnar: Columnar) -> Iterator[tuple[str, str]]:
    """Every row of every table of both stores, as text."""
    with database.read() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                yield table.name, repr(tuple(row))
    for table in REGISTRY:
        for row in columnar.rows(f"SELECT toString(tuple(*)) FROM {table.name}"):
            yield table.name, row[0]


def holding(thread: DataThread, texts: tuple[str, ...] = INES) -> list[tuple[str, str]]:
    """Rows of any store that hold one of the texts."""
    return [
        (table, text)
        for table, row in all_rows(thread.database, thread.columnar)
        for text in texts
        if text.casefold() in row.casefold()
    ]


def status_of(thread: DataThread, profile_id: int) -> ProfileStatus:
    graph = MemoryGraph(ACCOUNT)
    with thread.database.read() as connection:
        load(connection, graph, Wanted(profile_ids={profile_id}))
    return graph.profiles[profile_id].state.status


def is_known(thread: DataThread, identity: str, account: AccountId = ACCOUNT) -> bool:
    graph, wanted = MemoryGraph(account), Identity(IdentityKind.IDENTITY, identity)
    with thread.database.read() as connection:
        load(connection, graph, Wanted(identities={wanted}))
    return graph.owner_of_identity(wanted) is not None


@pytest.mark.parametrize("blocks", ["one block", "a block each"])
def test_nothing_that_names_an_erased_user_is_left_in_any_store(thread: DataThread, blocks: str) -> None:
    thread.upload(*ines(thread))
    thread.upload(profile("rider-82", {"Email": "ines@example.org", "Phone": "123"}))
    if blocks == "a block each":
        thread.apply()
        assert {table for table, _ in holding(thread)} >= {"profiles", "identities", "devices", "tokens", "events"}
    erase(thread, "rider-81")
    thread.apply()
    assert holding(thread) == []


def test_what_an_erased_user_did_still_counts_and_belongs_to_nobody(thread: DataThread) -> None:
    thread.upload(*ines(thread))
    thread.apply()
    user = thread.node("rider-81").state.profile_id
    before = thread.events("name, ts, props.Amount", "name IN ('bought', 'charged')")
    erase(thread, "rider-81")
    thread.apply()
    assert thread.events("name, ts, props.Amount", "name IN ('bought', 'charged')") == before
    owners = {row[0] for row in thread.events("profile_id")}
    assert user not in owners
    assert all(owner < 0 for owner in owners)
    assert status_of(thread, user) is ProfileStatus.DELETED
    rows = thread.columnar.rows(
        "SELECT hidden, email FROM profile_snapshots FINAL WHERE profile_id = {p:Int64}", {"p": user}
    )
    assert rows == [(1, "")]


def test_events_go_too_when_asked_for(thread: DataThread) -> None:
    thread.upload(*ines(thread), event("rider-82", "Bought"))
    thread.apply()
    erase(thread, "rider-81", erase_events=True)
    thread.apply()
    assert {row[1] for row in thread.events("name, profile_id")} == {thread.node("rider-82").state.profile_id}


def test_hidden_profiles_that_the_user_had_taken_over_are_erased_with_them(thread: DataThread) -> None:
    thread.upload(profile("rider-81", {"Name": "Ines Duarte"}), profile("old-81", {"Name": "I. Duarte-Old"}))
    thread.apply()
    keep, absorb = (thread.node(identity).state.profile_id for identity in ("rider-81", "old-81"))
    thread.upload(event("old-81", "Bought"))
    thread.command(command="merge", operation_id="m", keep=keep, absorb=absorb)
    thread.apply()
    erase(thread, "rider-81")
    thread.apply()
    assert holding(thread, ("rider-81", "old-81", "I. Duarte-Old", "Ines Duarte")) == []
    assert {status_of(thread, keep), status_of(thread, absorb)} == {ProfileStatus.DELETED}
    assert len(thread.events(where="name = 'bought'")) == 1


@pytest.mark.parametrize("name", ["device", "profile id"])
def test_a_user_can_be_erased_by_a_ct_id(thread: DataThread, name: str) -> None:
    thread.upload(*ines(thread))
    thread.apply()
    guid = "__a1b2c3d4e5f6" if name == "device" else str(thread.node("rider-81").state.profile_id)
    thread.command(command="erase", operation_id="e", identities=[], guids=[guid])
    thread.apply()
    assert holding(thread) == []


def test_unknown_names_erase_nobody(thread: DataThread) -> None:
    thread.upload(*ines(thread))
    thread.command(command="erase", operation_id="e", identities=["nobody", ""], guids=["nothing", "17", "9" * 30])
    thread.apply()
    assert is_known(thread, "rider-81")
    assert thread.columnar.value("SELECT count() FROM events WHERE profile_id < 0") == 0


def test_flags_of_an_address_stay_while_another_user_has_it(thread: DataThread) -> None:
    thread.configure(identity_kinds=["identity"])
    both = {"Email": "shared@example.org"}
    thread.upload(profile("a", {**both, "MSG-dndEmail": True}), profile("b", both))
    thread.apply()
    erase(thread, "a")
    thread.apply()
    assert [table for table, _ in holding(thread, ("shared@example.org",))].count("addresses") == 1
    erase(thread, "b")
    thread.apply()
    assert holding(thread, ("shared@example.org",)) == []


BLOCKED = [
    pytest.param({"ts": -10}, False, id="older than the erasure"),
    pytest.param({}, False, id="no time of its own"),
    pytest.param({"ts": 10}, True, id="newer than the erasure"),
]


@pytest.mark.parametrize(("root", "is_back"), BLOCKED)
@pytest.mark.parametrize("kind", ["profile", "event"])
def test_only_a_record_from_after_the_erasure_makes_a_new_profile(
    thread: DataThread, root: dict[str, int], is_back: bool, kind: str
) -> None:
    thread.upload(*ines(thread))
    erase(thread, "rider-81")
    thread.apply()
    erased_at_s = now_s(thread)
    thread.clock.advance_ms(60_000)
    root = {"ts": erased_at_s + root["ts"]} if root else {}
    thread.upload(profile("rider-81", {}, **root) if kind == "profile" else event("rider-81", "Bought", **root))
    thread.apply()
    assert is_known(thread, "rider-81") is is_back
    refused = [row for row in thread.columnar.rows("SELECT code, detail FROM error_records") if row[0] == 523]
    assert len(refused) == (0 if is_back else 1)
    assert all("was erased" in detail and detail.endswith("Skipped record number : 1") for _, detail in refused)


def test_records_after_a_new_profile_was_made_need_no_time(thread: DataThread) -> None:
    thread.upload(*ines(thread))
    erase(thread, "rider-81")
    thread.clock.advance_ms(60_000)
    thread.upload(event("rider-81", "Back", ts=now_s(thread)), profile("rider-81", {"tier": "gold"}))
    thread.apply()
    assert thread.node("rider-81").state.properties == {"tier": "gold"}


@pytest.mark.parametrize("days", [0, 30])
def test_the_block_ends_when_the_account_says(thread: DataThread, days: int) -> None:
    thread.configure(erasure_block_days=days)
    thread.upload(*ines(thread))
    erase(thread, "rider-81")
    thread.clock.advance_ms(days * DAY_S * 1000)
    thread.upload(profile("rider-81", {}))
    thread.apply()
    assert is_known(thread, "rider-81")


def test_a_block_that_erases_refuses_what_follows_in_it(thread: DataThread) -> None:
    thread.upload(*ines(thread))
    erase(thread, "rider-81")
    thread.upload(profile("rider-81", {"Name": "Ines Duarte"}))
    thread.apply()
    assert not is_known(thread, "rider-81")


def test_another_account_keeps_its_user_of_the_same_name(thread: DataThread) -> None:
    thread.configure(OTHER)
    thread.upload(*ines(thread))
    thread.upload(*ines(thread), account=OTHER)
    thread.apply()
    before = thread.events("profile_id, name, seq, toString(props)", account=OTHER)
    erase(thread, "rider-81")
    thread.apply()
    assert thread.events("profile_id, name, seq, toString(props)", account=OTHER) == before
    assert is_known(thread, "rider-81", OTHER)
    thread.upload(profile("rider-81", {"tier": "gold"}), account=OTHER)
    thread.apply()
    assert thread.node("rider-81", account=OTHER).state.properties["tier"] == "gold"


def test_an_erasure_that_was_done_half_is_done_once(thread: DataThread) -> None:
    thread.upload(*ines(thread))
    thread.apply()
    erase(thread, "rider-81")
    thread.apply()
    after = thread.events("profile_id, name, seq, toString(props)")
    with thread.database.begin() as connection:  # as if the process had died before the last step
        connection.execute(sa.text("UPDATE erasures SET done_at_ms = NULL"))
    thread.apply(thread.new_pipeline())
    assert thread.events("profile_id, name, seq, toString(props)") == after
    with thread.database.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM erasures WHERE done_at_ms IS NULL")).scalar() == 0


def test_rows_leave_the_disk_half_a_day_later(thread: DataThread) -> None:
    thread.upload(*ines(thread))
    erase(thread, "rider-81")
    thread.apply()
    thread.clock.advance_ms(PURGE_AFTER_MS)
    thread.apply(thread.new_pipeline())
    with thread.database.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM erasures WHERE purged_at_ms IS NULL")).scalar() == 0


def test_who_erased_how_many_is_in_the_audit_log_without_a_name(thread: DataThread) -> None:
    thread.upload(*ines(thread))
    erase(thread, "rider-81", "nobody")
    thread.apply()
    audit = AuditLog(thread.database)
    entry = audit.page(ACCOUNT, before=None, limit=10)[0]
    assert (entry.action, entry.asked_count, entry.done_count) == (AuditAction.PROFILES_DELETE, 2, 1)
    assert entry.request_id == "request-1"
    assert audit.first_broken(ACCOUNT) is None
    with thread.database.begin() as connection:
        connection.execute(sa.text("UPDATE audit_log SET done_count = 0"))
    assert audit.first_broken(ACCOUNT) == entry.audit_id


def picture(database: Database, columnar: Columnar) -> tuple[list[str], ...]:
    """What a replay must make again."""
    with database.read() as connection:
        rows = [
            sorted(repr(tuple(row)) for row in connection.execute(sa.text(f"SELECT * FROM {table}")))
            for table in ("profiles", "identities", "devices", "tokens", "profile_activity", "addresses", "tombstones")
        ]
    columns = "account_id, name, profile_id, recorded_profile_id, ts, seq, device_id, toString(props)"
    rows.append([repr(row) for row in columnar.rows(f"SELECT {columns} FROM events ORDER BY ALL")])
    return tuple(rows)


@pytest.mark.parametrize("seed", range(3))
def test_a_replay_of_a_log_with_erasures_makes_the_same_stores(
    tmp_path: Path,
    sqlite_database: Database,
    columnar: Columnar,
    columnar_dsn: str,
    clock: ManualClock,
    seed: int,
) -> None:
    thread = DataThread(tmp_path, sqlite_database, columnar, clock)
    chance = random.Random(seed)
    for _ in range(25):
        user = f"u{chance.randrange(4)}"
        match chance.randrange(5):
            case 0:
                erase(thread, user)
            case 1:
                thread.upload(profile(user, {"Email": f"{user}@example.org", "MSG-dndEmail": chance.random() < 0.5}))
            case 2:
                thread.upload(event(user, "Bought", {"Email": f"{user}@example.org"}, ts=now_s(thread)))
            case 3:
                thread.upload(event(None, "Looked", objectId=f"__device-{user}", ts=now_s(thread)))
            case _:
                thread.upload(event(user, "Opened", objectId=f"__device-{user}", ts=now_s(thread)))
        clock.advance_ms(30_000)
        if chance.random() < 0.4:
            thread.apply()
    thread.apply()
    first = picture(thread.database, columnar)
    with sqlite_database.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.delete(table))
    name = columnar_dsn.rpartition("/")[2] + "_again"
    columnar.command(f"CREATE DATABASE {name}")
    again = Columnar(f"{columnar_dsn}_again")
    again.create_tables()
    thread.apply(thread.new_pipeline(columnar=again))
    for a, b in zip(picture(thread.database, again), first, strict=True):
        assert sorted(set(a) ^ set(b)) == []
        assert a == b
    again.close()
    columnar.command(f"DROP DATABASE {name}")
    thread.close()
