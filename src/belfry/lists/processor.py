"""An uploaded file becomes the members of a custom list, under a version of its own; then that version holds.

Runs in the engine. Whatever fails on the way, the version before goes on to hold; whatever is repeated writes the same
rows again, which the store's key makes one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import msgspec

from belfry.clock import Clock
from belfry.ids import AccountId, ProfileId
from belfry.lists import store
from belfry.lists.csv_file import read_members
from belfry.lists.model import Malformed, MemberKind, Named
from belfry.profiles.actions import Profiles, identity_candidates
from belfry.segments.members import MemberRow, Members, switch_version
from belfry.storage.relational import Database
from belfry.uploads.model import Json, Unusable
from belfry.uploads.worker import Job

BATCH_ROWS = 10_000
SAMPLES_MAX = 20


class _Figures(msgspec.Struct):
    """What became of the rows so far. samples: malformed ones, the first few."""

    accepted: int = 0
    unknown: int = 0
    malformed: int = 0
    samples: list[dict[str, Json]] = msgspec.field(default_factory=list)

    def note(self, row: Malformed) -> None:
        self.malformed += 1
        if len(self.samples) < SAMPLES_MAX:
            self.samples.append({"line": row.line, "reason": row.reason})


class ListProcessor:
    """See `uploads.worker.Processor`. options of its uploads: `version`."""

    def __init__(self, database: Database, profiles: Profiles, members: Members, clock: Clock) -> None:
        self._database = database
        self._profiles = profiles
        self._members = members
        self._clock = clock

    def process(self, job: Job) -> Mapping[str, Json]:
        """Only users that exist become members; none is created (engagement 3.10)."""
        upload = job.upload
        segment_id, version = int(upload.subject_id or 0), int(str(upload.options["version"]))
        figures = self._read(job, segment_id, version)
        if figures.malformed and not figures.accepted + figures.unknown:
            first = figures.samples[0]
            raise Unusable(f"No row names a user; line {first['line']}: {first['reason']}")
        members_count = self._members.count(upload.account_id, segment_id, version)
        is_current = self._switch(upload.account_id, segment_id, version, members_count)
        if is_current:
            # The version before stays one round longer: who has begun to read it reads it to its end.
            self._members.drop_before(upload.account_id, segment_id, version - 1)
        return {**msgspec.structs.asdict(figures), "members": members_count, "is_current": is_current}

    def _read(self, job: Job, segment_id: int, version: int) -> _Figures:
        figures, batch, blocks_count = _Figures(), list[Named](), itertools.count(1)

        def write() -> None:
            job.is_alive()
            found = self._owners(job.upload.account_id, batch)
            figures.accepted += len(found)
            figures.unknown += len(batch) - len(found)
            self._write(job.upload.account_id, segment_id, version, found, next(blocks_count))
            batch.clear()

        with job.open() as file:
            for row in read_members(file):
                if isinstance(row, Malformed):
                    figures.note(row)
                    continue
                batch.append(row)
                if len(batch) == BATCH_ROWS:
                    write()
        write()
        return figures

    def _write(
        self, account_id: AccountId, segment_id: int, version: int, owners: Sequence[ProfileId], block: int
    ) -> None:
        rows = [MemberRow(account_id, segment_id, version, owner, 1, 0) for owner in dict.fromkeys(owners)]
        self._members.write(rows, token=f"list:{account_id}:{segment_id}:{version}:{block}")

    def _owners(self, account_id: AccountId, batch: Sequence[Named]) -> list[ProfileId]:
        """Whose the rows are; those of nobody are left out."""
        candidates = {row.value: identity_candidates(row.value) for row in batch if row.kind is MemberKind.IDENTITY}
        devices = {row.value for row in batch if row.kind is MemberKind.DEVICE}
        wanted = {identity for few in candidates.values() for identity in few}
        by_identity, by_device = self._profiles.owners(account_id, wanted, devices)
        found = []
        for row in batch:
            if row.kind is MemberKind.DEVICE:
                owner = by_device.get(row.value)
            else:
                owner = next((by_identity[one] for one in candidates[row.value] if one in by_identity), None)
            if owner is not None:
                found.append(owner)
        return found

    def _switch(self, account_id: AccountId, segment_id: int, version: int, members_count: int) -> bool:
        """Both or neither: what the list says of itself, and what the segment's rule selects."""
        now_ms = self._clock.now_ms()
        with self._database.begin() as connection:
            if not store.switch(connection, account_id, segment_id, version, members_count, now_ms=now_ms):
                current = store.by_id(connection, account_id, segment_id)
                return current is not None and current.version == version
            return switch_version(connection, account_id, segment_id, version, now_ms)
