"""Whose record is this? The merge algorithm of engagement 1.2 and server-api 3.3. Pure.

A record names a user in one of two ways:

- **by an identity at the root**: that identity decides. Its profile is made if there is none, unless the record's
  device is anonymous: then that device's profile becomes the identified one. The device joins if it is new or
  anonymous; if it belongs to another identified user it is left alone.
- **by a device alone**: the identities that come with it (profile data, a login) may say whose device it is.

              no owner          owner is this profile   owner is another profile
 anonymous    attach            (cannot be)             device moves; what it left is an orphan
 push         attach            attach the rest         refused: Identity Error
 login        switch to a new   attach the rest         switch to that one

 (rows: state of the device's profile; `push` and `login` are identified ones)

Two identified profiles never become one here; `merge` does that when asked to. Identities that belong to a third
profile are refused and logged, those that are free are attached.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence

import msgspec

from belfry.error_stream.model import ErrorKind, Remark
from belfry.ids import ProfileId
from belfry.profiles.graph import IdentityGraph
from belfry.profiles.history import (
    Change,
    EventMove,
    IdentityPlace,
    LogEntry,
    LogKind,
    MoveKind,
    Picture,
    ProfilePicture,
)
from belfry.profiles.model import (
    ADOPT_DAYS,
    DEVICES_MAX,
    IDENTITIES_MAX,
    IDENTITY_ERROR,
    IDENTITY_SET,
    PUSH_UNREGISTERED,
    Identity,
    IdentityKind,
    ProfileStatus,
    SystemEvent,
)

DAY_MS = 86_400_000
_ORDER = {kind: place for place, kind in enumerate(IdentityKind)}


class Mode(enum.StrEnum):
    """How identities come: with data about the user, or because somebody logs in."""

    PUSH = "push"
    LOGIN = "login"


class Outcome(enum.StrEnum):
    """What identification changed; shown in `Identity Set`."""

    CREATED = "created"  # a profile that did not exist has its first identity
    APPENDED = "appended"  # a profile got one more; or an anonymous one its first
    KNOWN = "known"  # the device's own user came with further identities
    JOINED = "joined"  # an anonymous device turned out to be an existing user's
    SWITCHED = "switched"  # another user logged in on the device


_TELLING = (Outcome.JOINED, Outcome.SWITCHED)
"""Outcomes that `Identity Set` tells of even if no identity is new."""


class IdentityRules(msgspec.Struct, frozen=True):
    """What an account decided.

    kinds    which kinds identify a user beside `identity`, which always does; others remain properties
    adopts   an orphan's last 30 days count for the user (`adopt`), or stay grey (`keep_grey`)
    """

    kinds: frozenset[IdentityKind] = frozenset(IdentityKind)
    adopts: bool = True


class Sighting(msgspec.Struct, frozen=True, gc=False):
    """Whom a record names. At least one of identity and device is there.

    identity    the root identity; always counts, whatever its kind
    device_id   a well-formed objectId
    added       identities that come with the record, in any order
    at_ms       when the record was accepted
    """

    identity: Identity | None
    device_id: str | None
    added: tuple[Identity, ...] = ()
    at_ms: int = 0
    source: str = "API"
    mode: Mode = Mode.PUSH


class RefusedIdentity(msgspec.Struct, frozen=True):
    """An identity that was not attached. `owner_id`: whose it is; None: the profile has its maximum already."""

    identity: Identity
    owner_id: ProfileId | None


class Decision(msgspec.Struct, gc=False):
    """Whose the record is, and what became of it.

    profile_id   to whom the record belongs now
    device_id    the device that it may be filed under; None if none was named or it is another user's
    outcome      None: nothing changed
    created      profiles that were made: at most one
    attached     identities that are new on the profile
    orphaned     the anonymous profile that was hidden
    log          rows for the identity log: at most one for what moved, then at most one for what was refused
    """

    profile_id: ProfileId
    device_id: str | None = None
    outcome: Outcome | None = None
    created: ProfileId | None = None
    attached: tuple[Identity, ...] = ()
    refused: tuple[RefusedIdentity, ...] = ()
    orphaned: ProfileId | None = None
    remarks: tuple[Remark, ...] = ()
    events: tuple[SystemEvent, ...] = ()
    log: tuple[LogEntry, ...] = ()


def identify(
    graph: IdentityGraph, rules: IdentityRules, seen: Sighting, new_profile_id: Callable[[], ProfileId]
) -> Decision:
    """Find or make the profile of a record and attach what is new. Changes the graph.

    new_profile_id   called at most once
    """
    known = _known(graph, seen)
    if known is not None:
        return known
    draft = _Draft(graph, rules, seen, new_profile_id)
    if seen.identity is not None:
        _by_identity(draft, seen.identity)
    else:
        _by_device(draft)
    return draft.decision()


def _known(graph: IdentityGraph, seen: Sighting) -> Decision | None:
    """The decision for what most records are: nothing in them is new."""
    if seen.identity is not None:
        owner = graph.owner_of_identity(seen.identity)
        if owner is not None and seen.device_id is not None and graph.owner_of_device(seen.device_id) != owner:
            return None
    else:
        owner = graph.owner_of_device(seen.device_id or "")
    if owner is None:
        return None
    for identity in seen.added:
        if graph.owner_of_identity(identity) != owner:
            return None
    return Decision(owner, seen.device_id)


class _Draft:
    """One identification while it is worked out."""

    def __init__(
        self, graph: IdentityGraph, rules: IdentityRules, seen: Sighting, new_profile_id: Callable[[], ProfileId]
    ) -> None:
        self.graph = graph
        self.seen = seen
        self.profile_id = ProfileId(0)
        self.device_id = seen.device_id
        self.outcome: Outcome | None = None
        self.created: ProfileId | None = None
        self.orphaned: ProfileId | None = None
        self.attached: list[Identity] = []
        self.refused: list[RefusedIdentity] = []
        self.remarks: list[Remark] = []
        self.events: list[SystemEvent] = []
        self.moved: tuple[LogKind, ProfileId] | None = None
        self._rules = rules
        self._new_profile_id = new_profile_id

    def create(self) -> ProfileId:
        self.created = self._new_profile_id()
        self.graph.create(self.created, self.seen.at_ms)
        return self.created

    def added(self) -> list[Identity]:
        """The further identities that count in this account, by precedence."""
        counting = {i for i in self.seen.added if i.kind is IdentityKind.IDENTITY or i.kind in self._rules.kinds}
        return sorted(counting, key=lambda identity: (_ORDER[identity.kind], identity.value))

    def attach(self, profile_id: ProfileId, identities: Iterable[Identity]) -> None:
        """Attach those that are free; refuse those that are someone else's, and those beyond the limit."""
        for identity in identities:
            owner = self.graph.owner_of_identity(identity)
            if owner == profile_id:
                continue
            if owner is None and len(self.graph.identities_of(profile_id)) < IDENTITIES_MAX:
                self.graph.attach_identity(identity, profile_id, self.seen.at_ms)
                self.attached.append(identity)
            else:
                self.refused.append(RefusedIdentity(identity, owner))

    def add_device(self, device_id: str, profile_id: ProfileId) -> None:
        """Add a new device, or leave it out if the profile has its maximum."""
        if self._has_room(profile_id):
            self.graph.attach_device(device_id, profile_id, self.seen.at_ms)

    def move_device(self, device_id: str, owner: ProfileId, target: ProfileId) -> bool:
        """Take the device to another profile; an anonymous profile that keeps no device becomes an orphan."""
        if not self._has_room(target):
            return False
        was_anonymous = self.is_anonymous(owner)
        tokens = sorted(self.graph.devices_of(owner)[device_id].tokens)
        self.graph.move_device(device_id, target)
        if not was_anonymous:
            self.moved = (LogKind.SWITCH, owner)
            props = {"reason": "another user logged in on the device"}
            self.events += [SystemEvent(PUSH_UNREGISTERED, owner, device_id, {**props, "token": t}) for t in tokens]
        elif self.graph.devices_of(owner):
            self.moved = (LogKind.JOIN, owner)
        else:
            self.graph.hide(owner, ProfileStatus.ORPHAN, target)
            self.moved, self.orphaned = (LogKind.ORPHAN, owner), owner
        return True

    def is_anonymous(self, profile_id: ProfileId) -> bool:
        return not self.graph.identities_of(profile_id)

    def ignore_device(self, device_id: str) -> None:
        """Leave a device alone that is another identified user's: senders use constant ids (server-api 3.3)."""
        detail = "the objectId belongs to another identified user; the record went to its identity alone"
        self.remarks.append(Remark(ErrorKind.OBJECT_ID_IGNORED, device_id, detail))
        self.device_id = None

    def decision(self) -> Decision:
        log = [entry for entry in (self._moved_entry(), self._refused_entry()) if entry is not None]
        return Decision(
            profile_id=self.profile_id,
            device_id=self.device_id,
            outcome=self.outcome,
            created=self.created,
            attached=tuple(self.attached),
            refused=tuple(self.refused),
            orphaned=self.orphaned,
            remarks=(*self.remarks, *map(_remark, self.refused)),
            events=(*self._identity_set(), *map(self._identity_error, self.refused), *self.events),
            log=tuple(log),
        )

    def _has_room(self, profile_id: ProfileId) -> bool:
        if len(self.graph.devices_of(profile_id)) < DEVICES_MAX:
            return True
        detail = f"the profile has {DEVICES_MAX} devices, the maximum; the device was not attached"
        self.remarks.append(Remark(ErrorKind.IDENTITY_LIMIT, self.device_id or "", detail))
        self.device_id = None
        return False

    def _identity_set(self) -> Sequence[SystemEvent]:
        """One event a record, about the identity that counts most; nothing new, no event."""
        if not self.attached and self.outcome not in _TELLING:
            return ()
        named = self.attached or ([self.seen.identity] if self.seen.identity else self.added())
        props = {
            "outcome": str(self.outcome),
            "identity": named[0].value,
            "type": str(named[0].kind),
            "source": self.seen.source,
        }
        return (SystemEvent(IDENTITY_SET, self.profile_id, self.device_id, props),)

    def _identity_error(self, refused: RefusedIdentity) -> SystemEvent:
        props = {
            "identity": refused.identity.value,
            "type": str(refused.identity.kind),
            "source": self.seen.source,
            "reason": "limit" if refused.owner_id is None else "belongs to another user",
        }
        return SystemEvent(IDENTITY_ERROR, self.profile_id, self.device_id, props)

    def _moved_entry(self) -> LogEntry | None:
        if self.moved is None:
            return None
        kind, owner = self.moved
        change = self._change(owner)
        since_ms = self.seen.at_ms - ADOPT_DAYS * DAY_MS
        adopts = self.orphaned is not None and self._rules.adopts
        return LogEntry(
            kind=kind,
            profile_id=self.profile_id,
            other_id=owner,
            source=self.seen.source,
            reason=_REASONS[kind],
            at_ms=self.seen.at_ms,
            before=change.before,
            after=change.after,
            move=EventMove(MoveKind.ADOPT, owner, self.profile_id, since_ms) if adopts else None,
        )

    def _change(self, owner: ProfileId) -> Change:
        """What the move changed: the device, the identities that came with it, the fate of both profiles."""
        target, change = self.profile_id, Change()
        change.device(str(self.device_id), owner, target)
        for identity in self.attached:
            change.identity(IdentityPlace(identity), IdentityPlace(identity, target, self.seen.at_ms))
        active = ProfilePicture(status=ProfileStatus.ACTIVE)
        if self.orphaned is not None:
            change.profile(owner, active, ProfilePicture(status=ProfileStatus.ORPHAN, target_id=target))
        if self.created == target:
            change.profile(target, None, active)
        return change

    def _refused_entry(self) -> LogEntry | None:
        taken = [refused for refused in self.refused if refused.owner_id is not None]
        if not taken:
            return None
        places = [IdentityPlace(refused.identity, refused.owner_id) for refused in taken]
        return LogEntry(
            kind=LogKind.CONFLICT,
            profile_id=self.profile_id,
            other_id=taken[0].owner_id,
            source=self.seen.source,
            reason=_REASONS[LogKind.CONFLICT],
            at_ms=self.seen.at_ms,
            before=Picture(identities=places),
            after=Picture(identities=places),
        )


