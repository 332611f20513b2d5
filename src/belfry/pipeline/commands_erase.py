"""Erasing users (server-api 7.1, engagement 1.6): what the pipeline's transaction does; `erasure.py` does the rest."""

from __future__ import annotations

import msgspec

from belfry.ids import ProfileId
from belfry.pipeline.commands_context import Answer, CommandContext
from belfry.profiles.erase import Name, erase
from belfry.profiles.graph import Address, Wanted
from belfry.profiles.history import LogEntry, LogKind, Picture
from belfry.profiles.model import Erasure, Identity
from belfry.profiles.tombstones import Raised

DAY_MS = 86_400_000
_ID_MAX = 2**63 - 1


class Erase(msgspec.Struct, frozen=True, tag_field="command", tag="erase"):
    """Erase users for ever.

    identities     values of any kind, as uploaded
    guids          device ids, or profile ids as they are shown
    erase_events   what they did goes as well; else it stays as what nobody did
    """

    operation_id: str
    identities: list[str]
    guids: list[str]
    erase_events: bool = False
    source: str = "API"
    reason: str = "erased"


def apply_erase(context: CommandContext, command: Erase) -> Answer:
    """Make husks of the users and of the hidden profiles that they took over; names that nobody has do nothing."""
    users = list(dict.fromkeys((*context.users_named(command.identities), *_behind(context, command.guids))))
    names: list[Name] = []
    addresses: list[Address] = []
    personal: set[str] = set()
    absorbed: list[ProfileId] = []
    log_ids = []
    for profile_id, hidden in context.absorbed_by(users).items():
        identities: set[Identity] = set(context.graph.profiles[profile_id].identities)
        context.load(Wanted(identities=identities))  # brings the flags of all its addresses
        for one in (profile_id, *hidden):
            erased = erase(context.graph, one)
            names += erased.names
            addresses += erased.addresses
            personal |= erased.personal
        absorbed += hidden
        log_ids.append(context.note(_entry(context, command, profile_id)))
    if users:
        _forget_addresses(context, addresses)
        _raise_tombstones(context, names)
        context.work.effects.erasures.append(
            Erasure(
                erasure_id=log_ids[0],
                profile_ids=tuple(users),
                absorbed_ids=tuple(absorbed),
                personal=tuple(sorted(personal)),
                erases_events=command.erase_events,
                version=context.request.position,
                at_ms=context.at_ms,
            )
        )
    return Answer(
        "done",
        {"profiles_count": len(users)},
        asked_count=len(command.identities) + len(command.guids),
        done_count=len(users),
        detail="with their events" if command.erase_events else "events anonymised",
    )


def _behind(context: CommandContext, guids: list[str]) -> list[ProfileId]:
    """The users whose devices these are, or who are or took over the profiles with these ids."""
    numbers = {text: ProfileId(int(text)) for text in guids if _is_id(text)}
    context.load(Wanted(device_ids=set(guids), profile_ids=set(numbers.values())))
    found = []
    for text in guids:
        owner = context.graph.owner_of_device(text)
        if owner is None and text in numbers:
            owner = context.graph.resolve(numbers[text])
        if owner is not None:
            found.append(owner)
    return found


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= _ID_MAX


def _entry(context: CommandContext, command: Erase, profile_id: ProfileId) -> LogEntry:
    """The row of the identity log: that it happened, nothing of what was."""
    return LogEntry(
        LogKind.ERASE, profile_id, None, command.source, command.reason, context.at_ms, Picture(), Picture()
    )


def _forget_addresses(context: CommandContext, addresses: list[Address]) -> None:
    """Drop the do-not-disturb flags of addresses that nobody has any more."""
    for address, holders in context.holders_of(addresses).items():
        if not holders:
            context.graph.forget_address(address)


def _raise_tombstones(context: CommandContext, names: list[Name]) -> None:
    block_ms = context.work.account.settings.erasure_block_days * DAY_MS
    hashes = tuple(context.hasher.name(context.account_id, name) for name in names)
    context.work.effects.tombstones.append(Raised(hashes, context.at_ms, context.at_ms - block_ms))
    context.work.tombstones.update(dict.fromkeys(names, context.at_ms))
