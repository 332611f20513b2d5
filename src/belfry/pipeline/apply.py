"""Applying a block: entries become records, records become effects, effects become rows of two stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import sqlalchemy as sa
import structlog

from belfry.accounts.model import Account
from belfry.clock import Clock
from belfry.error_stream.model import ErrorKind
from belfry.errors import CallerError
from belfry.events.schema import SchemaBook
from belfry.ids import AccountId
from belfry.intake import PartnerPolicy, Record, Refusal, TokenRecord, read_upload
from belfry.pipeline import commands, judging, rows, settling
from belfry.pipeline.effects import Effects, Originals, Place
from belfry.pipeline.loop import Block, Rows
from belfry.pipeline.operations import write_result
from belfry.pipeline.snapshots import SNAPSHOT_COLUMNS, snapshot_lines
from belfry.pipeline.uploads import Work, apply_record, rules_of
from belfry.profiles import journal, store
from belfry.profiles.graph import MemoryGraph, Wanted
from belfry.profiles.properties import PropertyLimits
from belfry.storage.columnar import Columnar
from belfry.storage.log import Stored
from belfry.storage.relational import Database

log = structlog.get_logger(__name__)


class Reading(msgspec.Struct):
    """One entry, read. Exactly one of `records` and `command` says what it holds."""

    work: Work
    stored: Stored
    originals: Originals
    records: list[Record | Refusal] = msgspec.field(default_factory=list)
    command: commands.Command | None = None


class BlockApplier:
    """Applies blocks of one stream. Keeps profiles in memory between blocks; `forget` empties it.

    accounts   the account of an id as it is now, None if there is none (any more)
    partners   which Partner IDs an account deals with
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
    ) -> None:
        self._database = database
        self._columnar = columnar
        self._accounts = accounts
        self._partners = partners
        self._clock = clock
        self._profiles_cached_max = profiles_cached_max
        self._schema = SchemaBook(database)
        self._graphs: dict[AccountId, MemoryGraph] = {}
        self._works: dict[AccountId, Work] = {}
        self._may_have_moves = True

    def apply(self, block: Block) -> Sequence[Rows]:
        """See `loop.Applier.apply`."""
        self._works = {}
        readings = [reading for stored in block.entries if (reading := self._read(stored)) is not None]
        with self._database.read() as connection:
            self._load(connection, readings)
            for reading in readings:
                self._apply(connection, block.stream, reading)
            for work in self._works.values():
                self._judge(connection, work)
        return self._rows()

    def flush(self, connection: sa.Connection, block: Block) -> None:
        """See `loop.Applier.flush`."""
        for account_id, work in self._works.items():
            store.save(connection, work.graph)
            effects = work.effects
            journal.write_log(connection, account_id, effects.log)
            for log_id, undone_by in effects.undone:
                journal.mark_undone(connection, account_id, log_id, undone_by)
            journal.add_event_keys(connection, account_id, effects.sender_keys)
            for operation in effects.operations:
                write_result(connection, account_id, operation)
            self._may_have_moves |= any(entry.move is not None for _, entry in effects.log)
        self._schema.flush(connection)

    def settle(self) -> None:
        """See `loop.Applier.settle`."""
        for work in self._works.values():
            work.graph.clean()
        self._works = {}
        if self._may_have_moves:
            settling.do_moves(self._database, self._columnar, self._graph, self._clock)
            self._may_have_moves = False
        for graph in self._graphs.values():
            graph.shrink(self._profiles_cached_max)

    def forget(self) -> None:
        """See `loop.Applier.forget`."""
        self._graphs.clear()
        self._works.clear()
        self._schema.forget()
        self._may_have_moves = True

    def _graph(self, account_id: AccountId) -> MemoryGraph:
        graph = self._graphs.get(account_id)
        if graph is None:
            graph = self._graphs[account_id] = MemoryGraph(account_id)
        return graph

    def _work(self, account: Account) -> Work:
        work = self._works.get(account.account_id)
        if work is None:
            work = self._works[account.account_id] = Work(
                account,
                self._graph(account.account_id),
                self._schema,
                Effects(account.account_id),
                rules_of(account),
                PropertyLimits(custom_keys_max=account.settings.profile_properties_max),
            )
        return work

    def _read(self, stored: Stored) -> Reading | None:
        entry = stored.entry
        account = self._accounts(entry.account_id)
        if account is None:
            log.error("entry of an account that does not exist", account=entry.account_id, position=stored.position)
            return None
        reading = Reading(self._work(account), stored, Originals(entry.body))
        try:
            if entry.kind == "command":
                reading.command = commands.read_command(entry.body)
            else:
                reading.records = self._records(account, stored)
        except (CallerError, msgspec.DecodeError) as error:
            self._keep_unreadable(reading, error)
            return None
        return reading

    def _records(self, account: Account, stored: Stored) -> list[Record | Refusal]:
        entry = stored.entry
        return read_upload(
            entry.body,
            account.settings,
            [index for index, _, _ in entry.meta.get("refused", ())],
            entry.received_at_ms,
            self._partners(account.account_id),
            partner_header=entry.meta.get("partner"),
            known_device=lambda device_id: self._knows_device(account.account_id, device_id),
            is_history=bool(entry.meta.get("history")),
        )

    def _knows_device(self, account_id: AccountId, device_id: str) -> bool:
        if self._graph(account_id).owner_of_device(device_id) is not None:
            return True
        with self._database.read() as connection:
            return bool(store.device_owners(connection, account_id, [device_id]))

    def _keep_unreadable(self, reading: Reading, error: Exception) -> None:
        """An entry that the edge took and nobody can read is a fault of ours: keep its bytes, say so, go on."""
        log.error("entry cannot be read", position=reading.stored.position, error=str(error))
        place = Place(0, reading.stored, 0, reading.originals)
        reading.work.effects.error(place, ErrorKind.INTERNAL, reading.stored.entry.kind, str(error), source="System")

    def _load(self, connection: sa.Connection, readings: list[Reading]) -> None:
        wanted: dict[AccountId, Wanted] = {}
        for reading in readings:
            mine = wanted.setdefault(reading.work.account.account_id, Wanted())
            if reading.command is not None:
                read_log = commands.log_reader(connection, reading.work)
                _add(mine, commands.wanted_by(reading.command, read_log))
            for record in reading.records:
                if not isinstance(record, Refusal):
                    _want(mine, record)
        for account_id, mine in wanted.items():
            store.load(connection, self._graph(account_id), mine)

    def _apply(self, connection: sa.Connection, stream: int, reading: Reading) -> None:
        work, stored = reading.work, reading.stored
        work.graph.version = stored.position
        work.is_history = bool(stored.entry.meta.get("history"))
        for index, code, text in stored.entry.meta.get("refused", ()):
            self._keep_refused(work, Place(stream, stored, index, reading.originals), Refusal(index, code, text))
        for record in reading.records:
            place = Place(stream, stored, record.index, reading.originals)
            if isinstance(record, Refusal):
                self._keep_refused(work, place, record)
                continue
            try:
                apply_record(work, place, record)
            except Exception as error:  # one record must not stop the account: it is kept with its bytes
                log.exception("record could not be applied", position=stored.position, index=record.index)
                detail = f"{type(error).__name__}: {error}"
                work.effects.error(place, ErrorKind.INTERNAL, "record", detail, source="System")
        if reading.command is not None:
            place = Place(stream, stored, 0, reading.originals)
            commands.apply_command(work, place, reading.command, commands.log_reader(connection, work))

    def _keep_refused(self, work: Work, place: Place, refusal: Refusal) -> None:
        work.effects.error(
            place, ErrorKind.REFUSED, f"code {refusal.code}", refusal.text, source="API", code=refusal.code
        )

    def _judge(self, connection: sa.Connection, work: Work) -> None:
        effects, settings = work.effects, work.account.settings
        sender_keys = judging.sender_keys_of(effects)
        known = journal.known_event_keys(connection, effects.account_id, sender_keys) if sender_keys else set()
        judging.judge(
            effects,
            work.graph,
            self._schema,
            self._columnar,
            known,
            compares=settings.duplicate_comparison,
            names_max=settings.event_names_max,
        )

    def _rows(self) -> list[Rows]:
        """The block's columnar rows: one part for each table, accounts one after another."""
        works = self._works.items()
        events = b"".join(rows.event_lines(account_id, work.effects.events) for account_id, work in works)
        errors = b"".join(rows.error_lines(work.effects.errors) for _, work in works)
        snapshots = b"".join(
            snapshot_lines(account_id, work.graph, sorted(work.graph.dirty.profiles)) for account_id, work in works
        )
        # Snapshots go first: an event's user is visible when the event is.
        return [
            Rows("profile_snapshots", SNAPSHOT_COLUMNS, snapshots),
            Rows("events", rows.EVENT_COLUMNS, events),
            Rows("error_records", rows.ERROR_COLUMNS, errors),
        ]


def _want(wanted: Wanted, record: Record) -> None:
    who = record.who
    if who.identity is not None:
        wanted.identities.add(who.identity)
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
