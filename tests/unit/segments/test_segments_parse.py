"""The rule tree is read whole, and what is wrong is named with its place, limit and kind."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.errors import BadRequest
from belfry.segments import model
from belfry.segments.model import Cmp, Group, MeasureFn, NumberCmp, Occurrence, RangeKind
from belfry.segments.parse import parse, parse_event_query

EXAMPLE: dict[str, Any] = {
    "op": "and",
    "rules": [
        {
            "type": "event",
            "did": True,
            "event": "Charged",
            "where": {"op": "and", "rules": [{"prop": "Amount", "cmp": "gte", "value": 10}]},
            "measure": {"fn": "count", "cmp": "gte", "value": 3, "include_zero": False},
            "when": {"range": {"last": 30, "unit": "day"}, "dow": ["Sat", "Sun"], "tod": ["18:00", "23:00"]},
            "occurrence": "any",
        },
        {
            "op": "or",
            "rules": [
                {"type": "user", "prop": "Customer Type", "cmp": "in", "value": ["Gold", "Platinum"]},
                {
                    "type": "interest",
                    "event": "Searched",
                    "prop": "genre",
                    "values": ["Action"],
                    "mode": "at_least",
                    "pct": 30,
                    "range": {"last": 90, "unit": "day"},
                },
            ],
        },
        {"not": {"type": "segment", "id": 1042}},
    ],
}
"""The tree of engagement 3.2."""


def user(cmp: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "user", "prop": "p", "cmp": cmp, **({} if value is None else {"value": value}), **more}


def event(**more: Any) -> dict[str, Any]:
    return {"type": "event", "event": "Charged", **more}


def nested(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = {"type": "everyone"}
    for _ in range(depth - 1):
        tree = {"not": tree}
    return tree


def test_the_example_of_the_specification_is_read_whole() -> None:
    tree = parse(EXAMPLE)
    assert isinstance(tree, Group)
    charged, choice, no = tree.rules
    assert isinstance(charged, model.EventRule)
    assert isinstance(choice, Group)
    assert isinstance(no, model.Not)
    assert charged.measure == model.Measure(MeasureFn.COUNT, (), NumberCmp.GTE, (3,))
    assert charged.occurrence is Occurrence.ANY
    [source] = charged.sources
    assert source.when.days_of_week == (6, 7)
    assert source.when.times == ((18 * 60, 23 * 60),)
    assert source.when.range.last == model.Last(30, model.Unit.DAY)
    interest = choice.rules[1]
    assert isinstance(interest, model.InterestRule)
    assert (interest.mode, interest.pct, interest.prop) == ("at_least", 30, ("genre",))


@pytest.mark.parametrize(
    ("tree", "place", "words"),
    [
        pytest.param([], "rule", "must be an object, got a list", id="a list is no tree"),
        pytest.param(None, "rule", "got null", id="nothing is no tree"),
        pytest.param({"type": "magic"}, "rule.type", "must be one of event, user", id="unknown type"),
        pytest.param({"op": "xor", "rules": []}, "rule.rules", "1 to 50 items", id="a group of none"),
        pytest.param({"op": "xor", "rules": [{"type": "everyone"}]}, "rule.op", "must be one of and, or", id="op"),
        pytest.param(
            {**EXAMPLE, "device_filter": {}}, "rule", "unknown key 'device_filter'", id="a part that is not served"
        ),
        pytest.param(nested(6), "rule.not.not.not.not.not", "deeper than 5", id="six levels"),
        pytest.param(
            {"op": "or", "rules": [{"type": "everyone"}] * 51}, "rule.rules", "1 to 50 items, got 51", id="51 rules"
        ),
        pytest.param(
            {"op": "or", "rules": [{"op": "or", "rules": [{"type": "everyone"}] * 26}] * 2},
            "rule.rules[1].rules[24]",
            "at most 50",
            id="51 leaves in groups",
        ),
        pytest.param(event(where={"prop": "x", "cmp": "like"}), "rule.where.cmp", "must be one of", id="operator"),
        pytest.param(
            event(where={"op": "and", "rules": [{"prop": "x", "cmp": "gt", "value": "5"}]}),
            "rule.where.rules[0].value",
            "must be a number or a date ($D_<epoch seconds>), got a text",
            id="greater than a text",
        ),
        pytest.param(event(event=""), "rule.event", "must not be empty", id="empty event name"),
        pytest.param(event(event="$.:"), "rule.event", "without a name", id="an event name of forbidden characters"),
        pytest.param(event(events=["a"]), "rule", "exactly one of event, events, any_event", id="two ways to name"),
        pytest.param({"type": "event", "any_event": False}, "rule.any_event", "must be true", id="any_event false"),
        pytest.param({"type": "event", "did": True}, "rule", "exactly one of event", id="no event named"),
        pytest.param(event(occurrence="second"), "rule.occurrence", "any, first, last", id="occurrence"),
        pytest.param(event(measure={"fn": "sum", "value": 1}), "rule.measure", "needs 'prop'", id="sum of nothing"),
        pytest.param(event(measure={"fn": "count"}), "rule.measure", "needs 'value'", id="count of no number"),
        pytest.param(
            event(measure={"value": True}), "rule.measure.value", "must be a number, got a boolean", id="count true"
        ),
        pytest.param(
            event(measure={"cmp": "between", "value": [1]}), "rule.measure.value", "2 to 2 items", id="between one"
        ),
        pytest.param(event(when={"range": "tomorrow"}), "rule.when.range", "all, today, yesterday", id="range word"),
        pytest.param(
            event(when={"range": {"last": 0, "unit": "day"}}), "rule.when.range.last", "between 1 and", id="last 0"
        ),
        pytest.param(
            event(when={"range": {"last": 1, "unit": "year"}}), "rule.when.range.unit", "must be one of", id="unit"
        ),
        pytest.param(
            event(when={"range": {"between": ["2026-02-01", "2026-01-01"]}}),
            "rule.when.range.between",
            "ends before it starts",
            id="backwards",
        ),
        pytest.param(
            event(when={"range": {"on": "2026-02-30"}}), "rule.when.range.on", "must be a date", id="30 February"
        ),
        pytest.param(
            event(when={"range": {"after": "2026-02-01T10:00:00"}}), "rule.when.range.after", "offset", id="no offset"
        ),
        pytest.param(
            event(when={"range": {"last": 1, "unit": "d", "on": "2026-01-01"}}), "rule.when.range", "one of", id="two"
        ),
        pytest.param(event(when={"tod": ["25:00", "01:00"]}), "rule.when.tod[0]", "00:00 to 24:00", id="25 o'clock"),
        pytest.param(event(when={"tod": ["09:00", "09:00"]}), "rule.when.tod", "is empty", id="an empty window"),
        pytest.param(event(when={"dow": ["Someday"]}), "rule.when.dow[0]", "Mon, Tue", id="weekday"),
        pytest.param(event(when={"dom": [32]}), "rule.when.dom[0]", "between 1 and 31", id="day of month"),
        pytest.param({"type": "user", "cmp": "exists"}, "rule", "exactly one of prop, field", id="no property"),
        pytest.param(user("eq"), "rule.value", "got null", id="equals nothing"),
        pytest.param(user("exists", 1), "rule.value", "must be left out", id="exists with a value"),
        pytest.param(user("in", []), "rule.value", "1 to 1000 items, got 0", id="one of none"),
        pytest.param(user("in", [1] * 1001), "rule.value", "got 1001", id="1001 values"),
        pytest.param(user("eq", "x" * 1025), "rule.value", "at most 1024 characters", id="a long text"),
        pytest.param(user("eq", "\ud800"), "rule.value", "lone surrogate", id="a lone surrogate"),
        pytest.param(user("eq", {"ref": "business.artist"}), "rule.value", "got an object", id="a hole"),
        pytest.param(user("gt", 10**400), "rule.value", "too large", id="a number beyond all"),
        pytest.param(user("gt", float("nan")), "rule.value", "finite", id="not a number"),
        pytest.param(user("matches", "("), "rule.value", "not a regular expression", id="broken pattern"),
        pytest.param(user("matches", "(?=a)"), "rule.value", "RE2", id="look-ahead"),
        pytest.param(user("matches", r"(a)\1"), "rule.value", "RE2", id="back reference"),
        pytest.param(user("vgt", "new"), "rule.value", "a version like", id="no version"),
        pytest.param(user("vgt", 5.1), "rule.value", "must be a text, got a number", id="a version as a number"),
        pytest.param(user("eq", 1, match_missing=True), "rule.match_missing", "only negative", id="match_missing"),
        pytest.param(user("ne", 1, match_missing=1), "rule.match_missing", "true or false", id="match_missing kind"),
        pytest.param(user("anniversary", 181), "rule.value", "between 0 and 180", id="half a year around"),
        pytest.param({**user("exists"), "prop": "a.b.c.d"}, "rule.prop", "deeper than 3", id="four levels of nesting"),
        pytest.param({**user("exists"), "prop": "a..b"}, "rule.prop", "without a name", id="a hole in the path"),
        pytest.param({**user("exists"), "prop": "a|b"}, "rule.prop", "only in events", id="items of a user"),
        pytest.param(
            {"type": "user", "field": "shoe size", "cmp": "eq", "value": 1}, "rule.field", "must be one of", id="field"
        ),
        pytest.param(
            {"type": "user", "field": "email", "cmp": "gt", "value": 1}, "rule.cmp", "does not take gt", id="e-mail >"
        ),
        pytest.param(
            {"type": "user", "field": "email", "cmp": "eq", "value": 1}, "rule.value", "must be a text", id="e-mail 1"
        ),
        pytest.param(
            {"type": "user", "field": "has_email", "cmp": "eq", "value": "yes"}, "rule.value", "true or", id="flag"
        ),
        pytest.param(
            {"type": "user", "field": "age", "cmp": "gt", "value": 1.5}, "rule.value", "whole number", id="age 1.5"
        ),
        pytest.param(
            {"type": "user", "field": "bucket", "cmp": "in", "value": [1000]}, "rule.value[0]", "0 and 999", id="1000"
        ),
        pytest.param({"type": "segment", "id": "7"}, "rule.id", "whole number, got a text", id="segment by text"),
        pytest.param({"type": "who", "kind": "name", "value": "x"}, "rule.kind", "must be one of", id="who by name"),
        pytest.param(
            {"type": "interest", "event": "a", "tod": ["01:00", "02:00"], "mode": "predominantly"},
            "rule.mode",
            "at_least",
            id="no mode of windows",
        ),
        pytest.param(
            {"type": "interest", "event": "a", "dow": ["Mon"], "mode": "at_least", "pct": 0},
            "rule.pct",
            "above 0",
            id="0 %",
        ),
        pytest.param(
            {"type": "rfm", "event": "a", "range": "all", "m": [1]}, "rule.m", "needs 'monetary'", id="no money"
        ),
        pytest.param(
            {"type": "rfm", "event": "a", "range": "all", "cell": "Kings"}, "rule.cell", "Champions", id="no such cell"
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tree: Any, place: str, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(tree)
    assert caught.value.field == place
    assert words in caught.value.text


@pytest.mark.parametrize(
    "tree", [nested(5), {"op": "or", "rules": [{"type": "everyone"}] * 50}], ids=["depth", "leaves"]
)
def test_a_tree_at_the_limit_is_read(tree: Any) -> None:
    assert parse(tree)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        pytest.param(user("ne", 1), True, id="not equal"),
        pytest.param(user("not_in", [1]), True, id="not in"),
        pytest.param(user("not_contains", "x"), False, id="does not contain"),
        pytest.param(user("ne", 1, match_missing=False), False, id="asked not to"),
        pytest.param(user("not_contains", "x", match_missing=True), True, id="asked to"),
        pytest.param(user("eq", 1), False, id="a positive operator never"),
    ],
)
def test_a_missing_value_satisfies_not_equal_and_not_in_unless_told_otherwise(tree: Any, expected: bool) -> None:
    rule = parse(tree)
    assert isinstance(rule, model.UserRule)
    assert rule.condition.match_missing is expected


@pytest.mark.parametrize(
    ("prop", "path", "item"),
    [
        ("Amount", ("Amount",), False),
        ("Web: Page", ("Web Page",), False),
        ("address.city", ("address", "city"), False),
        ("Items|Book name", ("Items", "Book name"), True),
    ],
)
def test_property_names_are_cleaned_like_uploads(prop: str, path: tuple[str, ...], item: bool) -> None:
    rule = parse(event(where={"prop": prop, "cmp": "exists"}))
    assert isinstance(rule, model.EventRule)
    condition = rule.sources[0].where
    assert isinstance(condition, model.Condition)
    assert (condition.prop, condition.item) == (path, item)


@pytest.mark.parametrize("prop", ["Email", "email", "PHONE", "Identity"])
def test_email_phone_and_identity_are_fields_under_any_case(prop: str) -> None:
    rule = parse({**user("eq", "x"), "prop": prop})
    assert isinstance(rule, model.UserRule)
    assert rule.field == prop.lower()


@pytest.mark.parametrize("cmp", ["gt", "vgt"])
def test_version_fields_compare_as_versions_whichever_operator_is_used(cmp: str) -> None:
    rule = parse({"type": "user", "field": "app_version", "cmp": cmp, "value": "5.9"})
    assert isinstance(rule, model.UserRule)
    assert rule.condition.cmp is Cmp.VGT


def test_buckets_may_be_numbers_and_ranges() -> None:
    rule = parse({"type": "user", "field": "bucket", "cmp": "in", "value": [5, [100, 199]]})
    assert isinstance(rule, Group)
    assert [r.condition.cmp for r in rule.rules if isinstance(r, model.UserRule)] == [Cmp.EQ, Cmp.BETWEEN]


@pytest.mark.parametrize("unit", ["d", "day", "days"])
def test_units_have_short_and_plural_forms(unit: str) -> None:
    rule = parse(event(when={"range": {"last": 2, "unit": unit}}))
    assert isinstance(rule, model.EventRule)
    assert rule.sources[0].when.range == model.Range(RangeKind.LAST, last=model.Last(2, model.Unit.DAY))


@pytest.mark.parametrize(
    "occurrences",
    [
        event(measure={"value": 2}),
        event(did=False),
        {"type": "event", "any_of": [{"event": "a"}, {"event": "b"}]},
        user("exists"),
    ],
    ids=["measured", "not done", "several sources", "a user rule"],
)
def test_a_query_of_events_is_one_source_without_a_measure(occurrences: Any) -> None:
    with pytest.raises(BadRequest, match="one source"):
        parse_event_query(occurrences, None)
