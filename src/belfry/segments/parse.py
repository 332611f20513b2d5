"""Reads a rule tree from JSON (engagement 3.2). Everything that is not understood is refused with its position.

Forms of a node, beside `{"op": "and"|"or", "rules": […]}` and `{"not": node}`:

    {"type": "event", "did": true, "event": name | "events": [names] | "any_event": true | "any_of": [sources],
     "where": filter, "when": {...}, "measure": {...}, "occurrence": "any"|"first"|"last"}
    {"type": "user", "prop": path | "field": name, "cmp": operator, "value": …, "match_missing": bool}
    {"type": "segment", "id": n}    {"type": "who", "kind": "identity", "value": text}    {"type": "everyone"}
    {"type": "interest", …}    {"type": "rfm", …}

A filter is a tree of `{"prop": path, "cmp": operator, "value": …}`. A path names nested objects with dots, and with
`Items|name` a key of the objects in a list.
"""

from __future__ import annotations

from collections.abc import Callable

from belfry.events import names
from belfry.segments import model, rfm
from belfry.segments.fields import AS_VERSION, FIELDS, OPERATORS, FieldKind, base_of
from belfry.segments.model import (
    Cmp,
    Condition,
    EventQuery,
    EventRule,
    EveryoneRule,
    Filter,
    FilterGroup,
    FilterNot,
    Group,
    GroupOp,
    InterestKind,
    InterestMode,
    InterestRule,
    Last,
    Leaf,
    ListRule,
    Measure,
    MeasureFn,
    Not,
    NumberCmp,
    Occurrence,
    Range,
    RangeKind,
    RfmRule,
    Rule,
    SegmentRule,
    Source,
    Unit,
    UserRule,
    Value,
    WhoRule,
)
from belfry.segments.parse_values import (
    VALUES,
    read_finite,
    read_limits,
    read_range,
    read_scalar,
    read_times,
    read_weekday,
    read_when,
)
from belfry.segments.reading import Json, Object, as_choice, as_int, as_list, as_text, refusal

ROOT = "rule"
NAME_LENGTH_MAX = 512
WHO_KINDS = ("identity", "email", "phone", "fbid", "gpid", "objectid")
DEFAULT_INTEREST_RANGE = Range(RangeKind.LAST, last=Last(90, Unit.DAY))
_NUMBER_VALUES = (int, float)


def parse(value: Json, at: str = ROOT) -> Rule:
    """Read a whole tree.

    raises  BadRequest with the position of what is wrong, its limit and the kind of what stood there
    """
    return _Parser().rule(value, at, 1)


def parse_event_query(occurrences: Json, others: Json, at: str = "query") -> EventQuery:
    """Read an event rule as a selection of occurrences, and the rule that their users must satisfy (null: none)."""
    rule = _Parser().rule(occurrences, at, 1)
    if not isinstance(rule, EventRule) or len(rule.sources) != 1 or rule.measure != Measure() or not rule.did:
        raise refusal(at, "must be an event rule of one source, without a measure")
    return EventQuery(rule, None if others is None else parse(others))


