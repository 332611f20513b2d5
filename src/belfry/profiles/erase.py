"""Erasing users: what is taken from the graph, and by what they could be recognised elsewhere (engagement 1.6). Pure.

A husk stays in the place of a profile: its id, its bucket, the status `deleted`. Nothing in it is of a person; it says
to every store that the profile is no user any more.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from belfry.ids import ProfileId
from belfry.profiles.graph import Address, MemoryGraph, ProfileNode
from belfry.profiles.model import (
    NAME_KEY,
    Identity,
    IdentityKind,
    ProfileStatus,
)

DEVICE = "device"
"""Stands for a device among the kinds of what a tombstone blocks."""

Name = tuple[str, str]
"""What a record may be named by: (`IdentityKind` or `DEVICE`, value)."""


class Erased(msgspec.Struct, frozen=True):
    """What one profile was known by.

    names      what a tombstone has to block
    addresses  whose flags go unless somebody else has them
    personal   every text by which the user could be recognised
    """

    names: tuple[Name, ...]
    addresses: tuple[Address, ...]
    personal: frozenset[str]


def erase(graph: MemoryGraph, profile_id: ProfileId) -> Erased:
    """Make a husk of a profile: all that is in the graph about its user goes. Changes the graph."""
    node = graph.profiles[profile_id]
    erased = Erased(
        names=(*map(name_of, node.identities), *((DEVICE, device_id) for device_id in node.devices)),
        addresses=tuple(dict.fromkeys((*node.addresses(), *_identity_addresses(node)))),
        personal=frozenset(_personal(node)),
    )
    for identity in list(node.identities):
        graph.detach_identity(identity)
    for device_id in list(node.devices):
        graph.remove_device(device_id)
    node.state.properties, node.state.written_at = {}, {}
    node.put_activity(b"{}", b"")
    graph.touch_activity(profile_id)
    graph.hide(profile_id, ProfileStatus.DELETED, None)
    return erased


def name_of(identity: Identity) -> Name:
    """An identity as a tombstone blocks it."""
    return str(identity.kind), identity.value


def _identity_addresses(node: ProfileNode) -> Iterable[Address]:
    kinds = (IdentityKind.EMAIL, IdentityKind.PHONE)
    return ((identity.kind, identity.value) for identity in node.identities if identity.kind in kinds)


def _personal(node: ProfileNode) -> Iterable[str]:
    yield from (identity.value for identity in node.identities)
    for value in (node.email, node.phone, node.state.properties.get(NAME_KEY)):
        if isinstance(value, str) and value.strip():
            yield value
    for device_id, device in node.devices.items():
        yield device_id
        yield from device.tokens
