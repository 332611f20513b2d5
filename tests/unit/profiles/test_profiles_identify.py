"""Whose record is it: the whole table of engagement 1.2 and server-api 3.3."""

from __future__ import annotations

import itertools

import pytest

from belfry.error_stream.model import ErrorKind
from belfry.ids import AccountId, ProfileId
from belfry.profiles.graph import MemoryGraph, bucket_of
from belfry.profiles.history import EventMove, LogKind, MoveKind
from belfry.profiles.identify import (
    Decision,
    IdentityRules,
    Mode,
    Outcome,
    Sighting,
    identify,
)
from belfry.profiles.model import (
    ADOPT_DAYS,
    DEVICES_MAX,
    IDENTITIES_MAX,
    Identity,
    IdentityKind,
    ProfileStatus,
    Token,
)

NOW_MS = 1_795_608_000_000
DAY_MS = 86_400_000


def custom(value: str) -> Identity:
    return Identity(IdentityKind.IDENTITY, value)


def email(value: str) -> Identity:
    return Identity(IdentityKind.EMAIL, value)


def phone(value: str) -> Identity:
    return Identity(IdentityKind.PHONE, value)


class World:
    """A graph, its rules, and a counter for ids."""

    def __init__(self, rules: IdentityRules | None = None) -> None:
        self.graph = MemoryGraph(AccountId("A"))
        self.rules = rules or IdentityRules()
        self._ids = itertools.count(1)

    def see(
        self,
        identity: str | Identity | None = None,
        device: str | None = None,
        added: tuple[Identity, ...] = (),
        mode: Mode = Mode.PUSH,
    ) -> Decision:
        root = custom(identity) if isinstance(identity, str) else identity
        seen = Sighting(root, device, added, NOW_MS, "API", mode)
        return identify(self.graph, self.rules, seen, lambda: ProfileId(next(self._ids)))

    def owner(self, what: Identity | str) -> int | None:
        if isinstance(what, Identity):
            return self.graph.owner_of_identity(what)
        return self.graph.owner_of_device(what)

    def status(self, profile_id: int) -> ProfileStatus:
        return self.graph.profiles[ProfileId(profile_id)].state.status


@pytest.fixture
def world() -> World:
    return World()


def events_of(decision: Decision) -> list[str]:
    return [event.name for event in decision.events]


