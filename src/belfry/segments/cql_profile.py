"""`common_profile_properties` of the query language (server-api 4.4) as user rules of the tree."""

from __future__ import annotations

from collections.abc import Callable

from belfry.segments.cql_conditions import (
    COND_ALIASES,
    COND_KEYS,
    Warnings,
    compared,
    known_keys,
    listed,
    ordered,
    truth,
)
from belfry.segments.reading import Json, refusal, shown

GROUPS = (
    "profile_fields",
    "demographics",
    "technographics",
    "app_fields",
    "reachability",
    "geo_fields",
    "geo_radius",
)
NOT_SERVED = ("geo_fields", "geo_radius")
_GENDERS = {"male": ["Male", "M"], "m": ["Male", "M"], "female": ["Female", "F"], "f": ["Female", "F"]}
_PLATFORMS = {
    "androidapp": ["AndroidApp", "Android"],
    "iosapp": ["iOSApp", "iOS"],
    "windowsapp": ["WindowsApp", "Windows"],
}
_TECHNOGRAPHICS = {"device": "device_type", "platform": "platform", "os": "os", "browser": "browser"}
_APP_FIELDS = {
    "make": "make",
    "model": "model",
    "app version": "app_version",
    "os version": "os_version",
    "sdk version": "sdk_version",
    "carrier": "carrier",
}
_REACHABILITY = (
    "has_token",
    "has_email",
    "has_phone",
    "unsubscribed_email",
    "unsubscribed_sms",
    "unsubscribed_push",
    "unsubscribed_whatsapp",
)
_IN = (None, "equals", "in")

Condition = dict[str, Json]
Rule = dict[str, Json]


def groups(value: Json, at: str, warnings: Warnings) -> list[Rule]:
    """All groups, every condition of them; all must hold."""
    given = known_keys(value, frozenset(GROUPS), {}, warnings, at)
    for name in NOT_SERVED:
        if given.get(name):
            raise refusal(f"{at}.{name}", "is not served: the last known place of users is not recorded")
    return [
        read(known_keys(one, COND_KEYS, COND_ALIASES, warnings, place), place)
        for name, read in _READERS.items()
        for one, place in listed(given.get(name), f"{at}.{name}")
    ]


def _profile_field(one: Condition, at: str) -> Rule:
    return _as_users(compared({"prop": _name(one, at)}, one, at))


def _demographic(one: Condition, at: str) -> Rule:
    name = _name(one, at)
    if name.lower() == "age":
        return _age(one, at)
    if name.lower() == "gender":
        return _as_users(compared({"prop": "Gender"}, _replaced(one, _GENDERS), at))
    return _as_users(compared({"prop": name}, one, at))


def _age(one: Condition, at: str) -> Rule:
    """Whole years, also as texts."""
    value = one.get("value")
    values = [ordered(item, f"{at}.value") for item in (value if isinstance(value, list) else [value])]
    if one.get("operator") in (*_IN, "not_equals", "not_in"):
        cmp = "in" if one.get("operator") in _IN else "not_in"
        return {"type": "user", "field": "age", "cmp": cmp, "value": values}
    return _as_users(compared({"field": "age"}, {**one, "value": values if len(values) > 1 else values[0]}, at))


def _technographic(one: Condition, at: str) -> Rule:
    field = _field(one, _TECHNOGRAPHICS, at)
    if field == "platform":
        one = _replaced(one, _PLATFORMS)
    return _device(field, one, at)


def _app_field(one: Condition, at: str) -> Rule:
    return _device(_field(one, _APP_FIELDS, at), one, at)


def _device(field: str, one: Condition, at: str) -> Rule:
    """Device fields are texts; numbers that clients send for versions are read as written."""
    value = one.get("value")
    texts = [item if isinstance(item, str) else shown(item) for item in (value if isinstance(value, list) else [value])]
    if one.get("operator") in (*_IN, "not_equals", "not_in"):
        cmp = "in" if one.get("operator") in _IN else "not_in"
        return {"type": "user", "field": field, "cmp": cmp, "value": list(texts)}
    if field.endswith("_version"):
        return _version_order(field, one, texts, at)
    return _as_users(compared({"field": field}, one, at))


def _version_order(field: str, one: Condition, texts: list[str], at: str) -> Rule:
    # Past `compared`: it would turn 5.10 into the number 5.1.
    from_cql = {**one, "value": "$D_0"} if one.get("operator") not in ("exists", "does_not_exist") else one
    rule = compared({"field": field}, from_cql, at)
    if "value" in rule:
        rule["value"] = texts[0]
    return {"type": "user", **rule}


def _reachable(one: Condition, at: str) -> Rule:
    name = _name(one, at)
    if name not in _REACHABILITY:
        raise refusal(f"{at}.name", f"must be one of {', '.join(_REACHABILITY)}; got {shown(name)}")
    if one.get("operator") not in _IN:
        raise refusal(f"{at}.operator", f"must be equals, got {shown(one.get('operator'))}")
    return {"type": "user", "field": name, "cmp": "eq", "value": truth(one.get("value"), f"{at}.value")}


def _name(one: Condition, at: str) -> str:
    name = one.get("name")
    if not isinstance(name, str) or not name.strip():
        raise refusal(f"{at}.name", f"must be the name of a property, got {shown(name)}")
    return name


def _field(one: Condition, fields: dict[str, str], at: str) -> str:
    name = _name(one, at)
    field = fields.get(name.lower())
    if field is None:
        raise refusal(f"{at}.name", f"must be one of {', '.join(fields)}; got {shown(name)}")
    return field


def _replaced(one: Condition, words: dict[str, list[str]]) -> Condition:
    """The condition with each value that has several spellings replaced by all of them."""
    value = one.get("value")
    values = value if isinstance(value, list) else [value]
    spelt = [word for item in values for word in (words.get(item.lower(), [item]) if isinstance(item, str) else [item])]
    return {**one, "value": spelt}


def _as_users(rule: Rule) -> Rule:
    """A filter as a rule about users: a group keeps its shape."""
    rules = rule.get("rules")
    if isinstance(rules, list):
        return {**rule, "rules": [_as_users(child) for child in rules]}
    return {"type": "user", **rule}


_READERS: dict[str, Callable[[Condition, str], Rule]] = {
    "profile_fields": _profile_field,
    "demographics": _demographic,
    "technographics": _technographic,
    "app_fields": _app_field,
    "reachability": _reachable,
}