class _Parser:
    """One reading; counts leaves over the whole tree, filters included."""

    def __init__(self) -> None:
        self._leaves = 0

    def rule(self, value: Json, at: str, depth: int) -> Rule:
        node = self._node(value, at, depth)
        if node.has("op"):
            rules = node.each("rules", lambda child, place: self.rule(child, place, depth + 1), model.LEAVES_MAX)
            return Group(_op(node), rules, at)
        if node.has("not"):
            inner = self.rule(node.get("not"), node.place("not"), depth + 1)
            node.done()
            return Not(inner, at)
        self._count(at)
        kind = as_choice(node.required("type"), node.place("type"), tuple(_LEAVES))
        leaf = _LEAVES[kind](self, node)
        node.done()
        return leaf

    def filter(self, value: Json, at: str, depth: int = 1) -> Filter:
        node = self._node(value, at, depth)
        if node.has("op"):
            rules = node.each("rules", lambda child, place: self.filter(child, place, depth + 1), model.LEAVES_MAX)
            return FilterGroup(_op(node), rules, at)
        if node.has("not"):
            inner = self.filter(node.get("not"), node.place("not"), depth + 1)
            node.done()
            return FilterNot(inner, at)
        self._count(at)
        prop, is_item = read_path(node.required("prop"), node.place("prop"))
        condition = read_condition(node, prop, item=is_item)
        node.done()
        return condition

    def source(self, value: Json, at: str) -> Source:
        """One of `any_of`: its own names, filter and time."""
        node = Object(value, at)
        source = self.source_of(node)
        node.done()
        return source

    def source_of(self, node: Object) -> Source:
        where = self.filter(node.get("where"), node.place("where")) if node.has("where") else None
        return Source(_event_names(node), where, read_when(node.get("when"), node.place("when")), node.at)

    def _node(self, value: Json, at: str, depth: int) -> Object:
        if depth > model.DEPTH_MAX:
            raise refusal(at, f"is nested deeper than {model.DEPTH_MAX} levels", limit=model.DEPTH_MAX)
        return Object(value, at)

    def _count(self, at: str) -> None:
        self._leaves += 1
        if self._leaves > model.LEAVES_MAX:
            raise refusal(at, f"is one rule too many: a tree has at most {model.LEAVES_MAX}", limit=model.LEAVES_MAX)


def _op(node: Object) -> GroupOp:
    op = node.choice("op", GroupOp)
    node.done()
    return op


def read_path(value: Json, at: str, clean: Callable[[str, int], str] = names.clean) -> tuple[tuple[str, ...], bool]:
    """A property's path, cleaned like uploads are, and whether it goes through a list of objects."""
    text = as_text(value, at, NAME_LENGTH_MAX)
    root, bar, key = text.partition("|")
    parts = [root, key] if bar else text.split(".")
    if len(parts) > model.PATH_LEVELS_MAX:
        raise refusal(at, f"goes deeper than {model.PATH_LEVELS_MAX} levels", limit=model.PATH_LEVELS_MAX)
    path = tuple(clean(part, NAME_LENGTH_MAX) for part in parts)
    if not all(path):
        raise refusal(at, "names a property without a name")
    return path, bool(bar)


def read_condition(node: Object, prop: tuple[str, ...], *, item: bool = False) -> Condition:
    """The operator and value of a node that names `prop`."""
    cmp = node.choice("cmp", Cmp)
    value = VALUES[cmp](node.get("value"), node.place("value"))
    return Condition(prop, cmp, value, _match_missing(node, cmp), item, node.at)


def _match_missing(node: Object, cmp: Cmp) -> bool:
    if cmp not in model.NEGATIVE or cmp is Cmp.NOT_EXISTS:
        if node.has("match_missing"):
            raise refusal(node.place("match_missing"), f"has no meaning with {cmp}: only negative operators take it")
        return False
    return node.boolean("match_missing", cmp in model.MATCH_MISSING_BY_DEFAULT)


def _event_names(node: Object) -> tuple[str, ...]:
    ways = [key for key in ("event", "events", "any_event") if node.has(key)]
    if len(ways) != 1:
        raise refusal(node.at, "needs exactly one of event, events, any_event, any_of")
    if ways[0] == "event":
        return (read_event_name(node.get("event"), node.place("event")),)
    if ways[0] == "events":
        return node.each("events", read_event_name, model.EVENT_NAMES_MAX)
    if not node.boolean("any_event", False):
        raise refusal(node.place("any_event"), "must be true where it stands")
    return ()


def read_event_name(value: Json, at: str) -> str:
    """An event's name, cleaned like uploads are."""
    name = names.clean(as_text(value, at, NAME_LENGTH_MAX), NAME_LENGTH_MAX)
    if not name:
        raise refusal(at, "names an event without a name")
    return name


def _event(parser: _Parser, node: Object) -> Leaf:
    if node.has("any_of"):
        sources = node.each("any_of", parser.source, model.EVENT_NAMES_MAX)
    else:
        sources = (parser.source_of(node),)
    occurrence = node.choice("occurrence", Occurrence, Occurrence.ANY)
    measure = read_measure(node.get("measure"), node.place("measure"))
    return EventRule(node.boolean("did", True), sources, measure, occurrence, node.at)


