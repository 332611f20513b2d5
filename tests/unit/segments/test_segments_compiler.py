"""What the compiler prints: values beside the text, names inside it escaped, the sort key first."""

from __future__ import annotations

from typing import Any

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from belfry.errors import BadRequest
from belfry.ids import AccountId, ProfileId
from belfry.segments.compiler import Scope, Statement, compile_count, compile_members
from belfry.segments.compiler.folding import fold_case, full_translation, translation
from belfry.segments.compiler.parameters import Parameters, quoted
from belfry.segments.model import Rule
from belfry.segments.parse import parse

NOON_MS = 1_795_608_000_000
SCOPE = Scope(AccountId("acme"), "Europe/Lisbon", NOON_MS)


class Saved:
    """Segments that refer to each other."""

    def __init__(self, **rules: dict[str, Any]) -> None:
        self._rules = {int(name[1:]): rule for name, rule in rules.items()}

    def segment_rule(self, segment_id: int) -> Rule | None:
        rule = self._rules.get(segment_id)
        return None if rule is None else parse(rule, f"segment {segment_id}")

    def profile_of(self, kind: str, value: str) -> ProfileId | None:
        return ProfileId(7) if value == "known" else None


def compiled(tree: dict[str, Any], scope: Scope = SCOPE) -> Statement:
    return compile_members(parse(tree), scope, Saved())


@given(st.text(min_size=1).filter(lambda text: text.strip() != ""))
def test_no_value_is_ever_pasted_into_the_statement(value: str) -> None:
    """Whatever the value, the text of the statement is the same."""
    try:
        statement = compiled({"type": "user", "prop": "p", "cmp": "contains", "value": f"{value}'x"})
    except BadRequest:
        return
    plain = compiled({"type": "user", "prop": "p", "cmp": "contains", "value": "plain"})
    assert "'x" not in statement.sql
    if value.isascii():
        assert statement.sql == plain.sql


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Product name", "`Product name`"),
        ("a`b", "`a\\`b`"),
        ("a\\b", "`a\\\\b`"),
        ("a\nb\x00", "`a\\x0Ab\\x00`"),
        ("{x}", "`{x}`"),
        ("Ünïcode", "`Ünïcode`"),
    ],
)
def test_a_name_is_quoted(name: str, expected: str) -> None:
    assert quoted(name) == expected


@given(st.text())
def test_a_quoted_name_has_no_open_backtick(name: str) -> None:
    inner = quoted(name)[1:-1].replace("\\\\", "").replace("\\`", "")
    assert "`" not in inner
    assert not inner.endswith("\\")


def test_the_first_filter_is_the_sort_key() -> None:
    sql = compiled({"type": "event", "event": "Charged", "when": {"range": {"last": 30, "unit": "day"}}}).sql
    scan = sql[sql.index("FROM events WHERE") :]
    order = [scan.index(part) for part in ("account_id =", "name =", "day >=", "day <=", "ts >=", "ts <=")]
    assert order == sorted(order)


def test_one_statement_is_printed_that_parses() -> None:
    tree = {
        "op": "or",
        "rules": [{"type": "event", "event": "a"}, {"not": {"type": "user", "prop": "x", "cmp": "exists"}}],
    }
    sql = compiled(tree).sql.replace("props.^`x`", "props").replace("{", "'").replace("}", "'")
    assert len(sqlglot.parse(sql, dialect="clickhouse")) == 1


def test_every_scan_names_the_account() -> None:
    tree = {
        "op": "and",
        "rules": [
            {"type": "event", "event": "a"},
            {"not": {"type": "event", "event": "b", "occurrence": "first", "where": {"prop": "x", "cmp": "exists"}}},
            {"type": "interest", "event": "c", "prop": "genre", "values": ["x"], "mode": "predominantly"},
            {"type": "rfm", "event": "d", "range": "all", "cell": "Champions"},
            {"type": "user", "prop": "plan", "cmp": "eq", "value": "gold"},
        ],
    }
    statement = compiled(tree)
    tables = statement.sql.count("FROM events") + statement.sql.count("FROM profile_snapshots")
    assert statement.sql.count("account_id = {p0:String}") == tables
    assert statement.parameters["p0"] == "acme"


