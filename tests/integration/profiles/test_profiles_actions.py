"""Reading users: one by what names them, many by their ids."""

from __future__ import annotations

import pytest

from belfry.ids import AccountId, ProfileId
from belfry.profiles import store
from belfry.profiles.actions import Profiles
from belfry.profiles.cards import EventSummary
from belfry.profiles.graph import MemoryGraph
from belfry.profiles.model import Identity, IdentityKind, Op, Operation, ProfileStatus, Token
from belfry.profiles.properties import fold
from belfry.profiles.tokens import register_token
from belfry.storage.relational import Database

ACME, GLOBEX = AccountId("ACME"), AccountId("GLOBEX")
INES, ORPHAN, RUI = ProfileId(1), ProfileId(2), ProfileId(3)


@pytest.fixture
def profiles(database: Database) -> Profiles:
    """Ines with everything, an orphan of hers, Rui with an identity alone; another Ines in another account."""
    graph = MemoryGraph(ACME)
    for profile_id in (INES, ORPHAN, RUI):
        graph.create(profile_id, 1_000)
    identities = [
        (IdentityKind.IDENTITY, "old-81", 1),
        (IdentityKind.IDENTITY, "rider-81", 2),
        (IdentityKind.EMAIL, "ines+shop@example.org", 2),
        (IdentityKind.PHONE, "+351912345678", 3),
    ]
    for kind, value, at_ms in identities:
        graph.attach_identity(Identity(kind, value), INES, at_ms)
    graph.attach_identity(Identity(IdentityKind.IDENTITY, "rui"), RUI, 1)
    graph.attach_identity(Identity(IdentityKind.IDENTITY, "a+b"), RUI, 1)
    graph.hide(ORPHAN, ProfileStatus.ORPHAN, INES)
    graph.attach_device("__b41c2a6f0d9e", INES, 5)
    graph.attach_device("web0123456789", INES, 6)
    graph.set_device_fields("__b41c2a6f0d9e", {"platform": "Android"})
    register_token(graph, "__b41c2a6f0d9e", Token("fEx", "fcm", None, 5))
    node = graph.profiles[INES]
    values = {"Name": "Ines Duarte", "Email": "ines+shop@example.org", "trips": 4, "Tz": "Europe/Lisbon"}
    operations = [Operation(key, Op.SET, value) for key, value in values.items()]
    fold(node.state.properties, node.state.written_at, operations, 1)
    node.activity.events["Charged"] = [3, 1_764_547_200_000, 1_767_225_600_000]
    graph.touch_activity(INES)
    graph.set_address_flag((IdentityKind.PHONE, "+351912345678"), "MSG-dndSMS", True, 9)
    other = MemoryGraph(GLOBEX)
    other.create(ProfileId(7), 1)
    other.attach_identity(Identity(IdentityKind.IDENTITY, "rider-81"), ProfileId(7), 1)
    with database.begin() as connection:
        store.save(connection, graph)
        store.save(connection, other)
    return Profiles(database)


def test_a_card_tells_everything(profiles: Profiles) -> None:
    card = profiles.find(ACME, identity="rider-81")
    assert card is not None
    assert (card.profile_id, card.identity, card.name) == (INES, "rider-81", "Ines Duarte")
    assert card.all_identities == ("old-81", "rider-81", "ines+shop@example.org", "+351912345678")
    assert (card.email, card.phone) == ("ines+shop@example.org", "+351912345678")
    assert card.profile_data() == {"trips": 4, "Tz": "Europe/Lisbon"}
    assert card.events == {"Charged": EventSummary(3, 1_764_547_200_000, 1_767_225_600_000)}
    assert [device.device_id for device in card.devices] == ["__b41c2a6f0d9e", "web0123456789"]
    assert card.devices[0].fields == {"platform": "Android"}
    assert (card.object_id, card.push_token) == ("web0123456789", "fEx")
    assert card.subscriptions == {"email": True, "sms": False, "push": True, "webpush": False, "whatsapp": False}
    assert card.reachable == ("email", "push")


