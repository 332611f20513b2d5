"""Whole profiles in and out of a real store; the identity log; moves; ids of events; two accounts apart."""

from __future__ import annotations

import contextlib
import itertools
import random
from typing import Any

import pytest
import sqlalchemy as sa

from belfry.ids import AccountId, ProfileId
from belfry.profiles import journal, store, tables
from belfry.profiles.demerge import disassociate
from belfry.profiles.graph import MemoryGraph, ProfileNode, Wanted
from belfry.profiles.history import EventMove, LogEntry, LogKind, MoveKind
from belfry.profiles.identify import IdentityRules, Mode, Sighting, identify
from belfry.profiles.merge import merge
from belfry.profiles.model import Identity, IdentityKind, Op, Operation, ProfileStatus, Token
from belfry.profiles.properties import fold
from belfry.profiles.tokens import register_token
from belfry.profiles.undo import Undone, needed, undo
from belfry.storage.relational import Database

ACME, GLOBEX = AccountId("ACME"), AccountId("GLOBEX")
LONG = "用" * 1024
"""A legal identity of 3 072 bytes: more than PostgreSQL puts into an index."""
ODD = "nul\x00 and 'quote\" \\ %s :keys ?"


def custom(value: str) -> Identity:
    return Identity(IdentityKind.IDENTITY, value)


def a_graph(account_id: AccountId = ACME, first_id: int = 1) -> MemoryGraph:
    """Some users with everything that a profile can have."""
    graph = MemoryGraph(account_id)
    graph.version = 3
    ids = itertools.count(first_id)

    def see(identity: str | None, device: str | None = None, *added: Identity) -> ProfileId:
        root = None if identity is None else custom(identity)
        seen = Sighting(root, device, added, 1000 + len(graph.profiles))
        return identify(graph, IdentityRules(), seen, lambda: ProfileId(next(ids))).profile_id

    ana = see("ana", "__b41c2a6f0d9e", Identity(IdentityKind.EMAIL, "ana@example.org"))
    see(None, "anonymous-1")
    see("ana", "anonymous-1")
    see(LONG, None, custom(ODD))
    register_token(graph, "__b41c2a6f0d9e", Token("tok-1", "fcm", None, 5))
    register_token(graph, "anonymous-1", Token("t" * 4096, "chrome", {"p256dh": "a", "auth": "b"}, 6))
    graph.set_device_fields("__b41c2a6f0d9e", {"platform": "Android", "os_version": "15"})
    node = graph.profiles[ana]
    values: dict[str, Any] = {"Name": "Ana", "score": 1.5, "vip": True, "tags": ["a", "b"], "nested": {"a": [1]}}
    operations = [Operation(key, Op.SET, value) for key, value in values.items()]
    fold(node.state.properties, node.state.written_at, operations, 77)
    node.activity.events["App Launched"] = [3, 10, 20]
    node.activity.recent = b"\x00\xff\x01"
    graph.touch_activity(ana)
    graph.set_address_flag((IdentityKind.EMAIL, "ana@example.org"), "MSG-dndEmail", True, 50)
    return graph


def saved(database: Database, graph: MemoryGraph) -> MemoryGraph:
    with database.begin() as connection:
        store.save(connection, graph)
    graph.clean()
    return graph


def loaded(database: Database, wanted: Wanted, account_id: AccountId = ACME) -> MemoryGraph:
    graph = MemoryGraph(account_id)
    with database.read() as connection:
        store.load(connection, graph, wanted)
    return graph


def plain(node: ProfileNode) -> ProfileNode:
    """A node without what is not stored."""
    node.used = 0
    return node


class PowerCut(Exception):
    pass


