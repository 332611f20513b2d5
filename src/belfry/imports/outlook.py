"""What a dry run foretells of users: how many rows make one, change one, or bring a device to its user.

The pipeline's own identification (`profiles.identify`) runs over the rows of a chunk on what the store holds now, and
nothing of it is kept. What earlier rows of the file would do is remembered as hashes of their identities.
"""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
from pathlib import Path

from belfry.accounts.model import Account
from belfry.ids import ProfileId
from belfry.imports.model import Counts
from belfry.intake import PartnerPolicy, Refusal, Who, read_upload
from belfry.pipeline.uploads import rules_of
from belfry.profiles import store as profiles_store
from belfry.profiles.graph import MemoryGraph, Wanted
from belfry.profiles.history import LogKind
from belfry.profiles.identify import Sighting, identify
from belfry.storage.relational import Database

_MERGING = frozenset({LogKind.ORPHAN, LogKind.JOIN, LogKind.SWITCH, LogKind.MERGE})


class Outlook:
    """Foretells one dry run. seen_file: a scratch file for the identities that the file brings."""

    def __init__(self, database: Database, account: Account, seen_file: Path) -> None:
        self._database = database
        self._account = account
        self._rules = rules_of(account)
        seen_file.unlink(missing_ok=True)
        self._seen = sqlite3.connect(seen_file, isolation_level=None, check_same_thread=False)
        self._seen.execute("PRAGMA journal_mode=OFF")
        self._seen.execute("PRAGMA synchronous=OFF")
        self._seen.execute("CREATE TABLE seen (hash INTEGER PRIMARY KEY)")

    def of(self, body: bytes, refused: list[int], at_ms: int, *, is_history: bool) -> Counts:
        """What the accepted records of an upload's body would do: new, updated, merged, conflicts."""
        records = read_upload(body, self._account.settings, refused, at_ms, PartnerPolicy(), is_history=is_history)
        whose = [record.who for record in records if not isinstance(record, Refusal)]
        graph = self._graph(whose)
        new = merged = conflicts = 0
        self._seen.execute("BEGIN")
        for number, who in enumerate(whose):
            is_new, is_merged, is_conflict = self._one(graph, who, number, at_ms)
            new += is_new
            merged += is_merged
            conflicts += is_conflict
        self._seen.execute("COMMIT")
        return Counts(new=new, updated=len(whose) - new - merged, merged=merged, conflicts=conflicts)

    def close(self) -> None:
        self._seen.close()

    def _graph(self, whose: list[Who]) -> MemoryGraph:
        identities = {who.identity for who in whose if who.identity is not None}
        identities.update(itertools.chain.from_iterable(who.added for who in whose))
        devices = {who.device_id for who in whose if who.device_id is not None}
        graph = MemoryGraph(self._account.account_id)
        with self._database.read() as connection:
            profiles_store.load(connection, graph, Wanted(identities=identities, device_ids=devices))
        return graph

    def _one(self, graph: MemoryGraph, who: Who, number: int, at_ms: int) -> tuple[bool, bool, bool]:
        """Whether a row makes a user, brings a device to one, names an identity of somebody else."""
        unused_id = ProfileId(-1 - number)
        seen = Sighting(who.identity, who.device_id, who.added, at_ms)
        decision = identify(graph, self._rules, seen, lambda: unused_id)
        is_known = self._note(who)
        is_merged = any(entry.kind in _MERGING for entry in decision.log)
        is_new = decision.created is not None and not is_known and not is_merged
        return is_new, is_merged, bool(decision.refused)

    def _note(self, who: Who) -> bool:
        """Remember whom a row names; whether an earlier row named it."""
        key = repr(who.identity) if who.identity is not None else f"device {who.device_id}"
        hash_ = int.from_bytes(
            hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest(), "big", signed=True
        )
        return self._seen.execute("INSERT OR IGNORE INTO seen VALUES (?)", (hash_,)).rowcount == 0