_REASONS = {
    LogKind.ORPHAN: "an anonymous device turned out to be an existing user's",
    LogKind.JOIN: "a device of an anonymous profile turned out to be an existing user's; others stayed",
    LogKind.SWITCH: "another user logged in on the device",
    LogKind.CONFLICT: "an identity belongs to another user; both stayed as they were",
}


def _by_identity(draft: _Draft, root: Identity) -> None:
    """The identity at the root decides; the device joins if it is nobody's yet."""
    graph, device_id = draft.graph, draft.seen.device_id
    owner = graph.owner_of_identity(root)
    device_owner = None if device_id is None else graph.owner_of_device(device_id)
    if owner is not None:
        profile_id = owner
    elif device_owner is not None and draft.is_anonymous(device_owner):
        profile_id, draft.outcome = device_owner, Outcome.APPENDED
    else:
        profile_id, draft.outcome = draft.create(), Outcome.CREATED
    draft.profile_id = profile_id
    if device_id is not None and device_owner != profile_id:
        if device_owner is None:
            draft.add_device(device_id, profile_id)
        elif not draft.is_anonymous(device_owner):
            draft.ignore_device(device_id)
        elif draft.move_device(device_id, device_owner, profile_id):
            draft.outcome = Outcome.JOINED
    draft.attach(profile_id, [root, *draft.added()])
    if draft.attached and draft.outcome is None:
        draft.outcome = Outcome.APPENDED


