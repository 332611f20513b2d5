"""Which channels a user may be reached on, and which they are subscribed to (engagement 1.4, server-api 3.6). Pure.

 channel    subscribed                                             reachable: subscribed, and
 email      unless `MSG-email` is false or the address is on dnd   has an address
 sms        unless `MSG-sms` is false or the number is on dnd      has a number
 push       unless `MSG-push` or `MSG-push-all` is false           a device with a token, not on `ddnd`
 webpush    as push, `MSG-webpush`, and has a browser token        a browser token, not on `ddnd`
 whatsapp   only if `MSG-whatsapp` is true and no dnd              has a number

Do-not-disturb (`MSG-dnd*`) belongs to the address: it holds for every profile with that address or number, now or
later. As long as a profile has no such address, its own flag stands in.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from belfry.error_stream.model import ErrorKind, Remark
from belfry.profiles.graph import Address, MemoryGraph, ProfileNode
from belfry.profiles.model import (
    CHANNEL_SUBSCRIBED,
    CHANNEL_UNSUBSCRIBED,
    GROUP_STATES_KEY,
    IdentityKind,
    ProfileState,
    SystemEvent,
)
from belfry.profiles.properties import forget_oldest_clocks
from belfry.profiles.tokens import WEB_KINDS

GROUPS_MAX = 50
"""Groups of one channel that a profile can leave: as many as an account has active ones."""


class Channel(enum.StrEnum):
    """Channels with a subscription."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    WEBPUSH = "webpush"
    WHATSAPP = "whatsapp"


_OPT_OUT = {
    Channel.EMAIL: ("MSG-email",),
    Channel.SMS: ("MSG-sms",),
    Channel.PUSH: ("MSG-push", "MSG-push-all"),
    Channel.WEBPUSH: ("MSG-webpush", "MSG-push-all"),
    Channel.WHATSAPP: (),
}
_DND = {
    Channel.EMAIL: ("MSG-dndEmail",),
    Channel.SMS: ("MSG-dndPhone", "MSG-dndSMS"),
    Channel.PUSH: (),
    Channel.WEBPUSH: (),
    Channel.WHATSAPP: ("MSG-dndWhatsApp",),
}
DND_ADDRESS = {
    "MSG-dndEmail": IdentityKind.EMAIL,
    "MSG-dndPhone": IdentityKind.PHONE,
    "MSG-dndSMS": IdentityKind.PHONE,
    "MSG-dndWhatsApp": IdentityKind.PHONE,
}
"""Which address of a profile a do-not-disturb flag acts on."""
NOT_GIVEN = "no opt-in"
NO_BROWSER = "no browser subscription"


class Standing(msgspec.Struct, frozen=True):
    """How a user stands on each channel.

    blocked_by   why not subscribed: the flag's name, `NOT_GIVEN` or `NO_BROWSER`; a channel that is not here is
                 subscribed
    reachable    channels that a message can take now, in the order of `Channel`
    groups_left  (channel, group) of groups that the user left
    """

    blocked_by: Mapping[Channel, str]
    reachable: tuple[Channel, ...]
    groups_left: frozenset[tuple[str, str]]
    addresses: Mapping[Channel, str]

    def is_subscribed(self, channel: Channel) -> bool:
        return channel not in self.blocked_by

    def subscriptions(self) -> dict[str, bool]:
        """Channel → subscribed, all channels."""
        return {str(channel): channel not in self.blocked_by for channel in Channel}


NEWCOMER = Standing({Channel.WHATSAPP: NOT_GIVEN, Channel.WEBPUSH: NO_BROWSER}, (), frozenset(), {})
"""How a user stands of whom nothing is known."""


def standing(node: ProfileNode, address_flags: Mapping[str, bool]) -> Standing:
    """How a profile stands.

    address_flags   the do-not-disturb flags of its own addresses: `graph.flags_of`
    """
    properties = node.state.properties
    email, phone = node.email, node.phone
    has_push, has_web = _live_tokens(node)
    blocked = {}
    for channel in Channel:
        flag = _blocking_flag(properties, address_flags, channel)
        if flag is not None:
            blocked[channel] = flag
    if Channel.WEBPUSH not in blocked and not any(_is_web(node, device_id) for device_id in node.devices):
        blocked[Channel.WEBPUSH] = NO_BROWSER
    has = {
        Channel.EMAIL: email is not None,
        Channel.SMS: phone is not None,
        Channel.PUSH: has_push,
        Channel.WEBPUSH: has_web,
        Channel.WHATSAPP: phone is not None,
    }
    reachable = tuple(channel for channel, reached in has.items() if reached and channel not in blocked)
    addresses = {Channel.EMAIL: email, Channel.SMS: phone, Channel.WHATSAPP: phone}
    return Standing(
        blocked, reachable, _groups_left(properties), {key: value for key, value in addresses.items() if value}
    )