class TestProfiles:
    def test_what_was_saved_is_loaded_whole(self, database: Database) -> None:
        graph = saved(database, a_graph())
        again = loaded(database, Wanted(profile_ids=set(graph.profiles)))
        assert {p: plain(n) for p, n in again.profiles.items()} == {p: plain(n) for p, n in graph.profiles.items()}
        assert again.address_flags == graph.address_flags

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            pytest.param(Wanted(identities={custom("ana")}), {1}, id="custom identity"),
            pytest.param(Wanted(identities={Identity(IdentityKind.EMAIL, "ana@example.org")}), {1}, id="email"),
            pytest.param(Wanted(identities={custom("ana@example.org")}), set(), id="the same text of another kind"),
            pytest.param(Wanted(identities={custom(LONG)}), {3}, id="longer than an index takes"),
            pytest.param(Wanted(identities={custom(ODD)}), {3}, id="with what SQL might stumble over"),
            pytest.param(Wanted(identities={custom("' OR 1=1 --")}), set(), id="an injection is a value"),
            pytest.param(Wanted(device_ids={"anonymous-1"}), {1}, id="device that moved"),
            pytest.param(Wanted(tokens={"tok-1"}), {1}, id="token"),
            pytest.param(Wanted(tokens={"t" * 4096}), {1}, id="long token"),
            pytest.param(Wanted(profile_ids={ProfileId(2)}), {1, 2}, id="an orphan brings whoever took it over"),
            pytest.param(Wanted(profile_ids={ProfileId(99)}), set(), id="unknown"),
            pytest.param(Wanted(), set(), id="nothing"),
        ],
    )
    def test_profiles_are_found_by_what_names_them(
        self, database: Database, wanted: Wanted, expected: set[int]
    ) -> None:
        saved(database, a_graph())
        assert set(loaded(database, wanted).profiles) == expected

    def test_loading_keeps_what_is_in_the_graph(self, database: Database) -> None:
        saved(database, a_graph())
        graph = loaded(database, Wanted(identities={custom("ana")}))
        node = graph.profiles[ProfileId(1)]
        with database.read() as connection:
            store.load(connection, graph, Wanted(identities={custom("ana")}, profile_ids={ProfileId(1)}))
        assert graph.profiles[ProfileId(1)] is node

    def test_what_is_gone_is_deleted(self, database: Database) -> None:
        graph = saved(database, a_graph())
        graph.detach_identity(custom(LONG))
        graph.remove_token("t" * 4096)
        saved(database, graph)
        again = loaded(database, Wanted(profile_ids={ProfileId(1), ProfileId(3)}))
        assert again.owner_of_identity(custom(LONG)) is None
        assert again.device_of_token("t" * 4096) is None
        assert again.owner_of_identity(custom(ODD)) == 3

    def test_an_identity_that_changed_owner_within_one_save_has_one_owner(self, database: Database) -> None:
        graph = saved(database, a_graph())
        disassociate(graph, custom("ana"), source="", reason="", at_ms=1)
        graph.attach_identity(custom("ana"), ProfileId(3), 2)
        saved(database, graph)
        assert loaded(database, Wanted(identities={custom("ana")})).owner_of_identity(custom("ana")) == 3

    def test_saving_again_changes_nothing(self, database: Database) -> None:
        graph = a_graph()
        with database.begin() as connection:
            store.save(connection, graph)
            store.save(connection, graph)
        before = everything(database)
        saved(database, graph)
        assert everything(database) == before

    def test_a_failed_transaction_leaves_nothing(self, database: Database) -> None:
        graph = a_graph()
        with contextlib.suppress(PowerCut), database.begin() as connection:
            store.save(connection, graph)
            raise PowerCut
        assert loaded(database, Wanted(profile_ids={ProfileId(1)})).profiles == {}

    def test_more_keys_than_one_read_takes(self, database: Database) -> None:
        graph = MemoryGraph(ACME)
        count = store.READ_ROWS + 10
        for number in range(count):
            graph.create(ProfileId(number), 0)
        saved(database, graph)
        assert len(loaded(database, Wanted(profile_ids={ProfileId(n) for n in range(count)})).profiles) == count


