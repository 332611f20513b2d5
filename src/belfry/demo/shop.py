"""A small shop's day: users, events, some records wrong on purpose, and what must come of it all.

Everything follows from the seed and the time, so that the demo can check each figure that Belfry reports.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec

USERS_COUNT = 2_000
EVENTS_COUNT = 50_000
BATCH_RECORDS = 500
PARTNER_ID = "Finch Loyalty"
SEED = 8_040
CITIES = ("Lisbon", "Porto", "Braga", "Faro", "Coimbra")
PRODUCTS = (
    ("Casio Chronograph Watch", 89.0),
    ("Trail Shoes", 119.5),
    ("Rain Jacket", 74.9),
    ("Espresso Cups", 18.0),
    ("Desk Lamp", 42.0),
    ("Notebook", 6.5),
)
NAMES = ("Ana", "Bruno", "Clara", "Diogo", "Eva", "Filipe", "Greta", "Hugo", "Ines", "João", "Lena", "Marta")

Record = dict[str, Any]

WRONG: tuple[tuple[int, str, Record], ...] = (
    (515, "an e-mail address that is none", {"type": "profile", "profileData": {"Email": "$$$$$"}}),
    (516, "a phone number without country code", {"type": "profile", "profileData": {"Phone": "912345678"}}),
    (513, "an event that only an SDK may raise", {"type": "event", "evtName": "App Uninstalled", "evtData": {}}),
    (509, "an event without a name", {"type": "event", "evtData": {"Price": 3}}),
    (523, "a record about nobody", {"type": "event", "evtName": "Product Viewed", "identity": ""}),
    (524, "a record of an unknown type", {"type": "order", "evtName": "Product Viewed"}),
    (525, "a time that is none", {"type": "event", "evtName": "Product Viewed", "ts": "tomorrow"}),
    (520, "an age that is none", {"type": "profile", "profileData": {"Age": "aa"}}),
)
"""Wrong records: the code that each must be refused with (server-api 3.12), in words, and the record."""


class Day(msgspec.Struct):
    """The day as uploads, with what must come of it.

    uploads          bodies' record lists for POST /1/upload, in order
    history          App Launched events of the shop's app, for POST /api/v1/history
    refused          code → how many records must be refused with it
    launched         identities that did App Launched in the last 30 days
    left_carts       identities that put something into the cart in the last two days and bought nothing
    without_number   those of them whom a message cannot be written to: their loyalty number is unknown
    """

    uploads: list[list[Record]]
    history: list[list[Record]]
    refused: Counter[int]
    records_count: int
    events_count: int
    partner_count: int
    launched: set[str]
    left_carts: set[str]
    without_number: set[str]


def make_day(now_s: int) -> Day:
    """The shop's day that ends at `now_s` (epoch seconds)."""
    chance = random.Random(SEED)
    users = [f"shop-{number:04d}" for number in range(USERS_COUNT)]
    profiles = [_profile(chance, number, user) for number, user in enumerate(users)]
    wrong = [_wrong(chance, users, number) for number in range(240)]
    events, bought, carted = _events(chance, users, now_s)
    partner = [record for number, record in enumerate(events) if number % 10 == 0]
    for record in partner:
        record["$source"] = PARTNER_ID
    records = events + [record for _, record in wrong]
    chance.shuffle(records)
    left = carted - bought
    history, launched = _launches(chance, users, now_s)
    numbers = {record["identity"] for record in profiles if "Loyalty Number" in record["profileData"]}
    everything = profiles + records
    return Day(
        uploads=[everything[at : at + BATCH_RECORDS] for at in range(0, len(everything), BATCH_RECORDS)],
        history=[history[at : at + BATCH_RECORDS] for at in range(0, len(history), BATCH_RECORDS)],
        refused=Counter(code for code, _ in wrong),
        records_count=len(everything),
        events_count=len(events),
        partner_count=len(partner),
        launched=launched,
        left_carts=left,
        without_number=left - numbers,
    )


def _profile(chance: random.Random, number: int, user: str) -> Record:
    name = f"{chance.choice(NAMES)} {chance.choice('ABCDEFGHIJKLMNOPQRSTUVW')}."
    data: Record = {
        "Name": name,
        "Email": f"{user}@example.org",
        "Phone": f"+35191{number:07d}",
        "Customer Type": chance.choice(("Gold", "Silver", "New")),
        "City": chance.choice(CITIES),
        "Tz": "Europe/Lisbon",
    }
    if number % 12:
        data["Loyalty Number"] = f"L-{100_000 + number}"
    return {"type": "profile", "identity": user, "profileData": data}


def _wrong(chance: random.Random, users: list[str], number: int) -> tuple[int, Record]:
    code, _, record = WRONG[number % len(WRONG)]
    return code, {"identity": chance.choice(users), **record}


def _events(chance: random.Random, users: list[str], now_s: int) -> tuple[list[Record], set[str], set[str]]:
    """The day's events in the order of their time, who bought, and who put something into the cart."""
    weights = [1 / (1 + rank / 400) for rank in range(len(users))]
    buyers, carted = set[str](), set[str]()
    events = []
    for number, user in enumerate(chance.choices(users, weights=weights, k=EVENTS_COUNT)):
        ts = now_s - 86_400 + number * 86_400 // EVENTS_COUNT
        product, price = chance.choice(PRODUCTS)
        draw = chance.random()
        if draw < 0.02:
            buyers.add(user)
            events.append(_charged(user, ts, number, product, price))
        elif draw < 0.12:
            carted.add(user)
            events.append(_event(user, ts, "Added To Cart", {"Product name": product, "Price": price}))
        elif draw < 0.30:
            events.append(_event(user, ts, "Searched", {"Term": product.split()[0].lower()}))
        else:
            events.append(_event(user, ts, "Product Viewed", {"Product name": product, "Price": price}))
    return events, buyers, carted


def _event(user: str, ts: int, name: str, data: Record) -> Record:
    return {"type": "event", "identity": user, "ts": ts, "evtName": name, "evtData": data}


def _charged(user: str, ts: int, number: int, product: str, price: float) -> Record:
    data = {
        "Amount": price,
        "Currency": "EUR",
        "Charged ID": f"T-{number}",
        "Items": [{"Product name": product, "Price": price}],
    }
    return _event(user, ts, "Charged", data)


def _launches(chance: random.Random, users: list[str], now_s: int) -> tuple[list[Record], set[str]]:
    """What the shop's app had recorded before: launches of the last 25 days, by two users in three."""
    launched = set(chance.sample(users, len(users) * 2 // 3))
    records = [
        _event(user, now_s - chance.randrange(25 * 86_400), "App Launched", {"CT App Version": "4.2.0"})
        for user in sorted(launched)
    ]
    return records, launched