class TestByIdentity:
    def test_an_unknown_identity_makes_a_profile(self, world: World) -> None:
        decision = world.see("u1", added=(email("u1@x.org"), phone("+351912345678")))
        assert (decision.profile_id, decision.created, decision.outcome) == (1, 1, Outcome.CREATED)
        assert decision.attached == (custom("u1"), email("u1@x.org"), phone("+351912345678"))
        assert [(e.name, e.profile_id, e.props) for e in decision.events] == [
            ("Identity Set", 1, {"outcome": "created", "identity": "u1", "type": "identity", "source": "API"})
        ]
        state = world.graph.profiles[ProfileId(1)].state
        assert (state.bucket, state.created_at_ms) == (bucket_of(ProfileId(1)), NOW_MS)

    def test_a_known_identity_changes_nothing(self, world: World) -> None:
        world.see("u1", device="dev-00001")
        world.graph.clean()
        assert world.see("u1") == Decision(ProfileId(1))
        assert world.see("u1", device="dev-00001") == Decision(ProfileId(1), "dev-00001")
        assert not world.graph.dirty.profiles

    def test_a_second_custom_identity_is_appended(self, world: World) -> None:
        world.see("u1")
        decision = world.see("u1", added=(custom("alias"),))
        assert (decision.profile_id, decision.outcome, decision.attached) == (1, Outcome.APPENDED, (custom("alias"),))
        assert world.see("alias").profile_id == 1

    def test_a_further_identity_of_someone_else_is_refused_and_both_stay(self, world: World) -> None:
        """Scenario 4."""
        world.see("u2", added=(email("u2@x.org"),))
        world.see("u1")
        decision = world.see("u1", added=(email("u2@x.org"), phone("+351912345678")))
        assert decision.profile_id == 2
        assert [(r.identity, r.owner_id) for r in decision.refused] == [(email("u2@x.org"), 1)]
        assert decision.attached == (phone("+351912345678"),), "the free one is attached"
        assert [remark.kind for remark in decision.remarks] == [ErrorKind.IDENTITY_CONFLICT]
        assert events_of(decision) == ["Identity Set", "Identity Error"]
        assert decision.events[1].props["identity"] == "u2@x.org"
        (entry,) = decision.log
        assert (entry.kind, entry.profile_id, entry.other_id) == (LogKind.CONFLICT, 2, 1)
        assert world.owner(email("u2@x.org")) == 1

    def test_a_new_user_with_the_email_of_another_gets_a_profile_of_their_own(self, world: World) -> None:
        world.see("u1", added=(email("shared@x.org"),))
        decision = world.see("u2", added=(email("shared@x.org"),))
        assert (decision.profile_id, decision.created) == (2, 2)
        assert world.owner(email("shared@x.org")) == 1

    def test_a_new_device_joins(self, world: World) -> None:
        world.see("u1")
        decision = world.see("u1", device="dev-00001")
        assert (decision.profile_id, decision.device_id, world.owner("dev-00001")) == (1, "dev-00001", 1)

    def test_an_anonymous_device_becomes_a_new_user(self, world: World) -> None:
        """Scenario 1: its history stays with it."""
        world.see(device="dev-00001")
        decision = world.see("u1", device="dev-00001")
        assert (decision.profile_id, decision.created, decision.outcome) == (1, None, Outcome.APPENDED)

    @pytest.mark.parametrize("adopts", [True, False])
    def test_an_anonymous_device_joins_an_existing_user_and_leaves_an_orphan(self, adopts: bool) -> None:
        """Scenario 2."""
        world = World(IdentityRules(adopts=adopts))
        world.see(device="dev-00001")
        world.see("u1")
        decision = world.see("u1", device="dev-00001")
        assert (decision.profile_id, decision.outcome, decision.orphaned) == (2, Outcome.JOINED, 1)
        assert world.status(1) is ProfileStatus.ORPHAN
        assert world.graph.resolve(ProfileId(1)) == 2
        (entry,) = decision.log
        assert (entry.kind, entry.profile_id, entry.other_id) == (LogKind.ORPHAN, 2, 1)
        adopted = EventMove(MoveKind.ADOPT, ProfileId(1), ProfileId(2), NOW_MS - ADOPT_DAYS * DAY_MS)
        assert entry.move == (adopted if adopts else None)

    def test_the_device_of_another_identified_user_is_left_alone(self, world: World) -> None:
        world.see("u1", device="dev-00001")
        decision = world.see("u2", device="dev-00001")
        assert (decision.profile_id, decision.device_id) == (2, None)
        assert [remark.kind for remark in decision.remarks] == [ErrorKind.OBJECT_ID_IGNORED]
        assert world.owner("dev-00001") == 1
        assert not world.graph.devices_of(ProfileId(2))

    def test_a_constant_device_id_does_not_merge_buyers(self, world: World) -> None:
        """Server-api scenario 7."""
        owners = {world.see(f"buyer-{n}", device="back-end-event").profile_id for n in range(100)}
        assert len(owners) == 100

    def test_a_social_id_at_the_root_names_a_user_whatever_the_setting(self) -> None:
        world = World(IdentityRules(kinds=frozenset({IdentityKind.EMAIL})))
        fb = Identity(IdentityKind.FBID, "fb-1")
        assert world.see(fb).profile_id == world.see(fb).profile_id == 1


