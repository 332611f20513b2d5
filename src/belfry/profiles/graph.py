"""The profiles of one account that the rules work on, in memory, and what the rules changed.

`MemoryGraph` is the working set of the pipeline: `store.load` fills it, the rules change it, `store.save` writes
what changed. It knows only what was loaded: who asks for an identity loads its owner first.

Invariants: an identity and a device belong to exactly one profile; a profile that is there is there whole, with all
its identities, devices and tokens; hidden profiles (orphan, merged, deleted) own neither identities nor devices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from belfry.ids import AccountId, DeviceId, ProfileId
from belfry.profiles.model import (
    BUCKETS,
    EMAIL_KEY,
    PHONE_KEY,
    Activity,
    Device,
    Identity,
    IdentityKind,
    ProfileState,
    ProfileStatus,
    Token,
)

_ACTIVE = ProfileStatus.ACTIVE

_encode_counts = msgspec.json.Encoder(order="deterministic").encode
_decode_counts: Callable[[bytes], dict[str, list[int]]] = msgspec.json.Decoder(dict[str, list[int]]).decode

Address = tuple[IdentityKind, str]
"""An email address or a phone number, as `IdentityKind.EMAIL` or `.PHONE` and value."""


class ProfileNode:
    """One profile whole.

    identities   each with the time when it was attached, epoch milliseconds
    activity     kept as bytes while nobody asks for it: a tenth of the memory, and of what the processor waits for
    used         in which load it was last asked for or changed; the least used leave the memory first
    """

    __slots__ = ("_activity", "_events_json", "_recent", "devices", "identities", "state", "used")

    def __init__(self, state: ProfileState) -> None:
        self.state = state
        self.identities: dict[Identity, int] = {}
        self.devices: dict[str, Device] = {}
        self.used = 0
        self._events_json = b"{}"
        self._recent = b""
        self._activity: Activity | None = None

    @property
    def activity(self) -> Activity:
        """What the profile did; changes to it count until the next `pack`, then ask for it again."""
        if self._activity is None:
            self._activity = Activity(_decode_counts(self._events_json), self._recent)
        return self._activity

    @activity.setter
    def activity(self, activity: Activity) -> None:
        self._activity = activity

    @property
    def recent(self) -> bytes:
        """`activity.recent`, to look at only."""
        return self._recent if self._activity is None else self._activity.recent

    def pack(self) -> tuple[bytes, bytes]:
        """The activity's events as JSON, names in order, and its `recent`."""
        if self._activity is not None:
            self._events_json = _encode_counts(self._activity.events)
            self._recent = self._activity.recent
            self._activity = None
        return self._events_json, self._recent

    def put_activity(self, events_json: bytes, recent: bytes) -> None:
        """Take in what `pack` gave."""
        self._events_json, self._recent, self._activity = events_json, recent, None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProfileNode):
            return NotImplemented
        return self._content() == other._content()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def _content(self) -> tuple[object, ...]:
        return self.state, self.identities, self.devices, self.activity

    def newest(self, kind: IdentityKind) -> str | None:
        """The most recent identity of a kind (engagement 1.2); of equally recent ones the last by value."""
        found = [(added, identity.value) for identity, added in self.identities.items() if identity.kind is kind]
        return max(found)[1] if found else None

    @property
    def email(self) -> str | None:
        """Where email goes: the property, else the most recent identity."""
        return self._contact(EMAIL_KEY, IdentityKind.EMAIL)

    @property
    def phone(self) -> str | None:
        """Where messages and calls go, E.164."""
        return self._contact(PHONE_KEY, IdentityKind.PHONE)

    def addresses(self) -> list[Address]:
        """The addresses whose do-not-disturb flags hold for this profile."""
        pairs = ((IdentityKind.EMAIL, self.email), (IdentityKind.PHONE, self.phone))
        return [(kind, value) for kind, value in pairs if value is not None]

    def _contact(self, key: str, kind: IdentityKind) -> str | None:
        value = self.state.properties.get(key)
        return value if isinstance(value, str) and value else self.newest(kind)


class AddressFlag(msgspec.Struct, frozen=True):
    """A do-not-disturb flag of an address, and when it was written."""

    value: bool
    at_ms: int


