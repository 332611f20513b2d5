"""One user or one event as a line of an export (engagement 8.7, partner integrations 8.8). Pure."""

from __future__ import annotations

from typing import Any

from belfry.events.store import StoredEvent
from belfry.profiles.cards import ProfileCard
from belfry.profiles.model import Device
from belfry.profiles.tokens import WEB_KINDS
from belfry.segments.calendar import Calendar

Line = dict[str, Any]  # a JSON object

UTM_VISITED = "utmvisited"
_SESSION_PROPS = ("utm_source", "utm_medium", "utm_campaign", "session_source", "session_referrer")
_DEVICE_INFO = {
    "make": "make",
    "model": "model",
    "app_version": "appVersion",
    "sdk_version": "sdkVersion",
    "os_version": "osVersion",
    "browser": "browser",
    "dpi": "dpi",
    "dimensions": "dimensions",
}
_PLATFORM_BY_PREFIX = (("__", "Android"), ("-", "iOS"), ("~", "Windows"))


def user_line(card: ProfileCard) -> Line:
    """A user: who they are, all their properties under their upload names, their devices."""
    line: Line = {}
    if card.identity is not None:
        line["identity"] = card.identity
    elif card.object_id is not None:
        line["objectId"] = card.object_id
    line["all_identities"] = list(card.all_identities)
    line.update(_contacts(card))
    line["profileData"] = card.profile_data()
    line["platformInfo"] = [_platform_info(device) for device in card.devices]
    return line


def event_line(event: StoredEvent, card: ProfileCard | None, shown_as: str, timezone: str) -> Line:
    """An event with its user as they are now; card None: the user is gone.

    `ts` is `yyyyMMddHHmmss` in the account's time zone.
    """
    device_id = event.device_id or (card.object_id if card else None)
    device = next((one for one in card.devices if one.device_id == device_id), None) if card else None
    props = dict(event.props)
    line: Line = {
        "profile": _profile(card, device, device_id),
        "ts": int(f"{Calendar(timezone, 0).local(event.ts_ms):%Y%m%d%H%M%S}"),
        "eventName": shown_as,
    }
    if event.name == UTM_VISITED:
        line["sessionProps"] = {key: props.pop(key) for key in _SESSION_PROPS if key in props}
    line["eventProps"] = props
    line["deviceInfo"] = {} if device is None else _device_info(device)
    return line


def _contacts(card: ProfileCard) -> Line:
    known = {"email": card.email, "phone": card.phone, "name": card.name}
    return {key: value for key, value in known.items() if value is not None}


def _profile(card: ProfileCard | None, device: Device | None, device_id: str | None) -> Line:
    profile: Line = {"objectId": device_id} if device_id else {}
    if card is None:
        return profile
    if card.identity is not None:
        profile["identity"] = card.identity
    profile["all_identities"] = list(card.all_identities)
    if device is not None:
        profile["platform"] = _platform(device)
    profile.update(_contacts(card))
    if card.push_token is not None:
        profile["push_token"] = card.push_token
    return profile


def _device_info(device: Device) -> Line:
    return {shown: device.fields[key] for key, shown in _DEVICE_INFO.items() if device.fields.get(key) is not None}


def _platform_info(device: Device) -> Line:
    info: Line = {"platform": _platform(device), "objectId": device.device_id}
    tokens = [token for token in device.tokens.values() if token.kind not in WEB_KINDS]
    if tokens:
        info["push_token"] = max(tokens, key=lambda token: token.added_at_ms).token
    return {**info, **_device_info(device)}


def _platform(device: Device) -> str:
    said = device.fields.get("platform")
    if isinstance(said, str) and said:
        return said
    return next((name for prefix, name in _PLATFORM_BY_PREFIX if device.device_id.startswith(prefix)), "Web")
