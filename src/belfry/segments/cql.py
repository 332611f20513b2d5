"""CleverTap's query language (server-api 4): translated into the one rule tree, never executed on its own.

`translate` gives JSON of the tree (engagement 3.2), so that what is saved, explained and tested is the same form that
people write. Keys that nobody knows are returned as warnings; known parts that are not served are refused.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec

from belfry.errors import BadRequest
from belfry.events import names
from belfry.segments import cql_profile
from belfry.segments.cql_conditions import Warnings, condition, known_keys, listed, truth
from belfry.segments.reading import Json, as_int, kind_of, refusal, shown

Tree: TypeAlias = dict[str, Json]
"""JSON of a rule tree."""

DEFAULT_DAYS = 365
EVENTS_MAX = 20
RANGE_CODE = 4002
WRAPPERS = ("d", "data")
ROOT_ALIASES = {
    "eventName": "event_name",
    "common_profile_prop": "common_profile_properties",
    "props": "event_properties",
}
WHO_KEYS = ("identity", "email", "objectId", "FBID", "GPID")
_EVENT_KEYS = frozenset({"event_name", "from", "to", "event_properties", "session_properties"})
_ROOT_KEYS = _EVENT_KEYS | {"common_profile_properties", "advanced_query", *WHO_KEYS}
_COUNTED_KEYS = _EVENT_KEYS | {"operator", "value"}
NUMBER_OPERATORS = {
    "equals": "eq",
    "not_equals": "ne",
    "greater_than": "gt",
    "greater_than_equals": "gte",
    "less_than": "lt",
    "less_than_equals": "lte",
    "lesser_than": "lt",
    "lesser_than_equals": "lte",
}
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_SYSTEM_LOOKS = ("notification", "app", "utm", "session", "uninstalled", "installed", "launched")


class Purpose(enum.Enum):
    """What a query is for; decides what may be left out (server-api 4.1, 5.2)."""

    EVENTS = "events"
    """Export or count of events: event, from and to are required."""
    PROFILE_EXPORT = "profile export"
    """Without an event: users are not asked to have done anything."""
    PROFILE_COUNT = "profile count"
    """Without an event: users who did anything in the last 365 days. Campaigns too."""


class Query(msgspec.Struct, frozen=True):
    """A translated query.

    users        rule tree of the users
    occurrences  for events: the event rule that selects them
    others       for events: rule tree that their users must satisfy besides; None: nothing
    warnings     one text for each key that was ignored
    """

    users: Tree
    occurrences: Tree | None
    others: Tree | None
    warnings: list[str]


def translate(
    body: Json,
    purpose: Purpose,
    today: dt.date,
    *,
    is_known_event: Callable[[str], bool] = lambda _name: True,
    also_known: Iterable[str] = (),
) -> Query:
    """Translate a query body.

    today           of the account's calendar: `to` may not lie after it
    is_known_event  whether the account has seen an event of this folded name; only asked for names that look like
                    system events (server-api 4.6)
    also_known      root keys that belong to the endpoint, not to the query
    raises          BadRequest: code 4002 for a bad range, 400 with the place for anything else
    """
    return _Translation(today, is_known_event).query(unwrap(body), purpose, frozenset(also_known))


def unwrap(body: Json) -> Tree:
    """The query inside `{"d": …}` or `{"data": …}`, which some clients send (server-api 4.5)."""
    for key in WRAPPERS:
        if isinstance(body, dict) and key in body and not _EVENT_KEYS & set(body):
            body = body[key]
            break
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        raise BadRequest(f"the query must be a JSON object, got {kind_of(body)}")
    return body


class _Translation:
    """One translation, with the warnings that it collects."""

    def __init__(self, today: dt.date, is_known_event: Callable[[str], bool]) -> None:
        self._today = today
        self._is_known_event = is_known_event
        self._warnings = Warnings()

    def query(self, body: Tree, purpose: Purpose, also_known: frozenset[str]) -> Query:
        if "prompt" in body:
            raise refusal("prompt", "free text is not served; send a query")
        body = known_keys(body, _ROOT_KEYS | also_known, ROOT_ALIASES, self._warnings)
        others = [*self._who(body), *self._common(body), *self._advanced(body)]
        base = self._base(body, purpose)
        users = [*([] if base is None else [base]), *others]
        return Query(
            users=_all_of(users),
            occurrences=base if purpose is Purpose.EVENTS else None,
            others=_all_of(others) if others else None,
            warnings=self._warnings.texts,
        )

    def _base(self, body: Tree, purpose: Purpose) -> Tree | None:
        if purpose is Purpose.EVENTS:
            for key in ("event_name", "from", "to"):
                if body.get(key) in (None, ""):
                    raise refusal(key, "is required")
        is_bare = not any(body.get(key) not in (None, "", []) for key in _EVENT_KEYS)
        if is_bare and purpose is Purpose.PROFILE_EXPORT:
            return None
        return {"type": "event", "did": True, **self._source(body, "")}

    def _source(self, event: Tree, at: str) -> Tree:
        """`event`, `where`, `when`, `occurrence` of an event rule."""
        rule: Tree = {"any_event": True}
        if event.get("event_name") not in (None, ""):
            rule = {"event": self._event_name(event["event_name"], f"{at}event_name")}
        conditions = [
            condition(one, place, self._warnings)
            for one, place in listed(event.get("event_properties"), f"{at}event_properties")
        ]
        if conditions:
            rule["where"] = {"op": "and", "rules": conditions}
        when: Tree = {"range": self._range(event, at)}
        for one, place in listed(event.get("session_properties"), f"{at}session_properties"):
            self._session_property(one, place, rule, when)
        rule["when"] = when
        return rule

    def _event_name(self, value: Json, at: str) -> str:
        if not isinstance(value, str):
            raise refusal(at, f"must be a text, got {kind_of(value)}")
        folded = names.fold(value)
        looks_like_system = folded.startswith(_SYSTEM_LOOKS[:1]) or folded in _SYSTEM_LOOKS
        if looks_like_system and folded not in names.RESTRICTED and not self._is_known_event(folded):
            raise BadRequest(f'["Invalid event : {value}"]', field=at)
        return value

    def _range(self, event: Tree, at: str) -> Tree:
        given = {key: event[key] for key in ("from", "to") if event.get(key) not in (None, "")}
        if not given:
            return {"last": DEFAULT_DAYS, "unit": "day"}
        days = {key: _day(value, f"{at}{key}") for key, value in given.items()}
        start = days.get("from", self._today - dt.timedelta(days=DEFAULT_DAYS - 1))
        end = days.get("to", self._today)
        if end > self._today:
            raise BadRequest(
                f"Invalid date range: {at}to is {end:%Y%m%d}, later than today, {self._today:%Y%m%d}",
                code=RANGE_CODE,
                field=f"{at}to",
                limit=int(f"{self._today:%Y%m%d}"),
            )
        if start > end:
            raise BadRequest(
                f"Invalid date range: {at}from is {start:%Y%m%d}, later than to, {end:%Y%m%d}",
                code=RANGE_CODE,
                field=f"{at}from",
            )
        return {"between": [start.isoformat(), end.isoformat()]}

    def _session_property(self, value: Json, at: str, rule: Tree, when: Tree) -> None:
        one = known_keys(value, frozenset({"name", "value", "operator"}), {}, self._warnings, at)
        name = one.get("name")
        match name:
            case "first_time" | "last_time":
                if not truth(one.get("value"), f"{at}.value"):
                    raise refusal(f"{at}.value", "must be True where it stands")
                occurrence = str(name).partition("_")[0]
                if rule.setdefault("occurrence", occurrence) != occurrence:
                    raise refusal(at, "asks for the first and the last time at once")
            case "time_of_day":
                when["tod"] = one.get("value")
            case "day_of_week":
                when["dow"] = [_DAYS[as_int(day, f"{at}.value", 1, 7) - 1] for day in _many(one.get("value"))]
            case "day_of_month":
                when["dom"] = [as_int(day, f"{at}.value", 1, 31) for day in _many(one.get("value"))]
            case _:
                raise refusal(
                    f"{at}.name",
                    f"{shown(name)} is not served: first_time, last_time, time_of_day, day_of_week, day_of_month are",
                )

    def _who(self, body: Tree) -> list[Tree]:
        """`identity`, `email`, `objectId`, … at the root restrict to that user."""
        return [
            {"type": "who", "kind": key.lower(), "value": body[key]}
            for key in WHO_KEYS
            if body.get(key) not in (None, "")
        ]

    def _common(self, body: Tree) -> list[Tree]:
        value = body.get("common_profile_properties")
        return [] if value is None else cql_profile.groups(value, "common_profile_properties", self._warnings)

    def _advanced(self, body: Tree) -> list[Tree]:
        value = body.get("advanced_query")
        if value is None:
            return []
        advanced = known_keys(
            value, frozenset({"did_all", "did_any", "did_none"}), {}, self._warnings, "advanced_query"
        )
        rules: list[Tree] = []
        for key, did in (("did_all", True), ("did_none", False)):
            rules += [
                self._counted(event, at, did=did) for event, at in listed(advanced.get(key), f"advanced_query.{key}")
            ]
        if advanced.get("did_any") is not None:
            rules += self._did_any(advanced["did_any"], "advanced_query.did_any")
        return rules

    def _counted(self, value: Json, at: str, *, did: bool) -> Tree:
        event = known_keys(value, _COUNTED_KEYS, ROOT_ALIASES, self._warnings, at)
        self._needs_name(event, at)
        return {"type": "event", "did": did, **self._source(event, f"{at}."), **_how_often(event, at)}

    def _did_any(self, value: Json, at: str) -> list[Tree]:
        """One measure over the union of the events."""
        given: Json = {"any_events": value} if isinstance(value, list) else value
        any_ = known_keys(given, frozenset({"any_events", "operator", "value"}), {}, self._warnings, at)
        sources = []
        for event_value, place in listed(any_.get("any_events"), f"{at}.any_events"):
            event = known_keys(event_value, _EVENT_KEYS, ROOT_ALIASES, self._warnings, place)
            self._needs_name(event, place)
            source = self._source(event, f"{place}.")
            if "occurrence" in source:
                raise refusal(
                    f"{place}.session_properties", "first_time and last_time have no meaning in a union of events"
                )
            sources.append(source)
        return [{"type": "event", "did": True, "any_of": sources, **_how_often(any_, at)}] if sources else []

    def _needs_name(self, event: Tree, at: str) -> None:
        if event.get("event_name") in (None, ""):
            raise refusal(f"{at}.event_name", "is required")


def _how_often(event: Tree, at: str) -> Tree:
    operator, value = event.get("operator"), event.get("value")
    if operator is None and value is None:
        return {}
    cmp = NUMBER_OPERATORS.get(str(operator or "equals"))
    if cmp is None:
        raise refusal(f"{at}.operator", f"must be one of {', '.join(NUMBER_OPERATORS)}; got {shown(operator)}")
    number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 16 else value
    return {"measure": {"fn": "count", "cmp": cmp, "value": as_int(number, f"{at}.value", 0, 2**53)}}


def _day(value: Json, at: str) -> dt.date:
    """`YYYYMMDD` as number or text."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    try:
        if len(text) == 8 and text.isdecimal():
            return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        pass
    raise refusal(at, f"must be a date as YYYYMMDD, got {shown(value)}")


def _many(value: Json) -> list[Json]:
    values = value if isinstance(value, list) else [value]
    return [int(one) if isinstance(one, str) and one.isdecimal() and len(one) < 4 else one for one in values]


def _all_of(rules: list[Tree]) -> Tree:
    if not rules:
        return {"type": "everyone"}
    return rules[0] if len(rules) == 1 else {"op": "and", "rules": rules}
