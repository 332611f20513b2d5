"""Signed tokens: only ours, only for a day."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.errors import Forbidden
from belfry.ids import AccountId
from belfry.uploads.model import Grant
from belfry.uploads.tokens import Signer

GRANT = Grant(AccountId("SHO-P00-0001"), "0" * 32, 1, 1_000)
SIGNER = Signer(b"s" * 32)


def test_what_is_signed_is_read_again() -> None:
    assert SIGNER.verify(SIGNER.sign(GRANT), 999_999) == GRANT


def test_at_its_expiry_a_token_is_worthless_but_still_ours() -> None:
    token = SIGNER.sign(GRANT)
    with pytest.raises(Forbidden, match="expired"):
        SIGNER.verify(token, 1_000_000)
    assert SIGNER.read(token) == GRANT


def test_another_installations_token_is_not_ours() -> None:
    assert SIGNER.read(Signer(b"t" * 32).sign(GRANT)) is None


@given(st.text())
def test_no_text_is_a_token_by_chance(text: str) -> None:
    with pytest.raises(Forbidden):
        SIGNER.verify(text, 0)


@given(st.integers(0, 150), st.characters())
def test_no_changed_token_is_valid(place: int, character: str) -> None:
    token = SIGNER.sign(GRANT)
    changed = token[:place] + character + token[place + 1 :]
    assert changed == token or SIGNER.read(changed) is None
