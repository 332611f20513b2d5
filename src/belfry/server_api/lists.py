"""Custom lists by signed URL, and the state of what was uploaded (server-api 9.1)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from belfry.accounts.model import Scope
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.routes import Access, Document, Route
from belfry.edge.services import Services
from belfry.errors import BadRequest, NotFound
from belfry.lists.model import EMAIL_LENGTH_MAX, NAME_LENGTH_MAX, ListForm
from belfry.server_api.fields import Json, flag_in, iso_ms, mandatory_text, object_of, text_in
from belfry.server_api.signed_uploads import upload_url
from belfry.uploads.model import Purpose, Upload

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
IMPORT_PURPOSES = (Purpose.CUSTOM_LIST, Purpose.CATALOG, Purpose.CATALOG_PRODUCTS)


class ListEndpoint:
    """Custom lists and imports."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def custom_list_url(self, request: Request) -> Answer:
        """A signed URL for the file of a custom list, good for 24 hours."""
        services = self._services
        issued = await services.lookups.run(services.uploads.issue, request.account_id, Purpose.CUSTOM_LIST)
        return json_answer(
            {
                "presignedS3URL": upload_url(services, request, issued.tokens[0]),
                "expiry": iso_ms(issued.expires_at_ms),
                "status": "success",
            }
        )

    async def custom_list_completed(self, request: Request) -> Answer:
        """The upload becomes a list, once the engine has processed it."""
        services = self._services
        body = object_of(request)
        form = ListForm(
            name=mandatory_text(body, "name", length_max=NAME_LENGTH_MAX).strip(),
            email=email_in(body),
            creator=text_in(body, "creator", length_max=NAME_LENGTH_MAX) or "",
            replace=flag_in(body, "replace"),
        )
        upload_id = services.uploads.of_url(request.account_id, mandatory_text(body, "url"))
        stored = await services.lookups.run(services.lists.complete, request.account_id, form, upload_id)
        return json_answer({"status": "success", "Segment ID": stored.segment_id, "segment_id": stored.segment_id})

    async def import_state(self, request: Request) -> Answer:
        """What became of the file that was uploaded last for a list or catalog."""
        text = request.path_parameter("import_id")
        services = self._services
        if not (text.isascii() and text.isdecimal()) or len(text) > 18:
            raise NotFound("There is no import of this id")
        upload = await services.lookups.run(services.uploads.newest_of, request.account_id, IMPORT_PURPOSES, int(text))
        if upload is None:
            raise NotFound("There is no import of this id")
        return json_answer(_import(upload))


def _import(upload: Upload) -> dict[str, Json]:
    return {
        "status": "success",
        "id": upload.subject_id,
        "kind": str(upload.purpose),
        "state": str(upload.state),
        "submitted_at": iso_ms(upload.created_at_ms),
        "changed_at": iso_ms(upload.changed_at_ms),
        "result": upload.result,
    }


def email_in(body: dict[str, Json]) -> str:
    """To whom the result is told. Raises BadRequest for what is no address."""
    email = mandatory_text(body, "email", length_max=EMAIL_LENGTH_MAX).strip()
    if not _EMAIL.fullmatch(email):
        raise BadRequest("email needs to be an address", field="email")
    return email


class CompletedBody(msgspec.Struct, omit_defaults=True):
    """For the reference: the upload at `url` is the list `name`."""

    name: str
    email: str
    url: str
    filename: str = ""
    creator: str = ""
    replace: bool = False


class UrlAnswer(msgspec.Struct):
    """For the reference: where to PUT the file, and until when."""

    presigned_url: str = msgspec.field(name="presignedS3URL")
    expiry: str
    status: str


class SegmentIdAnswer(msgspec.Struct):
    """For the reference: the list's segment, usable once it is processed. Sent as `Segment ID` as well."""

    status: str
    segment_id: int


class ImportAnswer(msgspec.Struct):
    """For the reference. state: open, pending, running, done or failed; result: figures, or `error`."""

    status: str
    id: int
    kind: str
    state: str
    submitted_at: str
    changed_at: str
    result: dict[str, Any]


_WRITE, _READ = Access((Scope.SEGMENTS_WRITE,)), Access((Scope.SEGMENTS_READ,))


def list_routes(services: Services) -> tuple[Route, ...]:
    """Custom lists and the state of imports."""
    endpoint = ListEndpoint(services)
    return (
        Route(
            path="/get_custom_list_segment_url",
            method="POST",
            access=_WRITE,
            handler=endpoint.custom_list_url,
            document=Document(
                summary="A signed URL for a custom list's file",
                description="The file is CSV with exactly the columns Type,Identity; Type is i or g.",
                answer=UrlAnswer,
            ),
        ),
        Route(
            path="/upload_custom_list_segment_completed",
            method="POST",
            access=_WRITE,
            handler=endpoint.custom_list_completed,
            document=Document(
                summary="The upload is complete: make a custom list of it",
                body=CompletedBody,
                answer=SegmentIdAnswer,
                example={
                    "name": "Commuters",
                    "email": "ana@example.org",
                    "filename": "commuters.csv",
                    "creator": "Ana",
                    "url": "https://belfry.example.org/ul/…",
                    "replace": False,
                },
            ),
        ),
        Route(
            path="/1/imports/{import_id}.json",
            method="GET",
            access=_READ,
            handler=endpoint.import_state,
            document=Document(
                summary="What became of a list's or catalog's latest file",
                description="`import_id` is the segment's or catalog's id.",
                answer=ImportAnswer,
            ),
        ),
    )
