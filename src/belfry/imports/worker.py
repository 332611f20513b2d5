"""The worker: takes imports that were started, one after another, and brings their rows through the door to the log.

Every chunk's entry in the log names the import and the rows that it holds. Progress is noted after the chunks that it
counts; what a crash leaves between is found in the log, the truth, at the next start, so that each row is kept once.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
import structlog

from belfry.accounts.model import Account
from belfry.clock import Clock
from belfry.errors import BelfryError, CallerError, NotFound
from belfry.ids import AccountId
from belfry.imports import store
from belfry.imports.actions import terms_of
from belfry.imports.bell import Bell
from belfry.imports.chunks import Chunk, chunks, problems_of, refused_lines
from belfry.imports.model import ROWS_KEPT_DAYS, Counts, ImportJob, ImportState, RowProblem
from belfry.imports.outlook import Outlook
from belfry.imports.parts import SEEN_FILE, ImportFolder
from belfry.imports.progress import Progress
from belfry.imports.sources import Source, open_rows
from belfry.intake import Refusal, Verdict
from belfry.storage.log import LogReader
from belfry.storage.relational import Database

log = structlog.get_logger(__name__)

CHUNKS_AT_ONCE = 8
"""Chunks whose entries share an fsync, and one note of progress."""
PROBLEMS_KEPT = 100
"""First problems that the job itself shows; all refused rows are in the file."""
LOOK_EVERY_S = 5.0
RETRY_S = 1.0
SCAN_BYTES = 16 * 1024 * 1024
EXPIRE_EVERY_MS = 3_600_000
EXPIRED_AT_ONCE = 100
DAY_MS = 86_400_000
META_KEY = "import"

Settled = tuple[Chunk, tuple[Refusal, ...]]
Kept = dict[int, tuple[int, tuple[Refusal, ...]]]
"""Chunks of an import that the log has: rows before → rows in it, and its refusals."""
Sleep = Callable[[float], Awaitable[None]]


class Door(Protocol):
    """The way to the log."""

    async def check(self, job: ImportJob, body: bytes) -> Verdict:
        """Which records of an upload's body are accepted."""
        ...

    async def keep(self, job: ImportJob, body: bytes, verdict: Verdict, extra: dict[str, object]) -> None:
        """Have the upload on disk when this returns; `extra` goes into its entry's meta."""
        ...


class _Cancelled(Exception):
    """Somebody moved the job meanwhile."""


