"""Puts the edge together: registry, reference, gate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from belfry.accounts.directory import Directory
from belfry.clock import Clock
from belfry.config import Settings
from belfry.edge import openapi, reference_page
from belfry.edge.gate import Gate
from belfry.edge.routes import Route, RouteTable
from belfry.ids import Ids
from belfry.observability.metrics import EdgeMetrics


def build(
    routes: Iterable[Route],
    *,
    directory: Directory,
    metrics: EdgeMetrics,
    settings: Settings,
    clock: Clock,
    ids: Ids,
    version: str,
    management_document: dict[str, Any] | None = None,
) -> Gate:
    """The ASGI application of the edge.

    routes               of the server API, the management API and `Health`
    management_document  OpenAPI of the management API's handlers, as the framework makes it from their types
    Raises Undeclared if two routes claim one path.
    """
    declared = list(routes)
    described = [*declared, *openapi.reference_routes(b"", b"")]
    doc = openapi.document(described, version, management_document)
    reference = openapi.reference_routes(msgspec.json.encode(doc), reference_page.render(doc, openapi.DOCUMENT_PATH))
    return Gate(
        table=RouteTable([*declared, *reference]),
        directory=directory,
        metrics=metrics,
        settings=settings,
        clock=clock,
        ids=ids,
    )
