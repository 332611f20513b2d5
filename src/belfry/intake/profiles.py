"""Profile records: `profileData` as operations, further identities, groups (server-api 3.5, 3.6)."""

from __future__ import annotations

import msgspec

from belfry.error_stream.model import ErrorKind, Remark
from belfry.intake import operations, reserved
from belfry.intake.codes import Code, Refused, kind_of
from belfry.intake.identifiers import identifier_text
from belfry.intake.model import ProfileRecord, Who
from belfry.intake.partners import Source, source_of
from belfry.intake.rules import Head, Rules
from belfry.intake.values import Cleaner, type_remark
from belfry.intake.vocabulary import PROFILE_KEYS
from belfry.intake.wire import WireRecord, given
from belfry.profiles.model import SUBSCRIPTION_KEYS, Identity, IdentityKind, Op, Operation

IDENTITY_KEYS = {"identity": IdentityKind.IDENTITY, "FBID": IdentityKind.FBID, "GPID": IdentityKind.GPID}
CONTACT_KINDS = {reserved.EMAIL: IdentityKind.EMAIL, reserved.PHONE: IdentityKind.PHONE}
LEAVE_KEY, JOIN_KEY = "category-unsubscribe", "category-resubscribe"


class AdmittedProfile(msgspec.Struct, frozen=True):
    """A profile upload that no rule refuses. checked: reserved key → the form in which its value is kept."""

    source: Source
    data: dict[str, object]
    checked: dict[str, object]


def admit_profile(record: WireRecord, rules: Rules, remarks: list[Remark]) -> AdmittedProfile:
    """Put a profile upload before the rules that can refuse it. Raises Refused 512, 514 to 520, in this order."""
    source = source_of(record, rules, remarks)
    data = given(record.profile_data)
    if data is None:
        return AdmittedProfile(source, {}, {})
    if not isinstance(data, dict):
        raise Refused(Code.STRUCTURE, f"profileData needs to be an object, got {kind_of(data)}")
    present = [key for key in reserved.CHECKED if key in data]
    checked = {
        key: reserved.CHECKED[key](value, rules.settings)
        for key in present
        if not _says_nothing(value := data[key]) and not isinstance(value, dict) and not _is_nested(value)
    }
    return AdmittedProfile(source, data, checked)


def read_profile(record: WireRecord, head: Head, rules: Rules) -> ProfileRecord:
    """A profile upload as operations. Raises Refused as `admit_profile`."""
    profile = admit_profile(record, rules, head.remarks)
    reader = _ProfileReader(profile.checked, rules, head.remarks)
    for key, value in profile.data.items():
        reader.read(key, value)
    who = head.who
    added = tuple(identity for identity in reader.added if identity != who.identity)
    return ProfileRecord(
        head.index,
        Who(who.identity, who.device_id, added),
        head.ts_ms,
        tuple(reader.operations),
        profile.source.canonical,
        reader.groups.get(LEAVE_KEY),
        reader.groups.get(JOIN_KEY),
        tuple(head.remarks),
    )


