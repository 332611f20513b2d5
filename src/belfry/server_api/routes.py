"""Every route of the server API: who may call it, which slots it takes, who answers, what the reference says."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.accounts.model import Scope
from belfry.edge.routes import Access, Document, Handler, Route
from belfry.edge.services import Services
from belfry.edge.slots import SlotClass
from belfry.server_api import (
    category_groups,
    connect,
    content_blocks,
    counts,
    email_templates,
    exports,
    remote_config,
    schema,
    segment_list,
)
from belfry.server_api.administration import administration_routes
from belfry.server_api.api_segments import api_segment_routes
from belfry.server_api.catalogs_v1 import catalog_file_routes
from belfry.server_api.catalogs_v2 import catalog_routes
from belfry.server_api.counts import CountAnswer, CountEndpoint
from belfry.server_api.exports import ExportEndpoint, ExportStarted
from belfry.server_api.lists import list_routes
from belfry.server_api.profile import NAMES, ProfileAnswer, ProfileEndpoint, ProfileNames
from belfry.server_api.report_routes import report_routes
from belfry.server_api.signed_uploads import signed_upload_routes
from belfry.server_api.upload import UploadAnswer, UploadBody, UploadEndpoint

SETTINGS_AND_CONTENT = (
    schema, content_blocks, email_templates, category_groups, remote_config, connect, segment_list
)  # fmt: skip


def build(services: Services) -> tuple[Route, ...]:
    """All routes, with what their handlers may use."""
    upload = UploadEndpoint(services.acceptance, services.index, services.upload_limits)
    profile = ProfileEndpoint(services.profiles, services.lookups)
    return (
        upload_route(upload),
        *profile_routes(profile),
        *export_routes(ExportEndpoint(services)),
        *count_routes(CountEndpoint(services)),
        *report_routes(services),
        *signed_upload_routes(services),
        *list_routes(services),
        *api_segment_routes(services),
        *catalog_file_routes(services),
        *catalog_routes(services),
        *administration_routes(services),
        *(route for group in SETTINGS_AND_CONTENT for route in group.routes(services)),
    )


def upload_route(endpoint: UploadEndpoint) -> Route:
    """`POST /1/upload`. One of the two scopes opens it; which records may come, the endpoint decides."""
    return Route(
        path="/1/upload",
        method="POST",
        access=Access((Scope.EVENTS_WRITE, Scope.PROFILES_WRITE), SlotClass.UPLOAD),
        handler=endpoint.handle,
        document=Document(
            summary="Upload profiles, events and device tokens",
            description=(
                "Up to 1000 records of any mix. Answered when the accepted records are on disk; records that are not "
                "accepted are named in `unprocessed`, in order, each with its code. With an `Idempotency-Key` header "
                "the same request has one effect and one answer for 24 hours."
            ),
            parameters={"dryRun": "1: validate and answer, keep nothing"},
            body=UploadBody,
            answer=UploadAnswer,
            example={
                "d": [
                    {
                        "identity": "john_124",
                        "type": "event",
                        "$source": "CleverTap",
                        "evtName": "Product CleverTap 1",
                        "evtData": {"Product name": "Casio Chronograph Watch"},
                    }
                ]
            },
        ),
    )


def profile_routes(endpoint: ProfileEndpoint) -> tuple[Route, ...]:
    """`/1/profile.json` by GET, as documented, and by POST with a JSON body (ours)."""
    summary = "One user by identity, email or objectId"
    access = Access((Scope.PROFILES_READ,))
    by_get = Document(
        summary=summary,
        description="An unknown user is HTTP 200 with `status` fail and `code` 404.",
        parameters=dict.fromkeys(NAMES, "Names the user; one of the three"),
        answer=ProfileAnswer,
    )
    by_post = Document(summary=summary, body=ProfileNames, answer=ProfileAnswer, example={"identity": "rider-81"})
    return tuple(
        Route(path="/1/profile.json", method=method, access=access, handler=endpoint.handle, document=document)
        for method, document in (("GET", by_get), ("POST", by_post))
    )


class QueryBody(msgspec.Struct, omit_defaults=True):
    """For the reference: a query (server-api 4). `from` and `to` are days, YYYYMMDD, in the account's time zone."""

    event_name: str | None = None
    from_: int | None = msgspec.field(default=None, name="from")
    to: int | None = None
    event_properties: list[dict[str, Any]] | None = None
    common_profile_properties: dict[str, Any] | None = None
    advanced_query: dict[str, Any] | None = None


_QUERY_EXAMPLE = {"event_name": "App Launched", "from": 20261101, "to": 20261125}


def export_routes(endpoint: ExportEndpoint) -> tuple[Route, ...]:
    """Users and events by query: POST starts, GET pages; GET with `query` starts as well, POST with `cursor` pages."""
    flags = {name: f"true or false: include {what}" for name, what in _FLAGS.items()}
    return (
        *_both(
            exports.PROFILES_PATH,
            Access((Scope.PROFILES_READ,), SlotClass.EXPORT),
            endpoint.profiles,
            summary="Export users by query",
            parameters={**_PAGING, **flags},
            answer=ExportStarted,
        ),
        *_both(
            exports.EVENTS_PATH,
            Access((Scope.EVENTS_READ,), SlotClass.EXPORT),
            endpoint.events,
            summary="Export events by query",
            parameters={**_PAGING, **flags, **{name: f"1: {what}" for name, what in _OUR_FLAGS.items()}},
            answer=ExportStarted,
        ),
    )


def count_routes(endpoint: CountEndpoint) -> tuple[Route, ...]:
    """How many users, how many events; `partial` after 25 s."""
    parameters = {"req_id": "the id of an earlier `partial` answer"}
    return (
        *_both(
            counts.PROFILES_PATH,
            Access((Scope.PROFILES_READ,)),
            endpoint.profiles,
            summary="Count users by query",
            parameters=parameters,
            answer=CountAnswer,
        ),
        *_both(
            counts.EVENTS_PATH,
            Access((Scope.EVENTS_READ,)),
            endpoint.events,
            summary="Count events by query",
            parameters=parameters,
            answer=CountAnswer,
        ),
    )


_PAGING = {
    "cursor": "`cursor` or `next_cursor` of the answer before: the next page",
    "batch_size": "records on a page, 1 to 5000, default 500; taken when the export starts",
}
_FLAGS = {"app": "device fields", "events": "the summary of events", "profile": "properties"}
_OUR_FLAGS = {
    "nested": "nested values too",
    "event_name": "each record names its event",
    "ids": "each record has event_id and received_at",
}


def _both(
    path: str, access: Access, handler: Handler, *, summary: str, parameters: dict[str, str], answer: Any
) -> tuple[Route, ...]:
    by_get = {**parameters, "query": "the query as JSON, as older clients send it"}
    return (
        Route(
            path=path,
            method="GET",
            access=access,
            handler=handler,
            document=Document(summary=summary, parameters=by_get, answer=answer),
        ),
        Route(
            path=path,
            method="POST",
            access=access,
            handler=handler,
            document=Document(
                summary=summary, parameters=parameters, body=QueryBody, answer=answer, example=_QUERY_EXAMPLE
            ),
        ),
    )
