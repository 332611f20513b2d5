"""Whom a rule tree picks, worked out the plain way: event by event, user by user, in Python, from the JSON itself.

Shares no code with the compiler on purpose. Slow and simple: what it says is what the compiler's SQL must say.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

DEBUG = {"identityset", "identityreset", "identityerror", "reachableby", "pushunregistered"}
NEGATED = {
    "ne": "eq",
    "not_in": "in",
    "not_exists": "exists",
    "not_contains": "contains",
    "contains_none": "contains_any",
    "vne": "veq",
}
MISSING_MATCHES = {"ne", "not_in", "contains_none", "vne", "not_exists"}
UTC = dt.UTC


@dataclass
class Happened:
    """One event."""

    profile_id: int
    name: str
    ts_ms: int
    seq: int
    props: dict[str, Any]


@dataclass
class Person:
    """One profile."""

    profile_id: int
    props: dict[str, Any] = field(default_factory=dict)
    hidden: bool = False
    identity: str = ""
    email: str = ""
    phone: str = ""
    bucket: int = 0
    created_at_ms: int = 1_700_000_000_000
    identified: bool = True
    reachable: tuple[str, ...] = ()
    devices: tuple[dict[str, str], ...] = ()


@dataclass
class World:
    """An account's data, its time zone and the moment of evaluation."""

    people: list[Person]
    events: list[Happened]
    timezone: str
    as_of_ms: int
    segments: dict[int, Any] = field(default_factory=dict)
    identities: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kept: dict[str, dict[int, tuple[Any, ...]]] = {}
        self._events: dict[int, list[Happened]] = defaultdict(list)
        for event in self.events:
            self._events[event.profile_id].append(event)

    def of(self, profile_id: int) -> list[Happened]:
        return self._events[profile_id]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def today(self) -> dt.date:
        return self.local(self.as_of_ms).date()

    def local(self, at_ms: int) -> dt.datetime:
        return dt.datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(self.zone)


def members(tree: Any, world: World) -> set[int]:
    """Ids of the users that a tree picks."""
    return {person.profile_id for person in world.people if not person.hidden and matches(tree, person, world)}


def matches(tree: Any, person: Person, world: World) -> bool:
    if tree.get("op") == "and":
        return all(matches(child, person, world) for child in tree["rules"])
    if tree.get("op") == "or":
        return any(matches(child, person, world) for child in tree["rules"])
    if "not" in tree:
        return not matches(tree["not"], person, world)
    kind = tree["type"]
    if kind == "event":
        return did(tree, person, world) == tree.get("did", True)
    if kind == "user":
        return user_matches(tree, person, world)
    if kind == "segment":
        return matches(world.segments[tree["id"]], person, world)
    if kind == "interest":
        return is_interested(tree, person, world)
    if kind == "rfm":
        return has_scores(tree, person, world)
    if kind == "who":
        return world.identities.get((tree["kind"], tree["value"])) == person.profile_id
    return True


# ---- events


def fold_name(name: str) -> str:
    return "".join(name.split()).casefold()


def did(rule: Any, person: Person, world: World) -> bool:
    mine = sorted(
        (e for e in world.of(person.profile_id) if e.ts_ms <= world.as_of_ms),
        key=lambda e: (e.ts_ms, e.seq),
    )
    sources = rule.get("any_of") or [rule]
    occurrence = rule.get("occurrence", "any")
    if occurrence != "any":
        named = [e for e in mine if any(is_named(source, e) for source in sources)]
        mine = named[:1] if occurrence == "first" else named[-1:]
    matching = [e for e in mine if any(is_occurrence(source, e, world) for source in sources)]
    measure = rule.get("measure") or {}
    if not matching and not measure.get("include_zero"):
        return False
    figure = measured(measure, matching)
    return figure is not None and compare(measure.get("cmp", "gte"), figure, measure.get("value", 1))


def is_named(source: Any, event: Happened) -> bool:
    if source.get("any_event"):
        return event.name not in DEBUG
    wanted = source["events"] if "events" in source else [source["event"]]
    return event.name in {fold_name(name) for name in wanted}


def is_occurrence(source: Any, event: Happened, world: World) -> bool:
    when = source.get("when") or {}
    if not is_named(source, event) or not in_range(when.get("range", "all"), event.ts_ms, world):
        return False
    local = world.local(event.ts_ms)
    if "tod" in when and not in_windows(when["tod"], local):
        return False
    if "dow" in when and local.strftime("%a") not in [day[:3].title() for day in when["dow"]]:
        return False
    if "dom" in when and local.day not in when["dom"]:
        return False
    return "where" not in source or filter_matches(source["where"], event.props, world)


