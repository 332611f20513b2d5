"""Event names: how they compare, which are the system's, what may not stand in them."""

from __future__ import annotations

import pytest

from belfry.events.names import DEBUG, FORBIDDEN, FORBIDDEN_PROFILE, RESTRICTED, clean, clean_profile_key, fold


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        pytest.param("Sign Up", "SIGNUP", True, id="case and spaces do not count"),
        pytest.param("Sign\tUp\u00a0", "signup", True, id="nor other white space"),
        pytest.param("Sign_Up", "SignUp", False, id="an underscore counts"),
        pytest.param("Sign-Up", "Sign_Up", False, id="a dash is no underscore"),
        pytest.param("STRASSE", "Straße", True, id="case folding of other scripts"),
    ],
)
def test_names_compare_folded(one: str, other: str, are_one: bool) -> None:
    assert (fold(one) == fold(other)) is are_one


@pytest.mark.parametrize("character", list(FORBIDDEN))
def test_a_forbidden_character_is_removed(character: str) -> None:
    assert clean(f"Web Page{character} Viewed", 120) == "Web Page Viewed"


def test_a_hash_is_forbidden_in_profile_keys_alone() -> None:
    assert set(FORBIDDEN_PROFILE) - set(FORBIDDEN) == {"#"}
    assert (clean("a#b", 120), clean_profile_key("a#b", 120)) == ("a#b", "ab")


def test_names_are_trimmed_and_cut_and_may_come_out_empty() -> None:
    assert clean("  abc def", 4) == "abc"
    assert clean(" .:; ", 120) == ""


@pytest.mark.parametrize("name", ["app launched", "Notification Sent", "Geocluster Entered", "wzrk_d", "IdentitySet"])
def test_the_systems_own_events_are_restricted(name: str) -> None:
    assert fold(name) in RESTRICTED


@pytest.mark.parametrize("name", ["Charged", "Web Event", "Web Page Viewed", "Product CleverTap 1"])
def test_these_are_free(name: str) -> None:
    assert fold(name) not in RESTRICTED


def test_debug_events_are_the_systems() -> None:
    assert DEBUG < RESTRICTED
