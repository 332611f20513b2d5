"""What a command works with: its account in memory, look-ups in the stores, numbers for what it makes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from belfry.error_stream.model import ErrorKind
from belfry.ids import AccountId, ProfileId
from belfry.pipeline.effects import ORDINALS, Place, Request
from belfry.pipeline.uploads import Work, raise_events
from belfry.profiles import journal, store
from belfry.profiles.actions import identity_candidates
from belfry.profiles.graph import Address, MemoryGraph, Wanted
from belfry.profiles.history import LogEntry, StoredLogEntry
from belfry.profiles.model import KEY_OF_KIND, Identity, IdentityKind, SystemEvent
from belfry.profiles.tombstones import ErasureHasher
from belfry.storage.columnar import Columnar

PLACES_MAX = 1024
"""Records that the numbers of one log entry reach for (`ids.sequence_at`)."""


class Answer(msgspec.Struct, frozen=True):
    """What came of a command.

    asked_count   users or addresses that it named; done_count: how many of them changed
    """

    outcome: str
    result: dict[str, object]
    asked_count: int = 1
    done_count: int = 0
    detail: str = ""


class CommandContext:
    """One command while it is applied. Everything it makes has a number of its own, whatever it makes how many of."""

    def __init__(
        self, work: Work, request: Request, connection: sa.Connection, columnar: Columnar, hasher: ErasureHasher
    ) -> None:
        self.work = work
        self.request = request
        self.hasher = hasher
        self._connection = connection
        self._columnar = columnar
        self._events, self._logs, self._profiles = Place(request, 0), Place(request, 0), Place(request, 0)

    @property
    def account_id(self) -> AccountId:
        return self.work.account.account_id

    @property
    def graph(self) -> MemoryGraph:
        return self.work.graph

    @property
    def at_ms(self) -> int:
        return self.request.received_at_ms

    # ---- look-ups

    def load(self, wanted: Wanted) -> None:
        """Bring profiles into the graph."""
        store.load(self._connection, self.graph, wanted)

    def log_entry(self, log_id: int) -> StoredLogEntry | None:
        """A row of the account's identity log, also one that this block makes."""
        fresh = next((entry for made, entry in self.work.effects.log if made == log_id), None)
        if fresh is not None:
            return StoredLogEntry(log_id, fresh)
        return journal.read_log_entry(self._connection, self.account_id, log_id)

    def users_named(self, texts: Iterable[str]) -> list[ProfileId]:
        """The users whose identities these are: a custom one, else one of any other kind; each once."""
        candidates = {text: identity_candidates(text) for text in texts}
        self.load(Wanted(identities={one for several in candidates.values() for one in several}))
        owners = self.graph.owner_of_identity
        found = [next(filter(None, map(owners, several)), None) for several in candidates.values()]
        return list(dict.fromkeys(owner for owner in found if owner is not None))

    def absorbed_by(self, users: Iterable[ProfileId]) -> dict[ProfileId, list[ProfileId]]:
        """The hidden profiles of each of these users, in the graph when it returns; ascending."""
        hidden: dict[ProfileId, list[ProfileId]] = {profile_id: [] for profile_id in users}
        found: set[ProfileId] = set()
        new = set(hidden)
        while new:
            fresh = {node.state.profile_id for node in self.graph.profiles.values() if node.state.target_id in new}
            fresh |= store.absorbed_by(self._connection, self.account_id, new)
            new = fresh - found
            found |= new
            self.load(Wanted(profile_ids=new))
        for one in sorted(found):
            user = self.graph.resolve(one)
            if user in hidden and user != one:
                hidden[user].append(one)
        return hidden

    def holders_of(self, addresses: Iterable[Address]) -> dict[Address, list[ProfileId]]:
        """The users who have each of these addresses now, in the graph when it returns; ascending.

        Snapshots, old versions too, say who may have it; the profiles themselves decide.
        """
        wanted = dict.fromkeys(addresses)
        candidates = self._in_snapshots(wanted) | self._in_memory(wanted)
        self.load(Wanted(profile_ids=candidates, identities={Identity(kind, value) for kind, value in wanted}))
        holders: dict[Address, list[ProfileId]] = {address: [] for address in wanted}
        owners = (self.graph.owner_of_identity(Identity(*address)) for address in wanted)
        for profile_id in sorted(candidates | {owner for owner in owners if owner is not None}):
            if self.graph.resolve(profile_id) == profile_id:
                for address in self.graph.profiles[profile_id].addresses():
                    if address in holders:
                        holders[address].append(profile_id)
        return holders

    def _in_snapshots(self, addresses: Iterable[Address]) -> set[ProfileId]:
        values = [value for _, value in addresses]
        if not values:
            return set()
        rows = self._columnar.rows(
            "SELECT DISTINCT profile_id FROM profile_snapshots WHERE account_id = {account:String}"
            " AND (email IN {values:Array(String)} OR phone IN {values:Array(String)})",
            {"account": self.account_id, "values": values},
        )
        return {ProfileId(row[0]) for row in rows}

    def _in_memory(self, addresses: Iterable[Address]) -> set[ProfileId]:
        """Profiles that this block changed may not be in the snapshots yet."""
        wanted = set(addresses)
        keys = [(kind, KEY_OF_KIND[kind]) for kind in (IdentityKind.EMAIL, IdentityKind.PHONE)]
        return {
            profile_id
            for profile_id in self.graph.dirty.profiles
            for kind, key in keys
            if (kind, self.graph.profiles[profile_id].state.properties.get(key)) in wanted
        }

    # ---- what the command makes

    def note(self, entry: LogEntry) -> int:
        """Put a row into the identity log; its id."""
        if self._logs.log_count >= ORDINALS:
            self._logs = self._next(self._logs)
        return self.work.effects.note(self._logs, entry, self.graph.profiles)

    def next_profile_id(self) -> ProfileId:
        """An id for one more profile."""
        if self._profiles.profiles_count >= ORDINALS:
            self._profiles = self._next(self._profiles)
        return self._profiles.next_profile_id()

    def raise_events(self, events: Iterable[SystemEvent]) -> None:
        """Raise events of the system, as many as there are numbers: 32 768 a command; the rest is remarked on."""
        for event in events:
            if self._events.events_count >= ORDINALS:
                if self._events.index == PLACES_MAX - 1:
                    self._remark_on_full(event)
                    return
                self._events = self._next(self._events)
            raise_events(self.work, self._events, (event,))

    def _remark_on_full(self, event: SystemEvent) -> None:
        detail = f"one request raises at most {PLACES_MAX * ORDINALS} events; what it did to further users has none"
        self.work.effects.error(self._events, ErrorKind.INTERNAL, event.name, detail, source="System")

    def _next(self, place: Place) -> Place:
        return Place(self.request, min(place.index + 1, PLACES_MAX - 1))
