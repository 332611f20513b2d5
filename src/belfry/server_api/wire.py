"""Our nouns in the shapes that clients of the server API know. Pure."""

from __future__ import annotations

from typing import Any

from belfry.profiles.cards import ProfileCard
from belfry.profiles.model import Device

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
        record["events"] = {
            name: {
                "count": summary.count,
                "first_seen": summary.first_seen_ms // 1000,
                "last_seen": summary.last_seen_ms // 1000,
            }
            for name, summary in card.events.items()
        }
    if with_app:
        record["platformInfo"] = [_device(device) for device in card.devices]
    return record


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
