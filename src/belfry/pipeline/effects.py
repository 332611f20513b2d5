"""What a block does to one account, gathered while its entries are applied one after another."""

from __future__ import annotations

import msgspec

from belfry.error_stream.model import ErrorKind, ErrorRecord, Remark, Severity
from belfry.events.model import Event
from belfry.ids import AccountId, ProfileId, sequence_at
from belfry.intake import original_records
from belfry.pipeline.operations import Operation
from belfry.profiles.history import LogEntry
from belfry.profiles.journal import EventKey
from belfry.storage.log import Stored

ORDINALS = 32
"""How many things one record may make that need a number of their own (`ids.sequence_at`)."""


class Originals:
    """The original bytes of an entry's records; taken apart only when somebody asks."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._records: list[bytes] | None = None

    def of(self, index: int) -> bytes:
        """The bytes of one record; the whole body if it cannot be taken apart."""
        if self._records is None:
            self._records = original_records(self._body)
        return self._records[index] if index < len(self._records) else self._body


class Place(msgspec.Struct, gc=False):
    """Where in the log something happens; numbers what one record makes.

    index   of the record in its entry
    """

    stream: int
    stored: Stored
    index: int
    originals: Originals
    events_count: int = 0
    log_count: int = 0
    profiles_count: int = 0

    @property
    def position(self) -> int:
        return self.stored.position

    def number(self, ordinal: int = 0) -> int:
        """The number of this place in the log."""
        return sequence_at(self.stored.position, self.stream, self.index, min(ordinal, ORDINALS - 1))

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

    sender_key   `event_id` or `Charged ID` as sent, None if the event has none
    place        where it came from; its bytes go to the error stream if it is a duplicate
    """

    event: Event
    place: Place
    sender_key: str | None = None
    is_system: bool = False


class Effects:
    """Everything that one block makes for one account, in order."""

    def __init__(self, account_id: AccountId) -> None:
        self.account_id = account_id
        self.drafts: list[Draft] = []
        self.events: list[Event] = []
        self.errors: list[ErrorRecord] = []
        self.log: list[tuple[int, LogEntry]] = []
        self.undone: list[tuple[int, int]] = []  # (log id that was taken back, by which log id)
        self.sender_keys: list[tuple[EventKey, int]] = []  # with the time of acceptance
        self.operations: list[Operation] = []

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
        entry = place.stored.entry
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
                record=place.originals.of(place.index),
            )
        )
