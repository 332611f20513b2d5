"""One condition of the query language, `{"name", "operator", "value"}`, as a filter of the rule tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from belfry.segments.reading import Json, as_list, kind_of, refusal, shown

CONDITIONS_MAX = 50
VALUES_MAX = 1000
COND_ALIASES = {"property_name": "name", "property_value": "value"}
COND_KEYS = frozenset({"name", "operator", "value"})
OPERATORS = {
    "equals": "in",
    "in": "in",
    "not_equals": "not_in",
    "not_in": "not_in",
    "contains": "contains",
    "does_not_contain": "not_contains",
    "starts_with": "starts_with",
    "ends_with": "ends_with",
    "exists": "exists",
    "does_not_exist": "not_exists",
    "greater_than": "gt",
    "greater_than_equals": "gte",
    "less_than": "lt",
    "less_than_equals": "lte",
    "lesser_than": "lt",
    "lesser_than_equals": "lte",
    "between": "between",
}
"""Operators and aliases of server-api 4.2 → ours."""
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?")
_ALL_OF_SEVERAL = "not_contains"


class Warnings:
    """Keys that were ignored, in the words of the header that reports them."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def unknown_key(self, key: str) -> None:
        text = f"unknown key {key}"
        if text not in self.texts:
            self.texts.append(text)


def known_keys(
    value: Json, known: frozenset[str], aliases: Mapping[str, str], warnings: Warnings, at: str = ""
) -> dict[str, Json]:
    """An object with its aliases put right; unknown keys are left out with a warning.

    A key and its alias together: the key wins.
    """
    if not isinstance(value, dict):
        raise refusal(at or "query", f"must be an object, got {kind_of(value)}")
    found: dict[str, Json] = {}
    for key, item in value.items():
        name = aliases.get(key, key)
        if name not in known:
            warnings.unknown_key(key)
        elif key == name or name not in value:
            found[name] = item
    return found


def listed(value: Json, at: str, count_max: int = CONDITIONS_MAX) -> Iterator[tuple[Json, str]]:
    """Items of a list that may be left out, with their places; a single object counts as a list of one."""
    if value is None:
        return
    items = [value] if isinstance(value, dict) else as_list(value, at, count_max, 0)
    for index, item in enumerate(items):
        yield item, f"{at}[{index}]"


def condition(value: Json, at: str, warnings: Warnings) -> dict[str, Json]:
    """A condition on an event property, as a filter."""
    one = known_keys(value, COND_KEYS, COND_ALIASES, warnings, at)
    name = one.get("name")
    if not isinstance(name, str) or not name.strip():
        raise refusal(f"{at}.name", f"must be the name of a property, got {shown(name)}")
    return compared({"prop": name}, one, at)


def compared(target: dict[str, Json], one: Mapping[str, Json], at: str) -> dict[str, Json]:
    """`target` compared as the condition says: a filter, or a group of filters for several values."""
    operator = one.get("operator")
    cmp = OPERATORS.get("equals" if operator is None else str(operator))
    if cmp is None:
        raise refusal(f"{at}.operator", f"must be one of {', '.join(OPERATORS)}; got {shown(operator)}")
    if cmp in ("exists", "not_exists"):
        return {**target, "cmp": cmp}
    value = one.get("value")
    if value is None:
        raise refusal(f"{at}.value", f"is required for {operator or 'equals'}")
    return _with_value(target, cmp, value, f"{at}.value")


def _with_value(target: dict[str, Json], cmp: str, value: Json, at: str) -> dict[str, Json]:
    if cmp in ("in", "not_in"):
        values = as_list(value, at, VALUES_MAX) if isinstance(value, list) else [value]
        return {**target, "cmp": cmp, "value": [form for one in values for form in _forms(one)]}
    if cmp == "between":
        return {**target, "cmp": cmp, "value": _between(value, at)}
    if cmp in ("gt", "gte", "lt", "lte"):
        return {**target, "cmp": cmp, "value": ordered(value, at)}
    values = as_list(value, at, VALUES_MAX) if isinstance(value, list) else [value]
    rules: list[Json] = [{**target, "cmp": cmp, "value": one} for one in values]
    if len(rules) == 1:
        return {**target, "cmp": cmp, "value": values[0]}
    return {"op": "and" if cmp == _ALL_OF_SEVERAL else "or", "rules": rules}


def _forms(value: Json) -> list[Json]:
    """What a value may stand for: clients send booleans and numbers as texts (server-api 0, 1.9)."""
    if isinstance(value, str) and value in ("True", "False", "true", "false"):
        return [value, value.lower() == "true"]
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return [value, _number(value)]
    return [value]


def _between(value: Json, at: str) -> list[Json]:
    """Two numbers, or two dates; a date `$D_<epoch>` is an instant."""
    return [ordered(end, f"{at}[{index}]") for index, end in enumerate(as_list(value, at, 2, 2))]


def ordered(value: Json, at: str) -> Json:
    """A number, also as a text, or a date `$D_<epoch>`."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return _number(value)
    if isinstance(value, str) and not value.startswith("$D_"):
        raise refusal(at, f"must be a number or a date ($D_<epoch seconds>), got {shown(value)}")
    return value


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)


def truth(value: Json, at: str) -> bool:
    """`"True"`, `"False"`, or a JSON boolean; a list of one counts as its item."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise refusal(at, f"must be True or False, got {shown(value)}")
