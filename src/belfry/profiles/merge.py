"""Merging two profiles because somebody asked for it (engagement 1.2). Pure.

The newest write of each property wins; multi-values become the union, the oldest out; the most restrictive
subscription wins; the older profile's bucket stays; identities and devices add up. A deleted property is a write
like any other. Custom properties may pass their limit by a merge: nothing is dropped, new ones are refused then.
Figures (sessions, counts) come from the events, which the pipeline shows under the profile that stays.
"""

from __future__ import annotations

from typing import Any

from belfry.ids import ProfileId
from belfry.profiles.graph import MemoryGraph, ProfileNode
from belfry.profiles.history import (
    Cell,
    Change,
    EventMove,
    IdentityPlace,
    LogEntry,
    LogKind,
    MoveKind,
    ProfilePicture,
)
from belfry.profiles.model import (
    DEVICES_MAX,
    GROUP_STATES_KEY,
    IDENTITIES_MAX,
    LIST_ITEMS_MAX,
    SUBSCRIPTION_KEYS,
    ProfileState,
    ProfileStatus,
    Refused,
)
from belfry.profiles.properties import BASE, unique_newest

_RESTRICTIVE = {key: (True, None, False) if "dnd" in key else (False, None, True) for key in sorted(SUBSCRIPTION_KEYS)}
"""Values of each subscription flag, the most restrictive first (None: no flag). A missing opt-in to WhatsApp is
stricter than one that is there; a missing opt-out of the other channels is as good as an opt-in."""


def merge(
    graph: MemoryGraph, keep: ProfileId, absorb: ProfileId, *, source: str, reason: str, at_ms: int
) -> LogEntry | Refused:
    """Make one profile of two: `keep` stays, `absorb` becomes hidden and resolves to it. Changes the graph.

    returns   the row for the identity log, with the move of events; or why nothing was done
    """
    refused = _why_not(graph, keep, absorb)
    if refused is not None:
        return refused
    stays, goes = graph.profiles[keep], graph.profiles[absorb]
    change = Change()
    _move_belongings(graph, stays, goes, change)
    fate = ProfilePicture(status=ProfileStatus.MERGED, target_id=keep)
    change.profile(absorb, ProfilePicture(status=ProfileStatus.ACTIVE), fate)
    change.profile(keep, *_merge_state(stays.state, goes.state))
    graph.hide(absorb, ProfileStatus.MERGED, keep)
    graph.touch(keep)
    return LogEntry(
        kind=LogKind.MERGE,
        profile_id=keep,
        other_id=absorb,
        source=source,
        reason=reason,
        at_ms=at_ms,
        before=change.before,
        after=change.after,
        move=EventMove(MoveKind.MERGE, absorb, keep, since_ms=0),
    )


def cells_of(state: ProfileState) -> dict[str, Cell]:
    """Every property that is there or was, with its clocks."""
    keys = dict.fromkeys([*state.properties, *(key for key in state.written_at if not key.startswith(BASE))])
    return {key: cell_of(state, key) for key in keys}


def cell_of(state: ProfileState, key: str) -> Cell:
    """One property with its clocks."""
    return Cell(state.properties.get(key), state.written_at.get(key), state.written_at.get(BASE + key))


def put_cell(state: ProfileState, key: str, cell: Cell) -> None:
    """Make one property and its clocks exactly this."""
    _put(state.properties, key, cell.value)
    _put(state.written_at, key, cell.at)
    _put(state.written_at, BASE + key, cell.base)


def merge_cells(key: str, ours: Cell, theirs: Cell) -> Cell:
    """What a property becomes when two profiles become one. Equal times: ours wins.

    ours     of the profile that stays
    """
    older, newer = (ours, theirs) if (theirs.at or 0) > (ours.at or 0) else (theirs, ours)
    if key in _RESTRICTIVE:
        ranks = _RESTRICTIVE[key]
        value = min((_flag(ours), _flag(theirs)), key=ranks.index)
        return Cell(value, newer.at)
    if key == GROUP_STATES_KEY:
        return Cell(_union_of_groups(ours.value, theirs.value), newer.at)
    if isinstance(ours.value, list) and isinstance(theirs.value, list) and _are_texts(ours.value, theirs.value):
        items = unique_newest([*older.value, *newer.value], LIST_ITEMS_MAX)
        base = max(_base(ours), _base(theirs))
        return Cell(items, newer.at, base if base < (newer.at or 0) else None)
    return newer