def _by_device(draft: _Draft) -> None:
    """The device's profile, unless the identities that come along say that the device is another user's."""
    device_id = draft.seen.device_id
    if device_id is None:
        raise ValueError("a record names neither an identity nor a device; the edge refuses it")
    identities = draft.added()
    owners = [found for i in identities if (found := draft.graph.owner_of_identity(i)) is not None]
    owner = draft.graph.owner_of_device(device_id)
    if owner is None:
        owner = _first_owner(draft, device_id, owners)
    draft.profile_id = owner
    target = _user_on(draft, device_id, owner, owners) if identities else owner
    if target is not None:
        draft.profile_id = target
        draft.attach(target, identities)


def _first_owner(draft: _Draft, device_id: str, owners: Sequence[ProfileId]) -> ProfileId:
    """Where a device goes that was never seen before: to the user that came with it, or on a profile of its own."""
    draft.outcome = Outcome.JOINED if owners else Outcome.CREATED
    owner = owners[0] if owners else draft.create()
    draft.add_device(device_id, owner)
    return owner


def _user_on(draft: _Draft, device_id: str, owner: ProfileId, owners: Sequence[ProfileId]) -> ProfileId | None:
    """Who is on the device according to the identities' owners, the device moved there; None: nothing may be attached.

    owner    whose the device is so far
    owners   of the identities, by precedence; empty: all identities are free
    """
    may_move = draft.is_anonymous(owner) or draft.seen.mode is Mode.LOGIN
    is_first = draft.is_anonymous(owner)
    if not owners and (is_first or not may_move):
        draft.outcome = draft.outcome or Outcome.APPENDED
        return owner
    if owners and (owners[0] == owner or not may_move):
        draft.outcome = draft.outcome or Outcome.KNOWN
        return owner
    target = owners[0] if owners else draft.create()
    if not draft.move_device(device_id, owner, target):
        return None
    draft.outcome = Outcome.JOINED if is_first else Outcome.SWITCHED
    return target


def _remark(refused: RefusedIdentity) -> Remark:
    subject = str(refused.identity.kind)
    if refused.owner_id is None:
        detail = f"the profile has {IDENTITIES_MAX} identities, the maximum; the new one was not attached"
        return Remark(ErrorKind.IDENTITY_LIMIT, subject, detail)
    detail = "the identity belongs to another user; both stayed as they were"
    return Remark(ErrorKind.IDENTITY_CONFLICT, subject, detail)
