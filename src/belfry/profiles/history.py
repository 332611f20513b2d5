"""What the identity log keeps: what happened to whom, and what exactly changed, so that it can be put back. Pure."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from belfry.ids import ProfileId
from belfry.profiles.model import Identity, ProfileStatus


class LogKind(enum.StrEnum):
    """What a row of the identity log tells."""

    ORPHAN = "orphan"  # an anonymous device turned out to be an existing user's; its history stays on an orphan
    JOIN = "join"  # the same, but other devices stay on the anonymous profile
    SWITCH = "switch"  # another user logged in on a device
    CONFLICT = "conflict"  # an identity that belongs to someone else, or one too many, was refused
    MERGE = "merge"
    DEMERGE = "demerge"
    DISASSOCIATE = "disassociate"
    UNDO = "undo"
    ERASE = "erase"


class MoveKind(enum.StrEnum):
    """What is to be done with events."""

    ADOPT = "adopt"
    MERGE = "merge"
    UNDO = "undo"


class EventMove(msgspec.Struct, frozen=True):
    """Events to show under another profile, or to take back: the pipeline does it after the commit.

    undoes   the log id of the row whose move an UNDO takes back; 0 for others
    """

    kind: MoveKind
    from_id: ProfileId
    to_id: ProfileId
    since_ms: int
    undoes: int = 0


class Cell(msgspec.Struct, frozen=True, omit_defaults=True):
    """One property with its clocks (see `properties`). No value and no clock: it was never there."""

    value: Any = None
    at: int | None = None
    base: int | None = None


class ProfilePicture(msgspec.Struct, frozen=True, omit_defaults=True):
    """Those things of one profile that changed; None: this one did not."""

    status: ProfileStatus | None = None
    target_id: ProfileId | None = None
    bucket: int | None = None
    created_at_ms: int | None = None
    cells: dict[str, Cell] = msgspec.field(default_factory=dict)


class IdentityPlace(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose an identity is; None: nobody's."""

    identity: Identity
    profile_id: ProfileId | None = None
    added_at_ms: int = 0


class DevicePlace(msgspec.Struct, frozen=True):
    """Whose a device is."""

    device_id: str
    profile_id: ProfileId


class Picture(msgspec.Struct, frozen=True, omit_defaults=True):
    """The things that one change touches, as they were or as they became.

    profiles   by id in decimal (JSON keys are text); None: it did not exist
    """

    profiles: dict[str, ProfilePicture | None] = msgspec.field(default_factory=dict)
    identities: list[IdentityPlace] = msgspec.field(default_factory=list)
    devices: list[DevicePlace] = msgspec.field(default_factory=list)


class Change:
    """What one change touches, noted while it is made: each thing as it was and as it became."""

    def __init__(self) -> None:
        self.before = Picture()
        self.after = Picture()

    def profile(self, profile_id: ProfileId, was: ProfilePicture | None, became: ProfilePicture) -> None:
        self.before.profiles[str(profile_id)] = was
        self.after.profiles[str(profile_id)] = became

    def identity(self, was: IdentityPlace, became: IdentityPlace) -> None:
        self.before.identities.append(was)
        self.after.identities.append(became)

    def device(self, device_id: str, was: ProfileId, became: ProfileId) -> None:
        self.before.devices.append(DevicePlace(device_id, was))
        self.after.devices.append(DevicePlace(device_id, became))


class LogEntry(msgspec.Struct, frozen=True):
    """One row of the identity log, before it has an id.

    profile_id   whose record it was, or who took over
    other_id     from whom
    source       who asked: `API`, a partner's id, a person
    move         what is to be done with events because of it
    """

    kind: LogKind
    profile_id: ProfileId
    other_id: ProfileId | None
    source: str
    reason: str
    at_ms: int
    before: Picture
    after: Picture
    move: EventMove | None = None


class StoredLogEntry(msgspec.Struct, frozen=True):
    """A row of the identity log. `undone_by`: the row that took it back."""

    log_id: int
    entry: LogEntry
    undone_by: int | None = None