class TestAccounts:
    def test_two_accounts_with_the_same_names_never_cross(self, database: Database) -> None:
        acme = saved(database, a_graph(ACME))
        globex = a_graph(GLOBEX, first_id=1)
        fold(globex.profiles[ProfileId(1)].state.properties, {}, [Operation("Name", Op.SET, "Other")], 99)
        saved(database, globex)
        wanted = Wanted(
            {custom("ana"), custom(LONG)}, {"anonymous-1"}, {"tok-1"}, {ProfileId(1), ProfileId(2), ProfileId(3)}
        )
        for graph, name in ((acme, "Ana"), (globex, "Other")):
            again = loaded(database, wanted, graph.account_id)
            assert again.profiles[ProfileId(1)].state.properties["Name"] == name
            assert {node.state.account_id for node in again.profiles.values()} == {graph.account_id}
        assert loaded(database, wanted, AccountId("NOBODY")).profiles == {}

    def test_what_one_account_deletes_the_other_keeps(self, database: Database) -> None:
        acme = saved(database, a_graph(ACME))
        saved(database, a_graph(GLOBEX))
        acme.detach_identity(custom("ana"))
        acme.remove_token("tok-1")
        saved(database, acme)
        again = loaded(database, Wanted({custom("ana")}, set(), {"tok-1"}), GLOBEX)
        assert (again.owner_of_identity(custom("ana")), again.device_of_token("tok-1")) == (1, "__b41c2a6f0d9e")

    def test_log_moves_and_event_ids_are_each_accounts_own(self, database: Database) -> None:
        key = (ProfileId(1), b"k" * 16)
        with database.begin() as connection:
            journal.write_log(connection, ACME, [(5, merged_entry(a_graph()))])
            journal.add_event_keys(connection, ACME, [(key, 7)])
        with database.begin() as connection:
            journal.mark_undone(connection, GLOBEX, 5, 6)
            journal.mark_move_done(connection, GLOBEX, 5, 1)
            journal.forget_event_keys(connection, GLOBEX, 100)
            assert journal.log_of(connection, GLOBEX, ProfileId(1)) == []
            assert journal.read_log_entry(connection, GLOBEX, 5) is None
            assert journal.waiting_moves(connection, GLOBEX) == []
            assert journal.known_event_keys(connection, GLOBEX, [key]) == set()
            assert journal.accounts_with_waiting_moves(connection) == [ACME]
            found = journal.read_log_entry(connection, ACME, 5)
            assert found is not None
            assert found.undone_by is None
            assert journal.known_event_keys(connection, ACME, [key]) == {key}


def merged_entry(graph: MemoryGraph) -> LogEntry:
    entry = merge(graph, ProfileId(1), ProfileId(3), source="ana", reason="asked", at_ms=9)
    assert isinstance(entry, LogEntry)
    return entry


