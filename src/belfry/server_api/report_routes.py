"""The routes of the reports: top values, trends, who is active now, messages (server-api 6.2 to 6.5)."""

from __future__ import annotations

from typing import Any

from belfry.accounts.model import Scope
from belfry.edge.routes import Access, Document, Handler, Route
from belfry.edge.services import Services
from belfry.server_api.message_report import (
    MESSAGE_REPORT_PATH,
    MessageReportAnswer,
    MessageReportBody,
    MessageReportEndpoint,
)
from belfry.server_api.now import NOW_PATH, NowAnswer, NowBody, NowEndpoint
from belfry.server_api.top import TOP_PATH, TopBody, TopEndpoint
from belfry.server_api.trends import TRENDS_PATH, TrendsBody, TrendsEndpoint

_EVENTS = Access((Scope.EVENTS_READ,))
_CAMPAIGNS = Access((Scope.CAMPAIGNS_READ,))
_DAYS = {"event_name": "Charged", "from": 20261101, "to": 20261107}
_POLL = {"req_id": "the id of an earlier `partial` answer"}


def report_routes(services: Services) -> tuple[Route, ...]:
    """All of them. Top values and trends are also asked by GET, to come back for a `partial` answer."""
    return (
        *_polled(
            TOP_PATH,
            TopEndpoint(services).handle,
            Document(
                summary="Top values of properties",
                description=(
                    "Each group names its result, which stands beside `status`: `NUMBER` holds at most ten ranges "
                    "`low-high`, `STR` and `ENUM` hold values. `-1` counts occurrences without a value. An answer "
                    "that takes longer than 25 s is `partial`: ask again with its `req_id`."
                ),
                parameters=_POLL,
                body=TopBody,
                example={
                    **_DAYS,
                    "groups": {
                        "fares": {"property_type": "event_properties", "name": "Amount"},
                        "plans": {"property_type": "profile_fields", "name": "plan", "top_n": 3, "order": "asc"},
                        "os": {"property_type": "technographics", "name": "OS"},
                    },
                },
            ),
        ),
        *_polled(
            TRENDS_PATH,
            TrendsEndpoint(services).handle,
            Document(
                summary="Trends by day, week, month",
                description=(
                    "Each group names its result, which stands beside `status`: a figure for every period of the "
                    "range in the account's time zone, `YYYYMMDD`, ISO year and week `YYYYWW`, or `YYYYMM`. At most "
                    "366 days. `unique` counts users, `sum_event_prop` adds up a property."
                ),
                parameters=_POLL,
                body=TrendsBody,
                example={**_DAYS, "groups": {"d": {"trend_type": "daily"}, "w": {"trend_type": "weekly"}}},
            ),
        ),
        _posted(
            NOW_PATH,
            _EVENTS,
            NowEndpoint(services).handle,
            Document(
                summary="Users active in the last five minutes",
                description="Breakdowns that are set true are told with all their words. Never `partial`.",
                body=NowBody,
                answer=NowAnswer,
                example={"user_type": True, "device": True},
            ),
        ),
        _posted(
            MESSAGE_REPORT_PATH,
            _CAMPAIGNS,
            MessageReportEndpoint(services).handle,
            Document(
                summary="Messages by start date, with their figures",
                description="`from` and `to` are days of the start date in the account's time zone, both included.",
                body=MessageReportBody,
                answer=MessageReportAnswer,
                example={"from": "20261101", "to": "20261130", "channel": ["webhooks"], "daily": True},
            ),
        ),
    )


def _polled(path: str, handler: Handler, document: Document) -> tuple[Route, ...]:
    by_get: dict[str, Any] = {**_POLL, "query": "the body as JSON"}
    shown = Document(summary=document.summary, description=document.description, parameters=by_get)
    return (
        _posted(path, _EVENTS, handler, document),
        Route(path=path, method="GET", access=_EVENTS, handler=handler, document=shown),
    )


def _posted(path: str, access: Access, handler: Handler, document: Document) -> Route:
    return Route(path=path, method="POST", access=access, handler=handler, document=document)