class TestByDevice:
    def test_first_sight_makes_an_anonymous_profile(self, world: World) -> None:
        decision = world.see(device="dev-00001")
        assert (decision.profile_id, decision.created, decision.device_id) == (1, 1, "dev-00001")
        assert decision.events == ()
        assert world.see(device="dev-00001") == Decision(ProfileId(1), "dev-00001")

    @pytest.mark.parametrize("mode", list(Mode))
    def test_a_free_identity_on_an_anonymous_device_is_appended(self, world: World, mode: Mode) -> None:
        world.see(device="dev-00001")
        decision = world.see(device="dev-00001", added=(custom("u1"),), mode=mode)
        assert (decision.profile_id, decision.outcome) == (1, Outcome.APPENDED)
        assert world.owner(custom("u1")) == 1

    @pytest.mark.parametrize("mode", list(Mode))
    def test_an_existing_identity_on_an_anonymous_device_moves_the_device(self, world: World, mode: Mode) -> None:
        world.see("u1")
        world.see(device="dev-00001")
        decision = world.see(device="dev-00001", added=(custom("u1"), email("u1@x.org")), mode=mode)
        assert (decision.profile_id, decision.outcome, decision.orphaned) == (1, Outcome.JOINED, 2)
        assert decision.attached == (email("u1@x.org"),)
        assert events_of(decision) == ["Identity Set"]

    def test_a_new_device_of_an_existing_user_makes_no_anonymous_profile(self, world: World) -> None:
        world.see("u1")
        decision = world.see(device="dev-00001", added=(custom("u1"),))
        assert (decision.profile_id, decision.created, decision.outcome) == (1, None, Outcome.JOINED)
        assert len(world.graph.profiles) == 1

    def test_a_push_with_a_new_identity_appends_it(self, world: World) -> None:
        world.see("u1", device="dev-00001")
        decision = world.see(device="dev-00001", added=(custom("u2"),))
        assert (decision.profile_id, decision.outcome) == (1, Outcome.APPENDED)

    def test_a_push_with_an_identity_of_someone_else_is_refused(self, world: World) -> None:
        """Scenario 4, from a device."""
        world.see("u1", device="dev-00001")
        world.see("u2", added=(email("u2@x.org"),))
        decision = world.see(device="dev-00001", added=(email("u2@x.org"),))
        assert (decision.profile_id, world.owner("dev-00001")) == (1, 1)
        assert events_of(decision) == ["Identity Error"]

    def test_a_login_as_someone_new_switches_to_a_new_profile(self, world: World) -> None:
        world.see("u1", device="dev-00001")
        decision = world.see(device="dev-00001", added=(custom("u2"),), mode=Mode.LOGIN)
        assert (decision.profile_id, decision.created, decision.outcome) == (2, 2, Outcome.SWITCHED)
        assert world.owner("dev-00001") == 2
        assert world.status(1) is ProfileStatus.ACTIVE
        assert decision.log[0].kind is LogKind.SWITCH
        assert decision.log[0].move is None

    def test_a_login_as_an_existing_user_takes_device_and_token_there(self, world: World) -> None:
        """Scenario 3."""
        world.see("u1", device="dev-00001")
        world.see("u2")
        world.graph.put_token("dev-00001", Token("tok", "fcm", None, NOW_MS))
        decision = world.see(device="dev-00001", added=(custom("u2"),), mode=Mode.LOGIN)
        assert (decision.profile_id, decision.outcome) == (2, Outcome.SWITCHED)
        assert "tok" in world.graph.devices_of(ProfileId(2))["dev-00001"].tokens
        unregistered = [e for e in decision.events if e.name == "Push Unregistered"]
        assert [(e.profile_id, e.device_id, e.props["token"]) for e in unregistered] == [(1, "dev-00001", "tok")]

    def test_a_login_that_names_the_present_user_is_the_same_person(self, world: World) -> None:
        """Issue 552: another custom id, the same email."""
        world.see("u1", device="dev-00001", added=(email("e@x.org"),))
        added = (custom("other"), email("e@x.org"))
        decision = world.see(device="dev-00001", added=added, mode=Mode.LOGIN)
        assert (decision.profile_id, decision.outcome) == (1, Outcome.KNOWN)
        assert world.owner(custom("other")) == 1

    def test_a_login_without_identities_stays(self, world: World) -> None:
        world.see("u1", device="dev-00001")
        assert world.see(device="dev-00001", mode=Mode.LOGIN) == Decision(ProfileId(1), "dev-00001")

    def test_precedence_decides_between_two_owners_and_the_third_is_refused(self, world: World) -> None:
        world.see("u1", added=(email("one@x.org"),))
        world.see("u2")
        world.see(device="dev-00001")
        decision = world.see(device="dev-00001", added=(email("one@x.org"), custom("u2")))
        assert decision.profile_id == 2
        assert [(r.identity, r.owner_id) for r in decision.refused] == [(email("one@x.org"), 1)]
        assert [entry.kind for entry in decision.log] == [LogKind.ORPHAN, LogKind.CONFLICT]

    def test_an_anonymous_profile_that_keeps_a_device_is_no_orphan(self, world: World) -> None:
        world.see(device="dev-00001")
        world.graph.attach_device("dev-00002", ProfileId(1), NOW_MS)
        world.see("u1")
        decision = world.see(device="dev-00001", added=(custom("u1"),))
        assert (decision.profile_id, decision.orphaned) == (2, None)
        assert (world.status(1), world.owner("dev-00002")) == (ProfileStatus.ACTIVE, 1)
        assert decision.log[0].kind is LogKind.JOIN

    def test_neither_identity_nor_device_is_a_mistake_of_the_caller(self, world: World) -> None:
        with pytest.raises(ValueError, match="neither"):
            world.see()


