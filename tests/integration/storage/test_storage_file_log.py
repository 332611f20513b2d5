"""The embedded log: the suite of every engine, and what only files on a disk can go through."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from belfry.clock import ManualClock
from belfry.config import Settings
from belfry.ids import SequentialIds
from belfry.storage.log import FileLog, FileLogReader, LogDamaged, LogDropped, LogLocked, Stored, open_log, open_reader
from belfry.storage.log.files import Buffer, Files
from belfry.storage.log.segment import HEADER_BYTES
from conformance.log_suite import LogSuite, numbered
from support.faulty_files import FailingFiles
from support.log_entries import (
    BYTES_MAX,
    NOON_MS,
    append_each,
    append_together,
    bodies_in,
    entry_of,
    open_test_log,
)


class FileEngine:
    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.folder = folder
        self.clock = clock
        self.files = FailingFiles()
        self.opened: list[FileLog | FileLogReader] = []

    def open(self, *, queue_bytes_max: int = 1 << 24, segment_bytes: int = 1 << 20) -> FileLog:
        log = open_test_log(
            self.folder,
            files=self.files,
            clock=self.clock,
            queue_bytes_max=queue_bytes_max,
            segment_bytes=segment_bytes,
        )
        self.opened.append(log)
        return log

    def reader(self) -> FileLogReader:
        reader = open_reader(self.folder)
        self.opened.append(reader)
        return reader

    def stalled(self) -> contextlib.AbstractContextManager[None]:
        return self.files.stalled()

    def wait_for_stall(self) -> None:
        assert self.files.reached_stall.wait(30)

    def advance_ms(self, by_ms: int) -> None:
        self.clock.advance_ms(by_ms)


@pytest.fixture
def engine(tmp_path: Path, clock: ManualClock) -> Iterator[FileEngine]:
    engine = FileEngine(tmp_path / "log", clock)
    yield engine
    for opened in engine.opened:
        opened.close()


class TestFileLog(LogSuite):
    """The embedded engine keeps every promise of a log."""


def segments(engine: FileEngine) -> list[Path]:
    return sorted((engine.folder / "0").glob("*.log"))


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x55
    path.write_bytes(data)


def test_a_second_writer_is_refused_and_told_why(engine: FileEngine) -> None:
    log = engine.open()
    with pytest.raises(LogLocked, match="another process writes the log"):
        engine.open()
    log.close()
    engine.open().close()


def test_the_installation_s_log_lies_in_its_data_folder(tmp_path: Path, clock: ManualClock) -> None:
    settings = Settings(data_dir=str(tmp_path))
    log = open_log(settings, 3, clock=clock, ids=SequentialIds())
    log.close()
    assert [path.name for path in (tmp_path / "log" / "3").glob("*.log")] == ["00000000000000000001.log"]


async def test_a_file_is_named_after_its_first_position_and_closed_at_its_size(engine: FileEngine) -> None:
    log = engine.open(segment_bytes=1_000)
    await append_each(log, numbered(40))
    firsts = [int(path.stem) for path in segments(engine)]
    assert len(firsts) > 3
    for first in firsts:
        assert log.read(first - 1, bytes_max=1)[0].position == first
    assert all(path.stat().st_size < 1_200 for path in segments(engine))


async def test_a_file_is_closed_at_its_age_so_that_retention_reaches_a_quiet_log(engine: FileEngine) -> None:
    log = engine.open()
    await append_each(log, [b"old"])
    engine.advance_ms(24 * 3_600_000)
    await append_each(log, [b"new"])
    assert log.drop(applied=2, older_than_ms=engine.clock.now_ms() - 3_600_000) == 0
    assert log.drop(applied=2, older_than_ms=engine.clock.now_ms()) == 1
    assert bodies_in(log, 1) == [b"new"]


async def test_a_reader_in_another_process_sees_what_was_acknowledged(engine: FileEngine) -> None:
    log = engine.open(segment_bytes=1_000)
    await append_each(log, numbered(30))
    program = (
        "import sys, pathlib; from belfry.storage.log import open_reader;"
        "reader = open_reader(pathlib.Path(sys.argv[1]));"
        "print(reader.end(), [stored.entry.body.decode() for stored in reader.read(0, bytes_max=1 << 20)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(engine.folder)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == f"30 {[body.decode() for body in numbered(30)]}"


async def test_whoever_listens_hears_of_a_batch_before_its_senders_do(tmp_path: Path) -> None:
    heard: list[Stored] = []
    log = open_test_log(tmp_path, on_durable=heard.extend)
    for number, body in enumerate(numbered(20)):
        assert await log.append(entry_of(body)) == number + 1
        assert (heard[-1].position, heard[-1].entry.body) == (number + 1, body)
    log.close()


async def test_a_listener_that_fails_does_not_touch_the_log(tmp_path: Path) -> None:
    def listen(_: object) -> None:
        raise ValueError("broken listener")

    log = open_test_log(tmp_path, on_durable=listen)
    assert await append_each(log, numbered(3)) == [1, 2, 3]
    log.close()


async def test_one_sync_serves_all_who_wait_together(engine: FileEngine) -> None:
    log = engine.open()
    syncs = 0
    plain_sync = engine.files.sync

    def count(fd: int) -> None:
        nonlocal syncs
        syncs += 1
        plain_sync(fd)

    engine.files.sync = count  # type: ignore[method-assign]
    await append_together(log, numbered(500))
    assert syncs < 20


async def test_damage_in_an_older_file_is_named_and_not_skipped(engine: FileEngine) -> None:
    log = engine.open(segment_bytes=1_000)
    await append_each(log, numbered(40))
    damaged = segments(engine)[1]
    flip(damaged, damaged.stat().st_size - 5)
    reader = engine.reader()
    good = reader.read(0, bytes_max=BYTES_MAX)
    with pytest.raises(LogDamaged) as caught:
        reader.read(good[-1].position, bytes_max=BYTES_MAX)
    assert caught.value.file == str(damaged)
    assert 0 < caught.value.offset < damaged.stat().st_size
    assert str(caught.value.offset) in str(caught.value)
    assert bodies_in(engine.reader(), int(segments(engine)[2].stem) - 1) == numbered(40)[len(good) + 1 :]


async def test_damage_in_the_middle_of_the_last_file_stops_the_start(engine: FileEngine) -> None:
    log = engine.open()
    await append_each(log, numbered(40))
    log.close()
    flip(segments(engine)[0], 600)
    for _ in range(2):
        with pytest.raises(LogDamaged, match="good entries follow") as caught:
            engine.open()
    assert 500 <= caught.value.offset <= 600


async def test_a_missing_file_in_the_middle_is_not_skipped(engine: FileEngine) -> None:
    log = engine.open(segment_bytes=1_000)
    await append_each(log, numbered(40))
    segments(engine)[1].unlink()
    reader = engine.reader()
    good = reader.read(0, bytes_max=BYTES_MAX)
    with pytest.raises(LogDamaged):
        reader.read(good[-1].position, bytes_max=BYTES_MAX)


async def test_a_lagging_reader_whose_next_file_was_dropped_is_told_so(engine: FileEngine) -> None:
    log, reader = engine.open(segment_bytes=1_000), engine.reader()
    await append_each(log, numbered(50))
    after = reader.read(0, bytes_max=300)[-1].position
    log.drop(applied=50, older_than_ms=NOON_MS + 1)
    with pytest.raises(LogDropped):
        bodies_in(reader, after)


async def test_lost_acknowledged_entries_are_counted_and_their_positions_never_used_again(engine: FileEngine) -> None:
    log, follower = engine.open(), engine.reader()
    await append_each(log, numbered(10))
    assert len(bodies_in(follower)) == 10
    log.close()
    last = segments(engine)[-1]
    last.write_bytes(last.read_bytes()[:-150])
    log = engine.open()
    assert (log.lost_entries, log.end()) == (2, 10)
    assert await append_each(log, [b"eleven"]) == [11]
    assert bodies_in(follower, 10) == [b"eleven"]
    late = engine.reader()
    stored = late.read(0, bytes_max=BYTES_MAX)
    assert [item.position for item in stored] == [*range(1, 9), 11]
    log.close()
    assert engine.open().lost_entries == 0


async def test_the_watermark_can_be_lost_without_losing_an_entry(engine: FileEngine) -> None:
    log = engine.open()
    await append_each(log, numbered(10))
    log.close()
    (engine.folder / "0" / "watermark").write_bytes(b"\x00" * 36)
    assert engine.reader().end() == 0
    log = engine.open()
    assert (log.lost_entries, log.end(), bodies_in(engine.reader())) == (0, 10, numbered(10))


class Recorder(Files):
    """Notes what is done to the disk."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def write_at(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        self.done.append(f"write {sum(len(buffer) for buffer in buffers)} at {offset}")
        return super().write_at(fd, buffers, offset)

    def sync(self, fd: int) -> None:
        self.done.append("sync")
        super().sync(fd)

    def sync_folder(self, folder: Path) -> None:
        self.done.append("sync folder")
        super().sync_folder(folder)


async def test_a_start_makes_sure_of_the_last_batch_and_of_the_file_s_name(engine: FileEngine) -> None:
    """The process before may have died in front of a sync, or behind one that failed and left clean pages."""
    log = engine.open()
    await append_each(log, numbered(2))
    log.close()
    size = segments(engine)[0].stat().st_size
    batch_bytes = (size - HEADER_BYTES) // 2
    recorder = Recorder()
    open_test_log(engine.folder, files=recorder).close()
    at = recorder.done.index("sync")
    assert recorder.done[at - 1 : at + 2] == [f"write {batch_bytes} at {size - batch_bytes}", "sync", "sync folder"]
