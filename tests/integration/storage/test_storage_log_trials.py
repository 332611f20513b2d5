"""Trials R4 (power cuts) and R5 (disks that fail) of the embedded log, and kill -9 of a process that appends."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from belfry.clock import ManualClock, SystemClock
from belfry.ids import AccountId
from belfry.storage.log import FileLog, IdempotencyIndex, LogUnavailable, open_reader
from support.faulty_files import READ_ONLY, FailingFiles, ForgetfulFiles
from support.log_entries import (
    append_each,
    append_together,
    bodies_in,
    entry_of,
    open_test_log,
    outcome_of,
)

TRIALS = [pytest.param(5, id="small"), pytest.param(20, id="full", marks=pytest.mark.soak)]
SEGMENT_BYTES = 6_000


# R4: the power goes

CUTS_OF_ONE_LOG = 10


@pytest.mark.parametrize("cuts", [pytest.param(30, id="small"), pytest.param(500, id="full", marks=pytest.mark.soak)])
def test_every_acknowledged_entry_survives_kills_and_power_cuts(tmp_path: Path, cuts: int) -> None:
    chance = seeded_chance()
    acknowledged = 0
    for number in range(cuts // CUTS_OF_ONE_LOG):
        acknowledged += cut_one_log(tmp_path / str(number), chance)
        shutil.rmtree(tmp_path / str(number))
    assert acknowledged > cuts


def seeded_chance() -> random.Random:
    seed = int(os.environ.get("BELFRY_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed} (BELFRY_TEST_SEED)")
    return random.Random(seed)


def cut_one_log(root: Path, chance: random.Random) -> int:
    """Take the power from one log again and again, with up to two kills before each cut; entries acknowledged."""
    promised: dict[int, bytes] = {}
    folder = root / "0"
    (folder / "0").mkdir(parents=True)
    for cut in range(CUTS_OF_ONE_LOG):
        files = ForgetfulFiles(folder / "0", chance)
        for life in range(chance.randint(1, 3)):
            files.revive(chance.choice((3, 12, 60, 250)) + chance.randrange(12))
            live_until_death(folder, files, chance, promised, f"cut {cut} life {life}")
        folder = root / str(cut + 1)
        files.write_survivors(folder / "0")
        check_survivors(folder, promised)
    return len(promised)


def live_until_death(
    folder: Path, files: ForgetfulFiles, chance: random.Random, promised: dict[int, bytes], name: str
) -> None:
    """Append and read until nothing can be written. Promised is what was acknowledged, or seen by a consumer."""
    try:
        log = open_test_log(folder, files=files, segment_bytes=SEGMENT_BYTES)
    except LogUnavailable:
        return
    reader = open_reader(folder, files=files)

    async def client(number: int) -> None:
        for count in range(1_000):
            body = f"{name} client {number} entry {count} ".encode() * chance.randint(1, 20)
            try:
                promised[await log.append(entry_of(body))] = body
            except LogUnavailable:
                return
            seen = reader.read(log.end() - 1, bytes_max=10_000)
            promised.update((stored.position, stored.entry.body) for stored in seen)

    async def clients() -> None:
        await asyncio.gather(*(client(number) for number in range(chance.randint(1, 6))))

    promised.update(enumerate(bodies_in(reader), start=1))
    asyncio.run(clients())
    log.close()
    reader.close()
    assert files.is_dead


def check_survivors(folder: Path, promised: dict[int, bytes]) -> None:
    """Look at a copy: what is checked must not help what is carried on."""
    copy = folder.with_name("checked")
    shutil.copytree(folder, copy)
    log = open_test_log(copy, segment_bytes=SEGMENT_BYTES)
    stored = dict(enumerate(bodies_in(log), start=1))
    assert log.lost_entries == 0
    assert {position: stored.get(position) for position in promised} == promised
    assert asyncio.run(append_each(log, [b"on"])) == [len(stored) + 1]
    log.close()
    shutil.rmtree(copy)


# R5: the disk fails

KINDS = [
    pytest.param(errno.ENOSPC, ("write_at",), id="disk full, half of the batch written"),
    pytest.param(errno.ENOSPC, ("write_at", "create"), id="disk full, no new file either"),
    pytest.param(errno.ENOSPC, ("write_at", "create", "truncate"), id="disk full, nothing works"),
    pytest.param(errno.EROFS, READ_ONLY, id="read-only"),
    pytest.param(errno.EIO, ("sync",), id="EIO of every fsync"),
    pytest.param(errno.EIO, ("sync", "truncate"), id="EIO of fsync and truncation"),
    pytest.param(errno.EIO, ("sync", "create"), id="EIO of fsync, no new file"),
    pytest.param(errno.EIO, ("sync_folder", "sync"), id="EIO of fsync of file and folder"),
]


@pytest.fixture
def files() -> FailingFiles:
    return FailingFiles()


@pytest.fixture
def log(tmp_path: Path, files: FailingFiles, clock: ManualClock) -> Iterator[FileLog]:
    log = open_test_log(
        tmp_path / "log", files=files, clock=clock, stall_s=0.05, free_bytes_min=1_000, segment_bytes=SEGMENT_BYTES
    )
    yield log
    log.close()


@pytest.mark.parametrize("times", TRIALS)
@pytest.mark.parametrize(("code", "operations"), KINDS)
async def test_a_failing_disk_refuses_whole_batches_and_the_log_goes_on_when_it_works(
    log: FileLog, files: FailingFiles, tmp_path: Path, code: int, operations: tuple[str, ...], times: int
) -> None:
    kept: list[bytes] = []
    for round_number in range(times):
        with files.failing(code, *operations):
            for _ in range(2):
                outcomes = await asyncio.gather(*(outcome_of(log, b"refused" * 100) for _ in range(5)))
                assert [type(outcome) for outcome in outcomes] == [LogUnavailable] * 5
                assert os.strerror(code) in str(outcomes[0])
            assert bodies_in(open_reader(tmp_path / "log")) == kept
            assert_a_restart_finds(tmp_path, kept)
        more = [f"kept {round_number} {number}".encode() for number in range(4)]
        positions = await append_together(log, more)
        kept += [body for _, body in sorted(zip(positions, more, strict=True))]
        assert bodies_in(log) == bodies_in(open_reader(tmp_path / "log")) == kept
    assert files.failures >= 2 * times
    assert_a_restart_finds(tmp_path, kept)


@pytest.mark.parametrize("times", TRIALS)
async def test_an_fsync_that_fails_once_loses_only_its_batch(
    log: FileLog, files: FailingFiles, tmp_path: Path, times: int
) -> None:
    kept = []
    for number in range(times):
        with files.failing(errno.EIO, "sync"):
            assert isinstance(await outcome_of(log, b"refused"), LogUnavailable)
        kept.append(f"kept {number}".encode())
        assert await append_each(log, kept[-1:]) == [number + 1]
        assert_a_restart_finds(tmp_path, kept)


def assert_a_restart_finds(tmp_path: Path, kept: list[bytes]) -> None:
    """What a process finds that starts on these files now, on a disk that works."""
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "log", copy)
    log = open_test_log(copy)
    assert (bodies_in(log), log.lost_entries) == (kept, 0)
    log.close()
    shutil.rmtree(copy)


async def test_too_little_free_space_refuses_early_and_recovers_alone(
    log: FileLog, files: FailingFiles, clock: ManualClock
) -> None:
    await append_each(log, [b"one"])
    files.free = 999
    clock.advance_ms(1_000)
    for _ in range(3):
        refusal = await outcome_of(log, b"no")
        assert "999 bytes free, below 1000 (log_free_bytes_min)" in str(refusal)
    files.free = 1_000
    assert await append_each(log, [b"two"]) == [2]
    assert bodies_in(log) == [b"one", b"two"]


@pytest.mark.parametrize("times", TRIALS)
async def test_a_stalled_disk_refuses_what_it_has_not_taken_and_keeps_what_it_has(
    log: FileLog, files: FailingFiles, tmp_path: Path, times: int
) -> None:
    """What is in the writer's hands may be on disk: only the disk can say, so that answer is waited for."""
    for number in range(times):
        with files.stalled():
            taken = asyncio.ensure_future(outcome_of(log, f"taken {number}".encode()))
            await asyncio.to_thread(files.reached_stall.wait, 10)
            waiting = [asyncio.ensure_future(outcome_of(log, b"refused")) for _ in range(5)]
            refusals = await asyncio.gather(*waiting)
            assert all("the disk under the log has not answered" in str(refusal) for refusal in refusals)
            assert isinstance(await outcome_of(log, b"refused at once"), LogUnavailable)
            assert (log.waiting_bytes > 0, taken.done(), log.end()) == (True, False, number)
        assert await taken == number + 1
        assert log.waiting_bytes == 0
    assert bodies_in(log) == [f"taken {number}".encode() for number in range(times)]
    assert_a_restart_finds(tmp_path, [f"taken {number}".encode() for number in range(times)])


