"""Applying a block: entries become records, records become effects, effects become rows of two stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import sqlalchemy as sa
import structlog

from belfry.accounts.model import Account
from belfry.audit import actions as audit
from belfry.clock import Clock
from belfry.error_stream.model import ErrorKind
from belfry.errors import CallerError
from belfry.events.schema import SchemaBook, write_changes
from belfry.events.tables import IMPORTED
from belfry.ids import AccountId
from belfry.intake import EventRecord, PartnerPolicy, Record, Refusal, TokenRecord, read_upload
from belfry.pipeline import commands, rows, settling, suppression
from belfry.pipeline.admission import Admission
from belfry.pipeline.commands_context import CommandContext
from belfry.pipeline.effects import Effects, Place, Request
from belfry.pipeline.erasure import Erasing
from belfry.pipeline.judging import Judging, SenderKeys
from belfry.pipeline.loop import COMMAND, Block, Rows
from belfry.pipeline.operations import write_result
from belfry.pipeline.snapshots import SNAPSHOT_COLUMNS, snapshot_lines
from belfry.pipeline.uploads import Work, apply_event, apply_record, work_on
from belfry.profiles import erasures, journal, store, tombstones
from belfry.profiles.graph import MemoryGraph, Wanted
from belfry.profiles.tombstones import ErasureHasher
from belfry.segments.members import COLUMNS as MEMBER_COLUMNS
from belfry.segments.members import member_lines
from belfry.segments.tables import MEMBERS
from belfry.storage.columnar import Columnar
from belfry.storage.log import Entry
from belfry.storage.relational import Database

log = structlog.get_logger(__name__)

CHUNK_BYTES = 128 * 1024
"""Bodies that are applied at a time: what becomes of them fits into a core's cache."""


class Reading(msgspec.Struct):
    """One entry, read. Exactly one of `records` and `command` says what it holds."""

    work: Work
    request: Request
    records: list[Record | Refusal] = msgspec.field(default_factory=list)
    command: commands.Command | None = None


class Outcome:
    """What a block did, ready to be written. Nothing of it changes while the next block is applied.

    rows         of the columnar store
    is_last      no further block may be applied before this one is committed and settled
    """

    def __init__(self, works: list[Work], *, is_last: bool) -> None:
        self.is_last = is_last
        self.rows = _rows(works)
        self._effects = [work.effects for work in works]
        self._profiles = [store.changes_of(work.graph) for work in works]
        self._schemas = [work.schema.take_changes() for work in works]
        for work in works:
            work.graph.clean()

    def write(self, connection: sa.Connection) -> None:
        """Write the relational part inside the block's transaction."""
        for effects, profiles, schema in zip(self._effects, self._profiles, self._schemas, strict=True):
            store.write(connection, profiles)
            write_changes(connection, schema)
            _write_effects(connection, effects)