def read_measure(value: Json, at: str) -> Measure:
    """`{"fn", "prop", "cmp", "value", "include_zero"}`; left out: at least once."""
    if value is None:
        return Measure()
    node = Object(value, at)
    fn = node.choice("fn", MeasureFn, MeasureFn.COUNT)
    prop = () if fn is MeasureFn.COUNT else _own_path(node, "prop")
    cmp = node.choice("cmp", NumberCmp, NumberCmp.GTE)
    limits = read_limits(node.required("value"), node.place("value"), cmp)
    measure = Measure(fn, prop, cmp, limits, node.boolean("include_zero", False))
    node.done()
    return measure


def _user(_parser: _Parser, node: Object) -> Rule:
    if node.has("prop") == node.has("field"):
        raise refusal(node.at, "needs exactly one of prop, field")
    if node.has("field"):
        return _field(node)
    prop, is_item = read_path(node.get("prop"), node.place("prop"), names.clean_profile_key)
    if is_item:
        raise refusal(node.place("prop"), "must be a property of the user; lists of objects are only in events")
    if len(prop) == 1 and prop[0].lower() in ("email", "phone", "identity"):
        # Uploads know these three under either case, and they are columns of their own.
        return _field_rule(node, prop[0].lower())
    return UserRule(None, read_condition(node, prop), node.at)


def _field(node: Object) -> Rule:
    name = as_choice(node.get("field"), node.place("field"), tuple(FIELDS))
    if name == "bucket" and isinstance(node.get("value"), list) and node.get("cmp") == Cmp.IN:
        return _buckets(node)
    return _field_rule(node, name)


def _field_rule(node: Object, name: str) -> UserRule:
    kind = FIELDS[name]
    cmp = node.choice("cmp", Cmp)
    if cmp not in OPERATORS[kind]:
        known = ", ".join(sorted(OPERATORS[kind]))
        raise refusal(node.place("cmp"), f"the field {name!r} ({kind.value}) does not take {cmp}; it takes {known}")
    as_stored = AS_VERSION.get(cmp, cmp) if kind is FieldKind.DEVICE_VERSION else cmp
    value = VALUES[as_stored](node.get("value"), node.place("value"))
    _check_field_value(kind, base_of(as_stored), value, node.place("value"))
    return UserRule(name, Condition((name,), as_stored, value, _match_missing(node, cmp), at=node.at), node.at)


def _check_field_value(kind: FieldKind, cmp: Cmp, value: Value, at: str) -> None:
    """A field's kind is known, so a value of another kind is an error, not a rule that never matches."""
    values = value if isinstance(value, tuple) else (value,)
    if kind is FieldKind.FLAG and not isinstance(values[0], bool):
        raise refusal(at, "must be true or false")
    if kind in (FieldKind.NUMBER, FieldKind.AGE) and cmp is not Cmp.EXISTS:
        if not all(isinstance(one, _NUMBER_VALUES) and not isinstance(one, bool) for one in values):
            raise refusal(at, "must be a number")
        if kind is FieldKind.AGE and not all(isinstance(one, int) for one in values):
            raise refusal(at, "must be a whole number of years")
    is_text_kind = kind in (FieldKind.TEXT, FieldKind.DEVICE_TEXT, FieldKind.LIST)
    if is_text_kind and cmp in (Cmp.EQ, Cmp.IN) and not all(isinstance(one, str) for one in values):
        raise refusal(at, "must be a text")


def _buckets(node: Object) -> Rule:
    """Numbers and ranges 0–999, any of them (engagement 3.4): `"value": [5, [100, 199]]`."""
    node.get("cmp")

    def part(value: Json, at: str) -> UserRule:
        if not isinstance(value, list):
            number = as_int(value, at, 0, 999)
            return UserRule("bucket", Condition(("bucket",), Cmp.EQ, (number,), False, at=at), at)
        low, high = as_list(value, at, 2, 2)
        pair = (as_int(low, f"{at}[0]", 0, 999), as_int(high, f"{at}[1]", 0, 999))
        return UserRule("bucket", Condition(("bucket",), Cmp.BETWEEN, pair, False, at=at), at)

    return Group(GroupOp.OR, node.each("value", part, 100), node.at)