def _why_not(graph: MemoryGraph, keep: ProfileId, absorb: ProfileId) -> Refused | None:
    if keep == absorb:
        return Refused("same_profile", "both name the same profile; there is nothing to merge")
    stays, goes = graph.profiles.get(keep), graph.profiles.get(absorb)
    if stays is None or goes is None:
        return Refused("not_found", "there is no such profile")
    if {stays.state.status, goes.state.status} != {ProfileStatus.ACTIVE}:
        return Refused("not_active", "one of the profiles is an orphan, was merged before or was deleted")
    identities_count = len(stays.identities) + len(goes.identities)
    if identities_count > IDENTITIES_MAX:
        return Refused("too_many_identities", f"together {identities_count} identities, maximum {IDENTITIES_MAX}")
    devices_count = len(stays.devices) + len(goes.devices)
    if devices_count > DEVICES_MAX:
        return Refused("too_many_devices", f"together {devices_count} devices, maximum {DEVICES_MAX}")
    return None


def _move_belongings(graph: MemoryGraph, stays: ProfileNode, goes: ProfileNode, change: Change) -> None:
    """Take identities and devices along; each identity keeps the time when it was attached."""
    keep, absorb = stays.state.profile_id, goes.state.profile_id
    # In an order of their own: that of the dictionaries is another one after a restart.
    for identity, added_at_ms in sorted(goes.identities.items()):
        was, became = (IdentityPlace(identity, owner, added_at_ms) for owner in (absorb, keep))
        change.identity(was, became)
        graph.attach_identity(identity, keep, added_at_ms)
    for device_id in sorted(goes.devices):
        change.device(device_id, absorb, keep)
        graph.move_device(device_id, keep)


def _merge_state(stays: ProfileState, goes: ProfileState) -> tuple[ProfilePicture, ProfilePicture]:
    """Merge what is known; what changed on the profile that stays, before and after."""
    ours, theirs = cells_of(stays), cells_of(goes)
    merged = {key: merge_cells(key, ours.get(key, Cell()), cell) for key, cell in theirs.items()}
    merged |= {key: merge_cells(key, ours[key], Cell()) for key in ours.keys() & _RESTRICTIVE.keys() - theirs.keys()}
    changed = {key: cell for key, cell in sorted(merged.items()) if cell != ours.get(key, Cell())}
    older = min(stays, goes, key=lambda state: (state.created_at_ms, state.profile_id))
    before = ProfilePicture(
        bucket=stays.bucket,
        created_at_ms=stays.created_at_ms,
        cells={key: ours.get(key, Cell()) for key in changed},
    )
    after = ProfilePicture(bucket=older.bucket, created_at_ms=older.created_at_ms, cells=changed)
    for key, cell in changed.items():
        put_cell(stays, key, cell)
    stays.bucket, stays.created_at_ms = older.bucket, older.created_at_ms
    return before, after


def _flag(cell: Cell) -> bool | None:
    return cell.value if isinstance(cell.value, bool) else None


def _base(cell: Cell) -> int:
    return cell.base if cell.base is not None else cell.at or 0


def _are_texts(*lists: list[Any]) -> bool:
    return all(isinstance(item, str) for items in lists for item in items)


def _union_of_groups(ours: Any, theirs: Any) -> dict[str, list[str]] | None:
    """Groups left by either of the two."""
    left: dict[str, list[str]] = {}
    for groups in (ours or {}, theirs or {}):
        for channel, names in groups.items():
            left[channel] = sorted({*left.get(channel, ()), *names})
    return left or None


def _put(target: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        target.pop(key, None)
    else:
        target[key] = value
