"""What is done for erased users after the commit: columnar rows, error records, the identity log (engagement 1.6).

An erasure is a row of `erasures`, committed with the block that asked for it. Each step may be done again:

    events      copies that are of nobody are inserted (tokens), then the user's own rows are deleted
    snapshots   all versions older than the husk's are deleted
    errors      records that name the user are deleted
    identity log, ids of events, figures of activity, and `personal` of the row itself: one transaction

Deleted rows are masked at once; `APPLY DELETED MASK` takes them off the disk, once for all erasures of half a day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from belfry.clock import Clock
from belfry.events.names import fold
from belfry.ids import AccountId, ProfileId
from belfry.pipeline import erasure_errors, erasure_events
from belfry.profiles import erasures, store
from belfry.profiles.graph import MemoryGraph, Wanted
from belfry.profiles.model import IDENTITY_ERROR, IDENTITY_SET, PUSH_UNREGISTERED, Erasure
from belfry.profiles.tombstones import ErasureHasher
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database, chunks

log = structlog.get_logger(__name__)

PURGE_AFTER_MS = 12 * 3_600_000
"""How long deleted rows may stay on the disk, masked: taking them off rewrites the parts that hold some."""
PURGED_TABLES = ("events", "profile_snapshots", "error_records")
_TELLING = [fold(name) for name in (IDENTITY_ERROR, IDENTITY_SET, PUSH_UNREGISTERED)]
"""Events of the system that tell of another user's identity or token."""


class Erasing:
    """Does the erasures that wait. Called by the pipeline alone, between two blocks."""

    def __init__(self, database: Database, columnar: Columnar, clock: Clock, hasher: ErasureHasher) -> None:
        self._database = database
        self._columnar = columnar
        self._clock = clock
        self._hasher = hasher

    def do_waiting(self, graph_of: Callable[[AccountId], MemoryGraph]) -> None:
        """Do every erasure that waits, in order; one that was done half is done again."""
        with self._database.read() as connection:
            waiting = erasures.waiting(connection)
        for account_id, erasure in waiting:
            self._do(account_id, erasure, graph_of(account_id))
            log.info("users erased", account=account_id, profiles=len(erasure.profile_ids))
        self._purge()

    def _do(self, account_id: AccountId, erasure: Erasure, graph: MemoryGraph) -> None:
        profile_ids = [*erasure.profile_ids, *erasure.absorbed_ids]
        if not erasure.erases_events:
            strangers = {one: self._hasher.stranger(account_id, one) for one in erasure.profile_ids}
            erasure_events.copy_as_strangers(self._columnar, account_id, erasure, strangers)
        self._delete(account_id, profile_ids, erasure)
        erasure_errors.delete_naming(self._columnar, account_id, erasure.personal, before=erasure.erasure_id)
        self._clear_relational(account_id, profile_ids, erasure, graph)

    def _delete(self, account_id: AccountId, profile_ids: Sequence[ProfileId], erasure: Erasure) -> None:
        """Delete the users' own rows, and events of others that tell of their identities and tokens."""
        for ids in chunks(profile_ids):
            mine = "account_id = {account:String} AND profile_id IN {profiles:Array(Int64)}"
            parameters = {"account": account_id, "profiles": list(ids), "version": erasure.version}
            self._columnar.command(f"DELETE FROM events WHERE {mine}", parameters)
            self._columnar.command(
                f"DELETE FROM profile_snapshots WHERE {mine} AND version < {{version:Int64}}", parameters
            )
        for texts in chunks(erasure.personal):
            self._columnar.command(
                "DELETE FROM events WHERE account_id = {account:String} AND name IN {telling:Array(String)}"
                " AND seq < {before:Int64}"  # not of a new user of the same name
                " AND (props.identity.:String IN {personal:Array(String)}"
                " OR props.token.:String IN {personal:Array(String)})",
                {"account": account_id, "telling": _TELLING, "personal": list(texts), "before": erasure.erasure_id},
            )

    def _clear_relational(
        self, account_id: AccountId, profile_ids: Sequence[ProfileId], erasure: Erasure, graph: MemoryGraph
    ) -> None:
        with self._database.read() as connection:
            store.load(connection, graph, Wanted(profile_ids=set(profile_ids)))
        for profile_id in profile_ids:
            # Events of the very block that erased the user were counted after it.
            graph.profiles[profile_id].put_activity(b"{}", b"")
            graph.touch_activity(profile_id)
        with self._database.begin() as connection:
            store.save(connection, graph)
            erasures.forget_event_keys(connection, account_id, profile_ids)
            erasures.scrub_log(connection, account_id, profile_ids, erasure.personal, by=erasure.erasure_id)
            erasures.mark_done(connection, account_id, erasure.erasure_id, self._clock.now_ms())
        graph.clean()

    def _purge(self) -> None:
        """Take deleted rows off the disk if some have been there for half a day."""
        now_ms = self._clock.now_ms()
        with self._database.read() as connection:
            oldest_ms = erasures.oldest_unpurged_ms(connection)
        if oldest_ms is None or now_ms - oldest_ms < PURGE_AFTER_MS:
            return
        for table in PURGED_TABLES:
            self._columnar.command(f"ALTER TABLE {table} APPLY DELETED MASK")
        with self._database.begin() as connection:
            erasures.mark_purged(connection, now_ms, now_ms)
