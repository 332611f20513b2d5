"""Our nouns in the shapes that clients of the server API know. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.events.store import StoredEvent
from belfry.profiles.cards import ProfileCard
from belfry.profiles.model import Device
from belfry.segments.calendar import Calendar

Json = dict[str, Any]  # a JSON object on the wire

_PLATFORM_BY_PREFIX = (("__", "Android"), ("-", "iOS"), ("~", "Windows"))
_DEVICE_FIELDS = ("os_version", "app_version", "make", "model")
WEB = "Web"


def profile_record(
    card: ProfileCard, *, with_app: bool = True, with_events: bool = True, with_profile: bool = True
) -> Json:
    """One user as `record` of profile.json and as an item of exports (server-api 5.1, 5.2).

    with_app      `platformInfo`, one entry a device
    with_events   the summary of events, first and last in epoch seconds
    with_profile  `profileData`: all properties but name, email and phone, which stand at the root
    """
    record: Json = {}
    if card.identity is not None:
        record["identity"] = card.identity
    record["all_identities"] = list(card.all_identities)
    for key, value in (("email", card.email), ("name", card.name), ("phone", card.phone)):
        if value is not None:
            record[key] = value
    if not card.all_identities and card.object_id is not None:
        record["objectId"] = card.object_id
    if with_profile:
        record["profileData"] = card.profile_data()
    if with_events:
        record["events"] = _event_summaries(card)
    if with_app:
        record["platformInfo"] = [_device(device) for device in card.devices]
    return record


class EventFlags(msgspec.Struct, frozen=True, kw_only=True):
    """What an export of events was asked to hold beside the bare event (server-api 5.2, 5.4).

    app, events, profile     device fields, event summary and properties of the user
    nested, event_name, ids  ours: nested values; the event's name; `event_id` and `received_at`
    """

    app: bool
    events: bool
    profile: bool
    nested: bool
    event_name: bool
    ids: bool


def event_record(
    event: StoredEvent, card: ProfileCard | None, timezone: str, flags: EventFlags, shown_as: str | None
) -> Json:
    """One event of an export with its user as they are now (server-api 5.3); card None: the user is gone."""
    props = dict(event.props)
    items = props.pop("Items", None) if event.name == "charged" else None
    if not flags.nested:
        props = {key: value for key, value in props.items() if not _is_nested(value)}
    record: Json = {
        "profile": _event_profile(event, card, flags),
        "ts": int(f"{Calendar(timezone, 0).local(event.ts_ms):%Y%m%d%H%M%S}"),
        "event_props": props,
    }
    if items is not None:
        record["items"] = items
    if flags.event_name:
        record["event_name"] = shown_as or event.name
    if flags.ids:
        record["event_id"] = f"{event.seq:x}"
        record["received_at"] = event.received_at_ms // 1000
    return record


def _event_profile(event: StoredEvent, card: ProfileCard | None, flags: EventFlags) -> Json:
    """objectId, identity and platform always; the rest as the flags say."""
    device_id = event.device_id or (card.object_id if card else None)
    device = next((one for one in card.devices if one.device_id == device_id), None) if card else None
    profile: Json = {}
    if device_id:
        profile["objectId"] = device_id
    if card is None:
        return profile
    if device is not None:
        profile["platform"] = platform_of(device)
    if card.identity is not None:
        profile["identity"] = card.identity
    if flags.profile:
        known = (("email", card.email), ("phone", card.phone), ("name", card.name))
        profile.update({key: value for key, value in known if value is not None})
        profile["all_identities"] = list(card.all_identities)
        profile["profileData"] = card.profile_data()
    if flags.events:
        profile["events"] = _event_summaries(card)
    if flags.app and device is not None:
        profile.update({key: device.fields[key] for key in _DEVICE_FIELDS if device.fields.get(key) is not None})
    return profile


def _event_summaries(card: ProfileCard) -> Json:
    return {
        name: {
            "count": summary.count,
            "first_seen": summary.first_seen_ms // 1000,
            "last_seen": summary.last_seen_ms // 1000,
        }
        for name, summary in card.events.items()
    }


def _is_nested(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value)
    )


def platform_of(device: Device) -> str:
    """The device's platform: what it said, else what the form of its id says (server-api 3.3)."""
    said = device.fields.get("platform")
    if isinstance(said, str) and said:
        return said
    return next((name for prefix, name in _PLATFORM_BY_PREFIX if device.device_id.startswith(prefix)), WEB)


def _device(device: Device) -> Json:
    platform = platform_of(device)
    entry: Json = {"platform": platform}
    if platform != WEB:
        entry.update({key: device.fields[key] for key in _DEVICE_FIELDS if device.fields.get(key) is not None})
        if device.tokens:
            entry["push_token"] = max(device.tokens.values(), key=lambda token: token.added_at_ms).token
    entry["objectId"] = device.device_id
    return entry