class TestJournal:
    def test_a_row_is_read_as_it_was_written_and_writing_it_again_changes_nothing(self, database: Database) -> None:
        entry = merged_entry(a_graph())
        with database.begin() as connection:
            journal.write_log(connection, ACME, [(5, entry)])
            journal.mark_undone(connection, ACME, 5, 8)
            journal.write_log(connection, ACME, [(5, entry)])
        with database.read() as connection:
            stored = journal.read_log_entry(connection, ACME, 5)
            assert stored is not None
            assert (stored.log_id, stored.entry, stored.undone_by) == (5, entry, 8)
            assert journal.log_of(connection, ACME, ProfileId(1)) == [stored]
            assert journal.log_of(connection, ACME, ProfileId(3)) == [stored], "by either profile"

    def test_moves_wait_in_order_until_they_are_done(self, database: Database) -> None:
        graph = a_graph()
        entry = merged_entry(graph)
        with database.begin() as connection:
            journal.write_log(connection, ACME, [(9, entry), (5, entry)])
            waiting = journal.waiting_moves(connection, ACME)
            assert [(w.move_id, w.move) for w in waiting] == [
                (5, EventMove(MoveKind.MERGE, ProfileId(3), ProfileId(1), 0)),
                (9, EventMove(MoveKind.MERGE, ProfileId(3), ProfileId(1), 0)),
            ]
            journal.mark_move_done(connection, ACME, 5, 1)
            assert [w.move_id for w in journal.waiting_moves(connection, ACME)] == [9]
            journal.mark_move_done(connection, ACME, 9, 1)
            assert journal.accounts_with_waiting_moves(connection) == []

    def test_a_merge_can_be_taken_back_by_another_process(self, database: Database) -> None:
        """Merge, save, forget; then load what undo needs, undo, save: everything is as before but for versions."""
        graph = saved(database, a_graph())
        before = everything(database)
        entry = merged_entry(graph)
        with database.begin() as connection:
            store.save(connection, graph)
            journal.write_log(connection, ACME, [(5, entry)])
        with database.begin() as connection:
            stored = journal.read_log_entry(connection, ACME, 5)
            assert stored is not None
            fresh = MemoryGraph(ACME)
            store.load(connection, fresh, needed(stored))
            undone = undo(fresh, stored, source="ana", reason="a mistake", at_ms=10)
            assert isinstance(undone, Undone)
            store.save(connection, fresh)
        assert everything(database) == before
        assert undone.entry.kind is LogKind.UNDO

    def test_ids_of_events_are_known_for_their_profile_and_forgotten_in_time(self, database: Database) -> None:
        keys = [((ProfileId(number), bytes([number % 250]) * 16), number) for number in range(1, 1001)]
        with database.begin() as connection:
            journal.add_event_keys(connection, ACME, keys)
            journal.add_event_keys(connection, ACME, keys[:3])
            assert len(journal.known_event_keys(connection, ACME, [key for key, _ in keys])) == 1000
            assert journal.known_event_keys(connection, ACME, [(ProfileId(2), keys[0][0][1])]) == set()
            journal.copy_event_keys(connection, ACME, ProfileId(1), ProfileId(2))
            assert journal.known_event_keys(connection, ACME, [(ProfileId(2), keys[0][0][1])])
            journal.forget_event_keys(connection, ACME, 900)
            assert journal.known_event_keys(connection, ACME, [key for key, _ in keys]) == {k for k, _ in keys[899:]}

    def test_a_source_that_the_engines_cannot_hold_is_cleaned(self, database: Database) -> None:
        graph = a_graph()
        entry = merge(graph, ProfileId(1), ProfileId(3), source="a\x00" + "b" * 99, reason="r" * 999, at_ms=9)
        assert isinstance(entry, LogEntry)
        with database.begin() as connection:
            journal.write_log(connection, ACME, [(5, entry)])
            stored = journal.read_log_entry(connection, ACME, 5)
        assert stored is not None
        assert (len(stored.entry.source), len(stored.entry.reason)) == (64, 400)


def everything(database: Database) -> dict[str, list[Any]]:
    """All rows of what profiles are, without versions."""
    found = {}
    with database.read() as connection:
        for table in (tables.profiles, tables.identities, tables.devices, tables.tokens, tables.activity):
            columns = [column for column in table.columns if column.name != "version"]
            rows = connection.execute(sa.select(*columns).order_by(*table.primary_key)).all()
            found[table.name] = [tuple(row) for row in rows]
    return found


def test_random_histories_saved_step_by_step_equal_those_kept_in_memory(database: Database) -> None:
    """A graph that is saved and loaded afresh at each step ends like one that never left the memory."""
    chance = random.Random(20261125)
    memory = MemoryGraph(ACME)
    for fresh in range(1, 60):
        root = chance.choice([None, None, custom("u1"), custom("u2"), custom("u3")])
        device = f"device-{chance.randint(1, 9)}"
        added = chance.choice([(), (custom(f"u{chance.randint(1, 4)}"),)])
        seen = Sighting(root, device, added, fresh, mode=chance.choice(list(Mode)))
        with database.begin() as connection:
            stored = MemoryGraph(ACME)
            wanted = Wanted({*added, *([root] if root else [])}, {device})
            store.load(connection, stored, wanted)
            decisions = [
                identify(graph, IdentityRules(), seen, lambda number=fresh: ProfileId(number))
                for graph in (memory, stored)
            ]
            store.save(connection, stored)
        assert decisions[0] == decisions[1]
    again = loaded(database, Wanted(profile_ids=set(memory.profiles)))
    assert {p: plain(n) for p, n in again.profiles.items()} == {p: plain(n) for p, n in memory.profiles.items()}
    assert any(node.state.status is ProfileStatus.ORPHAN for node in again.profiles.values())
