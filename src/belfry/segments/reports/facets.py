"""Facets: what a group of a report looks at in an occurrence or in its user (server-api 6.2, `property_type`)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from belfry.events import names
from belfry.segments.compiler.plan import Property
from belfry.segments.parse import read_path
from belfry.segments.reading import Json, as_choice, as_text, refusal, shown

NAME_LENGTH_MAX = 512


class Shape(enum.StrEnum):
    """How values are told: ranges of numbers, the account's own values, or values of a closed set."""

    NUMBER = "NUMBER"
    STR = "STR"
    ENUM = "ENUM"


class PropertyFacet(msgspec.Struct, frozen=True, tag=True):
    """A property of the occurrence or of its user.

    of_user       the user's, as it is now
    is_closed     its values are told as ENUM, even if they are numbers
    is_gender     `M` and `Male` are one value, `F` and `Female` another
    """

    prop: Property
    of_user: bool = False
    is_closed: bool = False
    is_gender: bool = False


class AgeFacet(msgspec.Struct, frozen=True, tag=True):
    """The user's age in whole years, from the date of birth."""


class DeviceFacet(msgspec.Struct, frozen=True, tag=True):
    """A field of the user's devices; one with several values counts under each, as a filter on the field selects."""

    field: str


class FlagFacet(msgspec.Struct, frozen=True, tag=True):
    """A yes or no about the user; see `compiler.operands.flag`."""

    name: str


class ClockFacet(msgspec.Struct, frozen=True, tag=True):
    """When it happened in the account's time: `time_of_day` (hours), `day_of_week` (1 Sunday … 7), `day_of_month`."""

    name: str


class UnrecordedFacet(msgspec.Struct, frozen=True, tag=True):
    """Something that is known of no occurrence: every value is missing."""

    name: str


Facet: TypeAlias = PropertyFacet | AgeFacet | DeviceFacet | FlagFacet | ClockFacet | UnrecordedFacet

DEMOGRAPHICS = ("age", "gender", "education", "employed", "married")
TECHNOGRAPHICS = {"device": "device_type", "platform": "platform", "os": "os", "browser": "browser"}
APP_FIELDS = {
    "make": "make",
    "model": "model",
    "app version": "app_version",
    "os version": "os_version",
    "sdk version": "sdk_version",
    "carrier": "carrier",
}
REACHABILITY = (
    "has_token",
    "has_email",
    "has_phone",
    "unsubscribed_email",
    "unsubscribed_sms",
    "unsubscribed_push",
    "unsubscribed_whatsapp",
)
CLOCK = ("time_of_day", "day_of_week", "day_of_month")
SESSION = ("utm_source", "utm_medium", "utm_campaign", "session_source", "session_referrer")


def facet_of(property_type: Json, name: Json, at: str) -> Facet:
    """The facet that a group names.

    at      the group's position, for errors
    raises  BadRequest: an unknown `property_type`, or a name that it does not have
    """
    return _READERS[as_choice(property_type, f"{at}.property_type", list(_READERS))](name, f"{at}.name")


def _event_property(name: Json, at: str) -> Facet:
    path, is_item = read_path(name, at)
    return PropertyFacet(Property(path, is_item))


def _profile_field(name: Json, at: str) -> Facet:
    path, is_item = read_path(name, at, names.clean_profile_key)
    return PropertyFacet(Property(path, is_item), of_user=True)


def _demographic(name: Json, at: str) -> Facet:
    known = _one_of(name, DEMOGRAPHICS, at)
    if known == "age":
        return AgeFacet()
    return PropertyFacet(Property((known.capitalize(),)), of_user=True, is_closed=True, is_gender=known == "gender")


def _technographic(name: Json, at: str) -> Facet:
    return DeviceFacet(TECHNOGRAPHICS[_one_of(name, TECHNOGRAPHICS, at)])


def _app_field(name: Json, at: str) -> Facet:
    return DeviceFacet(APP_FIELDS[_one_of(name, APP_FIELDS, at)])


def _reachability(name: Json, at: str) -> Facet:
    return FlagFacet(_one_of(name, REACHABILITY, at))


def _session_property(name: Json, at: str) -> Facet:
    known = _one_of(name, (*CLOCK, *SESSION), at)
    return ClockFacet(known) if known in CLOCK else UnrecordedFacet(known)


def _geo_field(name: Json, at: str) -> Facet:
    """The last known place of users is not recorded."""
    return UnrecordedFacet(as_text(name, at, NAME_LENGTH_MAX))


def _one_of(name: Json, known: tuple[str, ...] | dict[str, str], at: str) -> str:
    folded = as_text(name, at, NAME_LENGTH_MAX).strip().lower()
    if folded not in known:
        raise refusal(at, f"must be one of {', '.join(known)}; got {shown(name)}")
    return folded


_READERS: dict[str, Callable[[Json, str], Facet]] = {
    "event_properties": _event_property,
    "profile_fields": _profile_field,
    "session_properties": _session_property,
    "app_fields": _app_field,
    "demographics": _demographic,
    "technographics": _technographic,
    "reachability": _reachability,
    "geo_fields": _geo_field,
}