def in_windows(windows: Any, local: dt.datetime) -> bool:
    if isinstance(windows[0], str):
        windows = [windows]
    now = local.strftime("%H:%M")
    for start, end in windows:
        inside = start <= now < end if start < end else now >= start or now < end
        if inside:
            return True
    return False


def measured(measure: Any, events: list[Happened]) -> Any:
    fn = measure.get("fn", "count")
    if fn == "count":
        return len(events)
    found = [look_up(e.props, measure["prop"]) for e in events]
    numbers = [Fraction(v) if is_number(v) else None for v in found]
    present = [n for n in numbers if n is not None]
    if fn == "sum":
        return sum(present, Fraction(0))
    if fn == "avg":
        return sum(present, Fraction(0)) / len(events) if events else Fraction(0)
    if fn == "distinct":
        return len({distinct_key(v) for v in found if v is not None and not isinstance(v, dict)})
    if not present:
        return None
    return min(present) if fn == "min" else max(present)


def distinct_key(value: Any) -> Any:
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ("list", tuple(value))
    return value


# ---- time


def day_start(day: dt.date, world: World) -> int:
    """The first instant of a local day, found by walking over the minutes around midnight in UTC."""
    guess = int(dt.datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    low, high = guess - 30 * 3600, guess + 30 * 3600
    while high - low > 1:
        middle = (low + high) // 2
        if dt.datetime.fromtimestamp(middle, UTC).astimezone(world.zone).date() >= day:
            high = middle
        else:
            low = middle
    return high * 1000


def month_start(day: dt.date, months: int) -> dt.date:
    for _ in range(abs(months)):
        day = (day.replace(day=1) - dt.timedelta(days=1)).replace(day=1) if months < 0 else next_month(day)
    return day.replace(day=1)


def next_month(day: dt.date) -> dt.date:
    return (day.replace(day=28) + dt.timedelta(days=4)).replace(day=1)


def last_start(count: int, unit: str, world: World) -> int:
    unit = unit.rstrip("s")
    if unit == "minute":
        return world.as_of_ms - count * 60_000
    if unit == "hour":
        return world.as_of_ms - count * 3_600_000
    if unit == "day":
        return day_start(world.today - dt.timedelta(days=count - 1), world)
    if unit == "week":
        monday = world.today - dt.timedelta(days=world.today.weekday())
        return day_start(monday - dt.timedelta(days=7 * (count - 1)), world)
    return day_start(month_start(world.today, -(count - 1)), world)


def next_end(count: int, unit: str, world: World) -> int:
    """Exclusive."""
    if unit == "minute":
        return world.as_of_ms + count * 60_000 + 1
    if unit == "hour":
        return world.as_of_ms + count * 3_600_000 + 1
    if unit == "day":
        return day_start(world.today + dt.timedelta(days=count), world)
    if unit == "week":
        monday = world.today - dt.timedelta(days=world.today.weekday())
        return day_start(monday + dt.timedelta(days=7 * count), world)
    return day_start(month_start(world.today, count), world)


def in_range(range_: Any, ts_ms: int, world: World) -> bool:
    local_day = world.local(ts_ms).date()
    if range_ == "all":
        return True
    if range_ == "today":
        return local_day == world.today
    if range_ == "yesterday":
        return local_day == world.today - dt.timedelta(days=1)
    if "last" in range_:
        return ts_ms >= last_start(range_["last"], range_["unit"], world)
    if "between" in range_:
        start, end = range_["between"]
        return not is_before(ts_ms, start, world) and not is_after(ts_ms, end, world)
    if "on" in range_:
        return not is_before(ts_ms, range_["on"], world) and not is_after(ts_ms, range_["on"], world)
    if "before" in range_:
        return is_before(ts_ms, range_["before"], world)
    return is_after(ts_ms, range_["after"], world)


def moment(value: Any) -> dt.date | int:
    text = str(value)
    if text.startswith("$D_"):
        return int(text[3:]) * 1000
    if "T" in text:
        return int(dt.datetime.fromisoformat(text).timestamp() * 1000)
    return dt.date.fromisoformat(text)


def is_before(at_ms: int, value: Any, world: World) -> bool:
    at = moment(value)
    return world.local(at_ms).date() < at if isinstance(at, dt.date) else at_ms < at


def is_after(at_ms: int, value: Any, world: World) -> bool:
    at = moment(value)
    return world.local(at_ms).date() > at if isinstance(at, dt.date) else at_ms > at


# ---- values


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def look_up(props: dict[str, Any], path: str) -> Any:
    root, bar, key = path.partition("|")
    if bar:
        items = props.get(root)
        found = [item.get(key) for item in items if isinstance(item, dict)] if isinstance(items, list) else []
        found = [value for value in found if value is not None]
        return Several(found) if found else None
    value: Any = props
    # Upload removes these from keys, so a rule that names them means the key without.
    for part in "".join(character for character in path if character not in "%><!|&:;$'\"\\#").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


class Several(list):  # type: ignore[type-arg]
    """Values of a key over a list of objects."""


def filter_matches(tree: Any, props: dict[str, Any], world: World) -> bool:
    if tree.get("op") == "and":
        return all(filter_matches(child, props, world) for child in tree["rules"])
    if tree.get("op") == "or":
        return any(filter_matches(child, props, world) for child in tree["rules"])
    if "not" in tree:
        return not filter_matches(tree["not"], props, world)
    return condition_matches(tree, look_up(props, tree["prop"]), world)


def condition_matches(condition: Any, value: Any, world: World) -> bool:
    cmp = condition["cmp"]
    if cmp not in NEGATED:
        return value is not None and positive(cmp, condition.get("value"), value, world)
    if value is None:
        return bool(condition.get("match_missing", cmp in MISSING_MATCHES))
    return not positive(NEGATED[cmp], condition.get("value"), value, world)


def positive(cmp: str, wanted: Any, value: Any, world: World) -> bool:
    if cmp == "exists":
        return True
    if cmp in ("contains_all", "is_exactly"):
        return list_matches(cmp, wanted, value)
    if cmp == "size":
        size = len(value) if isinstance(value, list) else 0 if isinstance(value, dict) else 1
        return compare(wanted["cmp"], size, wanted["value"])
    values = value if isinstance(value, list) else [value]
    return any(one_matches(cmp, wanted, one, world) for one in values)


def list_matches(cmp: str, wanted: Any, value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    have = {fold(one) for one in values if isinstance(one, str)}
    if not any(isinstance(one, str) for one in values) and not isinstance(value, list):
        return False
    want = {fold(one) for one in (wanted if isinstance(wanted, list) else [wanted])}
    return want <= have if cmp == "contains_all" else want == have


def one_matches(cmp: str, wanted: Any, value: Any, world: World) -> bool:
    if cmp == "eq":
        return equals(wanted, value)
    if cmp == "in":
        return any(equals(one, value) for one in wanted)
    if cmp == "contains_any":
        return any(equals(one, value) for one in (wanted if isinstance(wanted, list) else [wanted]))
    if cmp in ("contains", "starts_with", "ends_with", "matches"):
        return isinstance(value, str) and text_matches(cmp, wanted, value)
    if cmp in ("veq", "vin", "vlt", "vlte", "vgt", "vgte"):
        return isinstance(value, str) and version_matches(cmp, wanted, value)
    if cmp in ("lt", "lte", "gt", "gte"):
        return ordered(cmp, wanted, value)
    if cmp == "between" and all(is_number(end) for end in wanted):
        return is_number(value) and wanted[0] <= value <= wanted[1]
    epoch = epoch_s(value)
    return epoch is not None and date_matches(cmp, wanted, epoch, world)


def epoch_s(value: Any) -> int | None:
    found = re.fullmatch(r"\$D_([+-]?\d{1,18})", value) if isinstance(value, str) else None
    return int(found.group(1)) if found else None


def fold(text: str) -> str:
    out = []
    for character in text:
        if character.isascii():
            out.append(character.lower())
            continue
        up = character.upper() if len(character.upper()) == 1 else character
        low = up.lower() if len(up.lower()) == 1 else up
        out.append(character if low.isascii() else low)
    return "".join(out)


def equals(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return isinstance(wanted, bool) and isinstance(value, bool) and wanted == value
    if epoch_s(wanted) is not None:
        return epoch_s(wanted) == epoch_s(value)
    if isinstance(wanted, str):
        return isinstance(value, str) and fold(wanted) == fold(value)
    return is_number(value) and wanted == value


def text_matches(cmp: str, wanted: str, value: str) -> bool:
    if cmp == "matches":
        return re.search(wanted, value, re.DOTALL) is not None
    wanted, value = fold(wanted), fold(value)
    if cmp == "contains":
        return wanted in value
    return value.startswith(wanted) if cmp == "starts_with" else value.endswith(wanted)


def version(text: str) -> list[int] | None:
    found = re.match(r"[vV]?([0-9]{1,18}(?:\.[0-9]{1,18}){0,7})", text)
    if not found:
        return None
    parts = [int(part) for part in found.group(1).split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return parts


def version_matches(cmp: str, wanted: Any, value: str) -> bool:
    have = version(value)
    if have is None:
        return False
    for one in wanted if isinstance(wanted, list) else [wanted]:
        want = version(one)
        assert want is not None
        results = {
            "veq": have == want,
            "vin": have == want,
            "vlt": have < want,
            "vlte": have <= want,
            "vgt": have > want,
            "vgte": have >= want,
        }
        if results[cmp]:
            return True
    return False


def ordered(cmp: str, wanted: Any, value: Any) -> bool:
    if epoch_s(wanted) is not None:
        have, want = epoch_s(value), epoch_s(wanted)
        return have is not None and want is not None and compare(cmp, have, want)
    return is_number(value) and compare(cmp, value, wanted)


def compare(cmp: str, have: Any, want: Any) -> bool:
    if cmp == "between":
        return bool(want[0] <= have <= want[1])
    return {
        "eq": have == want,
        "ne": have != want,
        "lt": have < want,
        "lte": have <= want,
        "gt": have > want,
        "gte": have >= want,
    }[cmp]


def date_matches(cmp: str, wanted: Any, epoch: int, world: World) -> bool:
    at_ms = epoch * 1000
    if cmp == "on":
        return not is_before(at_ms, wanted, world) and not is_after(at_ms, wanted, world)
    if cmp == "before":
        return is_before(at_ms, wanted, world)
    if cmp == "after":
        return is_after(at_ms, wanted, world)
    if cmp == "between":
        return not is_before(at_ms, wanted[0], world) and not is_after(at_ms, wanted[1], world)
    if cmp == "days_ago":
        return world.local(at_ms).date() == world.today - dt.timedelta(days=wanted)
    if cmp == "days_from_now":
        return world.local(at_ms).date() == world.today + dt.timedelta(days=wanted)
    if cmp == "anniversary":
        return is_anniversary(wanted or 0, epoch, world)
    count, unit = (wanted, "day") if isinstance(wanted, int) else (wanted["last"], wanted["unit"])
    if cmp == "in_last":
        return last_start(count, unit, world) <= at_ms <= world.as_of_ms
    if cmp == "in_next":
        return world.as_of_ms <= at_ms < next_end(count, unit, world)
    if unit in ("minute", "hour"):
        return at_ms < last_start(count, unit, world)
    return at_ms < last_start(count + 1, unit, world)


def is_anniversary(within: int, epoch: int, world: World) -> bool:
    born = world.local(epoch * 1000).date()
    for offset in range(-within, within + 1):
        day = world.today + dt.timedelta(days=offset)
        party = (born.month, born.day)
        if party == (2, 29) and not is_leap(day.year):
            party = (3, 1)
        if party == (day.month, day.day):
            return True
    return False


def is_leap(year: int) -> bool:
    return (dt.date(year, 3, 1) - dt.timedelta(days=1)).day == 29


# ---- users


def user_matches(rule: Any, person: Person, world: World) -> bool:
    if "prop" in rule and rule["prop"].lower() in ("email", "phone", "identity"):
        rule = {**rule, "field": rule["prop"].lower()}
    elif "prop" in rule:
        return condition_matches(rule, look_up(person.props, rule["prop"]), world)
    name = rule["field"]
    if name in ("identity", "email", "phone"):
        return condition_matches(rule, getattr(person, name) or None, world)
    if name == "bucket":
        wanted = rule["value"]
        if rule["cmp"] == "in":
            return any(p[0] <= person.bucket <= p[1] if isinstance(p, list) else p == person.bucket for p in wanted)
        return condition_matches(rule, person.bucket, world)
    if name == "age":
        return condition_matches(rule, age(person, world), world)
    if name == "created_at":
        return condition_matches(rule, f"$D_{person.created_at_ms // 1000}", world)
    if name == "reachable":
        return condition_matches(rule, list(person.reachable) or None, world)
    if name.startswith(("has_", "unsubscribed_")) or name == "identified":
        return flag(name, person) == rule["value"]
    return device_matches(rule, person, world)


def age(person: Person, world: World) -> int | None:
    epoch = epoch_s(person.props.get("DOB"))
    if epoch is None:
        return None
    born, today = world.local(epoch * 1000).date(), world.today
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def flag(name: str, person: Person) -> bool:
    refused = lambda key: person.props.get(key) is False  # noqa: E731
    reachable = person.reachable
    return {
        "identified": person.identified,
        "has_email": person.email != "",
        "has_phone": person.phone != "",
        "has_token": "push" in reachable or "webpush" in reachable,
        "unsubscribed_email": refused("MSG-email") or (person.email != "" and "email" not in reachable),
        "unsubscribed_sms": refused("MSG-sms") or (person.phone != "" and "sms" not in reachable),
        "unsubscribed_push": refused("MSG-push") or refused("MSG-push-all"),
        "unsubscribed_whatsapp": person.phone != "" and "whatsapp" not in reachable,
    }[name]


def device_matches(rule: Any, person: Person, world: World) -> bool:
    name, cmp = rule["field"], rule["cmp"]
    as_version = {"eq": "veq", "ne": "vne", "in": "vin", "not_in": "vne", "lt": "vlt", "lte": "vlte"}
    as_version |= {"gt": "vgt", "gte": "vgte"}
    if name.endswith("_version"):
        missing = rule.get("match_missing", cmp in MISSING_MATCHES)
        rule = {**rule, "cmp": as_version.get(cmp, cmp), "match_missing": missing}
    devices = person.devices or ({},)
    return any(condition_matches(rule, device.get(name) or None, world) for device in devices)


def is_interested(rule: Any, person: Person, world: World) -> bool:
    range_ = rule.get("range", {"last": 90, "unit": "day"})
    source = {"event": rule["event"], "when": {"range": range_}}
    mine = [e for e in world.of(person.profile_id) if e.ts_ms <= world.as_of_ms]
    mine = [e for e in mine if is_occurrence(source, e, world)]
    if "prop" in rule:
        mine = [e for e in mine if is_plain(look_up(e.props, rule["prop"]))]
    if len(mine) < rule.get("minimum", 1):
        return False
    chosen = [is_chosen(rule, e, world) for e in mine]
    if rule["mode"] == "at_least":
        return sum(chosen) * 100 >= Fraction(rule["pct"]) * len(mine)
    counts = Counter(interest_key(rule, e, world) for e in mine)
    best = {key for key, count in counts.items() if count == max(counts.values())}
    return any(is_mine and interest_key(rule, e, world) in best for e, is_mine in zip(mine, chosen, strict=True))


def is_plain(value: Any) -> bool:
    return value is not None and not isinstance(value, dict)


def is_chosen(rule: Any, event: Happened, world: World) -> bool:
    local = world.local(event.ts_ms)
    if "tod" in rule:
        return in_windows(rule["tod"], local)
    if "dow" in rule:
        return local.strftime("%a") in rule["dow"]
    return positive("in", rule["values"], look_up(event.props, rule["prop"]), world)


def interest_key(rule: Any, event: Happened, world: World) -> Any:
    if "dow" in rule:
        return world.local(event.ts_ms).weekday()
    value = look_up(event.props, rule["prop"])
    return fold(value) if isinstance(value, str) else distinct_key(value)


def has_scores(rule: Any, person: Person, world: World) -> bool:
    figures = all_figures(rule, world)
    if person.profile_id not in figures:
        return False
    r, f, m = (score(figures, person.profile_id, part) for part in range(3))
    cell = CELL_OF[r][f - 1]
    return (
        r in rule.get("r", range(1, 6))
        and f in rule.get("f", range(1, 6))
        and m in rule.get("m", range(1, 6))
        and rule.get("cell", cell) == cell
    )


def all_figures(rule: Any, world: World) -> dict[int, tuple[Any, ...]]:
    """Latest time, count and money of everyone who did it; kept, for each person asks again."""
    key = json.dumps([rule["event"], rule["range"], rule.get("monetary")])
    if key not in world.kept:
        source = {"event": rule["event"], "when": {"range": rule["range"]}}
        world.kept[key] = {}
        for other in world.people:
            mine = [e for e in world.of(other.profile_id) if e.ts_ms <= world.as_of_ms]
            mine = [e for e in mine if is_occurrence(source, e, world)]
            if mine and not other.hidden:
                money = measured({"fn": "sum", "prop": rule.get("monetary", "")}, mine)
                world.kept[key][other.profile_id] = (max(e.ts_ms for e in mine), len(mine), money)
    return world.kept[key]


def score(figures: dict[int, tuple[Any, ...]], profile_id: int, part: int) -> int:
    mine = figures[profile_id][part]
    rank = sum(other[part] < mine for other in figures.values())
    percent = Fraction(rank, max(len(figures) - 1, 1))
    return max(1, -(-5 * percent // 1))


CELL_OF = {
    5: ["New Users", "Potential Loyalists", "Potential Loyalists", "Champions", "Champions"],
    4: ["Promising", "Potential Loyalists", "Potential Loyalists", "Loyal Users", "Loyal Users"],
    3: ["About to Sleep", "About to Sleep", "Needing Attention", "Loyal Users", "Loyal Users"],
    2: ["Hibernating", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"],
    1: ["Hibernating", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"],
}
