"""Push tokens: the latest owner wins."""

from __future__ import annotations

import pytest

from belfry.ids import AccountId, ProfileId
from belfry.profiles.graph import MemoryGraph
from belfry.profiles.model import Token
from belfry.profiles.tokens import TOKENS_MAX, register_token


@pytest.fixture
def graph() -> MemoryGraph:
    graph = MemoryGraph(AccountId("A"))
    for number in (1, 2):
        graph.create(ProfileId(number), 0)
        graph.attach_device(f"dev-0000{number}", ProfileId(number), 0)
    return graph


def tokens_of(graph: MemoryGraph, device_id: str) -> list[str]:
    device = graph.device(device_id)
    assert device is not None
    return list(device.tokens)


def test_a_new_token_is_kept(graph: MemoryGraph) -> None:
    assert register_token(graph, "dev-00001", Token("tok", "fcm", None, 1)) == []
    assert tokens_of(graph, "dev-00001") == ["tok"]


def test_the_former_owner_of_a_token_gets_push_unregistered(graph: MemoryGraph) -> None:
    register_token(graph, "dev-00001", Token("tok", "fcm", None, 1))
    (event,) = register_token(graph, "dev-00002", Token("tok", "fcm", None, 2))
    assert (event.name, event.profile_id, event.device_id) == ("Push Unregistered", 1, "dev-00001")
    assert (tokens_of(graph, "dev-00001"), tokens_of(graph, "dev-00002")) == ([], ["tok"])


def test_a_token_that_goes_to_another_device_of_the_same_user_tells_nothing(graph: MemoryGraph) -> None:
    graph.move_device("dev-00002", ProfileId(1))
    register_token(graph, "dev-00001", Token("tok", "fcm", None, 1))
    assert register_token(graph, "dev-00002", Token("tok", "fcm", None, 2)) == []
    assert tokens_of(graph, "dev-00001") == []


def test_the_same_token_again_changes_nothing(graph: MemoryGraph) -> None:
    token = Token("tok", "chrome", {"p256dh": "a", "auth": "b"}, 1)
    register_token(graph, "dev-00001", token)
    graph.clean()
    assert register_token(graph, "dev-00001", token) == []
    assert not graph.dirty.tokens


def test_a_device_keeps_its_newest_tokens(graph: MemoryGraph) -> None:
    for number in range(TOKENS_MAX + 2):
        register_token(graph, "dev-00001", Token(f"tok-{number}", "fcm", None, number))
    assert tokens_of(graph, "dev-00001") == [f"tok-{number}" for number in range(2, TOKENS_MAX + 2)]


def test_a_device_that_is_not_there_is_a_mistake_of_the_caller(graph: MemoryGraph) -> None:
    with pytest.raises(ValueError, match="identify it first"):
        register_token(graph, "dev-00009", Token("tok", "fcm", None, 1))
