"""The webhook's default body: profile variables and key-values (partner integrations 4.3). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from belfry.connectors.model import ProfileView
from belfry.ids import AccountId

Json = dict[str, object]

_SUBSCRIPTIONS = {
    "webPushSubscription": "webpush",
    "mobilePushSubscription": "push",
    "emailSubscription": "email",
    "smsSubscription": "sms",
    "whatsappSubscription": "whatsapp",
}
_OWN_FIELDS = frozenset({"Identity", "Email", "Phone", "Name"})
"""Properties that have a field of their own beside `profileData`."""
_LEGACY_NAMES = {
    "identity": "Identity",
    "objectId": "ObjectId",
    "email": "Email",
    "profileData": "ProfileData",
    "event_properties": "Event_properties",
    "push_token": "Push_token",
}
_DATE_PREFIX = "$D_"


class Switches(msgspec.Struct, frozen=True, kw_only=True):
    """What receivers that were built on CleverTap may need.

    ct_single_object  one user: `profiles` is the object itself, not a list of one
    legacy_casing     `Email`, `Identity`, … as in the older sample
    nulls             a missing value is null instead of left out
    strict_ct         none of our own keys: message_id, account_id, sent_at, attempt, event_name
    """

    ct_single_object: bool = False
    legacy_casing: bool = False
    nulls: bool = False
    strict_ct: bool = False


class CallFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a call's body says of the campaign. attempt: from 1. event_name: of triggered campaigns."""

    account_id: AccountId
    campaign_id: int
    attempt: int
    now_ms: int
    event_name: str | None = None


def default_body(
    users: Sequence[tuple[str, ProfileView, Mapping[str, str]]],
    key_values: Mapping[str, str],
    facts: CallFacts,
    switches: Switches,
) -> Json:
    """The body of one call.

    users       of each: message id, what is known, its own key-values
    key_values  the campaign's
    """
    profiles = [_profile(view, own, facts, switches) for _, view, own in users]
    body: Json = {"targetId": facts.campaign_id, "key_values": dict(key_values)}
    body["profiles"] = profiles[0] if switches.ct_single_object and len(profiles) == 1 else profiles
    if not switches.strict_ct:
        body |= _extras([message_id for message_id, _, _ in users], facts)
    return body


def trial_body() -> Json:
    """The body of the call that tries a definition out (integrations 4.1): nobody in it is real."""
    profiles = [
        {"Identity": f"test-{number}", "Email": f"test-{number}@example.com", "push_token": f"test-token-{number}"}
        for number in range(1, 6)
    ]
    return {"is_test": True, "targetId": 1234, "key_values": {"key": "value"}, "profiles": profiles}


def _extras(message_ids: list[str], facts: CallFacts) -> Json:
    extras: Json = {
        "message_id": message_ids,
        "account_id": facts.account_id,
        "sent_at": facts.now_ms,
        "attempt": facts.attempt,
    }
    if facts.event_name is not None:
        extras["event_name"] = facts.event_name
    return extras


def _profile(view: ProfileView, key_values: Mapping[str, str], facts: CallFacts, switches: Switches) -> Json:
    entry: Json = {
        "identity": view.identity,
        "all_identities": list(view.all_identities),
        "objectId": view.object_id,
        "email": view.email,
        "phone": view.phone,
        "name": view.name,
        "key_values": dict(key_values),
        "systemProfileData": _without_missing(_system_data(view, facts.now_ms), switches),
        "profileData": {name: value for name, value in view.properties.items() if name not in _OWN_FIELDS},
        "push_token": view.push_token,
    }
    entry = _without_missing(entry, switches)
    return {_LEGACY_NAMES.get(name, name): value for name, value in entry.items()} if switches.legacy_casing else entry


def _system_data(view: ProfileView, now_ms: int) -> Json:
    data: Json = {name: _subscription(view.subscriptions.get(channel)) for name, channel in _SUBSCRIPTIONS.items()}
    data["timezone"] = view.properties.get("Tz")
    data["age"] = _age(view.properties.get("DOB"), now_ms)
    return data


def _subscription(is_subscribed: bool | None) -> str | None:
    return None if is_subscribed is None else "Subscribed" if is_subscribed else "Unsubscribed"


def _age(born: object, now_ms: int) -> str | None:
    """`2 years 1 months`, from a date of birth as it is kept."""
    if not isinstance(born, str) or not born.startswith(_DATE_PREFIX):
        return None
    try:
        birth = datetime.fromtimestamp(int(born.removeprefix(_DATE_PREFIX)), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    months = (now.year - birth.year) * 12 + now.month - birth.month - (now.day < birth.day)
    return f"{months // 12} years {months % 12} months" if months >= 0 else None


def _without_missing(values: Json, switches: Switches) -> Json:
    is_kept: Callable[[object], bool] = (lambda _: True) if switches.nulls else (lambda value: value is not None)
    return {name: value for name, value in values.items() if is_kept(value)}
