"""What a rule tree may refer to, looked up in one account."""

from __future__ import annotations

from belfry.ids import AccountId, ProfileId
from belfry.profiles.actions import Profiles
from belfry.segments import store
from belfry.segments.model import Rule
from belfry.segments.parse import parse
from belfry.segments.reading import Json
from belfry.storage.relational import Database


class AccountLookups:
    """Saved segments and users of one account.

    becomes, rule  a segment that is about to get this rule: the tree is checked as if it had it already
    """

    def __init__(
        self, database: Database, account_id: AccountId, becomes: int | None = None, rule: Json = None
    ) -> None:
        self._database = database
        self._account_id = account_id
        self._becomes = becomes
        self._rule = rule

    def segment_rule(self, segment_id: int) -> Rule | None:
        """The rule of a saved segment; positions inside it begin with the segment's number."""
        if segment_id == self._becomes:
            return parse(self._rule)
        with self._database.read() as connection:
            segment = store.read_segment(connection, self._account_id, segment_id)
        return None if segment is None else parse(segment.rule, f"segment {segment_id}")

    def profile_of(self, kind: str, value: str) -> ProfileId | None:
        """Whose identity or device this is; None: nobody's, or a hidden profile's."""
        profiles = Profiles(self._database)
        if kind == "objectid":
            card = profiles.find(self._account_id, object_id=value)
        elif kind == "email":
            card = profiles.find(self._account_id, email=value)
        else:
            card = profiles.find(self._account_id, identity=value)
        return None if card is None else card.profile_id
