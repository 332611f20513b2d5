"""Who may be reached on which channel, and which events a change raises (engagement 1.4, server-api 3.6)."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.error_stream.model import ErrorKind
from belfry.ids import AccountId, ProfileId
from belfry.profiles.graph import MemoryGraph, ProfileNode
from belfry.profiles.model import Identity, IdentityKind, Op, Operation, Token
from belfry.profiles.properties import CLOCKS_MAX, fold
from belfry.profiles.subscriptions import (
    GROUPS_MAX,
    NEWCOMER,
    Channel,
    fold_groups,
    share_dnd_flags,
    standing,
    subscription_changes,
)

EMAIL, PHONE = "ana@example.org", "+34600111222"


def a_graph(profiles_count: int = 1) -> MemoryGraph:
    graph = MemoryGraph(AccountId("A"))
    for number in range(1, profiles_count + 1):
        graph.create(ProfileId(number), 0)
    return graph


def a_user(graph: MemoryGraph, profile_id: int = 1, **properties: Any) -> ProfileNode:
    node = graph.profiles[ProfileId(profile_id)]
    operations = [Operation(key.replace("_", "-"), Op.SET, value) for key, value in properties.items()]
    fold(node.state.properties, node.state.written_at, operations, 10)
    return node


@pytest.mark.parametrize(
    ("properties", "subscribed"),
    [
        pytest.param({}, {"email", "sms", "push"}, id="missing flags: opt-out channels are subscribed"),
        pytest.param({"MSG_email": False}, {"sms", "push"}, id="email off"),
        pytest.param({"MSG_email": True}, {"email", "sms", "push"}, id="email on"),
        pytest.param({"MSG_sms": False}, {"email", "push"}, id="sms off"),
        pytest.param({"MSG_push": False}, {"email", "sms"}, id="push off"),
        pytest.param({"MSG_push_all": False}, {"email", "sms"}, id="push off on all devices"),
        pytest.param({"MSG_dndEmail": True}, {"sms", "push"}, id="email address on dnd"),
        pytest.param({"MSG_dndPhone": True}, {"email", "push"}, id="number on dnd"),
        pytest.param({"MSG_dndSMS": True}, {"email", "push"}, id="number on dnd for sms"),
        pytest.param({"MSG_whatsapp": True}, {"email", "sms", "push", "whatsapp"}, id="whatsapp opted in"),
        pytest.param({"MSG_whatsapp": False}, {"email", "sms", "push"}, id="whatsapp opted out"),
        pytest.param(
            {"MSG_whatsapp": True, "MSG_dndWhatsApp": False}, {"email", "sms", "push", "whatsapp"}, id="dnd unset"
        ),
        pytest.param({"MSG_whatsapp": True, "MSG_dndWhatsApp": True}, {"email", "sms", "push"}, id="whatsapp dnd"),
    ],
)
def test_what_the_flags_say(properties: dict[str, Any], subscribed: set[str]) -> None:
    stands = standing(a_user(a_graph(), **properties), {})
    assert {channel for channel, is_subscribed in stands.subscriptions().items() if is_subscribed} == subscribed


@pytest.mark.parametrize(
    ("properties", "token", "fields", "reachable"),
    [
        pytest.param({}, None, {}, (), id="nothing known"),
        pytest.param({"Email": EMAIL}, None, {}, ("email",), id="an address"),
        pytest.param({"Email": EMAIL, "MSG_email": False}, None, {}, (), id="an address, unsubscribed"),
        pytest.param({"Phone": PHONE}, None, {}, ("sms",), id="a number"),
        pytest.param({"Phone": PHONE, "MSG_whatsapp": True}, None, {}, ("sms", "whatsapp"), id="with an opt-in"),
        pytest.param({}, "fcm", {}, ("push",), id="a mobile token"),
        pytest.param({}, "fcm", {"ddnd": True}, (), id="a device that is not to be disturbed"),
        pytest.param({"MSG_push": False}, "apns", {}, (), id="a token, unsubscribed"),
        pytest.param({}, "chrome", {}, ("webpush",), id="a browser"),
        pytest.param({"MSG_webpush": False}, "chrome", {}, (), id="a browser, unsubscribed"),
        pytest.param({"MSG_push": False}, "chrome", {}, ("webpush",), id="mobile push off leaves the browser"),
    ],
)
def test_reachable_is_subscribed_and_has_an_address(
    properties: dict[str, Any], token: str | None, fields: dict[str, Any], reachable: tuple[str, ...]
) -> None:
    graph = a_graph()
    node = a_user(graph, **properties)
    if token is not None:
        graph.attach_device("dev-00001", ProfileId(1), 0)
        graph.set_device_fields("dev-00001", fields)
        graph.put_token("dev-00001", Token("tok", token, None, 0))
    assert standing(node, {}).reachable == reachable


def test_an_email_identity_is_an_address_as_well() -> None:
    graph = a_graph()
    graph.attach_identity(Identity(IdentityKind.EMAIL, EMAIL), ProfileId(1), 0)
    assert standing(graph.profiles[ProfileId(1)], {}).reachable == ("email",)


class TestDoNotDisturb:
    def test_it_holds_for_every_profile_with_the_address(self) -> None:
        graph = a_graph(2)
        first = a_user(graph, 1, Email=EMAIL, MSG_dndEmail=True)
        second = a_user(graph, 2, Email=EMAIL)
        assert share_dnd_flags(graph, first) == [(IdentityKind.EMAIL, EMAIL)]
        for node in (first, second):
            flags = graph.flags_of(node.state.profile_id)
            assert standing(node, flags).blocked_by[Channel.EMAIL] == "MSG-dndEmail"

    def test_a_flag_without_address_waits_for_one(self) -> None:
        graph = a_graph()
        node = a_user(graph, MSG_dndPhone=True)
        assert share_dnd_flags(graph, node) == []
        assert not standing(node, {}).is_subscribed(Channel.SMS)
        a_user(graph, Phone=PHONE)
        assert share_dnd_flags(graph, node) == [(IdentityKind.PHONE, PHONE)]

    def test_a_newer_word_about_the_address_beats_the_profiles_older_one(self) -> None:
        graph = a_graph()
        node = a_user(graph, Email=EMAIL, MSG_dndEmail=True)
        share_dnd_flags(graph, node)
        assert graph.set_address_flag((IdentityKind.EMAIL, EMAIL), "MSG-dndEmail", False, 20)
        assert share_dnd_flags(graph, node) == []
        assert standing(node, graph.flags_of(ProfileId(1))).is_subscribed(Channel.EMAIL)

    def test_an_older_word_changes_nothing(self) -> None:
        graph = a_graph()
        address = (IdentityKind.EMAIL, EMAIL)
        graph.set_address_flag(address, "MSG-dndEmail", True, 20)
        assert not graph.set_address_flag(address, "MSG-dndEmail", False, 10)
        assert graph.address_flags[address]["MSG-dndEmail"].value is True


class TestEvents:
    @pytest.mark.parametrize(
        ("before", "after", "expected"),
        [
            pytest.param({}, {"tier": "gold"}, [], id="nothing to do with it"),
            pytest.param({}, {"MSG_email": True}, [], id="said what was the default"),
            pytest.param(
                {"Email": EMAIL},
                {"MSG_email": False},
                [
                    (
                        "Channel Unsubscribed",
                        {
                            "Channel": "email",
                            "Source": "API",
                            "Identity": EMAIL,
                            "Subscription Type": "Profile level",
                            "Reason": "MSG-email",
                        },
                    )
                ],
                id="email off",
            ),
            pytest.param(
                {"MSG_email": False},
                {"MSG_email": True},
                [("Channel Subscribed", {"Channel": "email", "Source": "API", "Resubscribed": True})],
                id="email on again",
            ),
            pytest.param(
                {},
                {"MSG_whatsapp": True},
                [("Channel Subscribed", {"Channel": "whatsapp", "Source": "API"})],
                id="a first opt-in is no return",
            ),
            pytest.param(
                {},
                {"MSG_dndSMS": True},
                [
                    (
                        "Channel Unsubscribed",
                        {
                            "Channel": "sms",
                            "Source": "API",
                            "Subscription Type": "Account level",
                            "Reason": "MSG-dndSMS",
                        },
                    )
                ],
                id="do not disturb acts on the account",
            ),
            pytest.param({"MSG_push": False}, {"MSG_push_all": False}, [], id="off twice"),
        ],
    )
    def test_each_change_is_told_once(
        self, before: dict[str, Any], after: dict[str, Any], expected: list[tuple[str, dict[str, Any]]]
    ) -> None:
        graph = a_graph()
        node = a_user(graph, **before)
        was = standing(node, {})
        a_user(graph, **after)
        changes = subscription_changes(node, was, standing(node, {}), "API")
        assert [(event.name, event.props) for event in changes] == expected

    def test_a_newcomer_stands_as_one_of_whom_nothing_is_known(self) -> None:
        stands = standing(a_user(a_graph()), {})
        assert (dict(stands.blocked_by), stands.reachable) == (dict(NEWCOMER.blocked_by), NEWCOMER.reachable)

    def test_leaving_and_joining_a_group_is_told_with_its_name(self) -> None:
        node = a_user(a_graph())
        was = standing(node, {})
        fold_groups(node.state, {"email": ["Offers"]}, None, 10)
        left = standing(node, {})
        (event,) = subscription_changes(node, was, left, "API")
        assert (event.name, event.props["Group"]) == ("Channel Unsubscribed", "Offers")
        fold_groups(node.state, None, {"email": ["Offers"]}, 11)
        (event,) = subscription_changes(node, left, standing(node, {}), "API")
        assert (event.name, event.props["Resubscribed"]) == ("Channel Subscribed", True)


class TestGroups:
    def test_an_older_wish_never_beats_a_newer_one(self) -> None:
        state = a_user(a_graph()).state
        fold_groups(state, None, {"email": ["Offers"]}, 20)
        fold_groups(state, {"email": ["Offers", "News"]}, None, 10)
        assert state.properties["category-unsubscribe"] == {"email": ["News"]}

    def test_a_group_that_is_left_and_joined_at_once_is_left(self) -> None:
        state = a_user(a_graph()).state
        fold_groups(state, {"email": ["Offers"]}, {"email": ["Offers"]}, 20)
        assert state.properties["category-unsubscribe"] == {"email": ["Offers"]}

    def test_the_last_group_joined_again_leaves_no_property(self) -> None:
        state = a_user(a_graph()).state
        fold_groups(state, {"email": ["Offers"]}, None, 20)
        fold_groups(state, None, {"email": ["Offers"]}, 21)
        assert "category-unsubscribe" not in state.properties

    def test_more_groups_than_an_account_can_have_are_ignored_with_a_remark(self) -> None:
        state = a_user(a_graph()).state
        names = [f"g{number:02}" for number in range(GROUPS_MAX)]
        assert fold_groups(state, {"email": names}, None, 20) == []
        (remark,) = fold_groups(state, {"email": ["one more"]}, None, 21)
        assert (remark.kind, remark.subject) == (ErrorKind.UNKNOWN_GROUP, "one more")

    def test_joining_ever_new_groups_does_not_make_a_profile_grow(self) -> None:
        state = a_user(a_graph()).state
        for number in range(3 * CLOCKS_MAX):
            fold_groups(state, None, {"email": [f"g{number}"]}, number)
        assert len(state.written_at) <= CLOCKS_MAX + 1
