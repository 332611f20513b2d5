"""Profiles in the shape that clients know."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from belfry.ids import AccountId, DeviceId, ProfileId
from belfry.profiles.cards import EventSummary, ProfileCard
from belfry.profiles.model import Device, Identity, IdentityKind, ProfileStatus, Token
from belfry.server_api.wire import platform_of, profile_record

ANDROID = Device(
    DeviceId("__b41c2a6f0d9e4c0f8a77"),
    ProfileId(1),
    {"platform": "Android", "os_version": "15", "app_version": "4.2.0", "make": "Nothing", "model": "A065", "x": 1},
    0,
    {
        "old": Token("old", "fcm", None, 1),
        "fEx:APA91b": Token("fEx:APA91b", "fcm", None, 2),
    },
)
INES = ProfileCard(
    account_id=AccountId("K7P-22M-9Q4Z"),
    profile_id=ProfileId(1),
    status=ProfileStatus.ACTIVE,
    bucket=1,
    created_at_ms=0,
    identity="rider-81",
    all_identities=("rider-81", "ines@example.org"),
    identities=(Identity(IdentityKind.IDENTITY, "rider-81"), Identity(IdentityKind.EMAIL, "ines@example.org")),
    email="ines@example.org",
    phone="+351912345678",
    name="Ines Duarte",
    properties={
        "Name": "Ines Duarte",
        "Email": "ines@example.org",
        "Phone": "+351912345678",
        "trips": 4,
        "lines": ["Red", "Blue"],
        "Gender": "F",
        "Tz": "Europe/Lisbon",
        "MSG-whatsapp": True,
    },
    events={"Charged": EventSummary(3, 1_764_547_200_000, 1_767_225_600_999)},
    devices=(ANDROID,),
    object_id="__b41c2a6f0d9e4c0f8a77",
    push_token="fEx:APA91b",
    subscriptions={},
    reachable=(),
    groups_left=frozenset(),
)
DOCUMENTED: dict[str, Any] = {
    "identity": "rider-81",
    "all_identities": ["rider-81", "ines@example.org"],
    "email": "ines@example.org",
    "name": "Ines Duarte",
    "phone": "+351912345678",
    "profileData": {
        "trips": 4,
        "lines": ["Red", "Blue"],
        "Gender": "F",
        "Tz": "Europe/Lisbon",
        "MSG-whatsapp": True,
    },
    "events": {"Charged": {"count": 3, "first_seen": 1764547200, "last_seen": 1767225600}},
    "platformInfo": [
        {
            "platform": "Android",
            "os_version": "15",
            "app_version": "4.2.0",
            "make": "Nothing",
            "model": "A065",
            "push_token": "fEx:APA91b",
            "objectId": "__b41c2a6f0d9e4c0f8a77",
        }
    ],
}


def test_the_documented_example_comes_out_key_by_key_in_order() -> None:
    record = profile_record(INES)
    assert record == DOCUMENTED
    assert list(record) == list(DOCUMENTED)


def test_parts_that_were_not_asked_for_are_left_out() -> None:
    record = profile_record(INES, with_app=False, with_events=False, with_profile=False)
    assert set(record) == set(DOCUMENTED) - {"profileData", "events", "platformInfo"}


def test_an_anonymous_user_has_an_object_id_and_no_identity() -> None:
    anonymous = msgspec.structs.replace(
        INES, identity=None, all_identities=(), identities=(), email=None, phone=None, name=None, properties={}
    )
    record = profile_record(anonymous)
    assert record["objectId"] == "__b41c2a6f0d9e4c0f8a77"
    assert record["all_identities"] == []
    assert {"identity", "email", "phone", "name"}.isdisjoint(record)


@pytest.mark.parametrize(
    ("device_id", "fields", "platform"),
    [
        ("__b41c2a6f0d9e4c0f8a77", {}, "Android"),
        ("-19c2aaaa", {}, "iOS"),
        ("~19c2aaaa", {}, "Windows"),
        ("a8f0c9a7e5d14c58", {}, "Web"),
        ("a8f0c9a7e5d14c58", {"platform": "Android"}, "Android"),
        ("a8f0c9a7e5d14c58", {"platform": 7}, "Web"),
    ],
)
def test_a_device_that_never_said_its_platform_shows_it_in_its_id(
    device_id: str, fields: dict[str, Any], platform: str
) -> None:
    assert platform_of(Device(DeviceId(device_id), ProfileId(1), fields, 0)) == platform


def test_a_browser_has_platform_and_object_id_alone() -> None:
    browser = Device(DeviceId("a8f0c9a7e5d14c58"), ProfileId(1), {"make": "x"}, 0, {"t": Token("t", "chrome", None, 1)})
    record = profile_record(msgspec.structs.replace(INES, devices=(browser,)))
    assert record["platformInfo"] == [{"platform": "Web", "objectId": "a8f0c9a7e5d14c58"}]
