"""Tests of one row as SQL that is 1 or 0, never NULL, so that NOT means what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from belfry.errors import InternalError
from belfry.segments.compiler.folding import full_translation, translation
from belfry.segments.compiler.operands import Expressions, expressions
from belfry.segments.compiler.parameters import Parameters
from belfry.segments.compiler.plan import (
    All,
    AllItems,
    AnyOf,
    Check,
    DayOfYear,
    DeviceField,
    No,
    Node,
    Number,
    OneOf,
    Place,
    Predicate,
    Present,
    Regex,
    Size,
    Spans,
    TextPart,
    Version,
)
from belfry.segments.model import NumberCmp

TRUE, FALSE = "1", "0"
SQL_OPERATORS = {
    NumberCmp.EQ: "=",
    NumberCmp.NE: "!=",
    NumberCmp.LT: "<",
    NumberCmp.LTE: "<=",
    NumberCmp.GT: ">",
    NumberCmp.GTE: ">=",
}
_PART_FORMS = {
    Place.ANYWHERE: "position({text}, {needle}) > 0",
    Place.START: "startsWith({text}, {needle})",
    Place.END: "endsWith({text}, {needle})",
}
DATE_SECONDS = (-2_208_988_800, 10_413_791_999)
"""1900 to 2299: dates whose day and month the engine can tell."""
_VERSION_PATTERN = r"^[vV]?([0-9]{1,18}(?:\.[0-9]{1,18}){0,7})"


def conjunction(parts: Sequence[str]) -> str:
    """All of these; true if there is none."""
    return f"({' AND '.join(parts)})" if parts else TRUE


def disjunction(parts: Sequence[str]) -> str:
    """Any of these; false if there is none."""
    return f"({' OR '.join(parts)})" if parts else FALSE


def comparison(expression: str, cmp: NumberCmp, limits: Sequence[str]) -> str:
    """A figure compared with one placeholder, or two for BETWEEN."""
    if cmp is NumberCmp.BETWEEN:
        return f"({expression} >= {limits[0]} AND {expression} <= {limits[1]})"
    return f"({expression} {SQL_OPERATORS[cmp]} {limits[0]})"


class RowPredicates:
    """Prints tests over the columns of one table row."""

    def __init__(self, parameters: Parameters, timezone: str) -> None:
        self._parameters = parameters
        self._timezone = timezone

    def tree(self, node: Node) -> str:
        """A tree whose leaves are all tests."""
        match node:
            case All():
                return conjunction([self.tree(child) for child in node.nodes])
            case AnyOf():
                return disjunction([self.tree(child) for child in node.nodes])
            case No():
                return f"NOT {self.tree(node.node)}"
            case Predicate():
                return self.test(node)
        raise InternalError(f"{type(node).__name__} is not a test of a row")

    def test(self, test: Predicate) -> str:
        """One test; of a device field: for any device, or one without values if there is none."""
        if not isinstance(test.operand, DeviceField):
            return self._of_value(test, expressions(test.operand, self._parameters))
        inner = self._of_value(test, expressions(test.operand, self._parameters, "device"))
        devices = "JSONExtractArrayRaw(devices)"
        return f"arrayExists(device -> {inner}, if(empty({devices}), ['{{}}'], {devices}))"

    def _of_value(self, test: Predicate, at: Expressions) -> str:
        holds = self.check(test.check, at)
        if not test.negated:
            return holds
        if test.match_missing or isinstance(test.check, Present):
            return f"NOT {holds}"
        return f"({at.present} AND NOT {holds})"

    def check(self, check: Check, at: Expressions) -> str:
        """One check as 1 or 0; 0 for a missing value."""
        match check:
            case Present():
                return at.present
            case OneOf():
                return self._one_of(check, at)
            case TextPart():
                return self._text_part(check, at)
            case Regex():
                pattern = self._parameters.text(check.pattern)
                return _any(at.texts, at.text_lists, lambda x: f"match({x}, {pattern})")
            case Number():
                limits = [self._parameters.number(limit) for limit in check.limits]
                return _any(at.numbers, at.number_lists, lambda x: comparison(x, check.cmp, limits))
            case Spans():
                return self._spans(check.spans, at)
            case DayOfYear():
                return self._day_of_year(check, at)
            case Version():
                return self._version(check, at)
            case AllItems():
                return self._all_items(check, at)
            case Size():
                return self._size(check, at)
        raise InternalError(f"unknown check {check}")

    def folded(self, expression: str, needles: Iterable[str]) -> str:
        """A text in the form in which it compares with these folded needles (see `folding`)."""
        return self._translated(expression, translation(needles))

    def folded_fully(self, expression: str) -> str:
        """A text in the form in which it compares with any other text."""
        return self._translated(expression, full_translation())

    def _translated(self, expression: str, pairs: tuple[str, str]) -> str:
        source, target = pairs
        if not source:
            return f"lower({expression})"
        return f"translateUTF8(lower({expression}), {self._parameters.text(source)}, {self._parameters.text(target)})"

    def one_of_texts(self, expression: str, texts: Sequence[str]) -> str:
        """A text equals one of these, without case."""
        folded = self.folded(expression, texts)
        if len(texts) == 1:
            return f"{folded} = {self._parameters.text(texts[0])}"
        return f"{folded} IN {self._parameters.texts(texts)}"

    def _one_of(self, check: OneOf, at: Expressions) -> str:
        parts = []
        if check.texts:
            parts.append(_any(at.texts, at.text_lists, lambda x: self.one_of_texts(x, check.texts)))
        parts += [
            self._equals(limit, at.numbers, at.number_lists) for limit in map(self._parameters.number, check.numbers)
        ]
        parts += [self._equals(str(value).lower(), at.booleans, at.boolean_lists) for value in check.booleans]
        if check.seconds:
            parts.append(self._spans([(second, second) for second in check.seconds], at))
        return disjunction(parts)

    def _equals(self, value: str, scalars: Sequence[str], lists: Sequence[str]) -> str:
        return _any(scalars, lists, lambda x: f"{x} = {value}")

    def _text_part(self, check: TextPart, at: Expressions) -> str:
        needle = self._parameters.text(check.needle)

        def holds(text: str) -> str:
            folded = self.folded(text, [check.needle])
            return _PART_FORMS[check.place].format(text=folded, needle=needle)

        return _any(at.texts, at.text_lists, holds)

    def _spans(self, spans: Sequence[tuple[int | None, int | None]], at: Expressions) -> str:
        def within(seconds: str) -> str:
            return disjunction([self._span(seconds, *span) for span in spans])

        parts = [f"ifNull({within(expression)}, 0)" for expression in at.seconds]
        dated = _any(at.texts, at.text_lists, lambda x: f"{_is_date(x)} AND {within(_epoch_s(x))}")
        return disjunction([*parts, dated])

    def _span(self, seconds: str, from_s: int | None, to_s: int | None) -> str:
        bounds = [f"{seconds} >= {self._parameters.integer(from_s)}"] if from_s is not None else []
        bounds += [f"{seconds} <= {self._parameters.integer(to_s)}"] if to_s is not None else []
        return conjunction(bounds) if bounds else f"({seconds} IS NOT NULL)"

    def _day_of_year(self, check: DayOfYear, at: Expressions) -> str:
        days = self._parameters.integers(check.days)
        timezone = self._parameters.text(self._timezone)

        def on_day(seconds: str) -> str:
            local = f"toTimeZone(toDateTime64({seconds}, 0, 'UTC'), {timezone})"
            return (
                f"{seconds} BETWEEN {DATE_SECONDS[0]} AND {DATE_SECONDS[1]} "
                f"AND (toMonth({local}) * 100 + toDayOfMonth({local})) IN {days}"
            )

        parts = [f"ifNull({on_day(expression)}, 0)" for expression in at.seconds]
        dated = _any(at.texts, at.text_lists, lambda x: f"{_is_date(x)} AND {on_day(_epoch_s(x))}")
        return disjunction([*parts, dated])

    def _version(self, check: Version, at: Expressions) -> str:
        limits = [self._parameters.integers(version) for version in check.versions]
        pattern = self._parameters.text(_VERSION_PATTERN)

        def compare(text: str) -> str:
            found = f"extract({text}, {pattern})"
            numbers = f"arrayResize(arrayMap(part -> toInt64OrZero(part), splitByChar('.', {found})), 8, 0)"
            parts = [comparison(numbers, check.cmp, [limit]) for limit in limits]
            return f"{found} != '' AND {disjunction(parts)}"

        return _any([f"ifNull({x}, '')" for x in at.texts], at.text_lists, compare)

    def _all_items(self, check: AllItems, at: Expressions) -> str:
        """A single text is read as a list of one."""
        wanted = self._parameters.texts(check.texts)
        lists = [f"if({text} IS NULL, [], [assumeNotNull({text})])" for text in at.texts]
        lists += [f"arrayFilter(x -> x IS NOT NULL, {items})" for items in at.text_lists]
        fold_item = self.folded("ifNull(x, '')", check.texts)
        parts = []
        for items in lists:
            folded = f"arrayMap(x -> {fold_item}, {items})"
            holds = f"hasAll({folded}, {wanted})"
            parts.append(f"({holds} AND hasAll({wanted}, {folded}))" if check.exact else holds)
        return disjunction(parts)

    def _size(self, check: Size, at: Expressions) -> str:
        limits = [self._parameters.number(limit) for limit in check.limits]
        lengths = [f"length({items})" for items in at.text_lists]
        size = f"greatest({', '.join(lengths)}, 0)" if lengths else "0"
        is_scalar = disjunction([f"{x} IS NOT NULL" for x in (*at.texts, *at.numbers, *at.booleans)])
        return f"({at.present} AND {comparison(f'if({is_scalar}, 1, {size})', check.cmp, limits)})"


def _any(scalars: Iterable[str], lists: Iterable[str], holds: Callable[[str], str]) -> str:
    """A condition on one value, over all places where a value of that type may stand."""
    parts = [f"ifNull({holds(expression)}, 0)" for expression in scalars]
    parts += [f"arrayExists(x -> ifNull({holds('x')}, 0), {expression})" for expression in lists]
    return disjunction(parts)


def _is_date(text: str) -> str:
    return f"startsWith({text}, '$D_')"


def _epoch_s(text: str) -> str:
    return f"toInt64OrNull(substring({text}, 4))"