class Wanted(msgspec.Struct):
    """What is to be in the graph: profiles by what names them."""

    identities: set[Identity] = msgspec.field(default_factory=set)
    device_ids: set[str] = msgspec.field(default_factory=set)
    tokens: set[str] = msgspec.field(default_factory=set)
    profile_ids: set[ProfileId] = msgspec.field(default_factory=set)


class Dirty(msgspec.Struct):
    """What changed since the last `clean`: the keys of rows to write, or to delete if they are not there any more."""

    profiles: set[ProfileId] = msgspec.field(default_factory=set)
    identities: set[Identity] = msgspec.field(default_factory=set)
    devices: set[str] = msgspec.field(default_factory=set)
    tokens: set[str] = msgspec.field(default_factory=set)
    activity: set[ProfileId] = msgspec.field(default_factory=set)
    addresses: set[tuple[Address, str]] = msgspec.field(default_factory=set)


class IdentityGraph(Protocol):
    """What `identify` and `tokens` need to know and to change."""

    def owner_of_identity(self, identity: Identity) -> ProfileId | None: ...
    def owner_of_device(self, device_id: str) -> ProfileId | None: ...
    def identities_of(self, profile_id: ProfileId) -> Mapping[Identity, int]: ...
    def devices_of(self, profile_id: ProfileId) -> Mapping[str, Device]: ...
    def device_of_token(self, token: str) -> str | None: ...
    def create(self, profile_id: ProfileId, at_ms: int) -> None: ...
    def attach_identity(self, identity: Identity, profile_id: ProfileId, at_ms: int) -> None: ...
    def attach_device(self, device_id: str, profile_id: ProfileId, at_ms: int) -> None: ...
    def move_device(self, device_id: str, profile_id: ProfileId) -> None: ...
    def put_token(self, device_id: str, token: Token) -> None: ...
    def remove_token(self, token: str) -> None: ...
    def hide(self, profile_id: ProfileId, status: ProfileStatus, target_id: ProfileId | None) -> None: ...


def bucket_of(profile_id: ProfileId) -> int:
    """The user bucket, 0-999: uniform, permanent, the same at every replay (engagement 1.3)."""
    digest = hashlib.blake2b(profile_id.to_bytes(8, "big", signed=True), digest_size=8).digest()
    return int.from_bytes(digest, "big") % BUCKETS


def new_node(account_id: AccountId, profile_id: ProfileId, at_ms: int) -> ProfileNode:
    """A profile of which nothing is known yet."""
    state = ProfileState(
        account_id=account_id,
        profile_id=profile_id,
        status=_ACTIVE,
        target_id=None,
        bucket=bucket_of(profile_id),
        created_at_ms=at_ms,
        properties={},
        written_at={},
        version=0,
    )
    return ProfileNode(state)


