"""Commands: what the management and server APIs ask the pipeline for, through the log like everything else.

A command is a log entry whose body is JSON: `command`, `operation_id`, and the fields of its struct. Its answer is a
row of `operations`, and a row of the audit log says who asked; a command that cannot be done is answered with why, and
changes nothing. Merge, undo and demerge are here, `commands_*.py` have the others.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from belfry.audit.model import AuditAction, AuditEntry
from belfry.ids import ProfileId
from belfry.pipeline.commands_contacts import Disassociate, Subscribe, apply_disassociate, apply_subscribe
from belfry.pipeline.commands_context import Answer, CommandContext
from belfry.pipeline.commands_erase import Erase, apply_erase
from belfry.pipeline.commands_membership import SegmentMembership, apply_membership
from belfry.pipeline.operations import Operation
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
    """Split profiles into one for each device and drop their identities (server-api 7.2).

    identities   values of any kind, as uploaded; unknown ones do nothing
    """

    operation_id: str
    profile_ids: list[int] = []
    identities: list[str] = []
    source: str = "API"
    reason: str = ""


Command = Merge | Undo | Demerge | Erase | Subscribe | Disassociate | SegmentMembership
_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command, strict=False)

_ACTIONS: dict[type, AuditAction] = {
    Merge: AuditAction.PROFILES_MERGE,
    Undo: AuditAction.PROFILES_UNDO,
    Demerge: AuditAction.PROFILES_DEMERGE,
    Erase: AuditAction.PROFILES_DELETE,
    Subscribe: AuditAction.CHANNELS_SUBSCRIBE,
    Disassociate: AuditAction.IDENTITIES_DISASSOCIATE,
    SegmentMembership: AuditAction.SEGMENTS_MEMBERSHIP,
}


def read_command(body: bytes) -> Command:
    """The command of an entry. Raises msgspec.DecodeError, ValidationError for one that nobody knows."""
    return _decoder.decode(body)


def wanted_by(command: Command, log_entry: Callable[[int], StoredLogEntry | None]) -> Wanted:
    """What must be in the graph before the command is applied; most load for themselves."""
    if isinstance(command, Merge):
        return Wanted(profile_ids={ProfileId(command.keep), ProfileId(command.absorb)})
    if isinstance(command, Undo):
        stored = log_entry(command.log_id)
        return Wanted() if stored is None else needed(stored)
    return Wanted()


def apply_command(context: CommandContext, command: Command) -> None:
    """Apply one command; its answer and its row of the audit log go into the effects."""
    answer = _answer(context, command)
    effects, entry = context.work.effects, context.request.stored.entry
    kind = str(type(command).__name__).lower()
    effects.operations.append(Operation(command.operation_id, kind, answer.outcome, answer.result, context.at_ms))
    effects.audit.append(
        AuditEntry(
            audit_id=context.request.number(0),
            action=_ACTIONS[type(command)],
            passcode_id=str(entry.meta.get("passcode") or ""),
            request_id=entry.request_id,
            asked_count=answer.asked_count,
            done_count=answer.done_count,
            at_ms=context.at_ms,
            detail=answer.detail,
        )
    )


def _answer(context: CommandContext, command: Command) -> Answer:
    match command:
        case Merge():
            return _merge(context, command)
        case Undo():
            return _undo(context, command)
        case Demerge():
            return _demerge(context, command)
        case Erase():
            return apply_erase(context, command)
        case Subscribe():
            return apply_subscribe(context, command)
        case Disassociate():
            return apply_disassociate(context, command)
        case SegmentMembership():
            return apply_membership(context, command)


def _merge(context: CommandContext, command: Merge) -> Answer:
    keep, absorb = ProfileId(command.keep), ProfileId(command.absorb)
    entry = merge(context.graph, keep, absorb, source=command.source, reason=command.reason, at_ms=context.at_ms)
    if isinstance(entry, Refused):
        return _refused(entry)
    log_id = context.note(entry)
    result: dict[str, object] = {"log_id": str(log_id), "profile_id": str(keep), "absorbed": str(absorb)}
    return Answer(DONE, result, done_count=1)


def _undo(context: CommandContext, command: Undo) -> Answer:
    stored = context.log_entry(command.log_id)
    if stored is None:
        return _refused(Refused("not_found", "the identity log of this account has no such row"))
    effects = context.work.effects
    if command.log_id in {log_id for log_id, _ in effects.undone}:
        return _refused(Refused("undone_before", "it was taken back before"))
    undone = undo(context.graph, stored, source=command.source, reason=command.reason, at_ms=context.at_ms)
    if isinstance(undone, Refused):
        return _refused(undone)
    log_id = context.note(undone.entry)
    effects.undone.append((command.log_id, log_id))
    return Answer(DONE, {"log_id": str(log_id), "kept": list(undone.kept)}, done_count=1)


def _demerge(context: CommandContext, command: Demerge) -> Answer:
    given = [ProfileId(profile_id) for profile_id in command.profile_ids]
    context.load(Wanted(profile_ids=set(given)))
    split: dict[str, list[str]] = {}
    for profile_id in dict.fromkeys((*given, *context.users_named(command.identities))):
        done = demerge(
            context.graph,
            profile_id,
            context.next_profile_id,
            source=command.source,
            reason=command.reason,
            at_ms=context.at_ms,
        )
        if isinstance(done, Refused):
            split[str(profile_id)] = []
            continue
        context.note(done.entry)
        context.raise_events(done.events)
        split[str(profile_id)] = [str(made) for made in done.profile_ids]
    return Answer(
        DONE,
        {"profiles": split},
        asked_count=len(given) + len(command.identities),
        done_count=sum(1 for made in split.values() if made),
    )


def _refused(refused: Refused) -> Answer:
    return Answer(REFUSED, {"code": refused.code, "error": refused.text}, detail=refused.code)