class _ProfileReader:
    """Turns the keys of one `profileData`, in the sender's order, into operations, identities and groups."""

    def __init__(self, checked: dict[str, object], rules: Rules, remarks: list[Remark]) -> None:
        self._checked = checked
        self._rules = rules
        self._remarks = remarks
        self._cleaner = Cleaner(rules.settings, PROFILE_KEYS, remarks)
        self.operations: list[Operation] = []
        self.added: list[Identity] = []
        self.groups: dict[str, dict[str, list[str]]] = {}

    def read(self, key: str, value: object) -> None:
        if value is None:
            return
        if key in IDENTITY_KEYS:
            self._read_identity(key, value)
        elif key in SUBSCRIPTION_KEYS:
            self._read_flag(key, value)
        elif key in (LEAVE_KEY, JOIN_KEY):
            self._read_groups(key, value)
        elif key in reserved.CHECKED or key in reserved.PLAIN or key in (reserved.DOB, reserved.TZ):
            self._read_reserved(key, value)
        else:
            self._read_custom(key, value)

    def _read_identity(self, key: str, value: object) -> None:
        kind = IDENTITY_KEYS[key]
        try:
            text = identifier_text(value)
        except Refused:
            self._remarks.append(type_remark(key, "a text or number of up to 1024 characters", value))
            return
        if text is None:
            return
        if self._identifies(kind):
            self.added.append(Identity(kind, text))
        else:
            self._set(key, self._cleaner.text(key, text))

    def _identifies(self, kind: IdentityKind) -> bool:
        return kind is IdentityKind.IDENTITY or kind.value in self._rules.settings.identity_kinds

    def _read_flag(self, key: str, value: object) -> None:
        if operations.is_operator_object(value):
            self._operate(key, value, operations.DELETE_ONLY)
            return
        flag = reserved.flag_of(value)
        if flag is None:
            self._drop_unknown(key, value)
        else:
            self._set(key, flag)

    def _read_groups(self, key: str, value: object) -> None:
        groups = _groups_of(value)
        if groups is None:
            self._drop_unknown(key, value)
        elif groups:
            self.groups[key] = groups

    def _read_reserved(self, key: str, value: object) -> None:
        if operations.is_operator_object(value):
            allowed = operations.DELETE_AND_STEPS if key == reserved.AGE else operations.DELETE_ONLY
            self._operate(key, value, allowed)
        elif isinstance(value, dict | list):
            self._cleaner.remark(ErrorKind.NESTED_LIMIT, key, f"{kind_of(value)} under a reserved key; dropped")
        elif key in self._checked:
            self._set_checked(key, self._checked[key])
        elif not _says_nothing(value):
            self._read_free(key, value)

    def _set_checked(self, key: str, value: object) -> None:
        self._set(key, value)
        kind = CONTACT_KINDS.get(key)
        if kind is not None and self._identifies(kind):
            self.added.append(Identity(kind, str(value)))

    def _read_free(self, key: str, value: object) -> None:
        """Name, Photo, DOB, Tz: no value refuses the record."""
        text = self._cleaner.item_text(key, value)
        if key == reserved.TZ and not reserved.is_time_zone(text):
            self._drop_unknown(key, value)
            return
        if key == reserved.DOB and not reserved.is_date(text):
            self._remarks.append(Remark(ErrorKind.TYPE_MISMATCH, key, "$D_<epoch seconds> needed; kept as text"))
        self._set(key, text)

    def _read_custom(self, raw: str, value: object) -> None:
        key = self._cleaner.key(raw)
        if not key:
            return
        if raw in reserved.HINTED:
            self._cleaner.remark(
                ErrorKind.RESERVED_KEY_CASE, raw, f"a custom property; the reserved one is {raw.capitalize()}"
            )
        if operations.is_operator_object(value):
            self._operate(key, value, operations.ALL)
        elif isinstance(value, list) and not _is_nested(value):
            texts = operations.unique(self._cleaner.texts(key, value))
            if texts:
                self.operations.append(Operation(key, Op.REPLACE, texts))
        else:
            self._set(key, self._cleaner.value(key, value))

    def _operate(self, key: str, value: object, allowed: frozenset[str]) -> None:
        if isinstance(value, dict):
            self.operations += operations.operations_of(key, value, allowed, self._cleaner)

    def _set(self, key: str, value: object) -> None:
        if value is not None:
            self.operations.append(Operation(key, Op.SET, value))

    def _drop_unknown(self, key: str, value: object) -> None:
        shown = repr(value)[:60] if isinstance(value, str) else kind_of(value)
        self._cleaner.remark(ErrorKind.UNKNOWN_VALUE, key, f"{shown} says nothing here; dropped")


def _says_nothing(value: object) -> bool:
    """Null and empty text under a reserved key change nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def _is_nested(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def _groups_of(value: object) -> dict[str, list[str]] | None:
    """Channel → names of groups; None if the value is no such thing."""
    if not isinstance(value, dict):
        return None
    groups = {}
    for channel, given_names in value.items():
        names = [given_names] if isinstance(given_names, str) else given_names
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return None
        kept = operations.unique([name.strip() for name in names if name.strip()])
        if kept:
            groups[channel.strip().lower()] = kept
    return groups
