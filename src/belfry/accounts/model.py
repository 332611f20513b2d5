"""Accounts, their settings, their passcodes."""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from belfry.ids import AccountId


class AccountState(enum.StrEnum):
    """Whether an account is served."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class Scope(enum.StrEnum):
    """What a passcode may do. `ALL` is what passcodes made without a choice get."""

    ALL = "all"
    EVENTS_WRITE = "events:write"
    PROFILES_WRITE = "profiles:write"
    PROFILES_READ = "profiles:read"
    EVENTS_READ = "events:read"
    SEGMENTS_READ = "segments:read"
    SEGMENTS_WRITE = "segments:write"
    CAMPAIGNS_READ = "campaigns:read"
    CAMPAIGNS_WRITE = "campaigns:write"
    ERRORS_READ = "errors:read"
    ERRORS_WRITE = "errors:write"


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an account decides for itself. Defaults are the house's (server-api, engagement).

    identity_kinds           which kinds of `model.IdentityKind` identify a user; `identity` always does
    anonymous_history        `adopt`: what an anonymous device did counts for the user it turns out to be;
                             `keep_grey`: it stays on an orphan
    default_country          ISO code with which a phone number without `+` is completed; None: refused (516)
    nested_objects           nested values are kept; else they become JSON text
    partner_policy           `accept_tag` or `reject` for known partners not enabled here
    unknown_partner_policy   `accept_untagged` or `reject`
    duplicate_comparison     repeated requests are recognised by comparing events that carry their own time
    constant_object_ids      objectIds that clients send for everyone; such a record has no identity (server-api 11)
    """

    identity_kinds: list[str] = msgspec.field(
        default_factory=lambda: ["identity", "email", "phone", "fbid", "gpid"]
    )
    anonymous_history: str = "adopt"
    default_country: str | None = None
    nested_objects: bool = True
    partner_policy: str = "accept_tag"
    unknown_partner_policy: str = "accept_untagged"
    duplicate_comparison: bool = True
    event_properties_max: Annotated[int, Meta(ge=1, le=1024)] = 256
    event_names_max: int = 512
    value_length_max: Annotated[int, Meta(ge=1, le=4096)] = 512
    event_name_length_max: Annotated[int, Meta(ge=1, le=512)] = 512
    profile_properties_max: int = 256
    event_retention_days: int = 3650
    constant_object_ids: list[str] = msgspec.field(default_factory=lambda: ["back-end-event"])


class Account(msgspec.Struct, frozen=True):
    """One project: its data, its calendar, its region."""

    account_id: AccountId
    name: str
    timezone: str
    region: str
    state: AccountState
    settings: AccountSettings
    created_at_ms: int


class Passcode(msgspec.Struct, frozen=True):
    """A secret for the server API, without the secret itself."""

    account_id: AccountId
    passcode_id: str
    name: str
    scopes: frozenset[Scope]
    partner: str | None
    created_at_ms: int
    expires_at_ms: int | None = None
    revoked_at_ms: int | None = None
    last_used_at_ms: int | None = None

    def allows(self, scope: Scope) -> bool:
        return Scope.ALL in self.scopes or scope in self.scopes

    def is_live(self, now_ms: int) -> bool:
        return (self.revoked_at_ms is None or now_ms < self.revoked_at_ms) and (
            self.expires_at_ms is None or now_ms < self.expires_at_ms
        )


class Caller(msgspec.Struct, frozen=True):
    """Who makes a request: the account and the passcode that proved it."""

    account: Account
    passcode: Passcode
