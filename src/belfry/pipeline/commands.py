"""Commands: what the management and server APIs ask the pipeline for, through the log like everything else.

A command is a log entry whose body is JSON: `command`, `operation_id`, and the fields of its struct here. Its answer
is a row of `operations`; a command that cannot be done is answered with why, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.ids import ProfileId
from belfry.pipeline.effects import Place
from belfry.pipeline.operations import Operation
from belfry.pipeline.uploads import Work, raise_events
from belfry.profiles import journal
from belfry.profiles.demerge import demerge
from belfry.profiles.graph import Wanted
from belfry.profiles.history import StoredLogEntry
from belfry.profiles.merge import merge
from belfry.profiles.model import Refused
from belfry.profiles.undo import needed, undo

DONE, REFUSED = "done", "refused"


class Merge(msgspec.Struct, frozen=True, tag_field="command", tag="merge"):
    """Make one profile of two: `keep` stays, `absorb` becomes hidden (engagement 1.2)."""

    operation_id: str
    keep: int
    absorb: int
    source: str = "API"
    reason: str = ""


class Undo(msgspec.Struct, frozen=True, tag_field="command", tag="undo"):
    """Take back one row of the identity log."""

    operation_id: str
    log_id: int
    source: str = "API"
    reason: str = ""


class Demerge(msgspec.Struct, frozen=True, tag_field="command", tag="demerge"):
    """Split profiles into one for each device and drop their identities (server-api 7.2)."""

    operation_id: str
    profile_ids: list[int]
    source: str = "API"
    reason: str = ""


Command = Merge | Undo | Demerge
_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command, strict=False)

Result = tuple[str, dict[str, Any]]


def read_command(body: bytes) -> Command:
    """The command of an entry. Raises msgspec.DecodeError, ValidationError for one that nobody knows."""
    return _decoder.decode(body)


def wanted_by(command: Command, log_entry: Callable[[int], StoredLogEntry | None]) -> Wanted:
    """What must be in the graph before the command is applied."""
    if isinstance(command, Merge):
        return Wanted(profile_ids={ProfileId(command.keep), ProfileId(command.absorb)})
    if isinstance(command, Demerge):
        return Wanted(profile_ids={ProfileId(profile_id) for profile_id in command.profile_ids})
    stored = log_entry(command.log_id)
    return Wanted() if stored is None else needed(stored)


def apply_command(
    work: Work, place: Place, command: Command, log_entry: Callable[[int], StoredLogEntry | None]
) -> None:
    """Apply one command; its answer goes into the effects."""
    at_ms = place.request.received_at_ms
    if isinstance(command, Merge):
        outcome, result = _merge(work, place, command, at_ms)
    elif isinstance(command, Undo):
        outcome, result = _undo(work, place, command, log_entry(command.log_id), at_ms)
    else:
        outcome, result = _demerge(work, place, command, at_ms)
    kind = str(type(command).__name__).lower()
    work.effects.operations.append(Operation(command.operation_id, kind, outcome, result, at_ms))


def _merge(work: Work, place: Place, command: Merge, at_ms: int) -> Result:
    keep, absorb = ProfileId(command.keep), ProfileId(command.absorb)
    entry = merge(work.graph, keep, absorb, source=command.source, reason=command.reason, at_ms=at_ms)
    if isinstance(entry, Refused):
        return _refused(entry)
    log_id = work.effects.note(place, entry, work.graph.profiles)
    return DONE, {"log_id": str(log_id), "profile_id": str(keep), "absorbed": str(absorb)}


def _undo(work: Work, place: Place, command: Undo, stored: StoredLogEntry | None, at_ms: int) -> Result:
    if stored is None:
        return _refused(Refused("not_found", "the identity log of this account has no such row"))
    undone_here = {log_id for log_id, _ in work.effects.undone}
    if command.log_id in undone_here:
        return _refused(Refused("undone_before", "it was taken back before"))
    undone = undo(work.graph, stored, source=command.source, reason=command.reason, at_ms=at_ms)
    if isinstance(undone, Refused):
        return _refused(undone)
    log_id = work.effects.note(place, undone.entry, work.graph.profiles)
    work.effects.undone.append((command.log_id, log_id))
    return DONE, {"log_id": str(log_id), "kept": list(undone.kept)}


def _demerge(work: Work, place: Place, command: Demerge, at_ms: int) -> Result:
    split: dict[str, list[str]] = {}
    for profile_id in dict.fromkeys(command.profile_ids):
        done = demerge(
            work.graph,
            ProfileId(profile_id),
            place.next_profile_id,
            source=command.source,
            reason=command.reason,
            at_ms=at_ms,
        )
        if isinstance(done, Refused):
            split[str(profile_id)] = []
            continue
        work.effects.note(place, done.entry, work.graph.profiles)
        raise_events(work, place, done.events)
        split[str(profile_id)] = [str(made) for made in done.profile_ids]
    return DONE, {"profiles": split}


def _refused(refused: Refused) -> Result:
    return REFUSED, {"code": refused.code, "error": refused.text}


def log_reader(connection: sa.Connection, work: Work) -> Callable[[int], StoredLogEntry | None]:
    """Looks a row of the account's identity log up, also one that this block makes."""

    def read(log_id: int) -> StoredLogEntry | None:
        fresh = next((entry for made, entry in work.effects.log if made == log_id), None)
        if fresh is not None:
            return StoredLogEntry(log_id, fresh)
        return journal.read_log_entry(connection, work.account.account_id, log_id)

    return read