def test_did_needs_no_profile_but_the_hidden_ones() -> None:
    assert "FINAL" not in compiled({"type": "event", "event": "a"}).sql
    assert "FINAL" in compiled({"type": "event", "event": "a", "did": False}).sql


def test_a_scope_of_one_profile_is_pushed_into_the_scan() -> None:
    scope = Scope(AccountId("acme"), "UTC", NOON_MS, profile_id=42)
    sql = compiled({"type": "event", "event": "a"}, scope).sql
    scan = sql[sql.index("FROM events WHERE") :]
    assert "profile_id = " in scan.split("GROUP BY")[0]


def test_an_upper_bound_is_on_every_scan_of_events() -> None:
    scope = Scope(AccountId("acme"), "UTC", NOON_MS, seq_max=9)
    tree = {
        "op": "or",
        "rules": [
            {"type": "event", "event": "a", "measure": {"value": 2}},
            {"type": "event", "event": "b", "occurrence": "last"},
        ],
    }
    sql = compiled(tree, scope).sql
    assert sql.count("seq <= ") == sql.count("FROM events") == 2


def test_the_same_value_has_one_placeholder() -> None:
    parameters = Parameters()
    assert parameters.text("x") == parameters.text("x") == "{p0:String}"
    assert parameters.number(1) == "{p1:Int64}"
    assert parameters.number(1.0) == "{p2:Float64}"
    assert parameters.values == {"p0": "x", "p1": 1, "p2": 1.0}


def test_a_segment_inside_a_segment_is_put_in_its_place() -> None:
    saved = Saved(s1={"type": "segment", "id": 2}, s2={"type": "event", "event": "a"})
    statement = compile_count(parse({"type": "segment", "id": 1}), SCOPE, saved)
    assert statement == compile_count(parse({"type": "event", "event": "a"}), SCOPE, saved)


def test_segments_that_refer_to_each_other_in_a_circle_are_refused() -> None:
    saved = Saved(s1={"not": {"type": "segment", "id": 2}}, s2={"type": "segment", "id": 1})
    with pytest.raises(BadRequest, match="in a circle: 1 → 2 → 1") as caught:
        compile_count(parse({"type": "segment", "id": 1}), SCOPE, saved)
    assert caught.value.field == "segment 2"


def test_an_unknown_segment_is_named_with_its_place() -> None:
    with pytest.raises(BadRequest, match="there is no segment 9") as caught:
        compiled({"op": "and", "rules": [{"type": "everyone"}, {"type": "segment", "id": 9}]})
    assert caught.value.field == "rule.rules[1]"


def test_a_tree_of_too_many_segments_is_refused() -> None:
    wide = {"op": "or", "rules": [{"type": "everyone"}] * 50}
    saved = Saved(s1=wide, s2={"op": "or", "rules": [{"type": "segment", "id": 1}] * 11})
    with pytest.raises(BadRequest, match="more than 500 rules"):
        compile_count(parse({"type": "segment", "id": 2}), SCOPE, saved)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ("GOLD", "gold", True),
        ("É", "é", True),
        ("ΣΑΣ", "σας", True),
        ("straße", "STRASSE", False),
        ("ß", "ẞ", True),
        ("\u212a", "k", False),
        ("ı", "i", False),
        ("µ", "μ", True),
    ],
    ids=["ASCII", "accent", "final sigma", "never two for one", "sharp s", "Kelvin sign", "dotless i", "micro"],
)
def test_texts_compare_character_by_character_without_case(left: str, right: str, equal: bool) -> None:
    assert (fold_case(left) == fold_case(right)) is equal


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold_case(fold_case(text)) == fold_case(text)


@given(st.text(alphabet="aÀéÉßΣςк", min_size=1))
def test_translating_the_needles_characters_is_enough(text: str) -> None:
    source, target = translation([fold_case(text)])
    lowered = "".join(c.lower() if c.isascii() else c for c in text)
    assert lowered.translate(str.maketrans(source, target)) == fold_case(text)


def test_the_full_translation_folds_every_character() -> None:
    source, target = full_translation()
    assert len(source) == len(target) > 1000
    assert all(fold_case(variant) == folded for variant, folded in zip(source, target, strict=True))
