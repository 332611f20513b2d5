"""Top values, trends and active users over real rows."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest

from belfry.accounts.model import Account, AccountSettings, AccountState
from belfry.clock import ManualClock
from belfry.ids import AccountId
from belfry.segments.compiler.plan import Property
from belfry.segments.cql import Purpose, translate
from belfry.segments.model import EventQuery
from belfry.segments.parse import parse_event_query
from belfry.segments.reports.actions import Reports
from belfry.segments.reports.facets import facet_of
from belfry.segments.reports.now import ActiveUsers
from belfry.segments.reports.periods import Period
from belfry.segments.reports.top import TopGroup, TopValues
from belfry.segments.reports.trends import Figure, TrendMeasure
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database
from support.segment_oracle import Happened, Person, World
from support.segment_worlds import make_world, store

NOON_MS = 1_795_608_000_000
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
MONTH = (dt.date(2026, 11, 1), dt.date(2026, 11, 25))
ACCOUNT_ID = "acme"
OCCURRENCES = TrendMeasure()


def account(timezone: str = "UTC") -> Account:
    return Account(AccountId(ACCOUNT_ID), "Acme", timezone, "eu1", AccountState.ACTIVE, AccountSettings(), 0)


@pytest.fixture
def reports(sqlite_database: Database, columnar: Columnar, clock: ManualClock) -> Reports:
    return Reports(sqlite_database, columnar, clock)


def stored(columnar: Columnar, people: list[Person], events: list[Happened]) -> None:
    store(World(people, events, "UTC", NOON_MS), columnar, ACCOUNT_ID)


def rides(*props: dict[str, Any], by: int = 1) -> list[Happened]:
    return [
        Happened(by, "ridebooked", NOON_MS - HOUR_MS - number, by * 1000 + number, one)
        for number, one in enumerate(props)
    ]


def query(days: tuple[dt.date, dt.date] = MONTH, **more: Any) -> EventQuery:
    body = {"event_name": "Ride Booked", "from": f"{days[0]:%Y%m%d}", "to": f"{days[1]:%Y%m%d}", **more}
    found = translate(body, Purpose.EVENTS, dt.date(2026, 11, 25))
    return parse_event_query(found.occurrences, found.others)


def top(reports: Reports, kind: str, name: str, asked: EventQuery | None = None, **options: Any) -> TopValues:
    group = TopGroup(facet_of(kind, name, "g"), **options)
    return reports.top(account(options.pop("timezone", "UTC")), asked or query(), {"g": group})["g"]


# ---- top values of event properties


@pytest.mark.parametrize(
    ("values", "shape", "counts"),
    [
        (["Porto", "Porto", "Braga", None], "STR", {"Porto": 2, "Braga": 1, "-1": 1}),
        ([0, 1000, 5, 99.5, 100], "NUMBER", {"0-100": 3, "100-200": 1, "900-1000": 1}),
        ([0.1, 0.3, 0.2, 0.3], "NUMBER", {"0.28-0.3": 2, "0.1-0.12": 1, "0.2-0.22": 1}),
        ([7, 7, None], "NUMBER", {"7-8": 2, "-1": 1}),
        ([1, 2.5, "x", True, 1], "STR", {"1": 2, "2.5": 1, "x": 1, "true": 1}),
        ([True, False, True], "STR", {"true": 2, "false": 1}),
        ([["a", "b"], ["a", "a"], "a", []], "STR", {"a": 3, "b": 1, "-1": 1}),
        (["$D_1795600000"], "STR", {"$D_1795600000": 1}),
        (["-1", None], "STR", {"-1": 2}),
        ([{"inner": 1}], "STR", {"-1": 1}),
        ([None, None], "STR", {"-1": 2}),
        ([], "STR", {}),
        (["a`'\\{x:String}", ""], "STR", {"": 1, "a`'\\{x:String}": 1}),
    ],
    ids=[
        "texts",
        "numbers",
        "edges hold their value",
        "one number",
        "mixed",
        "booleans",
        "lists count items once",
        "dates",
        "a value like missing",
        "nested object",
        "all missing",
        "no events",
        "odd texts",
    ],
)
def test_a_property_is_told_by_what_it_holds(
    reports: Reports, columnar: Columnar, values: list[Any], shape: str, counts: dict[str, int]
) -> None:
    stored(columnar, [Person(1)], rides(*({} if value is None else {"v": value} for value in values)))
    found = top(reports, "event_properties", "v")
    assert (found.shape, found.counts) == (shape, counts)


def test_only_the_first_values_are_told_in_the_order_asked_for(reports: Reports, columnar: Columnar) -> None:
    cities = [{"City": city} for city, count in (("a", 3), ("b", 2), ("c", 1)) for _ in range(count)]
    stored(columnar, [Person(1)], rides(*cities, {}))
    assert list(top(reports, "event_properties", "City", count_max=2).counts.items()) == [("a", 3), ("b", 2), ("-1", 1)]
    rarest = top(reports, "event_properties", "City", count_max=2, ascending=True)
    assert list(rarest.counts.items()) == [("c", 1), ("b", 2), ("-1", 1)]
    stored_numbers = top(reports, "event_properties", "City", query(event_properties=[{"name": "City", "value": "b"}]))
    assert stored_numbers.counts == {"b": 2}


def test_ranges_are_cut_by_their_counts_too(reports: Reports, columnar: Columnar) -> None:
    stored(columnar, [Person(1)], rides(*({"Fare": fare} for fare in (1, 2, 15, 16, 17, 99))))
    assert top(reports, "event_properties", "Fare", count_max=1).counts == {"10-20": 3}
    assert top(reports, "event_properties", "Fare", count_max=1, ascending=True).counts == {"90-100": 1}


def test_items_and_nested_values_have_groups_too(reports: Reports, columnar: Columnar) -> None:
    items = [{"Book": "Emma", "Price": 3}, {"Book": "Emma"}, {"Book": "Dracula", "Price": 12.5}]
    stored(columnar, [Person(1)], rides({"Items": items, "cart": {"size": "big"}}, {"cart": {"size": "big"}}))
    assert top(reports, "event_properties", "Items|Book").counts == {"Dracula": 1, "Emma": 1, "-1": 1}
    prices = top(reports, "event_properties", "Items|Price")
    assert (prices.shape, prices.counts) == ("NUMBER", {"3-4": 1, "12-13": 1, "-1": 1})
    assert top(reports, "event_properties", "cart.size").counts == {"big": 2}


# ---- top values of users


PEOPLE = [
    Person(
        1,
        {"plan": "gold", "Gender": "M", "DOB": "$D_946684800", "visits": 3, "Employed": True},
        email="a@example.org",
        reachable=("email",),
        devices=({"platform": "Android", "make": "Pixel", "app_version": "5.10"}, {"platform": "iOS"}),
    ),
    Person(
        2, {"plan": "free", "Gender": "female", "DOB": "$D_951782400", "visits": 30}, devices=({"platform": "Web"},)
    ),
    Person(3),
    Person(4, {"plan": "gold"}, hidden=True),
]


@pytest.mark.parametrize(
    ("kind", "name", "shape", "counts"),
    [
        ("profile_fields", "plan", "STR", {"gold": 2, "free": 1, "-1": 1}),
        ("profile_fields", "visits", "NUMBER", {"0-5": 2, "25-30": 1, "-1": 1}),
        ("demographics", "Gender", "ENUM", {"Male": 2, "Female": 1, "-1": 1}),
        ("demographics", "Age", "NUMBER", {"26-27": 3, "-1": 1}),
        ("demographics", "Employed", "ENUM", {"true": 2, "-1": 2}),
        ("technographics", "OS", "ENUM", {"Android": 2, "iOS": 2, "-1": 2}),
        ("technographics", "Platform", "ENUM", {"Android": 2, "Web": 1, "iOS": 2, "-1": 1}),
        ("app_fields", "App Version", "ENUM", {"5.10": 2, "-1": 2}),
        ("reachability", "has_email", "ENUM", {"True": 2, "False": 2}),
        ("geo_fields", "Country", "ENUM", {"-1": 4}),
        ("session_properties", "utm_source", "ENUM", {"-1": 4}),
        ("session_properties", "day_of_week", "ENUM", {"4": 4}),
        ("session_properties", "day_of_month", "ENUM", {"25": 4}),
        ("session_properties", "time_of_day", "ENUM", {"11:00": 3, "10:00": 1}),
    ],
)
def test_occurrences_are_grouped_by_their_users_of_now(
    reports: Reports, columnar: Columnar, kind: str, name: str, shape: str, counts: dict[str, int]
) -> None:
    events = [event for by, times in ((1, 2), (2, 1), (3, 1), (4, 5)) for event in rides(*[{}] * times, by=by)]
    stored(columnar, PEOPLE, events)
    found = top(reports, kind, name)
    assert (found.shape, found.counts) == (shape, counts)


def test_who_was_born_on_29_february_turns_older_on_1_march(
    reports: Reports, columnar: Columnar, clock: ManualClock
) -> None:
    clock.advance_ms(-(NOON_MS - int(dt.datetime(2026, 2, 28, 12, tzinfo=dt.UTC).timestamp() * 1000)))
    events = [Happened(2, "ridebooked", clock.now_ms() - HOUR_MS, 1, {})]
    stored(columnar, PEOPLE, events)
    february = query((dt.date(2026, 2, 1), dt.date(2026, 2, 28)))
    assert top(reports, "demographics", "age", february).counts == {"25-26": 1}
    clock.advance_ms(DAY_MS)
    assert top(reports, "demographics", "age", february).counts == {"26-27": 1}


def test_filters_of_the_query_hold_in_every_group(reports: Reports, columnar: Columnar) -> None:
    stored(columnar, PEOPLE, [*rides({"City": "Porto"}, {"City": "Braga"}), *rides({"City": "Porto"}, by=2)])
    gold = query(common_profile_properties={"profile_fields": [{"name": "plan", "value": "gold"}]})
    assert top(reports, "event_properties", "City", gold).counts == {"Braga": 1, "Porto": 1}
    porto = query(event_properties=[{"name": "City", "value": "Porto"}])
    assert top(reports, "profile_fields", "plan", porto).counts == {"free": 1, "gold": 1}


# ---- trends


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp() * 1000)


def happened(*moments: str, by: int = 1, **props: Any) -> list[Happened]:
    return [Happened(by, "ridebooked", at(one), by * 1000 + n, dict(props)) for n, one in enumerate(moments)]


def trends(
    reports: Reports, days: tuple[dt.date, dt.date], measure: TrendMeasure = OCCURRENCES, timezone: str = "UTC"
) -> dict[Period, dict[str, int | float]]:
    return reports.trends(account(timezone), query(days), Period, measure, days)


def test_every_day_of_the_range_is_told_and_hidden_profiles_count_nowhere(reports: Reports, columnar: Columnar) -> None:
    events = [*happened("2026-11-01T00:00:00Z", "2026-11-03T23:59:59.999Z"), *happened("2026-11-02T01:00:00Z", by=4)]
    stored(columnar, PEOPLE, events)
    found = trends(reports, (dt.date(2026, 11, 1), dt.date(2026, 11, 3)))
    assert found == {
        Period.DAILY: {"20261101": 1, "20261102": 0, "20261103": 1},
        Period.WEEKLY: {"202644": 1, "202645": 1},
        Period.MONTHLY: {"202611": 2},
    }


@pytest.mark.parametrize(
    ("timezone", "moments", "days"),
    [
        (
            "Europe/Lisbon",  # 25 hours: summer time ends
            ("2026-10-24T23:00:00Z", "2026-10-25T23:59:59Z", "2026-10-26T00:00:00Z"),
            {"20261024": 0, "20261025": 2, "20261026": 1},
        ),
        (
            "America/Havana",  # 23 hours: midnight does not exist
            ("2026-03-08T04:59:59Z", "2026-03-08T05:00:00Z", "2026-03-09T03:59:59Z", "2026-03-09T04:00:00Z"),
            {"20260307": 1, "20260308": 2, "20260309": 1},
        ),
        ("Asia/Kolkata", ("2026-11-01T18:29:59Z", "2026-11-01T18:30:00Z"), {"20261101": 1, "20261102": 1}),
    ],
    ids=["long day", "short day", "half an hour"],
)
def test_days_are_those_of_the_accounts_calendar(
    reports: Reports, columnar: Columnar, timezone: str, moments: tuple[str, ...], days: dict[str, int]
) -> None:
    stored(columnar, [Person(1)], happened(*moments))
    first, last = (dt.datetime.strptime(day, "%Y%m%d").replace(tzinfo=dt.UTC).date() for day in (min(days), max(days)))
    assert trends(reports, (first, last), timezone=timezone)[Period.DAILY] == days


def test_users_are_distinct_within_each_period(reports: Reports, columnar: Columnar) -> None:
    events = [
        *happened("2026-11-01T10:00:00Z", "2026-11-01T11:00:00Z", "2026-11-02T10:00:00Z"),
        *happened("2026-11-02T12:00:00Z", by=2),
    ]
    stored(columnar, PEOPLE, events)
    days = (dt.date(2026, 11, 1), dt.date(2026, 11, 2))
    assert trends(reports, days, TrendMeasure(Figure.USERS)) == {
        Period.DAILY: {"20261101": 1, "20261102": 2},
        Period.WEEKLY: {"202644": 1, "202645": 2},
        Period.MONTHLY: {"202611": 2},
    }


@pytest.mark.parametrize(
    ("prop", "values", "total"),
    [
        (Property(("Fare",)), [{"Fare": 9}, {"Fare": 2}, {}, {"Fare": "x"}], 11),
        (Property(("Fare",)), [{"Fare": 9}, {"Fare": 2.5}], 11.5),
        (Property(("Fare",)), [{"Fare": 2**62}, {"Fare": 2**62}, {"Fare": 2**62}], 3 * 2**62),
        (Property(("Fare",)), [{"Fare": 1e308}, {"Fare": 1e308}], 1.7976931348623157e308),
        (Property(("Items", "Price"), item=True), [{"Items": [{"Price": 3}, {"Price": 4.5}, {}]}, {}], 7.5),
        (Property(("Fare",)), [{"Fare": -(2**63)}, {"Fare": -(2**63)}, {"Fare": -1}], -(2**64) - 1),
        (Property(("none",)), [{}], 0),
    ],
    ids=[
        "missing and texts are 0",
        "fractions",
        "beyond 64 bits",
        "beyond a double",
        "items",
        "negative",
        "never seen",
    ],
)
def test_a_property_is_added_up(
    reports: Reports, columnar: Columnar, prop: Property, values: list[dict[str, Any]], total: float
) -> None:
    stored(columnar, [Person(1)], rides(*values))
    day = dt.date(2026, 11, 25)
    found = trends(reports, (day, day), TrendMeasure(Figure.SUM, prop))
    assert found[Period.MONTHLY] == {"202611": total}


# ---- now


def test_users_who_did_something_in_the_last_five_minutes_are_active(reports: Reports, columnar: Columnar) -> None:
    people = [
        Person(1, created_at_ms=NOON_MS - HOUR_MS, reachable=("email",), devices=({"platform": "Android"},)),
        Person(2, devices=({"platform": "Web", "browser": "Firefox", "device_type": "Desktop"},)),
        Person(3),
        Person(4, hidden=True),
        Person(5),
        Person(6),
    ]
    ago = {1: 0, 2: 5 * MINUTE_MS - 1, 3: 5 * MINUTE_MS, 4: 0, 6: -MINUTE_MS}
    events = [Happened(by, "ridebooked", NOON_MS - ms, by, {}) for by, ms in ago.items()]
    events += [Happened(5, name, NOON_MS, 50, {}) for name in ("notificationsent", "identityset", "appuninstalled")]
    events += [Happened(2, "charged", NOON_MS - 90 * DAY_MS, 60, {}), Happened(1, "ridebooked", NOON_MS - 5, 61, {})]
    stored(columnar, people, events)
    found = sorted(reports.active_users(account()), key=lambda user: user.platform)
    assert found == [
        ActiveUsers(True, True, False, "Android", "", "", "", 1),
        ActiveUsers(False, False, True, "Web", "", "Firefox", "Desktop", 1),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_reports_say_what_plain_counting_says(
    sqlite_database: Database, columnar: Columnar, clock: ManualClock, seed: int
) -> None:
    """Random worlds: many time zones and clock changes, mixed types, lists, missing values, hidden profiles."""
    world = make_world(seed, events=200)
    clock.advance_ms(world.as_of_ms - clock.now_ms())
    store(world, columnar, ACCOUNT_ID)
    reports = Reports(sqlite_database, columnar, clock)
    days = (world.today - dt.timedelta(days=90), world.today)
    found = translate(
        {"event_name": "Charged", "from": f"{days[0]:%Y%m%d}", "to": f"{days[1]:%Y%m%d}"}, Purpose.EVENTS, world.today
    )
    asked = parse_event_query(found.occurrences, found.others)
    visible = {person.profile_id for person in world.people if not person.hidden}
    events = [
        event
        for event in world.events
        if event.name == "charged" and event.profile_id in visible and event.ts_ms <= world.as_of_ms
    ]
    daily = reports.trends(account(world.timezone), asked, [Period.DAILY], OCCURRENCES, days)[Period.DAILY]
    assert {day: count for day, count in daily.items() if count} == Counter(
        f"{world.local(event.ts_ms):%Y%m%d}" for event in events
    )
    for name in ("genre", "ver"):
        group = TopGroup(facet_of("event_properties", name, "g"), count_max=100)
        told = reports.top(account(world.timezone), asked, {"g": group})["g"]
        assert told.counts == Counter(event.props.get(name, "-1") for event in events)


def test_another_account_sees_nothing(reports: Reports, columnar: Columnar) -> None:
    stored(columnar, [Person(1)], [*rides({"City": "Porto"}), Happened(1, "ridebooked", NOON_MS, 9, {})])
    other = Account(AccountId("other"), "Other", "UTC", "eu1", AccountState.ACTIVE, AccountSettings(), 0)
    group = TopGroup(facet_of("event_properties", "City", "g"))
    assert reports.top(other, query(), {"g": group})["g"].counts == {}
    assert sum(reports.trends(other, query(), [Period.DAILY], TrendMeasure(), MONTH)[Period.DAILY].values()) == 0
    assert reports.active_users(other) == []
