"""Taking profiles apart: one profile for each device, and identities that go (server-api 7.2, 7.4). Pure.

No loss: the oldest device keeps the profile with its history and properties; each other device gets a fresh
anonymous profile. The rows of the identity log hold all that was, so that `undo` puts it together again.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from belfry.ids import ProfileId
from belfry.profiles.graph import MemoryGraph, ProfileNode
from belfry.profiles.history import Cell, Change, IdentityPlace, LogEntry, LogKind, ProfilePicture
from belfry.profiles.merge import cell_of, put_cell
from belfry.profiles.model import (
    IDENTITY_RESET,
    KEY_OF_KIND,
    Identity,
    ProfileStatus,
    Refused,
    SystemEvent,
)


class Demerged(msgspec.Struct, frozen=True):
    """What a demerge did. profile_ids: of all devices, the one that was there first."""

    profile_ids: tuple[ProfileId, ...]
    entry: LogEntry
    events: tuple[SystemEvent, ...]


def demerge(
    graph: MemoryGraph,
    profile_id: ProfileId,
    new_profile_id: Callable[[], ProfileId],
    *,
    source: str,
    reason: str,
    at_ms: int,
) -> Demerged | Refused:
    """Split a profile into one for each device and drop its identities. Changes the graph.

    A profile without a device is left as it is: without its identities nobody could ever reach it again.
    """
    node = graph.profiles.get(profile_id)
    if node is None or node.state.status is not ProfileStatus.ACTIVE:
        return Refused("not_found", "there is no such user")
    if not node.devices:
        return Refused("no_devices", "the profile has no device; dropping its identities would lose it")
    change = Change()
    _drop_identities(graph, node, change)
    made = [
        _give_own_profile(graph, device_id, profile_id, new_profile_id(), at_ms=at_ms, change=change)
        for device_id in _by_age(node)[1:]
    ]
    entry = LogEntry(LogKind.DEMERGE, profile_id, None, source, reason, at_ms, change.before, change.after)
    return Demerged((profile_id, *made), entry, (SystemEvent(IDENTITY_RESET, profile_id, None, {"source": source}),))


def disassociate(graph: MemoryGraph, identity: Identity, *, source: str, reason: str, at_ms: int) -> LogEntry | Refused:
    """Take an identity from its profile, and the property that holds the same value. Changes the graph."""
    owner = graph.owner_of_identity(identity)
    if owner is None:
        return Refused("not_found", f"the {identity.kind} is not associated with a profile")
    state = graph.profiles[owner].state
    change = Change()
    change.identity(IdentityPlace(identity, owner, graph.profiles[owner].identities[identity]), IdentityPlace(identity))
    key = KEY_OF_KIND.get(identity.kind)
    if key is not None and state.properties.get(key) == identity.value:
        gone = Cell(None, max(at_ms, state.written_at.get(key, at_ms)))
        was, became = ProfilePicture(cells={key: cell_of(state, key)}), ProfilePicture(cells={key: gone})
        change.profile(owner, was, became)
        put_cell(state, key, gone)
    graph.detach_identity(identity)
    return LogEntry(LogKind.DISASSOCIATE, owner, None, source, reason, at_ms, change.before, change.after)


def _drop_identities(graph: MemoryGraph, node: ProfileNode, change: Change) -> None:
    for identity, added_at_ms in sorted(node.identities.items()):
        change.identity(IdentityPlace(identity, node.state.profile_id, added_at_ms), IdentityPlace(identity))
        graph.detach_identity(identity)


def _by_age(node: ProfileNode) -> list[str]:
    """The devices, the oldest first."""
    devices = sorted(node.devices.values(), key=lambda device: (device.added_at_ms, device.device_id))
    return [device.device_id for device in devices]


def _give_own_profile(
    graph: MemoryGraph, device_id: str, origin: ProfileId, made: ProfileId, *, at_ms: int, change: Change
) -> ProfileId:
    graph.create(made, at_ms)
    graph.move_device(device_id, made)
    change.device(device_id, origin, made)
    change.profile(made, None, ProfilePicture(status=ProfileStatus.ACTIVE))
    return made
