"""The OpenAPI 3.1 document, made from the registry; `reference_page.py` makes a page of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from belfry.accounts.model import Scope
from belfry.edge.exchange import HTML, Answer, Request
from belfry.edge.routes import PUBLIC, Document, Route

Json = dict[str, Any]  # a part of the document: JSON

DOCUMENT_PATH = "/api/v1/openapi.json"
PAGE_PATH = "/api/v1/docs"
REF = "#/components/schemas/{name}"

ALWAYS = {
    "400": "The request cannot be understood or breaks a rule",
    "401": "Credentials are missing or wrong",
    "403": "The account is suspended, or the passcode lacks the scope",
    "429": "More requests in flight than the account may have; repeat after `Retry-After`",
    "500": "A fault of ours; the log has it under `error_id`",
    "503": "A store that is needed cannot be reached or written now; nothing was done",
}
WITH_BODY = {
    "409": "Idempotency-Key was used for another request, or the thing's state does not allow this",
    "413": "The body is over the limit, after decoding",
    "415": "The content type or encoding is not served",
}
WITH_ID = {"404": "There is no such thing in this account"}


class Envelope(msgspec.Struct, omit_defaults=True):
    """Every failure. `code` is the HTTP status unless the format says otherwise."""

    status: str
    error: str
    code: int | str
    request_id: str = ""
    field: str | None = None
    limit: int | str | None = None
    error_id: str | None = None


def document(routes: Iterable[Route], version: str, handlers: Json | None = None) -> Json:
    """The whole document.

    routes    the registry; those with a `Document` are described from it
    handlers  a document of other handlers (management), whose paths and schemas are taken over
    """
    described = [route for route in routes if route.document is not None]
    types = [kind for route in described for kind in _types(route.document)]
    _, schemas = msgspec.json.schema_components([Envelope, *types], ref_template=REF)
    paths: dict[str, Json] = {path: dict(item) for path, item in (handlers or {}).get("paths", {}).items()}
    for route in described:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    by_place = {(route.path, route.method.lower()): route for route in routes}
    for path, item in paths.items():
        for method, operation in item.items():
            if (path, method) in by_place:
                _complete(operation, by_place[(path, method)])
    other_schemas = (handlers or {}).get("components", {}).get("schemas", {})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Belfry",
            "version": version,
            "description": "The server API in CleverTap's wire format, and Belfry's own management API.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": {**other_schemas, **schemas}, "securitySchemes": _security_schemes()},
    }


def reference_routes(text: bytes, page: bytes) -> tuple[Route, ...]:
    """The document and its page, served without credentials: they hold nothing of any account."""

    async def show_document(_request: Request) -> Answer:
        return Answer(200, text)

    async def show_page(_request: Request) -> Answer:
        policy = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'")
        return Answer(200, page, (policy,), content_type=HTML)

    return (
        Route(
            path=DOCUMENT_PATH,
            method="GET",
            access=PUBLIC,
            handler=show_document,
            document=Document(summary="This document", tag="reference"),
        ),
        Route(
            path=PAGE_PATH,
            method="GET",
            access=PUBLIC,
            handler=show_page,
            document=Document(summary="This document, to read", tag="reference"),
        ),
    )


def _types(document: Document | None) -> list[Any]:
    return [kind for kind in (document.body, document.answer) if kind is not None] if document else []


def _operation(route: Route) -> Json:
    """What a `Document` says."""
    known = route.document or Document(summary=route.path)
    answer = _schema(known.answer) if known.answer is not None else {"type": "object"}
    operation: Json = {
        "summary": known.summary,
        "operationId": f"{route.method.lower()}{re.sub('[^A-Za-z0-9]+', '_', route.path)}",
        "tags": [known.tag],
        "responses": {
            known.status: {"description": "Done", "content": {"application/json": {"schema": answer}}},
            **{status: {"description": text} for status, text in known.statuses.items()},
        },
    }
    if known.description:
        operation["description"] = known.description
    parameters = [*_path_parameters(route.path), *_query_parameters(known.parameters)]
    if parameters:
        operation["parameters"] = parameters
    if route.streams:
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    if known.body is not None:
        media: Json = {"schema": _schema(known.body)}
        if known.example is not None:
            media["example"] = known.example
        operation["requestBody"] = {"required": True, "content": {"application/json": media}}
    return operation


def _path_parameters(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _query_parameters(parameters: dict[str, str]) -> list[Json]:
    return [
        {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in parameters.items()
    ]


def _complete(operation: Json, route: Route) -> None:
    """What holds for every route: credentials, failures, the headers that all understand."""
    responses = operation["responses"]
    if route.access.public:
        operation["security"] = []
        if route.path == "/readyz":
            responses["503"] = _failure("A store does not answer, or the process is stopping")
        if route.document is not None:
            responses.update({status: _failure(text) for status, text in route.document.failures.items()})
        return
    operation["security"] = [{"account": [], "passcode": []}]
    if route.access.scopes:
        operation["x-scopes"] = [str(scope) for scope in route.access.scopes]
    failures = {**ALWAYS, **(WITH_BODY if route.method != "GET" else {}), **(WITH_ID if "{" in route.path else {})}
    if route.document is not None:
        failures |= route.document.failures
    responses.update({status: _failure(text) for status, text in failures.items()})


def _failure(text: str) -> Json:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": REF.format(name="Envelope")}}}}


def _schema(kind: Any) -> Json:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=REF)
    return schema


def _security_schemes() -> Json:
    scopes = ", ".join(scope.value for scope in Scope)
    return {
        "account": {
            "type": "apiKey",
            "in": "header",
            "name": "X-CleverTap-Account-Id",
            "description": "The account whose data is meant.",
        },
        "passcode": {
            "type": "apiKey",
            "in": "header",
            "name": "X-CleverTap-Passcode",
            "description": f"A passcode of that account. Scopes: {scopes}.",
        },
    }
