"""Numbers of places in the log, and ids of messages."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from belfry.ids import AccountId, message_id, sequence_at

KEY = b"k" * 32

positions = st.integers(1, 2**42 - 1)
streams = st.integers(0, 63)
indices = st.integers(0, 999)
ordinals = st.integers(0, 31)


@given(st.tuples(positions, streams, indices, ordinals), st.tuples(positions, streams, indices, ordinals))
def test_every_place_has_a_number_of_its_own_that_fits_a_signed_64_bit_integer(
    one: tuple[int, int, int, int], other: tuple[int, int, int, int]
) -> None:
    assert 0 < sequence_at(*one) < 2**63
    assert (sequence_at(*one) == sequence_at(*other)) == (one == other)


@given(positions, indices, ordinals)
def test_numbers_grow_with_the_log(position: int, index: int, ordinal: int) -> None:
    number = sequence_at(position, 0, index, ordinal)
    assert number < sequence_at(position + 1, 0, 0, 0)
    assert number <= sequence_at(position, 0, index + 1, 0)


@given(st.integers(1, 2**40), st.integers(1, 2**40), st.integers(1, 2**60))
def test_a_message_id_is_a_pure_opaque_function_of_campaign_run_and_user(campaign: int, run: int, user: int) -> None:
    account = AccountId("AAA-BBB-CCCC")
    first = message_id(KEY, account, campaign, run, user)
    assert first == message_id(KEY, account, campaign, run, user)
    assert re.fullmatch(r"b1[A-Za-z0-9]{40}", first)
    assert first != message_id(KEY, account, campaign, run, user + 1)
    assert first != message_id(KEY, AccountId("AAA-BBB-CCCD"), campaign, run, user)
    assert first != message_id(b"other" * 6, account, campaign, run, user)