def test_a_card_of_somebody_of_whom_little_is_known(profiles: Profiles) -> None:
    card = profiles.find(ACME, identity="rui")
    assert card is not None
    assert (card.name, card.email, card.object_id, card.push_token) == (None, None, None, None)
    assert (card.events, card.devices, card.reachable) == ({}, (), ())


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param({"identity": "rider-81"}, INES, id="custom identity"),
        pytest.param({"identity": "old-81"}, INES, id="an older one"),
        pytest.param({"identity": "ines+shop@example.org"}, INES, id="an email as identity"),
        pytest.param({"identity": "+351912345678"}, INES, id="a phone as identity"),
        pytest.param({"identity": " 351912345678"}, INES, id="its plus came as a space"),
        pytest.param({"email": "INES+Shop@example.org"}, INES, id="email in any case"),
        pytest.param({"email": "ines shop@example.org"}, INES, id="the email's plus came as a space"),
        pytest.param({"identity": "a b"}, RUI, id="a custom identity's plus came as a space"),
        pytest.param({"object_id": "__b41c2a6f0d9e"}, INES, id="device"),
        pytest.param({"object_id": "web0123456789", "identity": "rui"}, INES, id="objectId before identity"),
        pytest.param({"identity": "rui", "email": "ines+shop@example.org"}, RUI, id="identity before email"),
        pytest.param({"identity": "RUI"}, None, id="custom identities have a case"),
        pytest.param({"email": "rider-81"}, None, id="not an email"),
        pytest.param({"object_id": "rider-81"}, None, id="not a device"),
        pytest.param({"identity": "nul\x00"}, None, id="what no engine holds"),
        pytest.param({"object_id": "nul\x00"}, None, id="what no engine holds, as a device"),
        pytest.param({"email": "nul\x00@x.org"}, None, id="what no engine holds, as an email"),
        pytest.param({"identity": "' OR '1'='1"}, None, id="an injection is a value"),
        pytest.param({"identity": ""}, None, id="empty"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_a_user_is_found_by_what_names_them(
    profiles: Profiles, parameters: dict[str, str], expected: ProfileId | None
) -> None:
    card = profiles.find(ACME, **parameters)
    assert (None if card is None else card.profile_id) == expected


def test_a_custom_identity_counts_before_another_kind_with_the_same_text(
    profiles: Profiles, database: Database
) -> None:
    graph = MemoryGraph(ACME)
    graph.create(ProfileId(9), 1)
    graph.attach_identity(Identity(IdentityKind.IDENTITY, "+351912345678"), ProfileId(9), 1)
    with database.begin() as connection:
        store.save(connection, graph)
    card = profiles.find(ACME, identity="+351912345678")
    assert card is not None
    assert card.profile_id == 9


def test_cards_come_in_the_order_asked_for_without_hidden_and_unknown_ones(profiles: Profiles) -> None:
    cards = profiles.cards(ACME, [RUI, ProfileId(99), ORPHAN, INES, RUI])
    assert [card.profile_id for card in cards] == [RUI, INES]
    assert cards[1] == profiles.find(ACME, identity="rider-81")
    assert profiles.cards(ACME, []) == []


def test_hidden_profiles_resolve_to_who_took_them_over(profiles: Profiles) -> None:
    assert [profiles.resolve(ACME, profile_id) for profile_id in (INES, ORPHAN, ProfileId(99))] == [INES, INES, None]


def test_a_device_is_known_once_it_was_used(profiles: Profiles) -> None:
    assert profiles.is_known_device(ACME, "web0123456789")
    assert not profiles.is_known_device(ACME, "web-unknown")
    assert not profiles.is_known_device(ACME, "nul\x00")


def test_accounts_do_not_cross(profiles: Profiles) -> None:
    card = profiles.find(GLOBEX, identity="rider-81")
    assert card is not None
    assert (card.profile_id, card.name) == (7, None)
    assert profiles.find(GLOBEX, object_id="__b41c2a6f0d9e") is None
    assert profiles.find(GLOBEX, email="ines+shop@example.org") is None
    assert profiles.cards(GLOBEX, [INES, RUI]) == []
    assert profiles.resolve(GLOBEX, INES) is None
    assert not profiles.is_known_device(GLOBEX, "web0123456789")
    assert profiles.identity_log(GLOBEX, INES) == []
