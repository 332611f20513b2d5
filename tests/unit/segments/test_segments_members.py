"""Listed segments in the rule tree: parsed, compiled, told in words."""

from __future__ import annotations

import pytest

from belfry.errors import BadRequest
from belfry.ids import AccountId, ProfileId
from belfry.segments.calendar import Calendar
from belfry.segments.compiler import Scope, compile_members
from belfry.segments.members import COLUMNS, MemberRow, listed_rule, member_lines
from belfry.segments.model import ListRule, Rule
from belfry.segments.parse import parse
from belfry.segments.words import sentence

SCOPE = Scope(AccountId("SHO-P00-0001"), "UTC", 1_795_608_000_000)


class OneList:
    """Segment 7 is a list; nobody is known by name."""

    def __init__(self, version: int) -> None:
        self._rule = parse(listed_rule(7, version))

    def segment_rule(self, segment_id: int) -> Rule | None:
        return self._rule if segment_id == 7 else None

    def profile_of(self, _kind: str, _value: str) -> ProfileId | None:
        return None


def test_a_listed_rule_is_read_back() -> None:
    assert parse(listed_rule(7, 3)) == ListRule(7, 3, "rule")


def test_a_segment_of_a_list_selects_its_version_of_this_account_with_parameters_only() -> None:
    statement = compile_members(parse({"type": "segment", "id": 7}), SCOPE, OneList(3))
    assert "FROM segment_members FINAL WHERE account_id = {" in statement.sql
    assert "SHO-P00" not in statement.sql
    assert {7, 3, "SHO-P00-0001"} <= set(statement.parameters.values())


def test_a_list_without_a_processed_upload_cannot_be_evaluated() -> None:
    with pytest.raises(BadRequest, match="the list 7 has not been processed yet"):
        compile_members(parse({"type": "segment", "id": 7}), SCOPE, OneList(0))


@pytest.mark.parametrize(
    "rule", [{"type": "list"}, {"type": "list", "id": 7}, {"type": "list", "id": 7, "version": -1}]
)
def test_a_list_rule_names_segment_and_version(rule: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        parse(rule)


def test_a_list_has_words() -> None:
    assert "in the list" in sentence(parse(listed_rule(7, 3)), Calendar("UTC", SCOPE.as_of_ms), {})


def test_rows_are_arrays_in_the_order_of_the_columns() -> None:
    row = MemberRow(SCOPE.account_id, 7, 3, ProfileId(9), 1, 5)
    assert len(COLUMNS) == 6
    assert member_lines([row]) == b'["SHO-P00-0001",7,3,9,1,5]\n'