def _segment(_parser: _Parser, node: Object) -> Leaf:
    return SegmentRule(node.integer("id", 1, 2**53), node.at)


def _list(_parser: _Parser, node: Object) -> Leaf:
    return ListRule(node.integer("id", 1, 2**53), node.integer("version", 0, 2**53), node.at)


def _who(_parser: _Parser, node: Object) -> Leaf:
    kind = as_choice(node.required("kind"), node.place("kind"), WHO_KINDS)
    return WhoRule(kind, node.text("value", model.TEXT_LENGTH_MAX).strip(), node.at)


def _everyone(_parser: _Parser, node: Object) -> Leaf:
    return EveryoneRule(node.at)


def _interest(_parser: _Parser, node: Object) -> Leaf:
    by = _interest_kind(node)
    mode = node.choice("mode", InterestMode)
    if by is InterestKind.TIME_OF_DAY and mode is InterestMode.PREDOMINANTLY:
        raise refusal(node.place("mode"), "must be at_least for a time of day: windows have no most frequent value")
    is_property, is_time = by is InterestKind.PROPERTY, by is InterestKind.TIME_OF_DAY
    return InterestRule(
        event=read_event_name(node.required("event"), node.place("event")),
        by=by,
        prop=_own_path(node, "prop") if is_property else (),
        values=node.each("values", read_scalar, model.LIST_VALUES_MAX) if is_property else (),
        times=read_times(node.get("tod"), node.place("tod")) if is_time else (),
        days_of_week=node.each("dow", read_weekday, 7) if by is InterestKind.DAY_OF_WEEK else (),
        mode=mode,
        pct=_percent(node) if mode is InterestMode.AT_LEAST else 0,
        minimum=node.integer("minimum", 1, 1_000_000) if node.has("minimum") else 1,
        range=read_range(node.get("range"), node.place("range")) if node.has("range") else DEFAULT_INTEREST_RANGE,
        at=node.at,
    )


def _interest_kind(node: Object) -> InterestKind:
    kinds = [kind for kind in InterestKind if node.has(kind)]
    if len(kinds) != 1:
        raise refusal(node.at, f"needs exactly one of {', '.join(InterestKind)}")
    return kinds[0]


def _own_path(node: Object, key: str) -> tuple[str, ...]:
    """The path of a property of the event itself."""
    path, is_item = read_path(node.required(key), node.place(key))
    if is_item:
        raise refusal(node.place(key), "must be a property of the event itself, not of its items")
    return path


def _percent(node: Object) -> float:
    percent = read_finite(node.required("pct"), node.place("pct"))
    if not 0 < percent <= 100:
        raise refusal(node.place("pct"), f"must be above 0 and at most 100, got {percent}", limit=100)
    return percent


def _rfm(_parser: _Parser, node: Object) -> Leaf:
    def score(value: Json, at: str) -> int:
        return as_int(value, at, 1, 5)

    scores = {key: node.each(key, score, 5) if node.has(key) else () for key in ("r", "f", "m")}
    if scores["m"] and not node.has("monetary"):
        raise refusal(node.place("m"), "needs 'monetary', the property that holds the money")
    cell = as_choice(node.get("cell"), node.place("cell"), tuple(rfm.CELLS)) if node.has("cell") else None
    return RfmRule(
        event=read_event_name(node.required("event"), node.place("event")),
        range=read_range(node.required("range"), node.place("range")),
        monetary=_own_path(node, "monetary") if node.has("monetary") else (),
        recency=scores["r"],
        frequency=scores["f"],
        money=scores["m"],
        cells=rfm.CELLS[cell] if cell is not None else (),
        at=node.at,
    )


_LEAVES: dict[str, Callable[[_Parser, Object], Rule]] = {
    "event": _event,
    "user": _user,
    "segment": _segment,
    "list": _list,
    "who": _who,
    "interest": _interest,
    "rfm": _rfm,
    "everyone": _everyone,
}
"""`type` of a leaf → its reader."""
