"""What people do with imports: make one, send its file, look at its rows, start it, watch it, stop it."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from belfry.accounts.model import Account, Passcode, Scope
from belfry.clock import Clock
from belfry.errors import BadRequest, Conflict, Forbidden, NotFound, TooManyRequests
from belfry.ids import AccountId, Ids
from belfry.imports import store
from belfry.imports.bell import Bell
from belfry.imports.chunks import chunks, problems_of
from belfry.imports.model import (
    FINAL,
    MOVES,
    PREVIEW_ROWS,
    Counts,
    FileFormat,
    ImportJob,
    ImportKind,
    ImportState,
    Mapping,
    RowProblem,
)
from belfry.imports.parts import ImportFolder
from belfry.imports.records import Row
from belfry.imports.sources import Terms, open_rows
from belfry.intake import PartnerPolicy, UploadLimits, check_upload
from belfry.storage.relational import Database

OPEN_MAX = 20
"""Imports of one account that are not finished: each may keep a gigabyte on disk."""
LISTED_MAX = 100
REFUSED_ROWS_MAX = 1000
_IMPORT_ID = re.compile(r"[0-9a-f]{16}")
_SCOPES = {ImportKind.USERS: Scope.PROFILES_WRITE, ImportKind.EVENTS: Scope.EVENTS_WRITE}


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An import that is to be made. is_history: see `ImportJob`; for events only."""

    name: str
    kind: ImportKind
    format: FileFormat
    mapping: Mapping
    is_history: bool = False


class PreviewRow(msgspec.Struct, frozen=True):
    """A row as it would be uploaded. record: null if it is refused, then `problems` say why; else they are notes."""

    row: int
    record: dict[str, Any] | None  # a record of an upload
    problems: list[RowProblem]


