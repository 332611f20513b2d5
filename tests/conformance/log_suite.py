"""What every engine of the log must do. An engine's test module subclasses `LogSuite` and gives it an `engine`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

import pytest

from belfry.storage.log import Log, LogBusy, LogDropped, LogReader, LogUnavailable
from support.log_entries import ACCOUNT, BYTES_MAX, NOON_MS, append_each, append_together, bodies_in, entry_of


class LogEngine(Protocol):
    """One stream of one engine, which a test may open, close and open again."""

    def open(self, *, queue_bytes_max: int = 1 << 24, segment_bytes: int = 1 << 20) -> Log: ...

    def reader(self) -> LogReader:
        """A reader that shares nothing with the writer but the store."""
        ...

    def stalled(self) -> contextlib.AbstractContextManager[None]:
        """While it is entered, what is appended does not become durable."""
        ...

    def wait_for_stall(self) -> None:
        """Block until an entry hangs in a stalled engine."""
        ...

    def advance_ms(self, by_ms: int) -> None: ...


def numbered(count: int, bytes_count: int = 40) -> list[bytes]:
    return [f"{number:08d}".encode().ljust(bytes_count, b".") for number in range(count)]


class LogSuite:
    """The promises of `belfry.storage.log.model.Log`."""

    async def test_an_entry_comes_back_as_it_went_in(self, engine: LogEngine) -> None:
        entry = entry_of(b'{"d":[]}\x00\xff', passcode=7, partner=None, refused=[[1, 515, "Email – ungültig"]])
        log = engine.open()
        assert await log.append(entry) == 1
        assert log.read(0, bytes_max=BYTES_MAX)[0].entry == entry
        log.close()

    async def test_an_empty_log_ends_at_zero_and_gives_nothing(self, engine: LogEngine) -> None:
        assert engine.reader().end() == 0
        log = engine.open()
        assert (log.end(), log.first(), list(log.read(0, bytes_max=BYTES_MAX))) == (0, 1, [])
        assert (engine.reader().end(), engine.reader().first()) == (0, 1)
        log.close()

    async def test_entries_are_read_in_the_order_of_their_positions(self, engine: LogEngine) -> None:
        log = engine.open(segment_bytes=1000)
        assert await append_each(log, numbered(60)) == list(range(1, 61))
        assert bodies_in(log) == bodies_in(engine.reader()) == numbered(60)
        log.close()

    async def test_tasks_that_append_at_once_each_get_a_place_of_their_own(self, engine: LogEngine) -> None:
        log = engine.open(segment_bytes=20_000)
        bodies = numbered(2_000)
        positions = await append_together(log, bodies)
        assert sorted(positions) == list(range(1, 2_001))
        stored = bodies_in(engine.reader())
        assert [stored[position - 1] for position in positions] == bodies
        log.close()

    async def test_what_one_task_appends_in_turn_keeps_its_order(self, engine: LogEngine) -> None:
        log = engine.open()
        positions = await asyncio.gather(*(append_each(log, numbered(25)) for _ in range(8)))
        assert all(own == sorted(own) for own in positions)
        log.close()

    async def test_acknowledged_entries_are_there_after_a_restart_and_positions_go_on(self, engine: LogEngine) -> None:
        for round_number in range(4):
            log = engine.open(segment_bytes=2_000)
            assert log.end() == round_number * 30
            await append_each(log, numbered(30))
            log.close()
        assert bodies_in(engine.reader()) == numbered(30) * 4

    async def test_closing_writes_what_waits_and_refuses_what_comes_later(self, engine: LogEngine) -> None:
        log = engine.open()
        waiting = [asyncio.ensure_future(log.append(entry_of(body))) for body in numbered(50)]
        await asyncio.to_thread(log.close)
        assert sorted(await asyncio.gather(*waiting)) == list(range(1, 51))
        with pytest.raises(LogUnavailable, match="closed"):
            await log.append(entry_of(b"late"))
        assert engine.reader().end() == 50

    @pytest.mark.parametrize("after", [0, 1, 29, 30, 31, 98, 99, 100, 1000])
    async def test_a_reader_catches_up_from_any_position(self, engine: LogEngine, after: int) -> None:
        log = engine.open(segment_bytes=1_500)
        await append_together(log, numbered(100))
        stored = bodies_in(engine.reader())
        assert bodies_in(engine.reader(), after) == stored[after:]
        log.close()

    async def test_a_reader_may_go_back_and_forth(self, engine: LogEngine) -> None:
        log = engine.open(segment_bytes=1_000)
        await append_each(log, numbered(80))
        reader = engine.reader()
        for after in (70, 3, 79, 0, 41, 40, 42):
            assert reader.read(after, bytes_max=1)[0].entry.body == numbered(80)[after]
        log.close()

    @pytest.mark.parametrize("bytes_max", [1, 100, 350, 5_000, BYTES_MAX])
    async def test_reading_in_portions_gives_at_least_one_entry_and_never_skips(
        self, engine: LogEngine, bytes_max: int
    ) -> None:
        log = engine.open(segment_bytes=3_000)
        bodies = [bytes([number]) * (number * 37 % 400) for number in range(60)]
        await append_each(log, bodies)
        assert bodies_in(engine.reader(), bytes_max=bytes_max) == bodies
        log.close()

    async def test_a_portion_keeps_both_of_its_limits(self, engine: LogEngine) -> None:
        log = engine.open()
        await append_each(log, numbered(20, bytes_count=1_000))
        assert 1 <= len(engine.reader().read(0, bytes_max=4_500)) <= 4
        assert len(engine.reader().read(0, bytes_max=BYTES_MAX, entries_max=7)) == 7
        log.close()

    async def test_large_entries_pass(self, engine: LogEngine) -> None:
        log = engine.open(segment_bytes=1 << 20, queue_bytes_max=1 << 20)
        bodies = [bytes(5 << 20), b"", b"x" * (1 << 20)]
        await append_each(log, bodies)
        assert bodies_in(engine.reader()) == bodies
        log.close()

    async def test_a_reader_that_was_at_the_end_follows_new_entries(self, engine: LogEngine) -> None:
        log, reader = engine.open(segment_bytes=700), engine.reader()
        for position, body in enumerate(numbered(40)):
            assert list(reader.read(position, bytes_max=BYTES_MAX)) == []
            await log.append(entry_of(body))
            assert [stored.entry.body for stored in reader.read(position, bytes_max=BYTES_MAX)] == [body]
        log.close()

    async def test_a_reader_sees_an_entry_only_when_it_is_durable(self, engine: LogEngine) -> None:
        log, reader = engine.open(), engine.reader()
        await append_each(log, numbered(3))
        with engine.stalled():
            waiting = asyncio.ensure_future(log.append(entry_of(b"not yet")))
            await asyncio.to_thread(engine.wait_for_stall)
            assert not waiting.done()
            assert (reader.end(), log.end(), len(bodies_in(reader)), len(bodies_in(log))) == (3, 3, 3, 3)
        assert await waiting == 4
        assert bodies_in(reader, 3) == [b"not yet"]
        log.close()

    async def test_the_queue_is_bounded_in_bytes_and_free_again_afterwards(self, engine: LogEngine) -> None:
        log = engine.open(queue_bytes_max=10_000)
        with engine.stalled():
            taken = await _fill(log)
            assert 8 <= len(taken) <= 10
            with pytest.raises(LogBusy, match="of at most 10000"):
                await log.append(entry_of(bytes(900)))
        assert sorted(await asyncio.gather(*taken)) == list(range(1, len(taken) + 1))
        assert await log.append(entry_of(b"again")) == len(taken) + 1
        log.close()

    async def test_a_sender_that_gives_up_waiting_harms_nobody(self, engine: LogEngine) -> None:
        log = engine.open()
        with engine.stalled():
            impatient = asyncio.ensure_future(log.append(entry_of(b"impatient")))
            patient = asyncio.ensure_future(log.append(entry_of(b"patient")))
            await asyncio.sleep(0)
            impatient.cancel()
        assert await patient == 2
        assert bodies_in(log) == [b"impatient", b"patient"]
        log.close()

    async def test_retention_drops_what_is_both_applied_and_old(self, engine: LogEngine) -> None:
        log = engine.open(segment_bytes=1_000)
        await append_each(log, numbered(50))
        engine.advance_ms(3_600_000)
        await append_each(log, numbered(50))
        assert log.drop(applied=0, older_than_ms=NOON_MS + 10**9) == 0
        assert log.drop(applied=100, older_than_ms=NOON_MS - 1) == 0
        assert log.first() == 1
        assert log.drop(applied=25, older_than_ms=NOON_MS + 10**9) > 0
        assert 1 < log.first() <= 26
        assert log.drop(applied=100, older_than_ms=NOON_MS + 1_000) > 0
        assert 26 < log.first() <= 51
        assert bodies_in(engine.reader(), 50) == numbered(50)
        log.close()

    async def test_dropped_positions_are_refused_and_say_where_to_go_on(self, engine: LogEngine) -> None:
        log = engine.open(segment_bytes=1_000)
        await append_each(log, numbered(50))
        log.drop(applied=50, older_than_ms=NOON_MS + 1)
        with pytest.raises(LogDropped) as caught:
            engine.reader().read(0, bytes_max=BYTES_MAX)
        assert caught.value.oldest == log.first() == engine.reader().first() > 1
        assert bodies_in(engine.reader(), caught.value.oldest - 1) == numbered(50)[caught.value.oldest - 1 :]
        log.close()

    async def test_a_reader_survives_that_what_it_has_read_is_dropped(self, engine: LogEngine) -> None:
        log, reader = engine.open(segment_bytes=1_000), engine.reader()
        await append_each(log, numbered(50))
        after = reader.read(0, bytes_max=600)[-1].position
        log.drop(applied=after, older_than_ms=NOON_MS + 1)
        assert bodies_in(reader, after) == numbered(50)[after:]
        log.close()

    async def test_positions_go_on_after_a_drop_and_a_restart(self, engine: LogEngine) -> None:
        log = engine.open(segment_bytes=1_000)
        await append_each(log, numbered(50))
        log.drop(applied=50, older_than_ms=NOON_MS + 1)
        log.close()
        log = engine.open()
        assert await log.append(entry_of(b"next")) == 51
        assert log.read(50, bytes_max=1)[0].entry.account_id == ACCOUNT
        log.close()


async def _fill(log: Log) -> list[asyncio.Future[int]]:
    """Append 900-byte bodies until the log refuses one."""
    taken: list[asyncio.Future[int]] = []
    for _ in range(100):
        try:
            taken.append(asyncio.ensure_future(log.append(entry_of(bytes(900)))))
        except LogBusy:
            return taken
        await asyncio.sleep(0)
    pytest.fail("the queue took 100 entries of 900 bytes")
