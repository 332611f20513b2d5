"""The outbox on real stores: each message once, whole calls, and no state changed twice."""

from __future__ import annotations

import pytest

from belfry.clock import ManualClock
from belfry.delivery.history import REPLAY_MS, History
from belfry.delivery.model import (
    Attempt,
    Call,
    MessageState,
    OutboxRow,
    Reason,
    Result,
    RunKey,
    SendFailure,
)
from belfry.delivery.store import cut
from belfry.ids import AccountId
from belfry.storage.relational import Database
from support.delivery import RUN, World, id_of

S = MessageState


@pytest.fixture
def world(database: Database, clock: ManualClock) -> World:
    return World(database, clock)


def rows_of(calls: list[Call]) -> list[OutboxRow]:
    return [row for call in calls for row in call.rows]


def users_of(calls: list[Call]) -> list[int]:
    return sorted(row.profile_id for row in rows_of(calls))


def test_a_second_row_for_a_message_is_refused_and_counted(world: World) -> None:
    assert world.enqueue([1, 2, 3]) == 3
    assert world.enqueue([2, 3, 4]) == 1
    assert users_of(world.outbox.claim(RUN, "w1", 100)) == [1, 2, 3, 4]


def test_a_claimed_message_is_claimed_by_nobody_else(world: World) -> None:
    world.enqueue(range(10))
    first = world.outbox.claim(RUN, "w1", 6)
    second = world.outbox.claim(RUN, "w2", 100)
    assert len(rows_of(first)) == 6
    assert sorted(users_of(first) + users_of(second)) == list(range(10))
    assert world.outbox.claim(RUN, "w3", 100) == []


@pytest.mark.parametrize(
    ("rows_max", "sizes"),
    [
        pytest.param(100, [3, 3, 3, 1], id="room for all"),
        pytest.param(7, [3, 3], id="the third call would be cut"),
        pytest.param(6, [3, 3], id="exactly two calls"),
        pytest.param(2, [3], id="less than one call: one call all the same"),
    ],
)
def test_calls_are_claimed_whole(world: World, rows_max: int, sizes: list[int]) -> None:
    world.enqueue(range(10), per_call=3)
    assert [len(call.rows) for call in world.outbox.claim(RUN, "w1", rows_max)] == sizes


def test_a_call_lists_its_messages_in_the_order_of_their_ids(world: World) -> None:
    world.enqueue(range(5), per_call=5)
    (call,) = world.outbox.claim(RUN, "w1", 5)
    ids = [row.message_id for row in call.rows]
    assert ids == sorted(ids)


def test_nothing_is_claimed_before_it_is_due(world: World, clock: ManualClock) -> None:
    world.enqueue([1])
    (call,) = world.outbox.claim(RUN, "w1", 10)
    due_at_ms = clock.now_ms() + 15_000
    world.outbox.note("w1", [Result(call.rows[0], S.RETRYING, 1, Reason.PROVIDER_DOWN, due_at_ms=due_at_ms)])
    assert world.outbox.next_due_at_ms(RUN) == due_at_ms
    clock.advance_ms(14_999)
    assert world.outbox.claim(RUN, "w1", 10) == []
    clock.advance_ms(1)
    (again,) = world.outbox.claim(RUN, "w1", 10)
    assert again.attempts_count == 1


def test_a_result_from_a_worker_that_lost_its_claim_changes_nothing(world: World) -> None:
    world.enqueue([1])
    (row,) = rows_of(world.outbox.claim(RUN, "w1", 10))
    world.outbox.note("somebody else", [Result(row, S.SENT, 1)])
    assert world.states([1]) == [S.SENDING]
    world.outbox.note("w1", [Result(row, S.SENT, 1, status=200)])
    world.outbox.note("w1", [Result(row, S.FAILED, 2, Reason.REJECTED)])
    assert world.states([1]) == [S.SENT]


def test_claims_of_workers_that_are_no_more_come_back(world: World) -> None:
    world.worker.beat()
    world.enqueue([1, 2])
    world.outbox.claim(RUN, world.worker.id, 1)
    world.outbox.claim(RUN, "nobody", 1)
    assert world.outbox.give_back_orphans() == 1
    assert sorted(filter(None, world.states([1, 2]))) == [S.QUEUED, S.SENDING]


def test_stopping_cancels_what_waits_and_says_how_many(world: World) -> None:
    world.enqueue(range(7))
    rows = rows_of(world.outbox.claim(RUN, "w1", 3))
    world.outbox.note("w1", [Result(rows[0], S.SENT, 1), Result(rows[1], S.RETRYING, 1, due_at_ms=0)])
    assert world.outbox.cancel(RUN) == 5
    assert world.outbox.cancel(RUN) == 0
    states = [state for state in world.states(range(7)) if state is not None]
    assert sorted(states) == sorted([S.SENT, S.SENDING] + [S.CANCELLED] * 5)
    assert not world.outbox.is_over(RUN)
    world.outbox.note("w1", [Result(rows[2], S.SENT, 1)])
    assert world.outbox.is_over(RUN)


def test_a_run_over_its_safety_limit_is_skipped_as_a_whole(world: World) -> None:
    world.enqueue(range(5))
    assert world.outbox.refuse(RUN) == 5
    (count,) = History(world.database).counts(RUN)
    assert (count.state, count.reason, count.count) == (S.SKIPPED, Reason.SAFETY_LIMIT, 5)


def test_clearing_a_half_prepared_run_leaves_other_runs_alone(world: World) -> None:
    other = RunKey(RUN.account_id, RUN.campaign_id, RUN.run_id + 1)
    world.enqueue(range(5))
    world.enqueue(range(5), run=other)
    world.outbox.clear(RUN)
    assert world.states(range(5)) == [None] * 5
    assert world.states(range(5), other) == [S.QUEUED] * 5


