"""Explicit merge, demerge, disassociation, and taking them back."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from belfry.ids import AccountId, ProfileId
from belfry.profiles.demerge import Demerged, demerge, disassociate
from belfry.profiles.graph import MemoryGraph
from belfry.profiles.history import Cell, EventMove, LogEntry, LogKind, MoveKind, StoredLogEntry
from belfry.profiles.identify import IdentityRules, Mode, Sighting, identify
from belfry.profiles.merge import merge, merge_cells
from belfry.profiles.model import (
    DEVICES_MAX,
    IDENTITIES_MAX,
    UNDO_DAYS,
    Identity,
    IdentityKind,
    Op,
    Operation,
    ProfileStatus,
    Refused,
)
from belfry.profiles.properties import fold
from belfry.profiles.undo import Undone, needed, undo

NOW_MS = 1_795_608_000_000
DAY_MS = 86_400_000
P1, P2, P3 = ProfileId(1), ProfileId(2), ProfileId(3)


def custom(value: str) -> Identity:
    return Identity(IdentityKind.IDENTITY, value)


class World:
    def __init__(self) -> None:
        self.graph = MemoryGraph(AccountId("A"))
        self.ids: Iterator[int] = itertools.count(1)
        self.log: list[StoredLogEntry] = []

    def next_id(self) -> ProfileId:
        return ProfileId(next(self.ids))

    def see(
        self, identity: str | None, device: str | None = None, added: tuple[Identity, ...] = (), login: bool = False
    ) -> ProfileId:
        root = None if identity is None else custom(identity)
        mode = Mode.LOGIN if login else Mode.PUSH
        seen = Sighting(root, device, added, NOW_MS, mode=mode)
        decision = identify(self.graph, IdentityRules(), seen, self.next_id)
        for entry in decision.log:
            self.keep(entry)
        return decision.profile_id

    def write(self, profile_id: ProfileId, at_ms: int, **values: Any) -> None:
        state = self.graph.profiles[profile_id].state
        fold(state.properties, state.written_at, [Operation(k, Op.SET, v) for k, v in values.items()], at_ms)

    def merge(self, keep: ProfileId, absorb: ProfileId) -> LogEntry:
        entry = merge(self.graph, keep, absorb, source="ana", reason="asked", at_ms=NOW_MS)
        assert isinstance(entry, LogEntry), entry
        return self.keep(entry)

    def keep(self, entry: LogEntry) -> LogEntry:
        # As the store keeps it: JSON there and back.
        entry = msgspec.json.decode(msgspec.json.encode(entry), type=LogEntry)
        self.log.append(StoredLogEntry(len(self.log) + 1, entry))
        return entry

    def undo(self, at_ms: int = NOW_MS + 1) -> Undone | Refused:
        return undo(self.graph, self.log[-1], source="ana", reason="a mistake", at_ms=at_ms)

    def picture(self) -> dict[int, Any]:
        """Everything that can be seen of users: hidden profiles that own nothing are none."""
        return copy.deepcopy(
            {
                profile_id: (
                    node.state.properties,
                    node.state.written_at,
                    node.state.bucket,
                    node.state.created_at_ms,
                    node.identities,
                    {device_id: device.profile_id for device_id, device in node.devices.items()},
                )
                for profile_id, node in self.graph.profiles.items()
                if node.state.status is ProfileStatus.ACTIVE
            }
        )


@pytest.fixture
def world() -> World:
    return World()


def two_users(world: World) -> None:
    world.see("u1", "dev-00001")
    world.see("u2", "dev-00002", (Identity(IdentityKind.EMAIL, "u2@x.org"),))
    world.write(P1, 10, tier="gold", city="Porto", tags=["a", "b"])
    world.write(P2, 20, tier="silver", age=30, tags=["b", "c"])
    world.write(P2, 5, city="Faro")


class TestMerge:
    def test_identities_and_devices_add_up_and_the_absorbed_one_is_hidden(self, world: World) -> None:
        two_users(world)
        entry = world.merge(P1, P2)
        node = world.graph.profiles[P1]
        assert {identity.value for identity in node.identities} == {"u1", "u2", "u2@x.org"}
        assert set(node.devices) == {"dev-00001", "dev-00002"}
        absorbed = world.graph.profiles[P2].state
        assert (absorbed.status, absorbed.target_id) == (ProfileStatus.MERGED, P1)
        assert world.graph.resolve(P2) == P1
        assert entry.move == EventMove(MoveKind.MERGE, P2, P1, 0)

    def test_the_newest_write_of_each_property_wins_and_lists_are_united(self, world: World) -> None:
        two_users(world)
        world.merge(P1, P2)
        assert world.graph.profiles[P1].state.properties == {
            "tier": "silver",
            "city": "Porto",
            "tags": ["a", "b", "c"],
            "age": 30,
        }

    def test_bucket_and_first_sight_are_the_older_profiles(self, world: World) -> None:
        two_users(world)
        world.graph.profiles[P1].state.created_at_ms = 50
        world.graph.profiles[P2].state.created_at_ms = 40
        bucket = world.graph.profiles[P2].state.bucket
        world.merge(P1, P2)
        state = world.graph.profiles[P1].state
        assert (state.bucket, state.created_at_ms) == (bucket, 40)

    def test_a_newer_delete_beats_an_older_value(self, world: World) -> None:
        two_users(world)
        state = world.graph.profiles[P2].state
        fold(state.properties, state.written_at, [Operation("tier", Op.DELETE)], 30)
        world.merge(P1, P2)
        assert "tier" not in world.graph.profiles[P1].state.properties

    @pytest.mark.parametrize(
        ("key", "ours", "theirs", "expected"),
        [
            pytest.param("MSG-email", True, False, False, id="an opt-out wins"),
            pytest.param("MSG-email", False, True, False, id="an older opt-out wins as well"),
            pytest.param("MSG-email", None, False, False, id="over a missing flag"),
            pytest.param("MSG-email", None, True, None, id="missing is subscribed"),
            pytest.param("MSG-whatsapp", True, True, True, id="two opt-ins stay one"),
            pytest.param("MSG-whatsapp", True, None, None, id="an opt-in and none: none"),
            pytest.param("MSG-whatsapp", True, False, False, id="an opt-in and an opt-out: out"),
            pytest.param("MSG-dndPhone", False, True, True, id="do not disturb wins"),
            pytest.param("MSG-dndPhone", True, None, True, id="do not disturb stays"),
        ],
    )
    def test_the_most_restrictive_subscription_wins(
        self, world: World, key: str, ours: bool | None, theirs: bool | None, expected: bool | None
    ) -> None:
        two_users(world)
        world.write(P1, 10, **{key: ours})
        world.write(P2, 20, **{key: theirs})
        world.merge(P1, P2)
        assert world.graph.profiles[P1].state.properties.get(key) is expected

    def test_groups_left_by_either_stay_left(self) -> None:
        key = "category-unsubscribe"
        merged = merge_cells(key, Cell({"email": ["b"]}, 2), Cell({"email": ["a"], "sms": ["c"]}, 1))
        assert merged.value == {"email": ["a", "b"], "sms": ["c"]}

    def test_a_union_of_lists_keeps_the_100_newest(self) -> None:
        older, newer = Cell([f"o{n}" for n in range(80)], 1), Cell([f"n{n}" for n in range(80)], 2)
        for merged in (merge_cells("tags", older, newer), merge_cells("tags", newer, older)):
            assert merged.value == [f"o{n}" for n in range(60, 80)] + newer.value

    def test_a_merge_that_would_pass_a_limit_is_refused_and_changes_nothing(self, world: World) -> None:
        world.see("a0", None, tuple(custom(f"a{n}") for n in range(1, IDENTITIES_MAX)))
        world.see("b")
        before = world.picture()
        refused = merge(world.graph, P1, P2, source="", reason="", at_ms=NOW_MS)
        assert isinstance(refused, Refused)
        assert refused.code == "too_many_identities"
        assert world.picture() == before

    def test_too_many_devices_are_refused(self, world: World) -> None:
        for number in range(DEVICES_MAX):
            world.see("u1", f"dev-{number:05}")
        world.see("u2", "one-more")
        refused = merge(world.graph, P1, P2, source="", reason="", at_ms=NOW_MS)
        assert isinstance(refused, Refused)
        assert refused.code == "too_many_devices"

    @pytest.mark.parametrize(
        ("keep", "absorb", "code"), [(1, 1, "same_profile"), (1, 9, "not_found"), (1, 3, "not_active")]
    )
    def test_what_cannot_be_merged_says_why(self, world: World, keep: int, absorb: int, code: str) -> None:
        two_users(world)
        world.see("u3")
        world.merge(P1, P3)
        refused = merge(world.graph, ProfileId(keep), ProfileId(absorb), source="", reason="", at_ms=NOW_MS)
        assert isinstance(refused, Refused)
        assert refused.code == code


class TestUndo:
    def test_undo_of_a_merge_restores_exactly(self, world: World) -> None:
        two_users(world)
        before = world.picture()
        world.merge(P1, P2)
        undone = world.undo()
        assert isinstance(undone, Undone)
        assert world.picture() == before
        assert undone.kept == ()
        assert undone.entry.kind is LogKind.UNDO
        assert undone.entry.move == EventMove(MoveKind.UNDO, P2, P1, 0, undoes=1)

    def test_what_was_written_since_stays_and_is_named(self, world: World) -> None:
        two_users(world)
        world.merge(P1, P2)
        world.write(P1, 40, tier="platinum")
        world.see("u1", None, (custom("since"),))
        undone = world.undo()
        assert isinstance(undone, Undone)
        assert undone.kept == ("tier",)
        assert world.graph.profiles[P1].state.properties == {"tier": "platinum", "city": "Porto", "tags": ["a", "b"]}
        assert world.graph.profiles[P2].state.properties["tier"] == "silver"
        assert world.graph.owner_of_identity(custom("since")) == P1
        assert world.graph.owner_of_identity(custom("u2")) == P2

    def test_an_identity_that_went_elsewhere_stays_there(self, world: World) -> None:
        two_users(world)
        world.merge(P1, P2)
        taken = Identity(IdentityKind.EMAIL, "u2@x.org")
        disassociate(world.graph, taken, source="", reason="", at_ms=NOW_MS)
        world.see("u3", None, (taken,))
        undone = world.undo()
        assert isinstance(undone, Undone)
        assert undone.kept == ("u2@x.org",)
        assert world.graph.owner_of_identity(taken) == P3

    def test_undo_of_an_orphan_gives_the_device_back(self, world: World) -> None:
        world.see(None, "dev-00001")
        world.write(P1, 1, city="Porto")
        world.see("u1")
        before = world.picture()
        world.see(None, "dev-00001", (custom("u1"), Identity(IdentityKind.EMAIL, "e@x.org")))
        undone = world.undo()
        assert isinstance(undone, Undone)
        assert world.picture() == before
        assert undone.entry.move == EventMove(MoveKind.UNDO, P1, P2, 0, undoes=1)

    def test_undo_of_a_switch_gives_the_device_back_and_hides_what_it_made(self, world: World) -> None:
        world.see("u1", "dev-00001")
        before = world.picture()
        world.see(None, "dev-00001", (custom("u2"),), login=True)
        assert isinstance(world.undo(), Undone)
        assert world.picture() == before
        assert world.graph.profiles[P2].state.status is ProfileStatus.ORPHAN
        assert world.graph.owner_of_identity(custom("u2")) is None

    def test_a_profile_that_a_switch_made_stays_if_it_has_got_something_of_its_own(self, world: World) -> None:
        world.see("u1", "dev-00001")
        world.see(None, "dev-00001", (custom("u2"),), login=True)
        world.see("u2", None, (custom("since"),))
        undone = world.undo()
        assert isinstance(undone, Undone)
        assert undone.kept == ("2",)
        assert world.graph.profiles[P2].state.status is ProfileStatus.ACTIVE

    def test_undo_of_a_demerge_puts_it_together_again(self, world: World) -> None:
        world.see("u1", "dev-00001")
        world.see("u1", "dev-00002")
        before = world.picture()
        demerged = demerge(world.graph, P1, world.next_id, source="", reason="", at_ms=NOW_MS)
        assert isinstance(demerged, Demerged)
        world.keep(demerged.entry)
        assert isinstance(world.undo(), Undone)
        assert world.picture() == before

    def test_undo_of_a_disassociation_restores_identity_and_property(self, world: World) -> None:
        phone = Identity(IdentityKind.PHONE, "+351912345678")
        world.see("u1", None, (phone,))
        world.write(P1, 5, Phone=phone.value)
        before = world.picture()
        entry = disassociate(world.graph, phone, source="", reason="", at_ms=NOW_MS)
        assert isinstance(entry, LogEntry)
        assert "Phone" not in world.graph.profiles[P1].state.properties
        world.keep(entry)
        assert isinstance(world.undo(), Undone)
        assert world.picture() == before

    def test_after_30_days_it_is_too_late(self, world: World) -> None:
        two_users(world)
        world.merge(P1, P2)
        refused = world.undo(at_ms=NOW_MS + UNDO_DAYS * DAY_MS + 1)
        assert isinstance(refused, Refused)
        assert refused.code == "too_late"
        assert isinstance(world.undo(at_ms=NOW_MS + UNDO_DAYS * DAY_MS), Undone)

    def test_it_cannot_be_undone_twice(self, world: World) -> None:
        two_users(world)
        world.merge(P1, P2)
        world.undo()
        refused = world.undo()
        assert isinstance(refused, Refused)
        assert refused.code == "changed_since"
        marked = msgspec.structs.replace(world.log[-1], undone_by=9)
        again = undo(world.graph, marked, source="", reason="", at_ms=NOW_MS)
        assert isinstance(again, Refused)
        assert again.code == "undone_before"

    def test_a_merge_below_a_later_one_waits_for_that(self, world: World) -> None:
        two_users(world)
        world.see("u3")
        world.merge(P1, P2)
        world.merge(P3, P1)
        first, second = world.log
        refused = undo(world.graph, first, source="", reason="", at_ms=NOW_MS)
        assert isinstance(refused, Refused)
        assert refused.code == "changed_since"
        assert isinstance(undo(world.graph, second, source="", reason="", at_ms=NOW_MS), Undone)
        assert isinstance(undo(world.graph, first, source="", reason="", at_ms=NOW_MS), Undone)

    def test_a_device_that_moved_on_is_not_torn_away(self, world: World) -> None:
        world.see(None, "dev-00001")
        world.see("u1")
        world.see(None, "dev-00001", (custom("u1"),))
        world.see(None, "dev-00001", (custom("u2"),), login=True)
        refused = undo(world.graph, world.log[0], source="", reason="", at_ms=NOW_MS)
        assert isinstance(refused, Refused)
        assert refused.code == "moved_on"

    def test_a_conflict_has_nothing_to_undo(self, world: World) -> None:
        world.see("u1", None, (custom("alias"),))
        world.see("u2", None, (custom("alias"),))
        refused = world.undo()
        assert isinstance(refused, Refused)
        assert refused.code == "not_undoable"

    def test_undo_says_what_it_needs_loaded(self, world: World) -> None:
        two_users(world)
        world.merge(P1, P2)
        wanted = needed(world.log[-1])
        assert wanted.profile_ids == {P1, P2}
        assert custom("u2") in wanted.identities
        assert wanted.device_ids == {"dev-00002"}


class TestDemerge:
    def test_one_profile_for_each_device_and_nothing_is_lost(self, world: World) -> None:
        for number in (1, 2, 3):
            world.see("u1", f"dev-0000{number}")
        world.write(P1, 1, city="Porto")
        done = demerge(world.graph, P1, world.next_id, source="API", reason="asked", at_ms=NOW_MS)
        assert isinstance(done, Demerged)
        assert done.profile_ids == (1, 2, 3)
        assert [world.graph.owner_of_device(f"dev-0000{number}") for number in (1, 2, 3)] == [1, 2, 3]
        assert world.graph.owner_of_identity(custom("u1")) is None
        assert world.graph.profiles[P1].state.properties == {"city": "Porto"}
        assert [event.name for event in done.events] == ["Identity Reset"]

    def test_a_profile_without_device_is_left_as_it_is(self, world: World) -> None:
        world.see("u1")
        refused = demerge(world.graph, P1, world.next_id, source="", reason="", at_ms=NOW_MS)
        assert isinstance(refused, Refused)
        assert refused.code == "no_devices"
        assert world.graph.owner_of_identity(custom("u1")) == P1

    def test_a_number_of_nobody_cannot_be_disassociated(self, world: World) -> None:
        refused = disassociate(
            world.graph, Identity(IdentityKind.PHONE, "+351912345678"), source="", reason="", at_ms=NOW_MS
        )
        assert isinstance(refused, Refused)
        assert refused.code == "not_found"
