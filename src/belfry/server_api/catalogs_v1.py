"""Catalogs of the first generation: a whole CSV by signed URL, in one part or in several (server-api 9.3)."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.accounts.model import Scope
from belfry.catalogs.actions import FileForm
from belfry.catalogs.model import NAME_LENGTH_MAX, CatalogKind
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.routes import Access, Document, Route
from belfry.edge.services import Services
from belfry.errors import BadRequest
from belfry.server_api.fields import (
    Json,
    flag_in,
    iso_ms,
    mandatory_number,
    mandatory_text,
    number_in,
    object_in,
    object_of,
)
from belfry.server_api.lists import UrlAnswer, email_in
from belfry.server_api.signed_uploads import upload_url
from belfry.uploads.actions import SentPart
from belfry.uploads.model import PARTS_MAX, Purpose

PARTS_MIN = 2


class CatalogFileEndpoint:
    """Signed URLs and their completion."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def url(self, request: Request) -> Answer:
        """A signed URL for a catalog's file, good for 24 hours."""
        services = self._services
        issued = await services.lookups.run(services.uploads.issue, request.account_id, Purpose.CATALOG)
        return json_answer(
            {
                "presignedS3URL": upload_url(services, request, issued.tokens[0]),
                "expiry": iso_ms(issued.expires_at_ms),
                "status": "success",
            }
        )

    async def multipart_url(self, request: Request) -> Answer:
        """Signed URLs for 2 to 4 parts of one file."""
        services = self._services
        given = {**object_of(request), **request.parameters()}
        count = number_in(given, "totalParts", at_least=PARTS_MIN, at_most=PARTS_MAX)
        if count is None:
            raise BadRequest(f"totalParts is mandatory, {PARTS_MIN} to {PARTS_MAX}", field="totalParts")
        issued = await services.lookups.run(
            services.uploads.issue, request.account_id, Purpose.CATALOG, parts_count=count
        )
        urls = [upload_url(services, request, token) for token in issued.tokens]
        return json_answer({"status": "success", "uploadId": issued.upload_id, "presignedS3URLs": urls})

    async def completed(self, request: Request) -> Answer:
        """The upload becomes a catalog, once the engine has processed it."""
        services = self._services
        body = object_of(request)
        form = FileForm(
            name=mandatory_text(body, "name", length_max=NAME_LENGTH_MAX).strip(),
            creator=mandatory_text(body, "creator", length_max=NAME_LENGTH_MAX),
            kind=CatalogKind.LOCATION if flag_in(body, "isLocationCatalog") else CatalogKind.PRODUCT,
            replace=flag_in(body, "replace"),
            override=flag_in(body, "override"),
        )
        email_in(body)
        upload_id, sent = self._sent(request, body)
        catalog = await services.lookups.run(services.catalogs.complete, request.account_id, form, upload_id, sent=sent)
        return json_answer({"status": "success", "message": "Catalog upload accepted", "id": catalog.catalog_id})

    def _sent(self, request: Request, body: dict[str, Json]) -> tuple[str, list[SentPart] | None]:
        """Which upload is complete, and its parts if they are named."""
        if body.get("uploadId") is None:
            return self._services.uploads.of_url(request.account_id, mandatory_text(body, "url")), None
        parts = body.get("eTags")
        if not isinstance(parts, list) or not parts or len(parts) > PARTS_MAX:
            raise BadRequest("eTags needs to be a list with each part's partNumber and eTag", field="eTags")
        return mandatory_text(body, "uploadId", length_max=64), [_part(part) for part in parts]


def _part(value: Json) -> SentPart:
    part = object_in(value, "eTags")
    return SentPart(mandatory_number(part, "partNumber"), mandatory_text(part, "eTag", length_max=100).strip('" '))


class CatalogCompletedBody(msgspec.Struct, omit_defaults=True):
    """For the reference: the upload at `url`, or of `uploadId` and `eTags`, is the catalog `name`."""

    name: str
    creator: str
    email: str
    url: str = ""
    upload_id: str = msgspec.field(default="", name="uploadId")
    etags: list[dict[str, Any]] = msgspec.field(default_factory=list, name="eTags")
    replace: bool = False
    override: bool = False
    is_location_catalog: bool = msgspec.field(default=False, name="isLocationCatalog")


class PartsAnswer(msgspec.Struct):
    """For the reference: where to PUT each part."""

    status: str
    upload_id: str = msgspec.field(name="uploadId")
    presigned_urls: list[str] = msgspec.field(name="presignedS3URLs")


class AcceptedAnswer(msgspec.Struct):
    """For the reference: `GET /1/imports/{id}.json` says what becomes of it."""

    status: str
    message: str
    id: int


def catalog_file_routes(services: Services) -> tuple[Route, ...]:
    """The calls of the first generation."""
    endpoint = CatalogFileEndpoint(services)
    access = Access((Scope.CONTENT_WRITE,))
    columns = "CSV with Identity, Name, ImageURL, Category; places: identity, latitude, longitude. Up to 20 columns."
    by_method = [
        Route(
            path=path,
            method=method,
            access=access,
            handler=handler,
            document=Document(summary=summary, description=columns, parameters=parameters, answer=answer),
        )
        for path, handler, summary, parameters, answer in (
            ("/get_catalog_url", endpoint.url, "A signed URL for a catalog's file", {}, UrlAnswer),
            (
                "/get_multipart_upload_catalog_url",
                endpoint.multipart_url,
                "Signed URLs for the parts of a catalog's file",
                {"totalParts": "2 to 4; only the first part has the header, each ends with a line's end"},
                PartsAnswer,
            ),
        )
        for method in ("GET", "POST")
    ]
    return (
        *by_method,
        Route(
            path="/upload_catalog_completed",
            method="POST",
            access=access,
            handler=endpoint.completed,
            document=Document(
                summary="The upload is complete: make a catalog of it",
                body=CatalogCompletedBody,
                answer=AcceptedAnswer,
                example={
                    "name": "Routes",
                    "creator": "Ana",
                    "email": "ana@example.org",
                    "url": "https://belfry.example.org/ul/…",
                    "replace": True,
                },
            ),
        ),
    )