class BlockApplier:
    """Applies blocks of one stream. Keeps profiles in memory between blocks; `forget` empties it.

    accounts   the account of an id as it is now, None if there is none (any more)
    partners   which Partner IDs an account deals with
    secret     the installation's: erased users are recognised by hashes that are keyed with it
    """

    def __init__(
        self,
        *,
        database: Database,
        columnar: Columnar,
        accounts: Callable[[AccountId], Account | None],
        partners: Callable[[AccountId], PartnerPolicy],
        clock: Clock,
        profiles_cached_max: int,
        secret: bytes,
    ) -> None:
        self._database = database
        self._columnar = columnar
        self._accounts = accounts
        self._partners = partners
        self._clock = clock
        self._profiles_cached_max = profiles_cached_max
        self._schema = SchemaBook(database)
        self._admission = Admission(database)
        self._hasher = ErasureHasher(secret)
        self._erasing = Erasing(database, columnar, clock, self._hasher)
        self._graphs: dict[AccountId, MemoryGraph] = {}
        self._works: dict[AccountId, Work] = {}
        self._judgings: dict[AccountId, Judging] = {}
        self._keys_before: dict[AccountId, SenderKeys] = {}
        self._may_have_moves = True

    def apply(self, block: Block, finish_previous: Callable[[], None]) -> Outcome:
        """See `loop.Applier.apply`."""
        self._works, self._judgings = {}, {}
        self._admission.begin()
        requests = [Request(block.stream, stored) for stored in block.entries]
        for chunk in _chunks(requests):
            self._apply_chunk(chunk)
        if any(verdicts.is_waiting for verdicts in self._judgings.values()):
            finish_previous()  # it may have stored what is asked for
            with self._database.read() as connection:
                for verdicts in self._judgings.values():
                    verdicts.finish(connection, self._columnar, requests[0].first_number)
        works = list(self._works.values())
        self._keys_before = {work.effects.account_id: {key for key, _ in work.effects.sender_keys} for work in works}
        self._may_have_moves |= any(work.effects.has_moves for work in works)
        is_crowded = any(len(graph.profiles) > self._profiles_cached_max for graph in self._graphs.values())
        return Outcome(works, is_last=self._may_have_moves or is_crowded)

    def settle(self) -> None:
        """See `loop.Applier.settle`."""
        if self._may_have_moves:
            settling.do_moves(self._database, self._columnar, self._graph, self._clock)
            self._erasing.do_waiting(self._graph)
            self._may_have_moves = False
        for graph in self._graphs.values():
            graph.shrink(self._profiles_cached_max)

    def forget(self) -> None:
        """See `loop.Applier.forget`."""
        self._graphs.clear()
        self._works.clear()
        self._judgings.clear()
        self._keys_before.clear()
        self._schema.forget()
        self._may_have_moves = True

    def _apply_chunk(self, requests: list[Request]) -> None:
        """Apply some entries, from bytes to rows, while what they are made of is in the processor's cache."""
        readings = [reading for request in requests if (reading := self._read(request)) is not None]
        with self._database.read() as connection:
            self._load(connection, readings)
            for reading in readings:
                self._apply(connection, reading)
            for verdicts in self._judgings.values():
                verdicts.judge(connection)

    def _graph(self, account_id: AccountId) -> MemoryGraph:
        graph = self._graphs.get(account_id)
        if graph is None:
            graph = self._graphs[account_id] = MemoryGraph(account_id)
        return graph

    def _work(self, account: Account) -> Work:
        work = self._works.get(account.account_id)
        if work is None:
            account_id = account.account_id
            work = self._works[account_id] = work_on(account, self._graph(account_id), self._schema.of(account_id))
            self._judgings[account_id] = Judging(
                work.effects,
                work.graph,
                work.schema,
                known_keys=self._keys_before.get(account_id, set()),
                names_max=account.settings.event_names_max,
            )
        return work

    def _read(self, request: Request) -> Reading | None:
        entry = request.stored.entry
        account = self._accounts(entry.account_id)
        if account is None:
            log.error("entry of an account that does not exist", account=entry.account_id, position=request.position)
            return None
        reading = Reading(self._work(account), request)
        try:
            if entry.kind == COMMAND:
                reading.command = commands.read_command(entry.body)
            else:
                reading.records = self._records(account, entry)
        except (CallerError, msgspec.DecodeError) as error:
            _keep_unreadable(reading, error)
            return None
        return reading

    def _records(self, account: Account, entry: Entry) -> list[Record | Refusal]:
        records = read_upload(
            entry.body,
            account.settings,
            [index for index, _, _ in entry.meta.get("refused", ())],
            entry.received_at_ms,
            self._partners(account.account_id),
            partner_header=entry.meta.get("partner"),
            known_device=lambda device_id: self._knows_device(account.account_id, device_id),
            is_history=bool(entry.meta.get("history")),
        )
        return self._admission.admit(account.account_id, records, entry.received_at_ms)

    def _knows_device(self, account_id: AccountId, device_id: str) -> bool:
        if self._graph(account_id).owner_of_device(device_id) is not None:
            return True
        with self._database.read() as connection:
            return bool(store.device_owners(connection, account_id, [device_id]))

    def _load(self, connection: sa.Connection, readings: list[Reading]) -> None:
        """Bring the profiles of the block into memory.

        The block before may not be committed yet. All profiles that it touched are in memory as it left them, and
        what is there stays as it is, so that only untouched ones are read.
        """
        wanted: dict[AccountId, Wanted] = {}
        for reading in readings:
            mine = wanted.setdefault(reading.work.account.account_id, Wanted())
            if reading.command is not None:
                log_entry = self._context(connection, reading).log_entry
                _add(mine, commands.wanted_by(reading.command, log_entry))
            _want(mine, reading.records)
        for account_id, mine in wanted.items():
            if store.load(connection, self._graph(account_id), mine):
                work = self._works[account_id]
                uploaded = (record for reading in readings if reading.work is work for record in reading.records)
                suppression.load(connection, self._hasher, work, uploaded)

    def _apply(self, connection: sa.Connection, reading: Reading) -> None:
        work, request = reading.work, reading.request
        meta = request.stored.entry.meta
        work.graph.version = request.position
        work.flags = IMPORTED if meta.get("history") else 0
        for index, code, text in meta.get("refused", ()):
            _keep_refused(work, request, Refusal(index, code, text))
        records = reading.records
        for record in suppression.checked(work, records, request.received_at_ms) if work.tombstones else records:
            try:
                if type(record) is EventRecord:
                    apply_event(work, request, record)
                elif isinstance(record, Refusal):
                    _keep_refused(work, request, record)
                else:
                    apply_record(work, request, record)
            except Exception as error:  # one record must not stop the account: it is kept with its bytes
                log.exception("record could not be applied", position=request.position, index=record.index)
                detail = f"{type(error).__name__}: {error}"
                place = Place(request, record.index)
                work.effects.error(place, ErrorKind.INTERNAL, "record", detail, source="System")
        if reading.command is not None:
            commands.apply_command(self._context(connection, reading), reading.command)

    def _context(self, connection: sa.Connection, reading: Reading) -> CommandContext:
        return CommandContext(reading.work, reading.request, connection, self._columnar, self._hasher)


