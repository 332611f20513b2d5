"""Results wait together and are written together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from belfry.delivery import notes as subject
from belfry.delivery.model import MessageState, OutboxRow, Result
from belfry.delivery.notes import Notes
from belfry.ids import AccountId, MessageId, ProfileId


def result(number: int, call_id: int) -> Result:
    row = OutboxRow(AccountId("A"), MessageId(f"m{number}"), ProfileId(number), call_id, 0, 0)
    return Result(row, MessageState.SENT, 1)


class Written:
    def __init__(self, failures_count: int = 0) -> None:
        self.batches: list[Sequence[Result]] = []
        self.failures_count = failures_count

    async def __call__(self, results: Sequence[Result]) -> None:
        if self.failures_count:
            self.failures_count -= 1
            raise sa.exc.OperationalError("UPDATE", {}, Exception("disk full"))
        self.batches.append(list(results))


async def test_everything_that_waits_is_written_in_order() -> None:
    written = Written()
    notes = Notes(written)
    notes.add([result(1, 1)])
    notes.add([result(2, 2), result(3, 3)])
    await notes.flush()
    assert [r.row.message_id for batch in written.batches for r in batch] == ["m1", "m2", "m3"]
    assert len(written.batches) == 1
    assert len(notes) == 0


async def test_messages_of_one_call_are_written_in_one_transaction() -> None:
    written = Written()
    notes = Notes(written)
    notes.add([result(i, 1 + i // (subject.ROWS_MAX - 1)) for i in range(subject.ROWS_MAX + 400)])
    await notes.flush()
    assert [len(batch) for batch in written.batches] == [subject.ROWS_MAX + 400]


async def test_results_that_could_not_be_written_are_kept_and_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "RETRY_WAIT_S", 0.0)
    written = Written(failures_count=2)
    notes = Notes(written)
    notes.add([result(1, 1)])
    running = asyncio.create_task(notes.run())
    while not written.batches:
        await asyncio.sleep(0)
    notes.close()
    await running
    assert [r.row.message_id for r in written.batches[0]] == ["m1"]
    assert len(notes) == 0
