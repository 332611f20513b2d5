"""What every connector is given and what it answers, whatever the provider: closed lists.

A connector turns a definition and some users into a request, and the provider's answer into an `Outcome`. It
invents no outcome of its own.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from belfry.ids import ProfileId


class SendFailure(enum.StrEnum):
    """Why a provider did not take a message. Decides retry, alarm and what the marketer reads."""

    UNREACHABLE = "unreachable"  # no connection: surely not taken; try later
    THROTTLED = "throttled"  # told to slow down or come back; try later
    REJECTED = "rejected"  # understood and declined; final
    RECIPIENT_GONE = "recipient_gone"  # opted out, dead token; final
    MISCONFIGURED = "misconfigured"  # wrong key or address; final, tell the account's owner
    UNKNOWN = "unknown"  # sent, no readable answer: perhaps taken; the channel's policy decides


class Outcome(msgspec.Struct, frozen=True):
    """What came of one call.

    failure        None: taken
    status         HTTP status, if there was an answer
    detail         for people: what happened, with the first KiB of the answer's body; holds no secret
    retry_after_s  how long the provider asked us to stay away, if it did
    """

    failure: SendFailure | None
    status: int | None = None
    detail: str = ""
    retry_after_s: float | None = None


class ProfileView(msgspec.Struct, frozen=True):
    """What checks and templates may know of a user."""

    profile_id: ProfileId
    identity: str | None
    all_identities: tuple[str, ...]
    email: str | None
    phone: str | None
    name: str | None
    object_id: str | None
    push_token: str | None
    properties: dict[str, Any]  # a JSON object: names are the account's own
    subscriptions: dict[str, bool]  # push, webpush, email, sms, whatsapp → subscribed
    is_opted_out: bool = False


def liquid_values(view: ProfileView) -> dict[str, Any]:
    """A user as the Liquid root `Profile` (engagement 7.1): properties, and the fields under their upload names.

    What is not known is left out, so that `default` and the missing value policy see it as missing.
    """
    fields = {
        "Identity": view.identity,
        "Email": view.email,
        "Phone": view.phone,
        "Name": view.name,
        "objectId": view.object_id,
    }
    known = {name: value for name, value in fields.items() if value is not None}
    return {**view.properties, **known, "all_identities": list(view.all_identities)}
