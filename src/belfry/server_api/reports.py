"""What top values and trends read alike: a query of events, and groups that name the results (server-api 6.2, 6.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from belfry.edge.exchange import Request
from belfry.edge.services import Services
from belfry.errors import BadRequest
from belfry.segments.cql import Purpose, Query, translate, unwrap
from belfry.segments.model import EventQuery
from belfry.segments.parse import parse_event_query
from belfry.segments.reading import as_text, kind_of, refusal
from belfry.server_api.queries import Json, today_of

GROUPS_MAX = 5
GROUP_KEY_LENGTH_MAX = 200
TAKEN_KEYS = ("status", "error")
"""Result keys stand beside `status`, and clients take any `error` for a failure (server-api 11)."""

G = TypeVar("G")


def translated(services: Services, request: Request, body: Json, own_keys: tuple[str, ...]) -> Query:
    """The query of events in a body. own_keys: what is the endpoint's and not the query's."""
    account_id = request.account_id
    return translate(
        body,
        Purpose.EVENTS,
        today_of(request),
        is_known_event=lambda name: services.is_known_event(account_id, name),
        also_known=(*own_keys, "groups", "req_id"),
    )


def event_query(query: Query) -> EventQuery:
    """The same, ready to be evaluated."""
    return parse_event_query(query.occurrences, query.others)


def question_key(query: Query, *more: object) -> bytes:
    """The same for two questions about the same events that ask the same."""
    return msgspec.json.encode([query.occurrences, query.others, *more])


def read_groups(body: Json, read: Callable[[Json, str], G]) -> dict[str, G]:
    """`groups`: each key names a result, each value is read by `read`, with its position.

    raises  BadRequest: no group, more than `GROUPS_MAX`, a key that the answer has already
    """
    groups = unwrap(body).get("groups")
    if not isinstance(groups, dict):
        raise refusal("groups", f"must be an object of 1 to {GROUPS_MAX} groups, got {kind_of(groups)}")
    if not 1 <= len(groups) <= GROUPS_MAX:
        raise refusal("groups", f"must have 1 to {GROUPS_MAX} groups, got {len(groups)}", limit=GROUPS_MAX)
    return {key: read(value, f"groups.{_checked(key)}") for key, value in groups.items()}


def _checked(key: str) -> str:
    as_text(key, "groups", GROUP_KEY_LENGTH_MAX)
    if key in TAKEN_KEYS:
        raise BadRequest(f"Invalid group {key}", field="groups")
    return key
