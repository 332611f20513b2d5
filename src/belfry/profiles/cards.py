"""A profile as others may read it: profile.json (server-api 5.1), webhook bodies (partner integrations 4.3). Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.ids import AccountId, ProfileId
from belfry.profiles.graph import MemoryGraph, ProfileNode
from belfry.profiles.model import (
    EMAIL_KEY,
    GROUP_STATES_KEY,
    NAME_KEY,
    PHONE_KEY,
    Device,
    Identity,
    IdentityKind,
    ProfileStatus,
)
from belfry.profiles.subscriptions import Channel, standing
from belfry.profiles.tokens import WEB_KINDS

_ELSEWHERE = frozenset({NAME_KEY, EMAIL_KEY, PHONE_KEY, GROUP_STATES_KEY})


class EventSummary(msgspec.Struct, frozen=True):
    """How often one event happened, and when first and last, epoch milliseconds."""

    count: int
    first_seen_ms: int
    last_seen_ms: int


class ProfileCard(msgspec.Struct, frozen=True):
    """Everything that can be told of one user.

    identity        the most recent custom identity; None: none
    all_identities  values of all kinds, in the order in which they were attached
    identities      the same with their kinds
    email, phone    where messages go: the property, else the most recent identity
    properties      all of them under their upload names; dates as `$D_<epoch seconds>`
    events          name as shown → summary
    devices         the oldest first, with their tokens
    object_id       the most recent device's id; None: no device
    push_token      the newest mobile push token of any device
    subscriptions   push, webpush, email, sms, whatsapp → subscribed
    reachable       channels that a message can take now
    groups_left     (channel, group)
    """

    account_id: AccountId
    profile_id: ProfileId
    status: ProfileStatus
    bucket: int
    created_at_ms: int
    identity: str | None
    all_identities: tuple[str, ...]
    identities: tuple[Identity, ...]
    email: str | None
    phone: str | None
    name: str | None
    properties: dict[str, Any]  # a JSON object: names are the account's own
    events: dict[str, EventSummary]
    devices: tuple[Device, ...]
    object_id: str | None
    push_token: str | None
    subscriptions: dict[str, bool]
    reachable: tuple[Channel, ...]
    groups_left: frozenset[tuple[str, str]]

    def profile_data(self) -> dict[str, Any]:
        """The properties that stand in `profileData` on the wire: all but name, email and phone."""
        return {key: value for key, value in self.properties.items() if key not in _ELSEWHERE}


def card_of(graph: MemoryGraph, profile_id: ProfileId) -> ProfileCard:
    """The card of a profile in the graph, hidden or not."""
    node = graph.profiles[profile_id]
    state = node.state
    stands = standing(node, graph.flags_of(profile_id))
    identities = _in_order(node)
    devices = sorted(node.devices.values(), key=lambda device: (device.added_at_ms, device.device_id))
    name = state.properties.get(NAME_KEY)
    return ProfileCard(
        account_id=state.account_id,
        profile_id=profile_id,
        status=state.status,
        bucket=state.bucket,
        created_at_ms=state.created_at_ms,
        identity=node.newest(IdentityKind.IDENTITY),
        all_identities=tuple(dict.fromkeys(identity.value for identity in identities)),
        identities=tuple(identities),
        email=node.email,
        phone=node.phone,
        name=name if isinstance(name, str) else None,
        properties=state.properties,
        events={event: EventSummary(*counts) for event, counts in node.activity.events.items()},
        devices=tuple(devices),
        object_id=devices[-1].device_id if devices else None,
        push_token=_push_token(node),
        subscriptions=stands.subscriptions(),
        reachable=stands.reachable,
        groups_left=stands.groups_left,
    )


_PRECEDENCE = {kind: place for place, kind in enumerate(IdentityKind)}


def _in_order(node: ProfileNode) -> list[Identity]:
    """Identities as they came; those that came together by precedence."""
    added = node.identities
    if len(added) < 2:
        return list(added)
    return sorted(added, key=lambda identity: (added[identity], _PRECEDENCE[identity.kind], identity.value))


def _push_token(node: ProfileNode) -> str | None:
    tokens = [
        (token.added_at_ms, token.token)
        for device in node.devices.values()
        for token in device.tokens.values()
        if token.kind not in WEB_KINDS
    ]
    return max(tokens)[1] if tokens else None
