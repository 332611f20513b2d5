"""Taking back what the identity log tells of: a merge, an orphan, a switch, a demerge (engagement 1.2). Pure.

Each row of the log says what its things were before and what they became. Undo is a three-way decision per thing
(a property, an identity, a device, a profile's status): if it still is what the change made of it, it becomes what
it was before; if it is something else by now, a newer write stays. With nothing in between, the profiles are exactly
as before. Not every row can be taken back, see `_why_not`.
"""

from __future__ import annotations

import msgspec

from belfry.ids import ProfileId
from belfry.profiles.graph import MemoryGraph, Wanted
from belfry.profiles.history import (
    EventMove,
    LogEntry,
    LogKind,
    MoveKind,
    Picture,
    ProfilePicture,
    StoredLogEntry,
)
from belfry.profiles.merge import cell_of, put_cell
from belfry.profiles.model import UNDO_DAYS, ProfileState, ProfileStatus, Refused

DAY_MS = 86_400_000
UNDOABLE = frozenset(
    {LogKind.ORPHAN, LogKind.JOIN, LogKind.SWITCH, LogKind.MERGE, LogKind.DEMERGE, LogKind.DISASSOCIATE}
)


class Undone(msgspec.Struct, frozen=True):
    """What undo did.

    entry   the row for the identity log, with the move of events to take back
    kept    what was not put back because it changed since: property names, identity and device values
    """

    entry: LogEntry
    kept: tuple[str, ...]


def needed(stored: StoredLogEntry) -> Wanted:
    """What must be in the graph to take this row back."""
    entry = stored.entry
    profile_ids = {ProfileId(int(text)) for text in entry.after.profiles} | {entry.profile_id}
    if entry.other_id is not None:
        profile_ids.add(entry.other_id)
    return Wanted(
        profile_ids=profile_ids,
        identities={place.identity for place in entry.after.identities},
        device_ids={place.device_id for place in entry.after.devices},
    )


def undo(graph: MemoryGraph, stored: StoredLogEntry, *, source: str, reason: str, at_ms: int) -> Undone | Refused:
    """Take one row of the identity log back. Changes the graph; `needed` says what must be in it."""
    refused = _why_not(graph, stored, at_ms)
    if refused is not None:
        return refused
    entry = stored.entry
    kept: list[str] = []
    made: list[ProfileId] = []
    for text, was in entry.before.profiles.items():
        became = entry.after.profiles[text]
        if was is None:
            made.append(ProfileId(int(text)))
        elif became is not None:
            kept += _put_back_profile(graph, ProfileId(int(text)), was, became)
    kept += _put_back_places(graph, entry)
    for profile_id in made:
        kept += _retire(graph, profile_id, entry)
    return Undone(_entry_of(stored, source, reason, at_ms), tuple(kept))


def _why_not(graph: MemoryGraph, stored: StoredLogEntry, at_ms: int) -> Refused | None:
    entry = stored.entry
    if entry.kind not in UNDOABLE:
        return Refused("not_undoable", f"a row of kind {entry.kind} changed nothing that can be put back")
    if stored.undone_by is not None:
        return Refused("undone_before", "it was taken back before")
    if at_ms - entry.at_ms > UNDO_DAYS * DAY_MS:
        return Refused("too_late", f"it is older than {UNDO_DAYS} days")
    for text, became in entry.after.profiles.items():
        if became is not None and not _has_fate(graph, ProfileId(int(text)), became):
            return Refused("changed_since", f"profile {text} was merged, deleted or put back since; undo that first")
    if _state(graph, entry.profile_id).status is not ProfileStatus.ACTIVE:
        return Refused("changed_since", f"profile {entry.profile_id} is hidden by now; undo that first")
    if entry.kind in (LogKind.JOIN, LogKind.SWITCH) and _user(graph, entry.other_id) == entry.profile_id:
        return Refused("changed_since", "the two profiles were merged since; undo that first")
    if (entry.after.identities or entry.after.devices) and not _unmoved(graph, entry.after):
        return Refused("moved_on", "all its identities and devices belong to others by now")
    return None


def _has_fate(graph: MemoryGraph, profile_id: ProfileId, became: ProfilePicture) -> bool:
    """Whether a profile is still what the change made of it, as far as being a user goes."""
    if became.status is None:
        return True
    state = _state(graph, profile_id)
    return state.status is became.status and state.target_id == became.target_id


def _put_back_profile(
    graph: MemoryGraph, profile_id: ProfileId, was: ProfilePicture, became: ProfilePicture
) -> list[str]:
    """Put back what is still as the change left it; the names of properties that were written since."""
    state = _state(graph, profile_id)
    if was.status is not None:
        state.status, state.target_id = was.status, was.target_id
    if was.bucket is not None and state.bucket == became.bucket:
        state.bucket = was.bucket
    if was.created_at_ms is not None and state.created_at_ms == became.created_at_ms:
        state.created_at_ms = was.created_at_ms
    kept = []
    for key, cell in was.cells.items():
        if cell_of(state, key) == became.cells[key]:
            put_cell(state, key, cell)
        else:
            kept.append(key)
    graph.touch(profile_id)
    return kept


def _put_back_places(graph: MemoryGraph, entry: LogEntry) -> list[str]:
    """Give identities and devices back; those that went elsewhere since stay there and are returned.

    A former owner who was merged since is whoever took it over.
    """
    kept = []
    for was, became in zip(entry.before.identities, entry.after.identities, strict=True):
        owner = _user(graph, was.profile_id)
        if graph.owner_of_identity(was.identity) != became.profile_id:
            kept.append(was.identity.value)
        elif owner is None:
            graph.detach_identity(was.identity)
        else:
            graph.attach_identity(was.identity, owner, was.added_at_ms)
    for before, after in zip(entry.before.devices, entry.after.devices, strict=True):
        former = _user(graph, before.profile_id)
        if former is not None and graph.owner_of_device(before.device_id) == after.profile_id:
            graph.move_device(before.device_id, former)
        else:
            kept.append(before.device_id)
    return kept


def _retire(graph: MemoryGraph, profile_id: ProfileId, entry: LogEntry) -> list[str]:
    """Hide a profile that the change made, as an orphan of where it came from, unless it has something of its own."""
    node = graph.profiles[profile_id]
    if node.identities or node.devices:
        return [str(profile_id)]
    origin = entry.other_id if profile_id == entry.profile_id else entry.profile_id
    graph.hide(profile_id, ProfileStatus.ORPHAN, origin)
    return []


def _entry_of(stored: StoredLogEntry, source: str, reason: str, at_ms: int) -> LogEntry:
    entry = stored.entry
    move = entry.move
    return LogEntry(
        kind=LogKind.UNDO,
        profile_id=entry.profile_id,
        other_id=entry.other_id,
        source=source,
        reason=reason,
        at_ms=at_ms,
        before=Picture(),
        after=Picture(),
        move=None if move is None else EventMove(MoveKind.UNDO, move.from_id, move.to_id, 0, stored.log_id),
    )


def _unmoved(graph: MemoryGraph, after: Picture) -> bool:
    """Whether at least one identity or device is still where the change put it."""
    return any(graph.owner_of_identity(place.identity) == place.profile_id for place in after.identities) or any(
        graph.owner_of_device(place.device_id) == place.profile_id for place in after.devices
    )


def _state(graph: MemoryGraph, profile_id: ProfileId) -> ProfileState:
    return graph.profiles[profile_id].state


def _user(graph: MemoryGraph, profile_id: ProfileId | None) -> ProfileId | None:
    return None if profile_id is None else graph.resolve(profile_id)