class ImportWorker:
    """Works until `stop`. One in an installation: in the process that writes the log.

    root      folder of the files
    entries   the log, to find what was kept before a crash
    accounts  what an account is now; None: it is gone
    bell      rings when an import was started
    """

    def __init__(
        self,
        *,
        database: Database,
        root: Path,
        clock: Clock,
        entries: LogReader,
        door: Door,
        accounts: Callable[[AccountId], Account | None],
        bell: Bell,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._database = database
        self._root = root
        self._clock = clock
        self._entries = entries
        self._door = door
        self._accounts = accounts
        self._sleep = sleep
        self._bell = bell
        self._task: asyncio.Task[None] | None = None
        self._expired_at_ms = 0

    def start(self) -> None:
        """Begin to work, on the running event loop; what was under way before a restart goes on."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End where the next start can go on."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def step(self) -> bool:
        """Bring one import to its end; whether there was one. Raises what stands in the way."""
        job = await asyncio.to_thread(self._next)
        if job is None:
            return False
        try:
            await self._work(job)
        except _Cancelled:
            await asyncio.to_thread(self._folder(job).drop)
        except CallerError as error:
            await asyncio.to_thread(self._end, job, ImportState.FAILED, error.text)
        return True

    async def _run(self) -> None:
        while True:
            try:
                if await self.step():
                    continue
                await asyncio.to_thread(self._expire)
            except BelfryError as error:
                log.warning("import waits for a store", reason=str(error))
                await self._sleep(RETRY_S)
                continue
            except Exception:  # the edge of the task: recorded, and other imports go on
                log.exception("import failed")
                await self._sleep(RETRY_S)
                continue
            await self._bell.wait(LOOK_EVERY_S)

    def _next(self) -> ImportJob | None:
        with self._database.read() as connection:
            return store.next_working(connection)

    async def _work(self, job: ImportJob) -> None:
        if job.state is ImportState.CHECKING:
            # A dry run keeps nothing, so it has nothing to go on from: it begins again.
            job = msgspec.structs.replace(job, counts=Counts(), problems=[], refused_bytes=0)
        kept = {} if job.state is ImportState.CHECKING else await asyncio.to_thread(self._kept, job)
        file = self._folder(job).open()
        try:
            source = open_rows(file, terms_of(job))
            await self._rows(job, source, file, kept)
        finally:
            file.close()

    async def _rows(self, job: ImportJob, source: Source, file: BinaryIO, kept: Kept) -> None:
        await asyncio.to_thread(_pass_over, source, job.counts.read)
        waiting = chunks(source.rows, job.counts.read)
        progress = Progress(job, self._write)
        try:
            with self._outlook(job) as outlook:
                while batch := await asyncio.to_thread(_take, waiting):
                    settled = await self._settle(job, batch, kept)
                    job = await asyncio.to_thread(self._tally, job, settled, source, file.tell(), outlook)
                    await progress.note(job)
        finally:
            await progress.settle()
        done = ImportState.CHECKED if job.state is ImportState.CHECKING else ImportState.DONE
        await asyncio.to_thread(self._end, job, done, None)

    async def _settle(self, job: ImportJob, batch: list[Chunk], kept: Kept) -> list[Settled]:
        """Check the chunks, and have those that are not in the log yet on disk when this returns."""
        settled: list[Settled] = []
        keeping: list[Awaitable[None]] = []
        for chunk in batch:
            if chunk.start in kept:
                settled.append((chunk, _same_rows(chunk, *kept[chunk.start])))
                continue
            verdict = Verdict(0, ()) if chunk.body is None else await self._door.check(job, chunk.body)
            settled.append((chunk, verdict.refusals))
            if chunk.body is not None and job.state is ImportState.RUNNING:
                extra: dict[str, object] = {META_KEY: [job.import_id, chunk.start, len(chunk.rows)]}
                keeping.append(self._door.keep(job, chunk.body, verdict, extra))
        # All come to an end, one way or the other, before a failure is looked at: the log will tell which are kept.
        for outcome in await asyncio.gather(*keeping, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        return settled

    def _tally(
        self, job: ImportJob, settled: list[Settled], source: Source, bytes_read: int, outlook: Outlook | None
    ) -> ImportJob:
        """The job with what was done; refused rows are in their file when this returns."""
        position = self._entries.end()
        lines: list[bytes] = []
        counts, problems = job.counts, list(job.problems)
        for chunk, refusals in settled:
            refused = problems_of(chunk, refusals, source.plan)
            noted = _notes_of(chunk, {problem.row for problem in refused})
            lines.append(refused_lines(chunk, refused))
            counts = counts.plus(_counts_of(chunk, refused, noted))
            if outlook is not None and chunk.body is not None:
                places = [refusal.index for refusal in refusals]
                counts = counts.plus(outlook.of(chunk.body, places, self._clock.now_ms(), is_history=job.is_history))
            problems += [*refused, *noted][: PROBLEMS_KEPT - len(problems)]
        return msgspec.structs.replace(
            job,
            counts=counts,
            problems=problems,
            refused_bytes=self._folder(job).append_refused(job.refused_bytes, b"".join(lines)),
            bytes_read=min(bytes_read, job.bytes_count),
            log_position=position,
        )

    def _write(self, job: ImportJob) -> None:
        """Write down what was done. Raises _Cancelled if the job was moved meanwhile."""
        self._change(
            job,
            counts=job.counts,
            problems=job.problems,
            refused_bytes=job.refused_bytes,
            bytes_read=job.bytes_read,
            log_position=job.log_position,
        )

    def _end(self, job: ImportJob, state: ImportState, error: str | None) -> None:
        with contextlib.suppress(_Cancelled):
            self._change(job, state=state, error=error, bytes_read=job.bytes_count)
            if state is not ImportState.CHECKED:
                self._folder(job).drop_parts()
            log.info("import ended", account_id=job.account_id, import_id=job.import_id, state=state.value)

    def _change(self, job: ImportJob, **values: object) -> None:
        with self._database.begin() as connection:
            if not store.change(
                connection, job.account_id, job.import_id, job.state, **values, changed_at_ms=self._clock.now_ms()
            ):
                raise _Cancelled

    def _kept(self, job: ImportJob) -> Kept:
        """Chunks that are in the log and not in the job's counts: all but none unless a crash came between."""
        found: Kept = {}
        after = max(job.log_position, self._entries.first() - 1)
        while stored := self._entries.read(after, bytes_max=SCAN_BYTES):
            for one in stored:
                named = one.entry.meta.get(META_KEY)
                if one.entry.account_id == job.account_id and named and named[0] == job.import_id:
                    refused = one.entry.meta.get("refused", ())
                    found[named[1]] = (named[2], tuple(Refusal(*refusal) for refusal in refused))
            after = stored[-1].position
        return found

    @contextlib.contextmanager
    def _outlook(self, job: ImportJob) -> Iterator[Outlook | None]:
        if job.state is not ImportState.CHECKING:
            yield None
            return
        account = self._accounts(job.account_id)
        if account is None:
            raise NotFound("The account is gone")
        outlook = Outlook(self._database, account, self._folder(job).path / SEEN_FILE)
        try:
            yield outlook
        finally:
            outlook.close()

    def _folder(self, job: ImportJob) -> ImportFolder:
        return ImportFolder(self._root, job.account_id, job.import_id)

    def _expire(self) -> None:
        """Once an hour, delete what nobody touched for a week."""
        now_ms = self._clock.now_ms()
        if now_ms - self._expired_at_ms < EXPIRE_EVERY_MS:
            return
        self._expired_at_ms = now_ms
        with self._database.read() as connection:
            old = store.expired(connection, changed_before_ms=now_ms - ROWS_KEPT_DAYS * DAY_MS, limit=EXPIRED_AT_ONCE)
        for job in old:
            self._folder(job).drop()
            with self._database.begin() as connection:
                store.delete(connection, job.account_id, job.import_id)


def _take(waiting: Iterator[Chunk]) -> list[Chunk]:
    return list(itertools.islice(waiting, CHUNKS_AT_ONCE))


def _pass_over(source: Source, rows_count: int) -> None:
    collections.deque(itertools.islice(source.rows, rows_count), maxlen=0)


def _same_rows(chunk: Chunk, rows_count: int, refusals: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    """The refusals that the log has of these very rows."""
    if rows_count != len(chunk.rows):
        raise NotFound(f"Rows after {chunk.start} were cut otherwise before the restart; import the rest anew")
    return refusals


def _notes_of(chunk: Chunk, refused: set[int]) -> list[RowProblem]:
    """Notes about rows that are taken, one a row."""
    return [
        row.problems[0] for row in chunk.rows if row.problems and row.record is not None and row.number not in refused
    ]


def _counts_of(chunk: Chunk, refused: list[RowProblem], noted: list[RowProblem]) -> Counts:
    read = len(chunk.rows)
    return Counts(read=read, accepted=read - len(refused), refused=len(refused), noted=len(noted))
