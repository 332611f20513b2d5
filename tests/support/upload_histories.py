"""Random but repeatable days of one account: users, devices, repetitions, late events, merges: all that moves."""

from __future__ import annotations

import random
from typing import Any

import sqlalchemy as sa

from belfry.profiles.graph import MemoryGraph, Wanted
from belfry.profiles.model import Identity, IdentityKind
from belfry.profiles.store import load
from belfry.profiles.tables import identity_log
from support.thread import ACCOUNT, DataThread, event, profile

USERS = [f"user-{number}" for number in range(8)]
DEVICES = [f"a8f0c9a7e5d14c5{number}" for number in range(5)]
NAMES = ["Bought", "Product Viewed", "product viewed", "Opened", "Searched"]
REPEATED_SHARE = 0.25
COMMAND_SHARE = 0.08


def play(thread: DataThread, seed: int, requests_count: int) -> None:
    """Put requests into the log, one after another, each applied by the thread's own pipeline before the next comes."""
    chance = random.Random(seed)
    sent: list[list[dict[str, Any]]] = []
    for _ in range(requests_count):
        thread.clock.advance_ms(chance.choice([5, 900, 61_000]))
        if sent and chance.random() < REPEATED_SHARE:
            thread.upload(*chance.choice(sent[-12:]))
        elif chance.random() < COMMAND_SHARE:
            _command(thread, chance)
        else:
            sent.append([_record(thread, chance) for _ in range(chance.choice([1, 2, 5, 30]))])
            thread.upload(*sent[-1])
        thread.apply()


def _record(thread: DataThread, chance: random.Random) -> dict[str, Any]:
    user, device = chance.choice(USERS), chance.choice(DEVICES)
    now_s = thread.clock.now_ms() // 1000
    ways = [_event, _event, _event, _event, _anonymous, _login, _profile, _charged, _odd]
    return chance.choice(ways)(chance, user, device, now_s)


def _event(chance: random.Random, user: str, _device: str, now_s: int) -> dict[str, Any]:
    age_s = chance.choice([0, 1, 2, 60, 4000, -300])
    props = {"n": chance.randint(0, 3), "when": f"$D_{now_s}", "tags": ["a", "b"]}
    return event(user, chance.choice(NAMES), dict(chance.sample(list(props.items()), 2)), ts=now_s - age_s)


def _anonymous(chance: random.Random, _user: str, device: str, now_s: int) -> dict[str, Any]:
    return event(
        None, chance.choice(NAMES), {"n": chance.randint(0, 3)}, objectId=device, ts=now_s - chance.randint(0, 9)
    )


def _login(_chance: random.Random, user: str, device: str, _now_s: int) -> dict[str, Any]:
    return event(user, "Logged In", {}, objectId=device)


def _profile(chance: random.Random, user: str, _device: str, now_s: int) -> dict[str, Any]:
    data = {
        "Name": user.title(),
        "Email": f"{chance.choice(USERS)}@example.org",
        "visits": {"$incr": chance.randint(1, 3)},
        "tags": {"$add": [chance.choice("abc")]},
        "MSG-email": chance.random() < 0.5,
        "tier": chance.choice(["gold", "silver"]),
    }
    return profile(user, dict(chance.sample(list(data.items()), 3)), ts=now_s - chance.randint(0, 100))


def _charged(chance: random.Random, user: str, _device: str, _now_s: int) -> dict[str, Any]:
    return event(user, "Charged", {"Amount": 5.5, "Charged ID": f"T{chance.randint(0, 5)}"})


def _odd(chance: random.Random, user: str, _device: str, now_s: int) -> dict[str, Any]:
    return chance.choice(
        [
            event(user, "App Uninstalled"),
            event(user, "Far", ts=now_s - 20 * 365 * 86_400),
            event(user, "Nested", {"a": {"b": [1, {"c": None}]}}, ts=now_s),
            {"type": "nonsense", "identity": user},
            event(user, "Long", {"text": "x" * 2000}),
        ]
    )


def _command(thread: DataThread, chance: random.Random) -> None:
    """A merge of two users who are there, or an undo of one of the newest rows of the identity log."""
    operation_id = f"op-{thread.log.end()}"
    with thread.database.read() as connection:
        newest = sa.select(identity_log.c.log_id).order_by(identity_log.c.log_id.desc()).limit(5)
        log_ids = list(connection.execute(newest).scalars())
    users = _users(thread)
    if log_ids and chance.random() < 0.5:
        thread.command(command="undo", operation_id=operation_id, log_id=chance.choice(log_ids))
    elif len(users) > 1:
        keep, absorb = chance.sample(users, 2)
        thread.command(command="merge", operation_id=operation_id, keep=keep, absorb=absorb)


def _users(thread: DataThread) -> list[int]:
    graph = MemoryGraph(ACCOUNT)
    identities = {Identity(IdentityKind.IDENTITY, user) for user in USERS}
    with thread.database.read() as connection:
        load(connection, graph, Wanted(identities=identities))
    return sorted({owner for one in identities if (owner := graph.owner_of_identity(one)) is not None})