def test_figures_add_up(world: World) -> None:
    world.enqueue(range(6))
    rows = rows_of(world.outbox.claim(RUN, "w1", 5))
    world.outbox.note(
        "w1",
        [
            Result(rows[0], S.SENT, 1),
            Result(rows[1], S.SENT, 3),
            Result(rows[2], S.FAILED, 4, Reason.PROVIDER_DOWN),
            Result(rows[3], S.SKIPPED, 0, Reason.OPTED_OUT),
        ],
    )
    counts = {(c.state, c.reason): c for c in History(world.database).counts(RUN)}
    assert {key: c.count for key, c in counts.items()} == {
        (S.SENT, None): 2,
        (S.FAILED, Reason.PROVIDER_DOWN): 1,
        (S.SKIPPED, Reason.OPTED_OUT): 1,
        (S.SENDING, None): 1,
        (S.QUEUED, None): 1,
    }
    assert (counts[S.SENT, None].attempts_count, counts[S.SENT, None].retried_count) == (4, 1)


def test_the_trail_keeps_every_try_that_was_not_taken(world: World, clock: ManualClock) -> None:
    world.enqueue([1])
    for attempt, status in ((1, 503), (2, 429)):
        (row,) = rows_of(world.outbox.claim(RUN, "w1", 10))
        tried = Attempt(attempt, clock.now_ms(), status, SendFailure.UNREACHABLE, "no\x00text \ud800" + "x" * 2000)
        world.outbox.note(
            "w1", [Result(row, S.RETRYING, attempt, Reason.PROVIDER_DOWN, tried.detail, status, 0, tried)]
        )
        clock.advance_ms(1000)
    trail = History(world.database).failed_attempts(RUN.account_id, id_of(1))
    assert [(a.attempt, a.status) for a in trail] == [(1, 503), (2, 429)]
    assert trail[0].at_ms < trail[1].at_ms
    assert all("\x00" not in a.detail and len(a.detail.encode()) <= 1024 for a in trail)
    message = History(world.database).message(RUN.account_id, id_of(1))
    assert message is not None
    assert (message.state, message.attempts_count, message.status) == (S.RETRYING, 2, 429)


@pytest.mark.parametrize("text", ["", "é" * 600, "x" * 1024, "x" * 1025, "\x00\x00"], ids=repr)
def test_details_are_cut_at_a_kibibyte_between_characters(text: str) -> None:
    assert len(cut(text).encode()) <= 1024
    assert cut(text) == text.replace("\x00", "\ufffd")[: len(cut(text))]


def test_dead_letters_are_listed_in_pages_and_replayed_with_the_same_id(world: World, clock: ManualClock) -> None:
    world.enqueue(range(5))
    rows = rows_of(world.outbox.claim(RUN, "w1", 10))
    world.outbox.note("w1", [Result(row, S.FAILED, 4, Reason.PROVIDER_DOWN, "503") for row in rows])
    history = History(world.database)
    first = history.dead_letters(RUN, limit=3)
    rest = history.dead_letters(RUN, after=first[-1].message_id, limit=3)
    letters = [letter.message_id for letter in first + rest]
    assert letters == sorted(row.message_id for row in rows)
    with world.database.begin() as connection:
        assert world.outbox.replay(connection, RUN, letters, failed_since_ms=clock.now_ms()) == 5
    again = rows_of(world.outbox.claim(RUN, "w1", 10))
    assert sorted(row.message_id for row in again) == letters
    assert {row.attempts_count for row in again} == {0}


def test_dead_letters_older_than_seven_days_stay_dead(world: World, clock: ManualClock) -> None:
    world.enqueue([1])
    (row,) = rows_of(world.outbox.claim(RUN, "w1", 10))
    world.outbox.note("w1", [Result(row, S.FAILED, 4, Reason.REJECTED)])
    clock.advance_ms(REPLAY_MS + 1)
    with world.database.begin() as connection:
        since_ms = clock.now_ms() - REPLAY_MS
        assert world.outbox.replay(connection, RUN, [row.message_id], failed_since_ms=since_ms) == 0
    assert world.states([1]) == [S.FAILED]


def test_only_dead_letters_are_replayed(world: World, clock: ManualClock) -> None:
    world.enqueue([1, 2])
    row = rows_of(world.outbox.claim(RUN, "w1", 1))[0]
    world.outbox.note("w1", [Result(row, S.SENT, 1)])
    with world.database.begin() as connection:
        assert world.outbox.replay(connection, RUN, [id_of(1), id_of(2)], failed_since_ms=0) == 0


def test_an_account_sees_and_moves_only_its_own_messages(world: World, clock: ManualClock) -> None:
    other = RunKey(AccountId("ACC-2"), RUN.campaign_id, RUN.run_id)
    world.enqueue([1, 2])
    world.enqueue([1, 2], run=other)
    assert id_of(1) != id_of(1, other)
    assert len(world.outbox.claim(RUN, "w1", 100)) == 2
    assert world.states([1, 2], other) == [S.QUEUED, S.QUEUED]
    history = History(world.database)
    assert history.message(other.account_id, id_of(1)) is None
    assert history.message(RUN.account_id, id_of(1, other)) is None
    assert world.outbox.states(other.account_id, [id_of(1)]) == {}
    assert sum(c.count for c in history.counts(other)) == 2
    with world.database.begin() as connection:
        assert world.outbox.replay(connection, other, [id_of(1)], failed_since_ms=0) == 0
    assert world.outbox.cancel(other) == 2
    assert world.states([1, 2]) == [S.SENDING, S.SENDING]