def _keep_unreadable(reading: Reading, error: Exception) -> None:
    """An entry that the edge took and nobody can read is a fault of ours: keep its bytes, say so, go on."""
    request = reading.request
    log.error("entry cannot be read", position=request.position, error=str(error))
    kind = request.stored.entry.kind
    reading.work.effects.error(Place(request, 0), ErrorKind.INTERNAL, kind, str(error), source="System")


def _keep_refused(work: Work, request: Request, refusal: Refusal) -> None:
    work.effects.error(
        Place(request, refusal.index),
        ErrorKind.REFUSED,
        f"code {refusal.code}",
        refusal.text,
        source="API",
        code=refusal.code,
    )


def _rows(works: list[Work]) -> list[Rows]:
    """The block's columnar rows: one part for each table, accounts one after another."""
    events = b"".join(part for work in works for part in work.effects.event_lines)
    errors = b"".join(rows.error_lines(work.effects.errors) for work in works)
    snapshots = b"".join(
        snapshot_lines(work.effects.account_id, work.graph, sorted(work.graph.dirty.profiles)) for work in works
    )
    members = b"".join(member_lines(work.effects.members) for work in works)
    # Snapshots go first: an event's user is visible when the event is.
    return [
        Rows("profile_snapshots", SNAPSHOT_COLUMNS, snapshots),
        Rows(MEMBERS.name, MEMBER_COLUMNS, members),
        Rows("events", rows.EVENT_COLUMNS, events),
        Rows("error_records", rows.ERROR_COLUMNS, errors),
    ]


def _write_effects(connection: sa.Connection, effects: Effects) -> None:
    account_id = effects.account_id
    journal.write_log(connection, account_id, effects.log)
    for log_id, undone_by in effects.undone:
        journal.mark_undone(connection, account_id, log_id, undone_by)
    journal.add_event_keys(connection, account_id, effects.sender_keys)
    for operation in effects.operations:
        write_result(connection, account_id, operation)
    erasures.write(connection, account_id, effects.erasures)
    for raised in effects.tombstones:
        tombstones.write(connection, account_id, raised)
    audit.append(connection, account_id, effects.audit)


def _chunks(requests: list[Request]) -> Iterator[list[Request]]:
    """The entries in parts of about a thousand records."""
    chunk: list[Request] = []
    room = CHUNK_BYTES
    for request in requests:
        chunk.append(request)
        room -= len(request.stored.entry.body)
        if room <= 0:
            yield chunk
            chunk, room = [], CHUNK_BYTES
    if chunk:
        yield chunk


def _want(wanted: Wanted, records: list[Record | Refusal]) -> None:
    want_identity = wanted.identities.add
    for record in records:
        if isinstance(record, Refusal):
            continue
        who = record.who
        if who.identity is not None:
            want_identity(who.identity)
        if who.added:
            wanted.identities.update(who.added)
        if who.device_id is not None:
            wanted.device_ids.add(who.device_id)
        if isinstance(record, TokenRecord):
            wanted.tokens.add(record.token)


def _add(wanted: Wanted, more: Wanted) -> None:
    wanted.identities |= more.identities
    wanted.device_ids |= more.device_ids
    wanted.tokens |= more.tokens
    wanted.profile_ids |= more.profile_ids
