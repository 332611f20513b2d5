"""What an import is: its file, its mapping, its state and its counts."""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from belfry.ids import AccountId

FILE_BYTES_MAX = 1024**3
"""Engagement 1.5: 1 GB a file."""
PART_BYTES_MAX = 8 * 1024**2
PARTS_MAX = 1024
PREVIEW_ROWS = 15
ROWS_KEPT_DAYS = 7
"""How long the refused rows of a finished import can be fetched."""


class ImportKind(enum.StrEnum):
    """What the rows are."""

    USERS = "users"
    EVENTS = "events"


class FileFormat(enum.StrEnum):
    """How the file is written; told by whoever sends it, never guessed from its name."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class ImportState(enum.StrEnum):
    """Where an import stands."""

    RECEIVING = "receiving"  # parts of the file come in
    CHECKING = "checking"  # a dry run reads every row and keeps nothing
    CHECKED = "checked"  # the dry run is done: look at its counts, then start
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # the file cannot be read at all; `error` says why
    CANCELLED = "cancelled"


MOVES: dict[ImportState, frozenset[ImportState]] = {
    ImportState.RECEIVING: frozenset({ImportState.CHECKING, ImportState.RUNNING, ImportState.CANCELLED}),
    ImportState.CHECKING: frozenset({ImportState.CHECKED, ImportState.FAILED, ImportState.CANCELLED}),
    ImportState.CHECKED: frozenset({ImportState.CHECKING, ImportState.RUNNING, ImportState.CANCELLED}),
    ImportState.RUNNING: frozenset({ImportState.DONE, ImportState.FAILED, ImportState.CANCELLED}),
    ImportState.DONE: frozenset(),
    ImportState.FAILED: frozenset(),
    ImportState.CANCELLED: frozenset(),
}
"""Legal moves; anything else is a conflict."""

WORKING = (ImportState.CHECKING, ImportState.RUNNING)
"""States in which the worker has something to do."""
FINAL = tuple(state for state, moves in MOVES.items() if not moves)


class ValueKind(enum.StrEnum):
    """How the values of a column are read."""

    AUTO = "auto"  # numbers, booleans, lists and objects where they look like it, else text
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"  # texts, separated by the mapping's `list_separator`
    DATE = "date"  # by the column's `format`


Name = Annotated[str, Meta(min_length=1, max_length=512)]


class ColumnRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of one column.

    to      property, or `identity`, `FBID`, `GPID`, `objectId`, `ts`, `evtName`; None: as the column is called
    kind    how values are read; None: as the header says, else auto
    format  of a date: see `dates.FORMATS`
    skip    the column is left out
    """

    to: Name | None = None
    kind: ValueKind | None = None
    format: Annotated[str, Meta(max_length=40)] | None = None
    skip: bool = False


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the file's columns become users or events. Columns that are not named keep their header's meaning.

    event_name      of events whose rows name none
    delimiter       of CSV; None: the one of `, ; tab |` that the header has most of
    """

    columns: Annotated[dict[Name, ColumnRule], Meta(max_length=1024)] = {}
    event_name: Name | None = None
    delimiter: Annotated[str, Meta(pattern="^[,;|\t]$")] | None = None
    list_separator: Annotated[str, Meta(min_length=1, max_length=3)] = "|"


class RowProblem(msgspec.Struct, frozen=True):
    """Why a row is refused, or what was noted about one that is taken.

    row     as a spreadsheet numbers it: the header of a CSV file is row 1; lines of JSON and rows of Parquet from 1
    column  of the file; None: the row as a whole
    code    of server-api 3.12, where one of its rules refused the row
    """

    row: int
    column: str | None
    reason: str
    code: int | None = None


class Counts(msgspec.Struct, frozen=True):
    """What came of the rows so far.

    accepted  kept in the log; of a dry run: would be
    noted     accepted, but a value did not fit its column's date format and stays text
    new, updated, merged   of a dry run: users that would be made; that are known; whose device was somebody else's
              or anonymous until now. Rows of one new user count once as new, then as updated
    conflicts of a dry run: rows with an identity that belongs to another user, which would not be taken over
    """

    read: int = 0
    accepted: int = 0
    refused: int = 0
    noted: int = 0
    new: int = 0
    updated: int = 0
    merged: int = 0
    conflicts: int = 0

    def plus(self, more: Counts) -> Counts:
        names = Counts.__struct_fields__
        return Counts(*(getattr(self, name) + getattr(more, name) for name in names))


class ImportJob(msgspec.Struct, frozen=True, kw_only=True):
    """One import of one file.

    timezone       of the account when the import was made: dates without a zone are read in it
    is_history     events are flagged as imported, trigger nothing, and may be system events
    passcode_id, partner   whose doing it is, for the log
    bytes_read     of the file, for progress; bytes_count: its size, once it is complete
    refused_bytes  valid length of the file of refused rows
    log_position   the log held no chunk of this import after `counts.read` rows up to here
    error          why it failed
    """

    account_id: AccountId
    import_id: str
    name: str
    kind: ImportKind
    format: FileFormat
    mapping: Mapping
    timezone: str
    is_history: bool
    passcode_id: str
    partner: str | None
    state: ImportState
    bytes_count: int
    bytes_read: int
    counts: Counts
    problems: list[RowProblem]
    refused_bytes: int
    log_position: int
    error: str | None
    created_at_ms: int
    changed_at_ms: int
