"""The working set: what it remembers, what it lets go."""

from __future__ import annotations

from belfry.ids import AccountId, ProfileId
from belfry.profiles.graph import Dirty, MemoryGraph, new_node
from belfry.profiles.model import Identity, IdentityKind, Token


def test_a_change_gives_the_profile_the_version_of_its_place_in_the_log() -> None:
    graph = MemoryGraph(AccountId("A"))
    graph.version = 7
    graph.create(ProfileId(1), 0)
    graph.version = 9
    graph.attach_identity(Identity(IdentityKind.IDENTITY, "u1"), ProfileId(1), 0)
    assert graph.profiles[ProfileId(1)].state.version == 9


def test_what_was_loaded_is_not_dirty() -> None:
    graph = MemoryGraph(AccountId("A"))
    graph.add(new_node(AccountId("A"), ProfileId(1), 0))
    assert graph.dirty == Dirty()


def test_the_least_used_profiles_leave_with_everything_that_names_them() -> None:
    graph = MemoryGraph(AccountId("A"))
    for number in range(8):
        profile_id = ProfileId(number)
        graph.loads = number
        graph.create(profile_id, 0)
        graph.attach_identity(Identity(IdentityKind.IDENTITY, f"u{number}"), profile_id, 0)
        graph.attach_device(f"dev-{number}", profile_id, 0)
        graph.put_token(f"dev-{number}", Token(f"tok-{number}", "fcm", None, 0))
    graph.shrink(4)
    assert len(graph.profiles) == 8, "what is to be saved stays"
    graph.clean()
    graph.loads = 9
    assert not graph.lacks_identity(Identity(IdentityKind.IDENTITY, "u0")), "and counts as used now"
    graph.shrink(8)
    assert len(graph.profiles) == 8, "the limit itself is allowed"
    graph.shrink(4)
    assert sorted(graph.profiles) == [0, 6, 7]
    assert graph.owner_of_identity(Identity(IdentityKind.IDENTITY, "u1")) is None
    assert graph.owner_of_device("dev-1") is None
    assert graph.device_of_token("tok-1") is None
    assert graph.lacks_token("tok-1")
    assert not graph.lacks_token("tok-7")


def test_the_most_recent_identity_of_a_kind_is_the_one_that_counts() -> None:
    node = new_node(AccountId("A"), ProfileId(1), 0)
    for value, at_ms in (("first", 1), ("last", 3), ("second", 2)):
        node.identities[Identity(IdentityKind.IDENTITY, value)] = at_ms
    node.identities[Identity(IdentityKind.EMAIL, "e@x.org")] = 9
    assert node.newest(IdentityKind.IDENTITY) == "last"
    assert node.email == "e@x.org"
    node.state.properties["Email"] = "new@x.org"
    assert node.email == "new@x.org"
    assert node.phone is None
