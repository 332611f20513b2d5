"""What others ask of segments: keep them, count them, list their members, explain them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec
from sqlalchemy.exc import IntegrityError

from belfry.accounts.model import Account
from belfry.clock import Clock
from belfry.errors import BadRequest, Conflict, NotFound
from belfry.events.store import Where, count_events
from belfry.ids import AccountId, ProfileId, SegmentId
from belfry.segments import store, words
from belfry.segments.calendar import Calendar
from belfry.segments.compiler import (
    Lookups,
    Scope,
    Statement,
    compile_count,
    compile_event_rows,
    compile_members,
)
from belfry.segments.lookups import AccountLookups
from belfry.segments.model import EventQuery, Group, ListRule, Not, Rule, SegmentRule
from belfry.segments.parse import parse
from belfry.segments.reading import Json, as_text
from belfry.segments.store import SavedSegment
from belfry.segments.why import Reason, explain
from belfry.storage.columnar import Columnar, ColumnarError
from belfry.storage.relational import Database

SEGMENTS_MAX = 2_500
NAME_LENGTH_MAX = 200
NUMBER_TRIES = 20
"""Two writers may pick the same number for a new segment; the later one picks again."""
CANNOT_COMPILE_REGEXP = 427


class Segments:
    """Segments of every account. Rules are evaluated as of now unless `as_of_ms` says otherwise."""

    def __init__(self, database: Database, columnar: Columnar, clock: Clock) -> None:
        self._database = database
        self._columnar = columnar
        self._clock = clock

    # ---- saved segments

    def create(self, account: Account, name: Json, rule: Json) -> SavedSegment:
        """Save a rule tree under a name.

        raises  BadRequest: the tree is not legal, refers to unknown segments; Conflict: the account has 2 500 already
        """
        name = as_text(name, "name", NAME_LENGTH_MAX).strip()
        self._check(account, rule)
        for _ in range(NUMBER_TRIES):
            with contextlib.suppress(IntegrityError):
                return self._insert(account.account_id, name, rule)
        raise Conflict("another segment is being created at the same time; try again")

    def _insert(self, account_id: AccountId, name: str, rule: Json) -> SavedSegment:
        now_ms = self._clock.now_ms()
        with self._database.begin() as connection:
            if store.segments_count(connection, account_id) >= SEGMENTS_MAX:
                raise Conflict(f"an account has at most {SEGMENTS_MAX} segments", limit=SEGMENTS_MAX)
            segment_id = store.insert_segment(connection, account_id, name, rule, now_ms)
        return SavedSegment(segment_id, name, rule, now_ms, now_ms)

    def get(self, account_id: AccountId, segment_id: int) -> SavedSegment:
        """One saved segment; raises NotFound."""
        with self._database.read() as connection:
            segment = store.read_segment(connection, account_id, segment_id)
        if segment is None:
            raise NotFound(f"there is no segment {segment_id}")
        return segment

    def list_segments(self, account_id: AccountId) -> list[SavedSegment]:
        """All saved segments of an account, by number."""
        with self._database.read() as connection:
            return store.read_segments(connection, account_id)

    def update(self, account: Account, segment_id: int, *, name: Json = None, rule: Json = None) -> SavedSegment:
        """Change name, rule or both; None keeps. Raises NotFound, BadRequest."""
        segment = self.get(account.account_id, segment_id)
        if name is not None:
            segment = msgspec.structs.replace(segment, name=as_text(name, "name", NAME_LENGTH_MAX).strip())
        if rule is not None:
            _refuse_listed(segment)
            self._check(account, rule, becomes=segment.segment_id)
            segment = msgspec.structs.replace(segment, rule=rule)
        segment = msgspec.structs.replace(segment, updated_at_ms=self._clock.now_ms())
        with self._database.begin() as connection:
            store.update_segment(connection, account.account_id, segment)
        return segment

    def delete(self, account_id: AccountId, segment_id: int) -> None:
        """Remove a saved segment; raises NotFound, Conflict while other segments contain it."""
        self.get(account_id, segment_id)
        users = [s.segment_id for s in self.list_segments(account_id) if segment_id in _segments_in(parse(s.rule))]
        if users:
            raise Conflict(f"segment {segment_id} is part of the segments {', '.join(map(str, users))}")
        with self._database.begin() as connection:
            store.delete_segment(connection, account_id, segment_id)

    def rule_of(self, account_id: AccountId, segment_id: int) -> Rule:
        """The rule of a saved segment, ready to evaluate; raises NotFound."""
        return parse(self.get(account_id, segment_id).rule)

    def _check(self, account: Account, rule: Json, becomes: SegmentId | None = None) -> None:
        """Compile the tree as it would be used, so that what is saved can be evaluated."""
        lookups = AccountLookups(self._database, account.account_id, becomes, rule)
        subject = parse(rule) if becomes is None else SegmentRule(becomes, "rule")
        compile_count(subject, self._scope(account, None), lookups)

    # ---- evaluation

    def count(self, account: Account, rule: Rule, *, as_of_ms: int | None = None) -> int:
        """How many users the rule picks now."""
        # Events of erased users stay under negative ids: they count as events, never as users.
        scope = msgspec.structs.replace(self._scope(account, as_of_ms), after=0)
        statement = compile_count(rule, scope, self._lookups(account))
        with translating():
            return int(self._columnar.value(statement.sql, dict(statement.parameters)))

    def count_events(self, account: Account, query: EventQuery, *, unique: bool = False) -> int:
        """How many occurrences a query of events selects; with `unique`, how many users have one."""
        scope = self._scope(account, None)
        statement = compile_event_rows(query.occurrences, query.others, scope, self._lookups(account))
        with translating():
            return count_events(self._columnar, Where(statement.sql, statement.parameters), users=unique)

    def profile_ids(
        self, account: Account, rule: Rule, *, after: int = 0, limit: int, as_of_ms: int | None = None
    ) -> list[ProfileId]:
        """Members with an id greater than `after`, ascending, at most `limit`: one keyset page."""
        scope = msgspec.structs.replace(self._scope(account, as_of_ms), after=after)
        statement = compile_members(rule, scope, self._lookups(account), limit=limit)
        with translating():
            return [ProfileId(row[0]) for row in self._columnar.rows(statement.sql, dict(statement.parameters))]

    def stream_profile_ids(
        self, account: Account, rule: Rule, *, after: int = 0, as_of_ms: int | None = None
    ) -> Iterator[list[ProfileId]]:
        """All members with an id greater than `after`, ascending, block by block in constant memory."""
        scope = msgspec.structs.replace(self._scope(account, as_of_ms), after=after)
        statement = compile_members(rule, scope, self._lookups(account))
        with translating():
            for block in self._columnar.stream(statement.sql, dict(statement.parameters)):
                yield [ProfileId(row[0]) for row in block]

    def contains(self, account: Account, rule: Rule, profile_id: ProfileId, *, as_of_ms: int | None = None) -> bool:
        """Whether one profile is a member."""
        scope = msgspec.structs.replace(self._scope(account, as_of_ms), profile_id=profile_id)
        return bool(self._rows(compile_members(rule, scope, self._lookups(account), limit=1)))

    # ---- explanation

    def in_words(self, rule: Rule, account: Account, *, as_of_ms: int | None = None) -> str:
        """The rule as one sentence, its ranges as dates of the account's calendar."""
        scope = self._scope(account, as_of_ms)
        return words.sentence(rule, Calendar(scope.timezone, scope.as_of_ms), self._names(account.account_id))

    def why(self, account: Account, rule: Rule, profile_id: ProfileId, *, as_of_ms: int | None = None) -> list[Reason]:
        """For each leaf of the rule, whether it holds for the profile and how far it is from that."""
        scope = msgspec.structs.replace(self._scope(account, as_of_ms), profile_id=profile_id)
        return explain(rule, scope, self._lookups(account), self._rows, self._names(account.account_id))

    def _names(self, account_id: AccountId) -> dict[int, str]:
        return {segment.segment_id: segment.name for segment in self.list_segments(account_id)}

    def _scope(self, account: Account, as_of_ms: int | None) -> Scope:
        now_ms = self._clock.now_ms() if as_of_ms is None else as_of_ms
        return Scope(account.account_id, account.timezone, now_ms)

    def _lookups(self, account: Account) -> Lookups:
        return AccountLookups(self._database, account.account_id)

    def _rows(self, statement: Statement) -> list[tuple[object, ...]]:
        with translating():
            return [tuple(row) for row in self._columnar.rows(statement.sql, dict(statement.parameters))]


@contextlib.contextmanager
def translating() -> Iterator[None]:
    """Only the engine knows for sure what RE2 takes: its refusal of a pattern is the caller's error."""
    try:
        yield
    except ColumnarError as error:
        if error.code == CANNOT_COMPILE_REGEXP:
            raise BadRequest("a value of 'matches' is not a regular expression of RE2") from error
        raise


def _refuse_listed(segment: SavedSegment) -> None:
    """The members of a list come by upload or by API; a rule in their place would make another segment of it."""
    if isinstance(parse(segment.rule), ListRule):
        raise Conflict(f"segment {segment.segment_id} is a list: its members are changed by upload or API, not by rule")


def _segments_in(rule: Rule) -> set[int]:
    match rule:
        case SegmentRule():
            return {rule.segment_id}
        case Not():
            return _segments_in(rule.rule)
        case Group():
            return {found for child in rule.rules for found in _segments_in(child)}
    return set()