async def test_a_log_on_a_disk_that_cannot_be_written_says_so_at_the_start(tmp_path: Path) -> None:
    files = FailingFiles()
    with files.failing(errno.EROFS, *READ_ONLY), pytest.raises(LogUnavailable, match="cannot be opened for writing"):
        open_test_log(tmp_path, files=files)
    open_test_log(tmp_path, files=files).close()


# kill -9


@pytest.mark.parametrize("kills", [pytest.param(3, id="small"), pytest.param(100, id="full", marks=pytest.mark.soak)])
def test_an_acknowledged_entry_and_its_answer_survive_kill_nine(tmp_path: Path, kills: int) -> None:
    chance = seeded_chance()
    acknowledged: dict[int, str] = {}
    for number in range(kills):
        acknowledged |= append_until_killed(tmp_path, number * 1_000_000, 200 + chance.randrange(400))
    log = open_test_log(tmp_path)
    stored = {position + 1: body.lstrip(b"0").decode() for position, body in enumerate(bodies_in(log))}
    assert {position: stored[position] for position in acknowledged} == {
        position: key.lstrip("0") for position, key in acknowledged.items()
    }
    assert log.lost_entries == 0
    index = IdempotencyIndex(tmp_path / "0" / "idempotency.db", hours=24, clock=SystemClock())
    index.catch_up(log)
    for key in acknowledged.values():
        remembered = index.lookup(AccountId("ACC"), key)
        assert remembered is not None
        assert remembered.answer == f"answer {key}".encode()
    index.close()
    log.close()


