"""What follows from an outcome."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.delivery.model import MessageState, Outcome, SendFailure
from belfry.delivery.retries import REASONS, RETRIED, after, jittered_s

DELAYS_S = (15.0, 60.0, 300.0)
NOW_MS = 1_795_608_000_000


@pytest.mark.parametrize("tries_count", [1, 2, 4])
def test_what_was_taken_is_sent(tries_count: int) -> None:
    verdict = after(Outcome(None, 204), tries_count=tries_count, delays_s=DELAYS_S, key="m", now_ms=NOW_MS)
    assert (verdict.state, verdict.reason, verdict.due_at_ms) == (MessageState.SENT, None, None)


@pytest.mark.parametrize("failure", sorted(RETRIED))
@pytest.mark.parametrize(("tries_count", "delay_s"), [(1, 15), (2, 60), (3, 300)])
def test_what_may_pass_is_tried_again_after_its_delay(failure: SendFailure, tries_count: int, delay_s: float) -> None:
    verdict = after(Outcome(failure), tries_count=tries_count, delays_s=DELAYS_S, key="m", now_ms=NOW_MS)
    assert verdict.state is MessageState.RETRYING
    assert verdict.reason is REASONS[failure]
    assert verdict.due_at_ms is not None
    assert delay_s * 800 <= verdict.due_at_ms - NOW_MS <= delay_s * 1200


@pytest.mark.parametrize("failure", sorted(RETRIED))
def test_the_failure_after_the_last_retry_is_final(failure: SendFailure) -> None:
    verdict = after(Outcome(failure, 503), tries_count=4, delays_s=DELAYS_S, key="m", now_ms=NOW_MS)
    assert (verdict.state, verdict.reason) == (MessageState.FAILED, REASONS[failure])


@pytest.mark.parametrize("failure", sorted(set(SendFailure) - RETRIED))
def test_what_will_not_pass_is_final_at_once(failure: SendFailure) -> None:
    verdict = after(Outcome(failure, 400), tries_count=1, delays_s=DELAYS_S, key="m", now_ms=NOW_MS)
    assert verdict.state is MessageState.FAILED


@pytest.mark.parametrize(
    ("asked_s", "expected_s"),
    [
        pytest.param(120.0, 120, id="longer than ours: theirs"),
        pytest.param(86_401.0, 86_400, id="more than a day: a day"),
    ],
)
def test_retry_after_is_honoured(asked_s: float, expected_s: float) -> None:
    outcome = Outcome(SendFailure.THROTTLED, 429, retry_after_s=asked_s)
    verdict = after(outcome, tries_count=1, delays_s=DELAYS_S, key="m", now_ms=NOW_MS)
    assert verdict.due_at_ms == NOW_MS + expected_s * 1000


def test_a_shorter_retry_after_does_not_shorten_our_wait() -> None:
    outcome = Outcome(SendFailure.THROTTLED, 429, retry_after_s=0.0)
    verdict = after(outcome, tries_count=1, delays_s=DELAYS_S, key="m", now_ms=NOW_MS)
    assert verdict.due_at_ms is not None
    assert verdict.due_at_ms - NOW_MS >= 12_000


def test_without_retries_every_failure_is_final() -> None:
    verdict = after(Outcome(SendFailure.UNREACHABLE), tries_count=1, delays_s=(), key="m", now_ms=NOW_MS)
    assert verdict.state is MessageState.FAILED


@given(st.text(), st.integers(1, 10))
def test_jitter_stays_within_a_fifth_and_repeats(key: str, ordinal: int) -> None:
    wait_s = jittered_s(60.0, key, ordinal)
    assert 48 <= wait_s <= 72
    assert wait_s == jittered_s(60.0, key, ordinal)


def test_calls_that_failed_together_do_not_come_back_together() -> None:
    waits = {round(jittered_s(60.0, f"message {i}", 1)) for i in range(200)}
    assert len(waits) > 15