def subscription_changes(node: ProfileNode, before: Standing, after: Standing, source: str) -> list[SystemEvent]:
    """The events of what changed between the two: `Channel Unsubscribed`, `Channel Subscribed` (engagement 2.2).

    A new subscription after an opt-out carries `Resubscribed`.
    """
    profile_id = node.state.profile_id
    changes: list[tuple[str, dict[str, Any]]] = []
    for channel in Channel:
        was, flag = before.blocked_by.get(channel), after.blocked_by.get(channel)
        if (was is None) != (flag is None):
            changes.append(_change(channel, flag, was, after, source))
    for channel_name, group in sorted(after.groups_left ^ before.groups_left):
        props = {"Channel": channel_name, "Group": group, "Source": source, "Subscription Type": "Profile level"}
        if (channel_name, group) in after.groups_left:
            changes.append((CHANNEL_UNSUBSCRIBED, props))
        else:
            changes.append((CHANNEL_SUBSCRIBED, {**props, "Resubscribed": True}))
    return [SystemEvent(name, profile_id, None, props) for name, props in changes]


def share_dnd_flags(graph: MemoryGraph, node: ProfileNode) -> list[Address]:
    """Write the profile's do-not-disturb flags to its addresses, where they hold for everyone who has them.

    Call it when such a flag, an email or a phone of the profile changed.
    returns   addresses whose flags changed: other profiles with them stand differently now
    """
    state = node.state
    by_kind = dict(node.addresses())
    changed = []
    for flag, kind in DND_ADDRESS.items():
        value, address = state.properties.get(flag), by_kind.get(kind)
        if isinstance(value, bool) and address is not None:
            written_at_ms = state.written_at.get(flag, 0)
            if graph.set_address_flag((kind, address), flag, value, written_at_ms):
                changed.append((kind, address))
    return changed


def fold_groups(
    state: ProfileState,
    left: Mapping[str, Sequence[str]] | None,
    joined: Mapping[str, Sequence[str]] | None,
    at_ms: int,
) -> list[Remark]:
    """Leave and join subscription groups, in place; a group in both is left. An older wish never beats a newer one.

    left, joined   channel → names of groups (`category-unsubscribe`, `category-resubscribe`)
    """
    stored: dict[str, list[str]] = state.properties.get(GROUP_STATES_KEY, {})
    groups = {channel: set(names) for channel, names in stored.items()}
    remarks = []
    for wishes, leaves in ((joined, False), (left, True)):
        for channel, names in (wishes or {}).items():
            for name in names:
                if not _fold_group(state, groups.setdefault(channel, set()), (channel, name), leaves, at_ms):
                    detail = f"a profile can leave at most {GROUPS_MAX} groups of a channel; {name} was ignored"
                    remarks.append(Remark(ErrorKind.UNKNOWN_GROUP, name, detail))
    kept = {channel: sorted(names) for channel, names in groups.items() if names}
    if kept:
        state.properties[GROUP_STATES_KEY] = kept
    else:
        state.properties.pop(GROUP_STATES_KEY, None)
    forget_oldest_clocks(state.properties, state.written_at)
    return remarks


def _fold_group(state: ProfileState, groups: set[str], name: tuple[str, str], leaves: bool, at_ms: int) -> bool:
    """Apply one wish; False if there is no room for it."""
    clock = f"{GROUP_STATES_KEY}#{name[0]}#{name[1]}"
    if at_ms < state.written_at.get(clock, at_ms):
        return True
    if leaves and name[1] not in groups and len(groups) >= GROUPS_MAX:
        return False
    if leaves:
        groups.add(name[1])
    else:
        groups.discard(name[1])
    state.written_at[clock] = at_ms
    return True


def _blocking_flag(properties: Mapping[str, Any], address_flags: Mapping[str, bool], channel: Channel) -> str | None:
    """The flag because of which a channel is not subscribed, apart from missing browsers; None: it is."""
    for flag in _DND[channel]:
        if address_flags.get(flag, properties.get(flag)) is True:
            return flag
    for flag in _OPT_OUT[channel]:
        if properties.get(flag) is False:
            return flag
    if channel is Channel.WHATSAPP and properties.get("MSG-whatsapp") is not True:
        return "MSG-whatsapp" if properties.get("MSG-whatsapp") is False else NOT_GIVEN
    return None


def _live_tokens(node: ProfileNode) -> tuple[bool, bool]:
    """Whether there is a mobile push token, and a browser's, on a device that may be disturbed."""
    kinds = [
        token.kind in WEB_KINDS
        for device in node.devices.values()
        if device.fields.get("ddnd") is not True
        for token in device.tokens.values()
    ]
    return False in kinds, True in kinds


def _is_web(node: ProfileNode, device_id: str) -> bool:
    return any(token.kind in WEB_KINDS for token in node.devices[device_id].tokens.values())


def _groups_left(properties: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    groups: Mapping[str, Sequence[str]] = properties.get(GROUP_STATES_KEY) or {}
    return frozenset((channel, name) for channel, names in groups.items() for name in names)


def _change(
    channel: Channel, flag: str | None, was: str | None, after: Standing, source: str
) -> tuple[str, dict[str, Any]]:
    props: dict[str, Any] = {"Channel": str(channel), "Source": source}
    if channel in after.addresses:
        props["Identity"] = after.addresses[channel]
    if flag is None:
        return CHANNEL_SUBSCRIBED, props if was in (NOT_GIVEN, NO_BROWSER) else {**props, "Resubscribed": True}
    level = "Account level" if flag in DND_ADDRESS else "Profile level"
    return CHANNEL_UNSUBSCRIBED, {**props, "Subscription Type": level, "Reason": flag}
