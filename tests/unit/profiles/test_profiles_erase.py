"""Erasing in the graph, and the hashes that are left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from belfry.ids import AccountId, ProfileId
from belfry.profiles.erase import DEVICE, erase
from belfry.profiles.graph import MemoryGraph
from belfry.profiles.model import Identity, IdentityKind, ProfileStatus, Token
from belfry.profiles.tombstones import ErasureHasher

ACCOUNT, USER = AccountId("AAA"), ProfileId(7)


def graph_with_user() -> MemoryGraph:
    graph = MemoryGraph(ACCOUNT)
    graph.create(USER, 0)
    graph.attach_identity(Identity(IdentityKind.IDENTITY, "rider-81"), USER, 1)
    graph.attach_identity(Identity(IdentityKind.EMAIL, "old@example.org"), USER, 1)
    graph.attach_device("__device-1", USER, 1)
    graph.put_token("__device-1", Token("token-1", "fcm", None, 1))
    graph.profiles[USER].state.properties = {"Name": "Ines", "Email": "new@example.org", "tier": "gold"}
    graph.profiles[USER].activity.events["Bought"] = [1, 0, 0]
    return graph


def test_a_husk_holds_nothing_of_its_user() -> None:
    graph = graph_with_user()
    erase(graph, USER)
    node = graph.profiles[USER]
    assert node.state.status is ProfileStatus.DELETED
    assert (node.identities, node.devices, node.state.properties, node.state.written_at) == ({}, {}, {}, {})
    assert node.activity.events == {}
    assert graph.owner_of_device("__device-1") is None
    assert graph.device_of_token("token-1") is None
    assert graph.resolve(USER) is None


def test_all_that_named_the_user_is_told_and_marked_to_be_deleted() -> None:
    graph = graph_with_user()
    graph.clean()
    erased = erase(graph, USER)
    assert set(erased.names) == {("identity", "rider-81"), ("email", "old@example.org"), (DEVICE, "__device-1")}
    assert erased.addresses == ((IdentityKind.EMAIL, "new@example.org"), (IdentityKind.EMAIL, "old@example.org"))
    assert erased.personal == {"rider-81", "old@example.org", "new@example.org", "Ines", "__device-1", "token-1"}
    assert graph.dirty.devices == {"__device-1"}
    assert graph.dirty.tokens == {"token-1"}
    assert len(graph.dirty.identities) == 2


@given(st.integers(1, 2**62), st.binary(min_size=8, max_size=32))
def test_the_number_of_a_stranger_is_negative_the_same_every_time_and_differs_by_account(
    profile_id: int, secret: bytes
) -> None:
    hasher = ErasureHasher(secret)
    number = hasher.stranger(ACCOUNT, ProfileId(profile_id))
    assert -(2**63) <= number < 0
    assert number == ErasureHasher(secret).stranger(ACCOUNT, ProfileId(profile_id))
    assert number != hasher.stranger(AccountId("BBB"), ProfileId(profile_id))


def test_hashes_of_names_differ_by_secret_account_kind_and_value() -> None:
    hashes = {
        ErasureHasher(secret).name(AccountId(account), (kind, value))
        for secret in (b"one", b"two")
        for account in ("AAA", "BBB")
        for kind in ("identity", "email")
        for value in ("x", "y")
    }
    assert len(hashes) == 16
