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
    HISTORY_WRITE = "history:write"
    SEGMENTS_READ = "segments:read"
    SEGMENTS_WRITE = "segments:write"
    CAMPAIGNS_READ = "campaigns:read"
    CAMPAIGNS_WRITE = "campaigns:write"
    ERRORS_READ = "errors:read"
    ERRORS_WRITE = "errors:write"
    CONTENT_READ = "content:read"
    CONTENT_WRITE = "content:write"
    SETTINGS_READ = "settings:read"
    SETTINGS_WRITE = "settings:write"
    AUDIT_READ = "audit:read"


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
    upload_requests_max      uploads in flight at once; None: the installation's setting (server-api 1.8)
    read_requests_max        other requests in flight at once, for each class; None: the installation's setting
    erasure_block_days       how long records from before a user's erasure cannot bring them back; 0: they can
    content_blocks           content blocks are served (server-api 10.2)
    cors_origins             origins whose pages may call the passcode endpoints; empty: none (server-api 1.6)
    """

    identity_kinds: list[str] = msgspec.field(default_factory=lambda: ["identity", "email", "phone", "fbid", "gpid"])
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
    upload_requests_max: Annotated[int, Meta(ge=15)] | None = None
    read_requests_max: Annotated[int, Meta(ge=3)] | None = None
    erasure_block_days: Annotated[int, Meta(ge=0, le=3650)] = 30
    content_blocks: bool = True
    cors_origins: list[str] = msgspec.field(default_factory=list)


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
    """What is known of a secret for the server API, without the secret itself.

    creator                 who made it, for people
    partner                 the Partner ID whose permissions it carries, if it was made for a partner
    networks                addresses that may use it, as CIDR; empty: any
    previous_expires_at_ms  until when the value before the latest rotation is good; None: there is none
    last_used_at_ms         written lazily, up to a minute late
    """

    account_id: AccountId
    passcode_id: str
    name: str
    scopes: frozenset[Scope]
    partner: str | None
    created_at_ms: int
    expires_at_ms: int | None = None
    revoked_at_ms: int | None = None
    last_used_at_ms: int | None = None
    creator: str = ""
    networks: tuple[str, ...] = ()
    previous_expires_at_ms: int | None = None

    def allows(self, scope: Scope) -> bool:
        return Scope.ALL in self.scopes or scope in self.scopes

    def is_live(self, now_ms: int) -> bool:
        """Not revoked, not expired. A revocation counts at once, whatever the clock of the machine that noted it."""
        return self.revoked_at_ms is None and (self.expires_at_ms is None or now_ms < self.expires_at_ms)


class Issued(msgspec.Struct, frozen=True):
    """A passcode with its secret: the only moment at which the secret can be seen."""

    passcode: Passcode
    secret: str


class Caller(msgspec.Struct, frozen=True):
    """Who makes a request: the account and the passcode that proved it."""

    account: Account
    passcode: Passcode
