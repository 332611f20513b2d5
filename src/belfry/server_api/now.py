"""`/1/now.json`: who is active now, in the words that clients know (server-api 6.4). Never partial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from belfry.edge.exchange import Answer, Request, json_answer, warnings_header
from belfry.edge.services import Services
from belfry.errors import BadRequest
from belfry.segments.cql_conditions import Warnings, known_keys
from belfry.segments.reports.now import ActiveUsers
from belfry.server_api.queries import Json, truth_of

NOW_PATH = "/1/now.json"
SESSION_SOURCES = ("direct", "others", "search", "social", "email", "unavailable")
BROWSERS = ("others", "firefox", "chrome", "ie", "mobileapp")
SYSTEMS = ("others", "android", "ios", "windows", "mac", "linux")
DEVICES = ("desktop", "mobile", "tablet")
_APP_PLATFORMS = ("android", "ios", "windows")
_BEGINNINGS = {
    "android": "android",
    "ios": "ios",
    "iphone": "ios",
    "ipad": "ios",
    "windows": "windows",
    "mac": "mac",
    "os x": "mac",
    "linux": "linux",
    "ubuntu": "linux",
}


class NowEndpoint:
    """Counts who is active."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, request: Request) -> Answer:
        """Users active in the last five minutes, and the breakdowns that the body asks for."""
        wanted, warnings = _wanted(request.body)
        users = await self._services.queries.run(self._services.reports.active_users, request.account)
        answer = now_answer(users, wanted, request.received_at_ms // 1000)
        return json_answer(answer, headers=warnings_header(warnings))


def now_answer(users: list[ActiveUsers], wanted: Iterable[str], processed_s: int) -> dict[str, Json]:
    """The answer. wanted: of `BREAKDOWNS`; processed_s: the moment that is looked at, in epoch seconds."""
    breakdowns: dict[str, Json] = {name: BREAKDOWNS[name](users) for name in wanted}
    count = sum(user.count for user in users)
    return {"status": "success", "count": count, **breakdowns, "last_processed_ts": processed_s}


def _wanted(body: bytes) -> tuple[list[str], list[str]]:
    """Breakdowns that are set true, and what was ignored."""
    try:
        given = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadRequest("Malformed request") from None
    warnings = Warnings()
    known = known_keys(given, frozenset(BREAKDOWNS), {}, warnings)
    return [name for name in BREAKDOWNS if truth_of(known.get(name), name)], warnings.texts


def _user_types(users: list[ActiveUsers]) -> dict[str, int]:
    """`new` and `repeat` add up to all; `addressable` and `customer` are among them."""
    return {
        "new": sum(user.count for user in users if user.is_new),
        "repeat": sum(user.count for user in users if not user.is_new),
        "addressable": sum(user.count for user in users if user.is_addressable),
        "customer": sum(user.count for user in users if user.is_customer),
    }


def _new_users(users: list[ActiveUsers]) -> dict[str, dict[str, int]]:
    new = [user for user in users if user.is_new]
    return {name: BY_FACT[name](new) for name in BY_FACT}


def _by(words: tuple[str, ...], word_of: Callable[[ActiveUsers], str]) -> Callable[[list[ActiveUsers]], dict[str, int]]:
    def counted(users: list[ActiveUsers]) -> dict[str, int]:
        found: Counter[str] = Counter()
        for user in users:
            found[word_of(user)] += user.count
        return {word: found[word] for word in words}

    return counted


def browser_of(user: ActiveUsers) -> str:
    """Safari, Edge and Opera are others here."""
    name = user.browser.lower()
    if name.startswith(("ie", "internet explorer")):
        return "ie"
    for known in ("firefox", "chrome"):
        if known in name:
            return known
    return "mobileapp" if not name and user.platform.lower().startswith(_APP_PLATFORMS) else "others"


def system_of(user: ActiveUsers) -> str:
    """An app's platform is its operating system."""
    name = (user.os or user.platform).lower()
    return next((system for beginning, system in _BEGINNINGS.items() if name.startswith(beginning)), "others")


def device_of(user: ActiveUsers) -> str:
    """Empty if it is not known: `device` has no word for others."""
    kind = user.device_type.lower()
    if not kind:
        return "mobile" if user.platform.lower().startswith(("android", "ios")) else ""
    return "mobile" if "phone" in kind else kind


def _session_source_of(_user: ActiveUsers) -> str:
    """No event says how its session began."""
    return "unavailable"


BY_FACT = {
    "session_source": _by(SESSION_SOURCES, _session_source_of),
    "browser": _by(BROWSERS, browser_of),
    "os": _by(SYSTEMS, system_of),
    "device": _by(DEVICES, device_of),
}
BREAKDOWNS: dict[str, Callable[[list[ActiveUsers]], dict[str, int] | dict[str, dict[str, int]]]] = {
    "user_type": _user_types,
    **BY_FACT,
    "new": _new_users,
}
"""What a body may ask for; every word of a breakdown is told, with 0 if need be."""


class NowBody(msgspec.Struct, omit_defaults=True):
    """For the reference: the breakdowns that are wanted."""

    user_type: bool = False
    session_source: bool = False
    browser: bool = False
    os: bool = False
    device: bool = False
    new: bool = False


class NowAnswer(msgspec.Struct, omit_defaults=True):
    """For the reference: the total, and what was asked for."""

    status: str
    count: int
    last_processed_ts: int
    user_type: dict[str, int] = {}
    session_source: dict[str, int] = {}
    browser: dict[str, int] = {}
    os: dict[str, int] = {}
    device: dict[str, int] = {}
    new: dict[str, dict[str, int]] = {}
