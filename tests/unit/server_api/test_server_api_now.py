"""Who is active now, in the words that clients know."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.segments.reports.now import ActiveUsers
from belfry.server_api.now import BREAKDOWNS, browser_of, device_of, now_answer, system_of

ZEROS = {
    "session_source": dict.fromkeys(("direct", "others", "search", "social", "email", "unavailable"), 0),
    "browser": dict.fromkeys(("others", "firefox", "chrome", "ie", "mobileapp"), 0),
    "os": dict.fromkeys(("others", "android", "ios", "windows", "mac", "linux"), 0),
    "device": dict.fromkeys(("desktop", "mobile", "tablet"), 0),
}


def user(count: int = 1, **facts: Any) -> ActiveUsers:
    blank = {"is_new": False, "is_addressable": False, "is_customer": False}
    return ActiveUsers(
        **{**blank, **dict.fromkeys(("platform", "os", "browser", "device_type"), ""), **facts}, count=count
    )


def test_without_a_breakdown_there_are_totals_only() -> None:
    assert now_answer([user(2), user(3)], [], 7) == {"status": "success", "count": 5, "last_processed_ts": 7}


def test_every_word_of_a_breakdown_is_told() -> None:
    user_types = {"new": 0, "repeat": 0, "addressable": 0, "customer": 0}
    assert now_answer([], BREAKDOWNS, 7) == {
        "status": "success",
        "count": 0,
        "user_type": user_types,
        **ZEROS,
        "new": ZEROS,
        "last_processed_ts": 7,
    }


def test_users_are_counted_under_their_words_and_new_ones_once_more() -> None:
    users = [
        user(2, is_new=True, is_addressable=True, platform="Android"),
        user(3, is_customer=True, is_addressable=True, platform="Web", browser="Chrome", device_type="Desktop"),
    ]
    found = now_answer(users, BREAKDOWNS, 0)
    assert found["user_type"] == {"new": 2, "repeat": 3, "addressable": 5, "customer": 3}
    assert found["session_source"] == {**ZEROS["session_source"], "unavailable": 5}
    assert found["browser"] == {**ZEROS["browser"], "mobileapp": 2, "chrome": 3}
    assert found["device"] == {"desktop": 3, "mobile": 2, "tablet": 0}
    assert found["new"] == {
        "session_source": {**ZEROS["session_source"], "unavailable": 2},
        "browser": {**ZEROS["browser"], "mobileapp": 2},
        "os": {**ZEROS["os"], "android": 2},
        "device": {**ZEROS["device"], "mobile": 2},
    }


@pytest.mark.parametrize(
    ("facts", "browser", "system", "device"),
    [
        ({}, "others", "others", ""),
        ({"platform": "iOS"}, "mobileapp", "ios", "mobile"),
        ({"platform": "iOS", "device_type": "Tablet"}, "mobileapp", "ios", "tablet"),
        ({"platform": "Web", "browser": "Safari", "os": "Mac OS X"}, "others", "mac", ""),
        ({"browser": "Internet Explorer", "os": "Windows 10", "device_type": "Desktop"}, "ie", "windows", "desktop"),
        ({"browser": "Mobile Chrome", "os": "Android", "device_type": "Smartphone"}, "chrome", "android", "mobile"),
        ({"browser": "Firefox", "os": "Ubuntu"}, "firefox", "linux", ""),
        ({"platform": "WindowsApp"}, "mobileapp", "windows", ""),
        ({"os": "Plan 9"}, "others", "others", ""),
    ],
)
def test_devices_are_told_in_the_words_there_are(facts: dict[str, str], browser: str, system: str, device: str) -> None:
    assert (browser_of(user(**facts)), system_of(user(**facts)), device_of(user(**facts))) == (browser, system, device)
