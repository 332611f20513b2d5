"""What a block does to one account, gathered while its entries are applied one after another."""

from __future__ import annotations

import msgspec

from belfry.audit.model import AuditEntry
from belfry.error_stream.model import ErrorKind, ErrorRecord, Remark, Severity
from belfry.events.model import Event
from belfry.ids import AccountId, ProfileId, sequence_at
from belfry.intake import original_records
from belfry.pipeline.operations import Operation
from belfry.pipeline.rows import event_lines
from belfry.profiles.graph import ProfileNode
from belfry.profiles.history import LogEntry, MoveKind
from belfry.profiles.journal import EventKey
from belfry.profiles.model import Erasure
from belfry.profiles.tombstones import Raised
from belfry.segments.members import MemberRow
from belfry.storage.log import Stored

ORDINALS = 32
"""How many things one record may make that need a number of their own (`ids.sequence_at`)."""
RECORD_STEP = sequence_at(0, 0, 1)
"""From a record's first number to the next record's."""


class Request:
    """One entry of the log while it is applied: what its records have in common.

    first_number   the number of the first thing that its first record makes
    """

    def __init__(self, stream: int, stored: Stored) -> None:
        self.stored = stored
        self.position = stored.position
        self.received_at_ms = stored.entry.received_at_ms
        self.first_number = sequence_at(stored.position, stream, 0)
        self._originals: list[bytes] | None = None

    def number(self, index: int) -> int:
        """The number of the first thing that one record makes."""
        return self.first_number + index * RECORD_STEP

    def original(self, index: int) -> bytes:
        """The original bytes of one record, taken apart when first asked for; else the whole body."""
        if self._originals is None:
            self._originals = original_records(self.stored.entry.body)
        return self._originals[index] if index < len(self._originals) else self.stored.entry.body


class Place(msgspec.Struct, gc=False):
    """Where in the log something happens; numbers what one record makes.

    index   of the record in its entry
    """

    request: Request
    index: int
    events_count: int = 0
    log_count: int = 0
    profiles_count: int = 0

    def number(self, ordinal: int = 0) -> int:
        """The number of this place in the log."""
        return self.request.number(self.index) + min(ordinal, ORDINALS - 1)

    def next_event(self) -> int:
        """A number for one more event that this record makes."""
        self.events_count += 1
        return self.number(self.events_count - 1)

    def next_log_id(self) -> int:
        """A number for one more row of the identity log."""
        self.log_count += 1
        return self.number(self.log_count - 1)

    def next_profile_id(self) -> ProfileId:
        """An id for one more profile."""
        self.profiles_count += 1
        return ProfileId(self.number(self.profiles_count - 1))


class Draft(msgspec.Struct, gc=False):
    """An event that is yet to be compared with earlier requests.

    node         of the profile whose event it is
    request, index   the record that it came from; its bytes go to the error stream if it is a duplicate
    sent_s       the event's time as sent, epoch seconds; looked at if it has a `key_hash`
    sender_key   `event_id` or `Charged ID` as sent, None if the event has none
    """

    event: Event
    node: ProfileNode
    request: Request
    index: int
    sent_s: int = 0
    sender_key: str | None = None
    is_system: bool = False


class Adoption(msgspec.Struct, gc=False):
    """From this point on, what an anonymous `source` did counts for `target` when its events are compared.

    Its rows move after the commit. Merges and what undoes them are commands, between which all rows are in place.
    """

    source: ProfileNode
    target: ProfileNode


class Effects:
    """Everything that one block makes for one account, in order."""

    def __init__(self, account_id: AccountId) -> None:
        self.account_id = account_id
        self.drafts: list[Draft | Adoption] = []
        self.events: list[Event] = []
        self.event_lines: list[bytes] = []  # rows of events that left that list
        self.errors: list[ErrorRecord] = []
        self.log: list[tuple[int, LogEntry]] = []
        self.undone: list[tuple[int, int]] = []  # (log id that was taken back, by which log id)
        self.sender_keys: list[tuple[EventKey, int]] = []  # with the time of acceptance
        self.operations: list[Operation] = []
        self.audit: list[AuditEntry] = []
        self.members: list[MemberRow] = []
        self.erasures: list[Erasure] = []
        self.tombstones: list[Raised] = []

    def make_rows(self) -> None:
        """Make rows of the events and let them go."""
        if self.events:
            self.event_lines.append(event_lines(self.account_id, self.events))
            self.events.clear()

    @property
    def has_moves(self) -> bool:
        """Whether events change owner or go, which is done once the block is committed."""
        return bool(self.erasures) or any(entry.move is not None for _, entry in self.log)

    def note(self, place: Place, entry: LogEntry, profiles: dict[ProfileId, ProfileNode]) -> int:
        """Put a row into the identity log; its id."""
        log_id = place.next_log_id()
        self.log.append((log_id, entry))
        move = entry.move
        if move is not None and move.kind is MoveKind.ADOPT:
            self.drafts.append(Adoption(profiles[move.from_id], profiles[move.to_id]))
        return log_id

    def remark(self, place: Place, remark: Remark, source: str) -> None:
        """Put a remark about a record into the error stream, with the record's original bytes."""
        self.error(place, remark.kind, remark.subject, remark.detail, source=source, severity=remark.severity)

    def error(
        self,
        place: Place,
        kind: ErrorKind,
        subject: str,
        detail: str,
        *,
        source: str,
        severity: Severity = Severity.HIGH,
        code: int = 0,
    ) -> None:
        """Put a record into the error stream."""
        entry = place.request.stored.entry
        self.errors.append(
            ErrorRecord(
                account_id=self.account_id,
                kind=kind,
                severity=severity,
                source=source,
                subject=subject[:512],
                detail=detail,
                seq=place.number(),
                received_at_ms=entry.received_at_ms,
                request_id=entry.request_id,
                code=code,
                record=place.request.original(place.index),
            )
        )
