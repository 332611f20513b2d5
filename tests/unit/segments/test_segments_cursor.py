"""Cursors survive the mail, and nothing else passes for one."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.errors import BadRequest
from belfry.ids import AccountId
from belfry.segments.cursor import Cursor, read_cursor, write_cursor

ACME, OTHER = AccountId("acme"), AccountId("other")
SECRET = b"secret"
CURSOR = Cursor("00112233aabbccdd", (1_795_608_000_123, 2**62))


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_what_is_written_is_read(first: int, second: int) -> None:
    cursor = Cursor("ffffffffffffffff", (first, second))
    assert read_cursor(SECRET, ACME, write_cursor(SECRET, ACME, cursor)) == cursor


def test_a_cursor_needs_no_encoding_and_is_short() -> None:
    text = write_cursor(SECRET, ACME, CURSOR)
    assert len(text) <= 200
    assert quote(text, safe="") == text


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize("padding", ["", "=="], ids=["bare", "padded"])
def test_a_cursor_that_was_percent_encoded_still_works(times: int, padding: str) -> None:
    text = write_cursor(SECRET, ACME, CURSOR) + padding
    for _ in range(times):
        text = "".join(f"%{ord(character):02X}" for character in text)
    assert read_cursor(SECRET, ACME, text) == CURSOR


@given(st.text(max_size=700))
def test_any_other_text_is_unreadable(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_cursor(SECRET, ACME, text)
    assert (caught.value.text, caught.value.code) == ("Incorrect Usage", 3)


@given(st.integers(0, 65), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def test_a_changed_cursor_is_unreadable(place: int, letter: str) -> None:
    text = write_cursor(SECRET, ACME, CURSOR)
    changed = text[:place] + letter + text[place + 1 :]
    if changed in (text, text[:-1] + changed[-1:]):
        return
    with pytest.raises(BadRequest):
        read_cursor(SECRET, ACME, changed)


def test_another_secret_signs_other_cursors() -> None:
    with pytest.raises(BadRequest) as caught:
        read_cursor(b"other", ACME, write_cursor(SECRET, ACME, CURSOR))
    assert caught.value.code == 3


def test_another_accounts_cursor_is_invalid() -> None:
    with pytest.raises(BadRequest) as caught:
        read_cursor(SECRET, OTHER, write_cursor(SECRET, ACME, CURSOR))
    assert (caught.value.text, caught.value.code) == ("Invalid cursor", "CURSOR_INVALIDATED")
