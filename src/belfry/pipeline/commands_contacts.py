"""Addresses: opting them out and in again, and taking them from whoever has them (server-api 7.3, 7.4)."""

from __future__ import annotations

import msgspec

from belfry.pipeline.commands_context import Answer, CommandContext
from belfry.profiles.demerge import disassociate
from belfry.profiles.graph import Address, Wanted
from belfry.profiles.model import Identity, IdentityKind, Refused
from belfry.profiles.subscriptions import standing, subscription_changes

ADDRESS_FLAGS = {
    "email": (IdentityKind.EMAIL, "MSG-dndEmail"),
    "phone": (IdentityKind.PHONE, "MSG-dndPhone"),
    "whatsapp": (IdentityKind.PHONE, "MSG-dndWhatsApp"),
}
"""What a subscription of this type is about: which kind of address, which of its flags."""


class SubscriptionWish(msgspec.Struct, frozen=True):
    """One wish about an address. type: a key of `ADDRESS_FLAGS`; value: lower case, E.164."""

    type: str
    value: str
    subscribes: bool


class Subscribe(msgspec.Struct, frozen=True, tag_field="command", tag="subscribe"):
    """Opt addresses out, or in again; later wishes about the same address win."""

    operation_id: str
    wishes: list[SubscriptionWish]
    source: str = "API"


class Disassociate(msgspec.Struct, frozen=True, tag_field="command", tag="disassociate"):
    """Take identities from whoever has them."""

    operation_id: str
    identities: list[Identity]
    source: str = "API"
    reason: str = "asked for through the server API"


def apply_subscribe(context: CommandContext, command: Subscribe) -> Answer:
    """Write the flags of the addresses and tell it of every user who has one."""
    wishes = [(_address(wish), ADDRESS_FLAGS[wish.type][1], wish) for wish in command.wishes]
    holders = context.holders_of(address for address, _, _ in wishes)
    graph, changed_count = context.graph, 0
    for address, flag, wish in wishes:
        nodes = [graph.profiles[profile_id] for profile_id in holders[address]]
        before = [standing(node, graph.flags_of(node.state.profile_id)) for node in nodes]
        graph.set_address_flag(address, flag, not wish.subscribes, context.at_ms)
        changed_count += 1
        for node, was in zip(nodes, before, strict=True):
            now = standing(node, graph.flags_of(node.state.profile_id))
            if now != was:
                graph.touch(node.state.profile_id)
                context.raise_events(subscription_changes(node, was, now, command.source))
    users_count = len({profile_id for several in holders.values() for profile_id in several})
    return Answer("done", {"users_count": users_count}, asked_count=len(wishes), done_count=changed_count)


def apply_disassociate(context: CommandContext, command: Disassociate) -> Answer:
    """Take each identity from its user, with a row in the identity log; one that is nobody's does nothing."""
    context.load(Wanted(identities=set(command.identities)))
    taken_count = 0
    for identity in dict.fromkeys(command.identities):
        entry = disassociate(context.graph, identity, source=command.source, reason=command.reason, at_ms=context.at_ms)
        if not isinstance(entry, Refused):
            context.note(entry)
            taken_count += 1
    return Answer("done", {"taken_count": taken_count}, asked_count=len(command.identities), done_count=taken_count)


def _address(wish: SubscriptionWish) -> Address:
    return ADDRESS_FLAGS[wish.type][0], wish.value