class MemoryGraph:
    """Profiles of one account in memory.

    version   what a profile's version becomes when it changes: the caller sets it to the log position that it works
              at; it must not fall
    dirty     what is to be saved
    """

    def __init__(self, account_id: AccountId) -> None:
        self.account_id = account_id
        self.version = 0
        self.dirty = Dirty()
        self.profiles: dict[ProfileId, ProfileNode] = {}
        self.address_flags: dict[Address, dict[str, AddressFlag]] = {}
        self.loads = 0
        self._owners: dict[Identity, ProfileNode] = {}
        self._device_owners: dict[str, ProfileId] = {}
        self._token_devices: dict[str, str] = {}

    def owner_of_identity(self, identity: Identity) -> ProfileId | None:
        """Whose it is, or None."""
        owner = self._owners.get(identity)
        return None if owner is None else self.resolve(owner.state.profile_id)

    def user_of_identity(self, identity: Identity) -> ProfileNode | None:
        """The profile whose it is, or None; asked for once more."""
        node = self._owners.get(identity)
        if node is None or node.state.status is not _ACTIVE:
            return None
        node.used = self.loads
        return node

    def owner_of_device(self, device_id: str) -> ProfileId | None:
        """On whose profile it is, or None."""
        owner = self._device_owners.get(device_id)
        return None if owner is None else self.resolve(owner)

    def device_of_token(self, token: str) -> str | None:
        return self._token_devices.get(token)

    def resolve(self, profile_id: ProfileId) -> ProfileId | None:
        """The user that a profile stands for: itself, or who took over, or the one who took that one over.

        None if it was deleted or is not loaded.
        """
        node = self.profiles.get(profile_id)
        if node is not None and node.state.status is _ACTIVE:
            return profile_id
        seen: set[ProfileId] = set()
        while node is not None and node.state.status is not _ACTIVE:
            target = node.state.target_id
            if target is None or target in seen:
                return None
            seen.add(target)
            node = self.profiles.get(target)
        return None if node is None else node.state.profile_id

    def identities_of(self, profile_id: ProfileId) -> Mapping[Identity, int]:
        return self.profiles[profile_id].identities

    def devices_of(self, profile_id: ProfileId) -> Mapping[str, Device]:
        return self.profiles[profile_id].devices

    def device(self, device_id: str) -> Device | None:
        owner = self._device_owners.get(device_id)
        return None if owner is None else self.profiles[owner].devices[device_id]

    def flags_of(self, profile_id: ProfileId) -> dict[str, bool]:
        """The do-not-disturb flags of a profile's own addresses."""
        if not self.address_flags:
            return {}
        flags: dict[str, bool] = {}
        for address in self.profiles[profile_id].addresses():
            flags.update({name: flag.value for name, flag in self.address_flags.get(address, {}).items()})
        return flags

    def touch(self, profile_id: ProfileId) -> None:
        """Note that a profile's state changed: it gets the current version and will be saved."""
        node = self.profiles[profile_id]
        node.state.version = self.version
        node.used = self.loads
        self.dirty.profiles.add(profile_id)

    def touch_activity(self, profile_id: ProfileId) -> None:
        """Note that a profile's activity changed."""
        self.dirty.activity.add(profile_id)

    def create(self, profile_id: ProfileId, at_ms: int) -> None:
        """Make a profile of which nothing is known yet."""
        self.profiles[profile_id] = new_node(self.account_id, profile_id, at_ms)
        self.touch(profile_id)

    def hide(self, profile_id: ProfileId, status: ProfileStatus, target_id: ProfileId | None) -> None:
        """Make a profile stop being a user; `target_id` took over."""
        state = self.profiles[profile_id].state
        state.status, state.target_id = status, target_id
        self.touch(profile_id)

    def show(self, profile_id: ProfileId) -> None:
        """Make a hidden profile a user again."""
        state = self.profiles[profile_id].state
        state.status, state.target_id = _ACTIVE, None
        self.touch(profile_id)

    def attach_identity(self, identity: Identity, profile_id: ProfileId, at_ms: int) -> None:
        """Make it this profile's, whoever had it."""
        self.detach_identity(identity)
        node = self._owners[identity] = self.profiles[profile_id]
        node.identities[identity] = at_ms
        self.dirty.identities.add(identity)
        self.touch(profile_id)

    def detach_identity(self, identity: Identity) -> None:
        """Make it nobody's."""
        owner = self._owners.pop(identity, None)
        if owner is None:
            return
        owner.identities.pop(identity)
        self.dirty.identities.add(identity)
        self.touch(owner.state.profile_id)

    def attach_device(self, device_id: str, profile_id: ProfileId, at_ms: int) -> None:
        """Add a device that was never seen before."""
        self._device_owners[device_id] = profile_id
        self.profiles[profile_id].devices[device_id] = Device(DeviceId(device_id), profile_id, {}, at_ms)
        self.dirty.devices.add(device_id)
        self.touch(profile_id)

    def move_device(self, device_id: str, profile_id: ProfileId) -> None:
        """Take a device, with its tokens, to another profile."""
        owner = self._device_owners[device_id]
        device = self.profiles[owner].devices.pop(device_id)
        device.profile_id = profile_id
        self.profiles[profile_id].devices[device_id] = device
        self._device_owners[device_id] = profile_id
        self.dirty.devices.add(device_id)
        self.touch(owner)
        self.touch(profile_id)

    def remove_device(self, device_id: str) -> None:
        """Take a device, with its tokens, out of the account."""
        owner = self._device_owners.pop(device_id, None)
        if owner is None:
            return
        device = self.profiles[owner].devices.pop(device_id)
        for token in device.tokens:
            del self._token_devices[token]
        self.dirty.tokens.update(device.tokens)
        self.dirty.devices.add(device_id)
        self.touch(owner)

    def set_device_fields(self, device_id: str, fields: dict[str, Any]) -> None:
        """Overwrite those fields of a device that are named."""
        owner = self._device_owners[device_id]
        device = self.profiles[owner].devices[device_id]
        device.fields = device.fields | fields
        self.dirty.devices.add(device_id)
        self.touch(owner)

    def put_token(self, device_id: str, token: Token) -> None:
        """Give a device a token that no other device has."""
        owner = self._device_owners[device_id]
        self.profiles[owner].devices[device_id].tokens[token.token] = token
        self._token_devices[token.token] = device_id
        self.dirty.tokens.add(token.token)
        self.touch(owner)

    def remove_token(self, token: str) -> None:
        """Take a token from whoever has it."""
        device_id = self._token_devices.pop(token, None)
        if device_id is None:
            return
        owner = self._device_owners[device_id]
        self.profiles[owner].devices[device_id].tokens.pop(token)
        self.dirty.tokens.add(token)
        self.touch(owner)

    def set_address_flag(self, address: Address, flag: str, value: bool, at_ms: int) -> bool:
        """Write a do-not-disturb flag of an address, unless a newer write is there; whether its value changed."""
        flags = self.address_flags.setdefault(address, {})
        old = flags.get(flag)
        if old is not None and (at_ms < old.at_ms or old == AddressFlag(value, at_ms)):
            return False
        flags[flag] = AddressFlag(value, at_ms)
        self.dirty.addresses.add((address, flag))
        return (old is not None and old.value) != value

    def forget_address(self, address: Address) -> None:
        """Drop the do-not-disturb flags of an address."""
        for flag in self.address_flags.pop(address, {}):
            self.dirty.addresses.add((address, flag))

    def lacks_profile(self, profile_id: ProfileId) -> bool:
        """Whether it would have to be loaded; if not, it was asked for once more."""
        node = self.profiles.get(profile_id)
        if node is not None:
            node.used = self.loads
        return node is None

    def lacks_identity(self, identity: Identity) -> bool:
        """The same for the owner of an identity; nobody's counts as not loaded."""
        node = self._owners.get(identity)
        if node is not None:
            node.used = self.loads
        return node is None

    def unknown_identities(self, identities: set[Identity]) -> set[Identity]:
        """Those whose owner would have to be loaded. The others do not count as asked for: one look at thousands."""
        return identities.difference(self._owners)

    def lacks_device(self, device_id: str) -> bool:
        """The same for the owner of a device."""
        owner = self._device_owners.get(device_id)
        return owner is None or self.lacks_profile(owner)

    def lacks_token(self, token: str) -> bool:
        """The same for the owner of a token's device."""
        device_id = self._token_devices.get(token)
        return device_id is None or self.lacks_device(device_id)

    def add(self, node: ProfileNode) -> None:
        """Take in a loaded profile; nothing becomes dirty."""
        profile_id = node.state.profile_id
        node.used = self.loads
        self.profiles[profile_id] = node
        for identity in node.identities:
            self._owners[identity] = node
        for device_id, device in node.devices.items():
            self._device_owners[device_id] = profile_id
            for token in device.tokens:
                self._token_devices[token] = device_id

    def clean(self) -> None:
        """Forget what changed: it was saved."""
        self.dirty = Dirty()

    def shrink(self, profiles_max: int) -> None:
        """Let the least recently asked-for profiles leave the memory, down to three quarters of the limit.

        Only while nothing is to be saved.
        """
        if len(self.profiles) <= profiles_max or self.dirty != Dirty():
            return
        by_use = sorted(self.profiles, key=lambda profile_id: self.profiles[profile_id].used)
        self._drop(by_use[: len(by_use) - profiles_max * 3 // 4])

    def _drop(self, profile_ids: Iterable[ProfileId]) -> None:
        for profile_id in profile_ids:
            node = self.profiles.pop(profile_id)
            for identity in node.identities:
                del self._owners[identity]
            for device_id, device in node.devices.items():
                del self._device_owners[device_id]
                for token in device.tokens:
                    del self._token_devices[token]