def append_until_killed(folder: Path, first: int, acknowledgements: int) -> dict[int, str]:
    """Run the appender, kill it after some acknowledgements; all that it had printed, by position."""
    program = Path(__file__).parents[2] / "support" / "log_appender.py"
    with subprocess.Popen(
        [sys.executable, str(program), str(folder), str(first)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledgements)]
        process.kill()
        lines += process.stdout.read().splitlines(keepends=True)
    whole = [line.split() for line in lines if line.endswith("\n")]
    assert len(whole) >= acknowledgements
    return {int(position): key for position, key in whole}


@pytest.mark.soak
async def test_a_disk_that_takes_five_seconds_for_a_sync_loses_and_doubles_nothing(tmp_path: Path) -> None:
    files = FailingFiles()
    plain_sync = files.sync

    def slow_sync(fd: int) -> None:
        time.sleep(5)
        plain_sync(fd)

    log = open_test_log(tmp_path, files=files, stall_s=2.0)
    files.sync = slow_sync  # type: ignore[method-assign]
    kept = []
    for number in range(4):
        body = f"slow {number}".encode()
        if isinstance(await outcome_of(log, body), int):
            kept.append(body)
    await asyncio.to_thread(log.close)
    assert kept
    assert bodies_in(open_reader(tmp_path)) == kept
