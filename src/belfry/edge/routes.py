"""The registry of routes: which paths exist, who may call them, who answers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from belfry.accounts.model import Passcode, Scope
from belfry.edge.exchange import Answer, Request
from belfry.edge.slots import SlotClass
from belfry.errors import BelfryError

Handler = Callable[[Request], Awaitable[Answer]]

HINTS = {
    "/counts.json": "/1/counts/events.json",
    "/1/counts/event.json": "/1/counts/events.json",
    "/1/counts/profile.json": "/1/counts/profiles.json",
    "/profiles/push": "/1/upload",
    "/1/profiles/push": "/1/upload",
    "/api/upload": "/1/upload",
    "/push/schedule.json": "/1/targets/create.json",
    "/1/push/schedule.json": "/1/targets/create.json",
    "/campaigns/list.json": "/1/targets/list.json",
    "/1/campaigns/list.json": "/1/targets/list.json",
}
"""Paths that unreliable documentation names, and the right one (server-api 11.2)."""
UNSUPPORTED = re.compile(
    r"/nx/v2/scim/.*|/(v?[12]/)?(notify|inbox|app-?inbox|wallets?|coupons?|vouchers?|value|pii|token-?vault)([/.].*)?",
    re.IGNORECASE,
)
"""Paths of APIs that the protocol's documentation describes and that are not served here (server-api 10.6)."""
NOT_SUPPORTED = "Not supported"
PATH_LENGTH_MAX = 200
_PARAMETER = re.compile(r"\{(\w+)\}")


class Undeclared(BelfryError):
    """A route does not say who may call it, or two routes claim one path: the program does not start."""


class Access(msgspec.Struct, frozen=True):
    """Who may call a route.

    scopes   any one of these is enough; empty: every live passcode of the account
    slots    the class whose slots it takes
    public   without credentials: health, metrics, documents that hold no account's data
    repeats  an Idempotency-Key is honoured by the gate (management); uploads keep theirs in the log
    """

    scopes: tuple[Scope, ...] = ()
    slots: SlotClass = SlotClass.READ
    public: bool = False
    repeats: bool = False

    def missing_scope(self, passcode: Passcode) -> Scope | None:
        """The scope to name in the refusal; None if the passcode may call."""
        if not self.scopes or any(passcode.allows(scope) for scope in self.scopes):
            return None
        return self.scopes[0]


PUBLIC = Access(slots=SlotClass.NONE, public=True)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What the reference says about a route.

    parameters  name in the query → sentence
    status      of the answer when it is done
    statuses    HTTP status → when, for other answers that are no failures and have no body
    failures    HTTP status → when, for those that not every route has
    body        a type that describes the request's body; None: there is none
    answer      a type that describes the body of a 200; None: free JSON
    example     a request body that works
    """

    summary: str
    description: str = ""
    tag: str = "server API"
    parameters: dict[str, str] = {}
    status: str = "200"
    statuses: dict[str, str] = {}
    failures: dict[str, str] = {}
    body: Any = None
    answer: Any = None
    example: Any = None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path: who may call it, who answers, what the reference says.

    document      None for routes whose reference the management application makes from its handlers' types
    failure_keys  keys of the envelope that repeat the failure's text, for families whose clients read another than
                  `error`
    streams       the handler reads the body itself, chunk by chunk: it may be larger than memory
    """

    path: str
    method: str
    access: Access
    handler: Handler
    document: Document | None = None
    failure_keys: tuple[str, ...] = ()
    streams: bool = False


class Match(msgspec.Struct, frozen=True):
    """A path that exists.

    routes        by method
    allowed       the methods, for the header `Allow`
    is_public     all of its methods are served without credentials
    failure_keys  of its routes
    """

    routes: dict[str, Route]
    allowed: str
    is_public: bool
    failure_keys: tuple[str, ...]


def _match(path: str, methods: dict[str, Route]) -> Match:
    kinds = {route.access.public for route in methods.values()}
    if len(kinds) > 1:
        raise Undeclared(f"{path} is public for some methods only")
    failure_keys = next(iter(methods.values())).failure_keys
    return Match(methods, ", ".join(sorted(methods)), kinds.pop(), failure_keys)


class RouteTable:
    """All routes of the edge. Walked by the gate, by the reference and by the guard tests."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._exact: dict[str, Match] = {}
        self._patterns: list[tuple[re.Pattern[str], Match]] = []
        by_path: dict[str, dict[str, Route]] = {}
        for route in self.routes:
            if route.method in by_path.setdefault(route.path, {}):
                raise Undeclared(f"{route.method} {route.path} is declared twice")
            by_path[route.path][route.method] = route
        for path, methods in by_path.items():
            self._add(path, _match(path, methods))

    def find(self, path: str) -> Match | None:
        """The routes of a path (`without_slash`), or None."""
        found = self._exact.get(path)
        if found is not None:
            return found
        return next((match for pattern, match in self._patterns if pattern.fullmatch(path)), None)

    def why_missing(self, path: str) -> str:
        """What to say about a path that does not exist."""
        if UNSUPPORTED.fullmatch(path):
            return NOT_SUPPORTED
        near = self.hint(path)
        return "Path not found" if near is None else f"Path not found. Did you mean {near}"

    def hint(self, path: str) -> str | None:
        """The path that was probably meant; None if nothing is near."""
        path = path[:PATH_LENGTH_MAX]
        named = HINTS.get(path)
        if named in self._exact:
            return named
        near = difflib.get_close_matches(path, self._exact, n=1, cutoff=0.8)
        return near[0] if near else None

    def _add(self, path: str, match: Match) -> None:
        if "{" in path:
            parts = _PARAMETER.split(path)
            pattern = "".join(re.escape(part) if i % 2 == 0 else "[^/]+" for i, part in enumerate(parts))
            self._patterns.append((re.compile(pattern), match))
        else:
            self._exact[path] = match


def without_slash(path: str) -> str:
    """The path without one trailing slash."""
    return path[:-1] if len(path) > 1 and path.endswith("/") and not path.endswith("//") else path