class TestRules:
    def test_only_kinds_of_the_account_identify(self) -> None:
        world = World(IdentityRules(kinds=frozenset({IdentityKind.EMAIL})))
        decision = world.see("u1", added=(email("e@x.org"), phone("+351912345678"), custom("alias")))
        assert decision.attached == (custom("u1"), custom("alias"), email("e@x.org"))
        assert world.see("u2", added=(phone("+351912345678"),)).refused == ()

    def test_the_21st_identity_is_refused(self, world: World) -> None:
        world.see("u0", added=tuple(custom(f"u{n}") for n in range(1, IDENTITIES_MAX)))
        decision = world.see("u0", added=(custom("one more"),))
        assert [remark.kind for remark in decision.remarks] == [ErrorKind.IDENTITY_LIMIT]
        assert [(r.identity, r.owner_id) for r in decision.refused] == [(custom("one more"), None)]
        assert world.owner(custom("one more")) is None
        assert events_of(decision) == ["Identity Error"]

    def test_the_51st_device_is_left_out_and_the_record_stays_with_its_user(self, world: World) -> None:
        for number in range(DEVICES_MAX):
            world.see("u1", device=f"dev-{number:05}")
        decision = world.see("u1", device="one-more")
        assert (decision.profile_id, decision.device_id) == (1, None)
        assert [remark.kind for remark in decision.remarks] == [ErrorKind.IDENTITY_LIMIT]
        world.see(device="anonymous-1")
        decision = world.see(device="anonymous-1", added=(custom("u1"),))
        assert decision.profile_id == 2
        assert decision.orphaned is None
        assert decision.attached == ()

    def test_ids_of_new_profiles_are_asked_for_only_if_one_is_made(self, world: World) -> None:
        world.see("u1", device="dev-00001")
        seen = Sighting(custom("u1"), "dev-00001", (email("e@x.org"),), NOW_MS)

        def never() -> ProfileId:
            raise AssertionError("no profile is made here")

        assert identify(world.graph, world.rules, seen, never).outcome is Outcome.APPENDED

    def test_a_chain_of_takeovers_resolves_to_its_end(self, world: World) -> None:
        for name in ("u1", "u2", "u3"):
            world.see(name)
        world.graph.hide(ProfileId(1), ProfileStatus.ORPHAN, ProfileId(2))
        world.graph.hide(ProfileId(2), ProfileStatus.MERGED, ProfileId(3))
        assert world.graph.resolve(ProfileId(1)) == 3
        world.graph.hide(ProfileId(3), ProfileStatus.DELETED, None)
        assert world.graph.resolve(ProfileId(1)) is None

    def test_buckets_are_uniform_and_permanent(self) -> None:
        buckets = [bucket_of(ProfileId(number << 20)) for number in range(20_000)]
        assert buckets[:3] == [bucket_of(ProfileId(number << 20)) for number in range(3)]
        assert set(buckets) == set(range(1000))