class Imports:
    """Imports of every account; each call names one.

    root   folder of the files
    bell   tells the worker that there is something to do
    """

    def __init__(self, database: Database, root: Path, clock: Clock, ids: Ids, bell: Bell) -> None:
        self._database = database
        self._root = root
        self._clock = clock
        self._ids = ids
        self.bell = bell

    def create(self, account: Account, passcode: Passcode, partner: str | None, draft: Draft) -> ImportJob:
        """A new import that waits for its file. Raises Forbidden, BadRequest, TooManyRequests."""
        if draft.is_history and draft.kind is ImportKind.USERS:
            raise BadRequest("is_history is for events", field="is_history")
        require(passcode, draft.kind, is_history=draft.is_history)
        now_ms = self._clock.now_ms()
        job = ImportJob(
            account_id=account.account_id,
            import_id=self._ids.token_hex(8),
            name=draft.name,
            kind=draft.kind,
            format=draft.format,
            mapping=draft.mapping,
            timezone=account.timezone,
            is_history=draft.is_history,
            passcode_id=passcode.passcode_id,
            partner=partner,
            state=ImportState.RECEIVING,
            bytes_count=0,
            bytes_read=0,
            counts=Counts(),
            problems=[],
            refused_bytes=0,
            log_position=0,
            error=None,
            created_at_ms=now_ms,
            changed_at_ms=now_ms,
        )
        with self._database.begin() as connection:
            if store.open_count(connection, account.account_id) >= OPEN_MAX:
                raise TooManyRequests(f"{OPEN_MAX} imports are open; finish or delete one", limit=OPEN_MAX)
            store.insert(connection, job)
        return job

    def show(self, account_id: AccountId, import_id: str) -> ImportJob:
        """One import. Raises NotFound."""
        found = None
        if _IMPORT_ID.fullmatch(import_id):
            with self._database.read() as connection:
                found = store.read(connection, account_id, import_id)
        if found is None:
            raise NotFound("There is no such import in this account", field="import_id")
        return found

    def list_newest(self, account_id: AccountId) -> list[ImportJob]:
        with self._database.read() as connection:
            return store.list_newest(connection, account_id, limit=LISTED_MAX)

    def put_part(self, account_id: AccountId, import_id: str, number: int, data: bytes) -> ImportJob:
        """Keep a part of the file; the same number again replaces it. Raises what `ImportFolder.put` raises."""
        job = self.show(account_id, import_id)
        self._require_state(job, ImportState.RECEIVING)
        _, size = self._folder(job).put(number, data)
        return self._change(job, ImportState.RECEIVING, bytes_count=size)

    def set_mapping(self, account_id: AccountId, import_id: str, mapping: Mapping) -> ImportJob:
        """Another mapping, before the start. The counts of a dry run with the old one are gone."""
        job = self.show(account_id, import_id)
        self._require_state(job, ImportState.RECEIVING, ImportState.CHECKED)
        return self._change(job, ImportState.RECEIVING, mapping=mapping, counts=Counts(), problems=[], refused_bytes=0)

    def preview(self, account: Account, import_id: str) -> list[PreviewRow]:
        """The first 15 rows as they would be uploaded (engagement 1.5).

        Raises Conflict without a file, BadRequest for one that can be no import.
        """
        job = self.show(account.account_id, import_id)
        self._require_state(job, ImportState.RECEIVING, ImportState.CHECKED)
        with self._opened(job) as source:
            rows = list(itertools.islice(source.rows, PREVIEW_ROWS))
            chunk = next(chunks(iter(rows)), None)
        if chunk is None or chunk.body is None:
            return [_previewed(row, None) for row in rows]
        verdict = check_upload(
            chunk.body,
            account.settings,
            UploadLimits(),
            self._clock.now_ms(),
            PartnerPolicy(),
            known_device=lambda _device_id: True,  # which devices exist is asked when the rows are really checked
            is_history=job.is_history,
        )
        refused = {problem.row: problem for problem in problems_of(chunk, verdict.refusals, source.plan)}
        return [_previewed(row, refused.get(row.number)) for row in rows]

    def start(self, account_id: AccountId, import_id: str, *, dry_run: bool) -> ImportJob:
        """Hand the import to the worker. A dry run keeps nothing and may be followed by another one or the real one.

        Raises Conflict in a state from which that is no move, or without a whole file; BadRequest for a file that
        can be no import.
        """
        job = self.show(account_id, import_id)
        state = ImportState.CHECKING if dry_run else ImportState.RUNNING
        if state not in MOVES[job.state]:
            raise _conflict(job)
        size = self._folder(job).complete()
        with self._opened(job):
            pass
        changed = self._change(
            job, state, bytes_count=size, bytes_read=0, counts=Counts(), problems=[], refused_bytes=0, log_position=0
        )
        self.bell.ring()
        return changed

    def refused(self, account_id: AccountId, import_id: str, offset: int) -> tuple[list[bytes], int | None]:
        """JSON lines of refused rows from a place on, and the next place; None: these were the last so far."""
        job = self.show(account_id, import_id)
        lines, following = self._folder(job).refused(offset, job.refused_bytes, REFUSED_ROWS_MAX)
        return lines, following if following < job.refused_bytes else None

    def delete(self, account_id: AccountId, import_id: str) -> ImportJob:
        """Stop an import and delete its files. What was accepted stays accepted."""
        job = self.show(account_id, import_id)
        if job.state not in FINAL:
            job = self._change(job, ImportState.CANCELLED, refused_bytes=0)
        self._folder(job).drop()
        return job

    @contextlib.contextmanager
    def _opened(self, job: ImportJob) -> Iterator[Any]:
        folder = self._folder(job)
        folder.complete()
        with folder.open() as file:
            yield open_rows(file, terms_of(job))

    def _folder(self, job: ImportJob) -> ImportFolder:
        return ImportFolder(self._root, job.account_id, job.import_id)

    def _require_state(self, job: ImportJob, *states: ImportState) -> None:
        if job.state not in states:
            raise _conflict(job)

    def _change(self, job: ImportJob, state: ImportState, **values: Any) -> ImportJob:
        """Write a change, unless somebody else moved the job meanwhile. Raises Conflict."""
        values = {**values, "state": state, "changed_at_ms": self._clock.now_ms()}
        with self._database.begin() as connection:
            if not store.change(connection, job.account_id, job.import_id, job.state, **values):
                raise Conflict("The import was changed by another request", field="state")
        return msgspec.structs.replace(job, **values)


def require(passcode: Passcode, kind: ImportKind, *, is_history: bool) -> None:
    """Raises Forbidden unless the passcode may bring in such rows."""
    scope = Scope.HISTORY_WRITE if is_history else _SCOPES[kind]
    if not passcode.allows(scope):
        raise Forbidden(f"Passcode is not allowed to {scope}", field="scope")


def terms_of(job: ImportJob) -> Terms:
    return Terms(job.kind, job.format, job.mapping, job.timezone)


def _previewed(row: Row, refused: RowProblem | None) -> PreviewRow:
    problems = list(row.problems) if refused is None else [refused]
    record = None if row.record is None or refused is not None else row.record
    return PreviewRow(row.number, record, problems)


def _conflict(job: ImportJob) -> Conflict:
    allowed = ", ".join(sorted(MOVES[job.state])) or "nothing"
    return Conflict(f"The import is {job.state}; from here it can become: {allowed}", field="state")
