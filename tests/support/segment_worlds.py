"""Random accounts and random rule trees over them, with everything that makes comparison hard: several time zones and
their clock changes, missing values, mixed types, lists, nested objects, versions, unicode, hidden profiles.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from typing import Any

from hypothesis import strategies as st

from belfry.events.names import fold
from belfry.storage.columnar import Columnar
from support.segment_oracle import Happened, Person, World

ZONES = ["UTC", "Europe/Lisbon", "America/New_York", "Asia/Kolkata", "America/Havana", "Pacific/Apia", "Africa/Cairo"]
MOMENTS = [
    "2026-11-25T12:00:00+00:00",
    "2026-03-29T02:30:00+00:00",
    "2026-11-01T05:30:00+00:00",
    "2024-02-29T23:59:59+00:00",
    "2025-03-01T10:00:00+00:00",
    "2026-04-24T00:10:00+02:00",
]
EVENTS = ["Charged", "App Launched", "Search", "Identity Set"]
ODD = "we`ird {x:y} \n--/*"
ODD_STORED = "we`ird {xy} \n--/*"
TEXTS = [
    "Gold",
    "gold",
    "Platinum",
    "É",
    "é",
    "ΣΑΣ",
    "σας",
    "straße",
    "STRASSE",
    "a b",
    "x'; DROP",
    "\\n",
    "%",
    "\u212a",
]
VERSIONS = ["5.9", "5.10", "v5.10.0", "6", "5.10.2-beta", "none"]
DAY_MS = 86_400_000


def make_world(seed: int, people: int = 8, events: int = 40) -> World:
    """An account with its whole history, a function of the seed."""
    rng = random.Random(seed)
    as_of_ms = int(dt.datetime.fromisoformat(rng.choice(MOMENTS)).timestamp() * 1000)
    crowd = [_person(rng, number + 1, as_of_ms) for number in range(people)]
    happened = [_event(rng, rng.randint(1, people), as_of_ms, number + 1) for number in range(events)]
    return World(crowd, happened, rng.choice(ZONES), as_of_ms)


def _person(rng: random.Random, profile_id: int, as_of_ms: int) -> Person:
    props: dict[str, Any] = {}
    _maybe(rng, props, "Customer Type", lambda: rng.choice(TEXTS))
    _maybe(rng, props, "score", lambda: _number(rng))
    _maybe(rng, props, "tags", lambda: rng.sample(TEXTS, rng.randint(1, 3)))
    _maybe(rng, props, "DOB", lambda: _date(rng, as_of_ms, 60 * 365))
    _maybe(rng, props, "seen", lambda: _date(rng, as_of_ms, 40))
    _maybe(rng, props, "vip", lambda: rng.random() < 0.5)
    _maybe(rng, props, "address", lambda: {"city": rng.choice(TEXTS), "geo": {"zone": rng.randint(1, 3)}})
    _maybe(rng, props, "mixed", lambda: rng.choice([1, 1.5, "1", True, ["1"], "$D_0", {"in": 1}]))
    _maybe(rng, props, ODD_STORED, lambda: rng.choice(TEXTS))
    _maybe(rng, props, "MSG-email", lambda: rng.random() < 0.5)
    has_email = rng.random() < 0.6
    return Person(
        profile_id=profile_id,
        props=props,
        hidden=rng.random() < 0.2,
        identity=f"User-{profile_id}" if rng.random() < 0.7 else "",
        email=f"u{profile_id}@example.org" if has_email else "",
        phone="+351912345678" if rng.random() < 0.4 else "",
        bucket=rng.randint(0, 999),
        created_at_ms=as_of_ms - rng.randint(0, 100 * DAY_MS) // 1000 * 1000,
        identified=rng.random() < 0.7,
        reachable=tuple(rng.sample(["email", "push", "sms", "whatsapp", "webpush"], rng.randint(0, 3))),
        devices=tuple(_device(rng) for _ in range(rng.randint(0, 2))),
    )


def _device(rng: random.Random) -> dict[str, str]:
    device = {"platform": rng.choice(["Android", "iOS", "Web"])}
    if rng.random() < 0.8:
        device["app_version"] = rng.choice(VERSIONS)
    return device


def _event(rng: random.Random, profile_id: int, as_of_ms: int, seq: int) -> Happened:
    props: dict[str, Any] = {}
    _maybe(rng, props, "Amount", lambda: _number(rng))
    _maybe(rng, props, "genre", lambda: rng.choice(TEXTS[:6]))
    _maybe(rng, props, "tags", lambda: rng.sample(TEXTS, rng.randint(1, 3)))
    _maybe(rng, props, "ok", lambda: rng.random() < 0.5)
    _maybe(rng, props, "due", lambda: _date(rng, as_of_ms, 40))
    _maybe(rng, props, "ver", lambda: rng.choice(VERSIONS))
    _maybe(rng, props, "mixed", lambda: rng.choice([1, 1.5, "1", True, ["1"], "$D_0", {"in": 1}]))
    _maybe(rng, props, "cart", lambda: {"size": _number(rng), "note": rng.choice(TEXTS)})
    _maybe(rng, props, "Items", lambda: [_item(rng) for _ in range(rng.randint(1, 3))])
    return Happened(profile_id, fold(rng.choice(EVENTS)), _instant(rng, as_of_ms), seq, props)


def _item(rng: random.Random) -> dict[str, Any]:
    item: dict[str, Any] = {"Book name": rng.choice(TEXTS)}
    if rng.random() < 0.7:
        item["Quantity"] = _number(rng)
    return item


def _instant(rng: random.Random, as_of_ms: int) -> int:
    """Mostly near midnight and in few distinct instants: boundaries and ties."""
    back = rng.choice([0, 1, 2, 7, 30, 31, 60]) * DAY_MS
    near = rng.choice([0, 0, 1, 60_000, 3_600_000, 12 * 3_600_000 + 1])
    at = as_of_ms - back - near
    return at - at % DAY_MS if rng.random() < 0.2 else at + (rng.choice([1000, DAY_MS]) if rng.random() < 0.05 else 0)


def _date(rng: random.Random, as_of_ms: int, days: int) -> str:
    """A date property, around now or years back, with 29 February and days near the anniversary."""
    year_back = rng.randint(0, days // 365) * 365.2425
    at = as_of_ms // 1000 + rng.randint(-3, 3) * 86_400 - int(year_back * 86_400)
    if rng.random() < 0.15:
        at = int(dt.datetime(rng.choice([1984, 2000, 2008]), 2, 29, tzinfo=dt.UTC).timestamp())
    return f"$D_{at - at % 86_400 if rng.random() < 0.5 else at}"


def _number(rng: random.Random) -> int | float:
    """Halves and quarters, so that sums are exact."""
    return rng.choice([0, 1, 2, 3, 5, 10, -1, 0.5, 2.25, 10.0, 2**53 + 1])


def _maybe(rng: random.Random, props: dict[str, Any], key: str, make: Any) -> None:
    if rng.random() < 0.7:
        props[key] = make()


def store(world: World, columnar: Columnar, account_id: str, token: str = "") -> None:
    """Put a world into the columnar store: hidden profiles were visible before, and the other way round."""
    people = [_snapshot(account_id, p, version) for p in world.people for version in (1, 2)]
    columnar.insert_json("profile_snapshots", list(people[0]), _lines(people), token=f"p-{account_id}{token}")
    if world.events:
        events = [_row(account_id, e) for e in world.events]
        columnar.insert_json("events", list(events[0]), _lines(events), token=f"e-{account_id}{token}")


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def _snapshot(account_id: str, person: Person, version: int) -> dict[str, Any]:
    is_newest = version == 2
    return {
        "account_id": account_id,
        "profile_id": person.profile_id,
        "version": version,
        "hidden": int(person.hidden if is_newest else not person.hidden and person.profile_id % 2 == 0),
        "bucket": person.bucket,
        "created_at": f"{person.created_at_ms / 1000:.3f}",
        "identified": int(person.identified),
        "identity": person.identity,
        "email": person.email,
        "phone": person.phone,
        "reachable": list(person.reachable),
        "devices": json.dumps(list(person.devices)),
        "props": person.props if is_newest else {"score": 10, "vip": True},
    }


def _row(account_id: str, event: Happened) -> dict[str, Any]:
    at = dt.datetime.fromtimestamp(event.ts_ms // 1000, dt.UTC)
    return {
        "account_id": account_id,
        "name": event.name,
        "day": at.date().isoformat(),
        "profile_id": event.profile_id,
        "ts": f"{event.ts_ms // 1000}.{event.ts_ms % 1000:03d}",
        "seq": event.seq,
        "recorded_profile_id": event.profile_id,
        "device_id": "d",
        "source": "API",
        "key_hash": 0,
        "received_at": f"{event.ts_ms // 1000}.000",
        "props": event.props,
    }


# ---- trees

_texts = st.sampled_from(TEXTS)
_numbers = st.sampled_from([0, 1, 2, 2.25, 3, 10, 0.5, -1, 2**53 + 1, 10.0])
_days = st.sampled_from(["2026-11-25", "2026-11-01", "2026-03-29", "2024-02-29", "2025-02-28", "2026-10-26"])
_moments = st.one_of(_days, st.sampled_from([20261124, "2026-11-25T10:00:00+01:00", "$D_1795600000"]))
_units = st.sampled_from(["minute", "hour", "day", "week", "month"])
_lasts = st.fixed_dictionaries({"last": st.integers(1, 40), "unit": _units})
_missing = st.sampled_from([{}, {}, {"match_missing": True}, {"match_missing": False}])
_measure_cmps = st.sampled_from(["eq", "ne", "lt", "lte", "gt", "gte"])
_versions = st.sampled_from(["5.9", "5.10", "5.10.0", "6", "5"])


def _case(cmp: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return values.map(lambda value: {"cmp": cmp, "value": value})


_scalars = st.one_of(_texts, _numbers, st.booleans(), st.just("$D_0"))
_pairs = st.one_of(
    st.tuples(_numbers, _numbers).map(sorted),
    st.tuples(_days, _days).map(sorted),
)
_positive = st.one_of(
    _case("eq", _scalars),
    _case("in", st.lists(_scalars, min_size=1, max_size=4)),
    *(_case(cmp, st.one_of(_numbers, st.just("$D_1795600000"))) for cmp in ("lt", "lte", "gt", "gte")),
    _case("between", _pairs),
    *(_case(cmp, _texts) for cmp in ("contains", "starts_with", "ends_with")),
    _case("matches", st.sampled_from(["^G", "old$", "[0-9]", "G.*d", "a b"])),
    *(_case(cmp, _moments) for cmp in ("on", "before", "after")),
    *(_case(cmp, _lasts) for cmp in ("in_last", "in_next", "more_than_ago")),
    *(_case(cmp, st.integers(0, 3)) for cmp in ("days_ago", "days_from_now", "anniversary")),
    *(_case(cmp, st.lists(_texts, min_size=1, max_size=3)) for cmp in ("contains_any", "contains_all", "is_exactly")),
    _case("size", st.fixed_dictionaries({"cmp": _measure_cmps, "value": st.integers(0, 3)})),
    *(_case(cmp, _versions) for cmp in ("veq", "vlt", "vlte", "vgt", "vgte")),
    st.sampled_from([{"cmp": "exists"}, {"cmp": "not_exists"}]),
)
_negative = st.tuples(
    st.one_of(
        _case("ne", _scalars),
        _case("not_in", st.lists(_scalars, min_size=1, max_size=4)),
        _case("not_contains", _texts),
        _case("contains_none", st.lists(_texts, min_size=1, max_size=3)),
        _case("vne", _versions),
    ),
    _missing,
).map(lambda pair: {**pair[0], **pair[1]})
_conditions = st.one_of(_positive, _negative)

_EVENT_PROPS = [
    "Amount",
    "genre",
    "tags",
    "ok",
    "due",
    "ver",
    "mixed",
    "mixed.in",
    "cart",
    "cart.size",
    "cart.note",
    "Items|Book name",
    "Items|Quantity",
]
_USER_PROPS = [
    "Customer Type",
    "score",
    "tags",
    "DOB",
    "seen",
    "vip",
    "address",
    "address.city",
    "address.geo.zone",
    "mixed",
    ODD,
    "nobody",
]


def _with(key: str, names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(st.sampled_from(names), _conditions).map(lambda pair: {key: pair[0], **pair[1]})


def _boolean(leaves: st.SearchStrategy[Any], depth: int) -> st.SearchStrategy[Any]:
    tree = leaves
    for _ in range(depth):
        group = st.fixed_dictionaries(
            {"op": st.sampled_from(["and", "or"]), "rules": st.lists(tree, min_size=1, max_size=3)}
        )
        tree = st.one_of(leaves, leaves, group, tree.map(lambda inner: {"not": inner}))
    return tree


_where = _boolean(_with("prop", _EVENT_PROPS), 2)
_ranges = st.one_of(
    st.sampled_from(["all", "today", "yesterday"]),
    _lasts,
    st.tuples(_days, _days).map(lambda p: {"between": sorted(p)}),
    *(_moments.map(lambda m, k=kind: {k: m}) for kind in ("on", "before", "after")),
)
_windows = st.sampled_from([["18:00", "23:00"], ["22:00", "06:00"], [["00:00", "00:30"], ["12:00", "24:00"]]])
_whens = st.fixed_dictionaries(
    {},
    optional={
        "range": _ranges,
        "tod": _windows,
        "dow": st.lists(st.sampled_from(["Sat", "Sun", "Wed", "Mon"]), min_size=1, max_size=3),
        "dom": st.lists(st.sampled_from([1, 25, 29]), min_size=1, max_size=2),
    },
)
_names = st.one_of(
    st.sampled_from([{"event": "charged"}, {"event": "App Launched"}, {"event": "never seen"}]),
    st.just({"events": ["Charged", "SEARCH"]}),
    st.just({"any_event": True}),
)
_optional_where = st.one_of(st.just({}), _where.map(lambda where: {"where": where}))
_optional_when = st.one_of(st.just({}), _whens.map(lambda when: {"when": when}))
_sources = st.tuples(_names, _optional_where, _optional_when).map(lambda parts: {**parts[0], **parts[1], **parts[2]})
_limits = st.tuples(_measure_cmps, st.sampled_from([0, 1, 2, 3, 5.5])).map(lambda p: {"cmp": p[0], "value": p[1]})
_measures = st.one_of(
    st.just({}),
    st.tuples(
        st.one_of(
            st.just({"fn": "count"}),
            st.tuples(
                st.sampled_from(["sum", "avg", "min", "max", "distinct"]),
                st.sampled_from(["Amount", "genre", "mixed", "cart.size"]),
            ).map(lambda p: {"fn": p[0], "prop": p[1]}),
        ),
        st.one_of(_limits, st.sampled_from([{"cmp": "between", "value": [1, 2]}, {"cmp": "between", "value": [0, 1]}])),
        st.booleans(),
    ).map(lambda p: {"measure": {**p[0], **p[1], "include_zero": p[2]}}),
)
_event_rules = st.tuples(
    st.one_of(_sources, st.lists(_sources, min_size=1, max_size=2).map(lambda several: {"any_of": several})),
    _measures,
    st.sampled_from([{}, {}, {"occurrence": "first"}, {"occurrence": "last"}]),
    st.booleans(),
).map(lambda p: {"type": "event", "did": p[3], **p[0], **p[1], **p[2]})

_text_conditions = st.one_of(
    *(_case(cmp, st.sampled_from(["user-3", "U1@example.org", "android", "+351912345678"])) for cmp in ("eq", "ne")),
    _case("contains", st.sampled_from(["user", "EXAMPLE", "o"])),
    st.sampled_from([{"cmp": "exists"}, {"cmp": "not_exists"}]),
)
_fields = st.one_of(
    st.tuples(st.sampled_from(["identity", "email", "phone", "platform", "make"]), _text_conditions).map(
        lambda p: {"field": p[0], **p[1]}
    ),
    st.tuples(st.sampled_from(["eq", "ne", "lt", "lte", "gt", "gte"]), _versions).map(
        lambda p: {"field": "app_version", "cmp": p[0], "value": p[1]}
    ),
    st.sampled_from([{"field": "app_version", "cmp": "in", "value": ["5.10", "6"]}]),
    st.lists(
        st.one_of(st.integers(0, 999), st.tuples(st.integers(0, 500), st.integers(500, 999)).map(list)),
        min_size=1,
        max_size=2,
    ).map(lambda v: {"field": "bucket", "cmp": "in", "value": v}),
    st.tuples(st.sampled_from(["eq", "ne", "lt", "lte", "gt", "gte"]), st.integers(0, 45)).map(
        lambda p: {"field": "age", "cmp": p[0], "value": p[1]}
    ),
    st.just({"field": "age", "cmp": "between", "value": [18, 40]}),
    st.tuples(
        st.sampled_from(
            [
                "identified",
                "has_email",
                "has_phone",
                "has_token",
                "unsubscribed_email",
                "unsubscribed_sms",
                "unsubscribed_push",
                "unsubscribed_whatsapp",
            ]
        ),
        st.booleans(),
    ).map(lambda p: {"field": p[0], "cmp": "eq", "value": p[1]}),
    st.tuples(st.sampled_from(["on", "before", "after"]), _days).map(
        lambda p: {"field": "created_at", "cmp": p[0], "value": p[1]}
    ),
    st.tuples(
        st.sampled_from(["contains_any", "contains_all", "contains_none", "is_exactly"]),
        st.lists(st.sampled_from(["email", "push", "SMS"]), min_size=1, max_size=2),
    ).map(lambda p: {"field": "reachable", "cmp": p[0], "value": p[1]}),
)
_user_rules = st.one_of(_with("prop", _USER_PROPS), _fields).map(lambda rule: {"type": "user", **rule})
_interests = st.tuples(
    st.one_of(
        st.lists(_scalars, min_size=1, max_size=2).map(lambda values: {"prop": "genre", "values": values}),
        st.lists(_scalars, min_size=1, max_size=2).map(lambda values: {"prop": "mixed", "values": values}),
        st.just({"dow": ["Wed", "Sun"]}),
    ),
    st.one_of(
        st.just({"mode": "predominantly"}),
        st.sampled_from([10, 30, 50, 100]).map(lambda pct: {"mode": "at_least", "pct": pct}),
    ),
    st.sampled_from([{}, {"minimum": 2}]),
    _ranges,
).map(lambda p: {"type": "interest", "event": "Charged", "range": p[3], **p[0], **p[1], **p[2]})
_scores = st.lists(st.integers(1, 5), min_size=1, max_size=3)
_rfms = st.tuples(
    st.fixed_dictionaries({}, optional={"r": _scores, "f": _scores, "m": _scores}),
    st.sampled_from([{}, {"cell": "Champions"}, {"cell": "Hibernating"}, {"cell": "At Risk"}]),
    _ranges,
).map(lambda p: {"type": "rfm", "event": "Charged", "monetary": "Amount", "range": p[2], **p[0], **p[1]})
_leaves = st.one_of(
    _event_rules, _event_rules, _user_rules, _user_rules, _interests, _rfms, st.just({"type": "everyone"})
)

trees = _boolean(_leaves, 3)
"""Legal rule trees over the names of `make_world`."""
