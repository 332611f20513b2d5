"""Catalogs of the second generation: catalogs, schema, products one by one and in bulk (server-api 9.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from belfry.accounts.model import Scope
from belfry.catalogs import rules
from belfry.catalogs.actions import Bulk, CatalogForm
from belfry.catalogs.model import (
    BULK_MAX,
    DESCRIPTION_LENGTH_MAX,
    IDENTITY_LENGTH_MAX,
    NAME_LENGTH_MAX,
    Attribute,
    Catalog,
    CatalogStatus,
    Failure,
    Product,
    ProductChange,
    Summary,
)
from belfry.catalogs.store import SORTS, Page
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.routes import Access, Document, Handler, Route
from belfry.edge.services import Services
from belfry.errors import BadRequest, CallerError, NotFound, TooLarge
from belfry.server_api.fields import (
    Json,
    flag_in,
    iso_ms,
    mandatory_number,
    mandatory_text,
    number_in,
    object_of,
    text_in,
)
from belfry.server_api.signed_uploads import upload_url

DONE = "Operation completed successfully"
ONE_BYTES_MAX, BULK_BYTES_MAX = 100 * 1024, 500 * 1024
PAGE_SIZE, PAGE_SIZE_MAX = 20, 100
PERSON_LENGTH_MAX = 320
FAILURE_KEYS = ("message",)
T = TypeVar("T", Product, ProductChange)


class CatalogEndpoint:
    """Catalogs and their products."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._catalogs = services.catalogs

    # ---- catalogs

    async def create(self, request: Request) -> Answer:
        """A new catalog of products."""
        form = _form(object_of(request), "createdBy", "creator")
        catalog = await self._services.lookups.run(self._catalogs.create, request.account_id, form)
        return json_answer(shown(catalog, Summary(0, 0)), status=201)

    async def list_catalogs(self, request: Request) -> Answer:
        """Catalogs, page by page."""
        asked = _page(request.parameters())
        found, total = await self._services.lookups.run(self._catalogs.page, request.account_id, asked)
        return json_answer(
            {
                "content": [shown(catalog, None) for catalog in found],
                "page": asked.page,
                "size": asked.size,
                "totalElements": total,
                "totalPages": -(-total // asked.size),
            }
        )

    async def show(self, request: Request) -> Answer:
        """One catalog, with how many products it has."""
        return json_answer(await self._shown(await self._catalog(request)))

    async def replace(self, request: Request) -> Answer:
        """Write a catalog's description anew."""
        catalog = await self._catalog(request)
        form = _form(object_of(request), "updatedBy")
        changed = await self._services.lookups.run(self._catalogs.replace, request.account_id, catalog.catalog_id, form)
        return json_answer(await self._shown(changed))

    async def delete(self, request: Request) -> Answer:
        """Remove a catalog and all its products."""
        catalog = await self._catalog(request)
        by = _person(request, "deletedBy")
        await self._services.queries.run(self._catalogs.delete, request.account_id, catalog.catalog_id, by)
        return json_answer({"message": f"Catalog - {catalog.catalog_id} deleted successfully"})

    async def set_filterable(self, request: Request) -> Answer:
        """Let recommendations be filtered by an attribute, or no longer."""
        catalog = await self._catalog(request)
        parameters = request.parameters()
        if not parameters.get("filterable", "").strip():
            raise BadRequest("filterable is mandatory: true or false", field="filterable")
        await self._services.lookups.run(
            self._catalogs.set_filterable,
            request.account_id,
            catalog.catalog_id,
            request.path_parameter("attributeName"),
            flag_in(parameters, "filterable"),
            _person(request, "updatedBy"),
        )
        return json_answer({"message": "Attribute updated successfully"})

    # ---- files

    async def signed_url(self, request: Request) -> Answer:
        """A signed URL for a file of products."""
        services = self._services
        catalog_id = mandatory_number(request.parameters(), "catalogId")
        issued = await services.lookups.run(self._catalogs.products_url, request.account_id, catalog_id)
        return json_answer(
            {
                "signedUrl": upload_url(services, request, issued.tokens[0]),
                "uploadId": issued.upload_id,
                "expiry": iso_ms(issued.expires_at_ms),
            }
        )

    async def upload_completed(self, request: Request) -> Answer:
        """The file of products is complete."""
        body = object_of(request)
        mandatory_text(body, "fileName", length_max=1000)
        mandatory_text(body, "completedBy", length_max=PERSON_LENGTH_MAX)
        size = number_in(body, "fileSize", at_least=0)
        if size is None:
            raise BadRequest("fileSize is mandatory", field="fileSize")
        await self._services.lookups.run(
            self._catalogs.products_completed,
            request.account_id,
            mandatory_number(body, "catalogId"),
            mandatory_text(body, "uploadId", length_max=64),
            size,
        )
        return json_answer({"message": "Upload marked complete"})

    # ---- products

    async def add_product(self, request: Request) -> Answer:
        """One new product."""
        catalog = await self._catalog(request)
        _check_size(request, ONE_BYTES_MAX)
        product = rules.read_product(object_of(request), catalog.schema, needs_image=True)
        added = await self._services.lookups.run(self._catalogs.add, catalog, product)
        return json_answer(shown_product(added), status=201)

    async def add_products(self, request: Request) -> Answer:
        """Many new products; bad ones do not stop the rest."""
        catalog = await self._catalog(request)
        good, bad = _read_each(request, lambda item: rules.read_product(item, catalog.schema, needs_image=False))
        return await self._bulk(good, bad, lambda: self._catalogs.add_many(catalog, good))

    async def change_product(self, request: Request) -> Answer:
        """One product that exists."""
        catalog = await self._catalog(request)
        _check_size(request, ONE_BYTES_MAX)
        identity = request.path_parameter("productId")
        change = rules.read_change(object_of(request), catalog.schema, identity=identity)
        await self._services.lookups.run(self._catalogs.change, catalog, change)
        return json_answer({"message": DONE})

    async def change_products(self, request: Request) -> Answer:
        """Many products that exist; others are failures."""
        catalog = await self._catalog(request)
        good, bad = _read_each(request, lambda item: rules.read_change(item, catalog.schema))
        return await self._bulk(good, bad, lambda: self._catalogs.change_many(catalog, good))

    async def deactivate_product(self, request: Request) -> Answer:
        """Mark one product inactive."""
        catalog = await self._catalog(request)
        identity = request.path_parameter("productId")
        if "\x00" in identity:
            raise NotFound("Product not found")
        await self._services.lookups.run(self._catalogs.deactivate, catalog, identity)
        return json_answer({"message": DONE})

    async def delete_products(self, request: Request) -> Answer:
        """Remove many products for good."""
        catalog = await self._catalog(request)
        _check_size(request, BULK_BYTES_MAX)
        identities = _identities(object_of(request).get("identities"))
        return await self._bulk(identities, [], lambda: self._catalogs.delete_many(catalog, identities))

    async def _bulk(self, good: list[Any], bad: list[Failure], write: Callable[[], Bulk]) -> Answer:
        """What came of many. `good` is empty if nothing can be written."""
        bulk = await self._services.lookups.run(write) if good else Bulk(0, [])
        failures = [{"identity": one.identity, "error": one.error} for one in (*bad, *bulk.failures)]
        return json_answer({"message": DONE, "successCount": bulk.success_count, "failures": failures})

    async def _catalog(self, request: Request) -> Catalog:
        """The catalog of the path. Comes before the body: another account's is 404, whatever is sent."""
        text = request.path_parameter("catalogId")
        if not (text.isascii() and text.isdecimal()) or len(text) > 18:
            raise NotFound(f"Catalog - {text[:40]} not found")
        return await self._services.lookups.run(self._catalogs.get, request.account_id, int(text))

    async def _shown(self, catalog: Catalog) -> dict[str, Json]:
        return shown(catalog, await self._services.lookups.run(self._catalogs.summary, catalog))


def shown(catalog: Catalog, summary: Summary | None) -> dict[str, Json]:
    """A catalog as callers see it."""
    body: dict[str, Json] = {
        "id": catalog.catalog_id,
        "catalogName": catalog.name,
        "description": catalog.description,
        "status": str(catalog.status),
        "catalogSchema": [
            {"name": one.name, "type": str(one.type), "filterable": one.filterable} for one in catalog.schema
        ],
        "createdBy": catalog.creator,
        "updatedBy": catalog.updated_by,
        "createdAt": iso_ms(catalog.created_at_ms),
        "updatedAt": iso_ms(catalog.updated_at_ms),
    }
    if catalog.sync is not None:
        body["feedSync"] = catalog.sync
    if summary is not None:
        body["productSummary"] = {
            "total": summary.total,
            "active": summary.active,
            "inactive": summary.total - summary.active,
        }
    return body


def shown_product(product: Product) -> dict[str, Json]:
    """A product as callers see it."""
    return {
        "identity": product.identity,
        "name": product.name,
        "imageUrl": product.image_url,
        "attributes": dict(product.attributes),
        "status": "ACTIVE" if product.is_active else "INACTIVE",
    }


def _form(body: dict[str, Json], *by: str) -> CatalogForm:
    status = text_in(body, "status") or CatalogStatus.ACTIVE
    if status not in (CatalogStatus.ACTIVE, CatalogStatus.INACTIVE):
        raise BadRequest("status needs to be ACTIVE or INACTIVE", field="status")
    people = [text_in(body, name, length_max=PERSON_LENGTH_MAX) for name in by]
    return CatalogForm(
        name=mandatory_text(body, "catalogName", length_max=NAME_LENGTH_MAX).strip(),
        schema=rules.read_schema(body.get("catalogSchema")),
        description=text_in(body, "description", length_max=DESCRIPTION_LENGTH_MAX) or "",
        status=CatalogStatus(status),
        sync=body.get("feedSync"),
        by=next((person for person in people if person), ""),
    )


def _page(parameters: Mapping[str, str]) -> Page:
    status = _choice(parameters, "status", [*CatalogStatus], "")
    page = number_in(parameters, "page", at_least=0, at_most=10**9)
    size = number_in(parameters, "size", at_most=PAGE_SIZE_MAX)
    return Page(
        status=CatalogStatus(status) if status else None,
        search=text_in(parameters, "search", length_max=NAME_LENGTH_MAX) or "",
        page=0 if page is None else page,
        size=PAGE_SIZE if size is None else size,
        sort_by=_choice(parameters, "sortBy", list(SORTS), "createdAt"),
        is_ascending=_choice(parameters, "sortOrder", ["ASC", "DESC"], "DESC") == "ASC",
    )


def _choice(parameters: Mapping[str, str], name: str, choices: list[str], default: str) -> str:
    value = parameters.get(name, "").strip() or default
    if value and value not in choices:
        raise BadRequest(f"{name} needs to be one of {', '.join(choices)}", field=name)
    return value


def _person(request: Request, name: str) -> str:
    return text_in(request.parameters(), name, length_max=PERSON_LENGTH_MAX) or ""


def _check_size(request: Request, bytes_max: int) -> None:
    if len(request.body) > bytes_max:
        raise TooLarge(f"The body has {len(request.body)} bytes, at most {bytes_max}", field="body", limit=bytes_max)


def _read_each(request: Request, read: Callable[[Json], T]) -> tuple[list[T], list[Failure]]:
    """Each product of a bulk call, or why it is none."""
    _check_size(request, BULK_BYTES_MAX)
    items = object_of(request).get("products")
    if not isinstance(items, list) or not 1 <= len(items) <= BULK_MAX:
        raise BadRequest(f"products needs to be a list of 1 to {BULK_MAX}", field="products", limit=BULK_MAX)
    good: list[T] = []
    bad: list[Failure] = []
    for item in items:
        try:
            good.append(read(item))
        except CallerError as error:
            identity = item.get("identity") if isinstance(item, dict) else ""
            bad.append(Failure(str(identity)[:IDENTITY_LENGTH_MAX] if identity else "", error.text))
    return good, bad


def _identities(value: Json) -> list[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= BULK_MAX:
        raise BadRequest(f"identities needs to be a list of 1 to {BULK_MAX}", field="identities", limit=BULK_MAX)
    if not all(isinstance(item, str) and item.strip() and "\x00" not in item for item in value):
        raise BadRequest("identities needs to hold texts", field="identities")
    return [str(item).strip() for item in value]


class CatalogBody(msgspec.Struct, omit_defaults=True):
    """For the reference: a catalog as its owner describes it."""

    name: str = msgspec.field(name="catalogName")
    schema: list[Attribute] = msgspec.field(name="catalogSchema")
    description: str = ""
    status: str = "ACTIVE"


class ProductBody(msgspec.Struct, omit_defaults=True):
    """For the reference: a product; attributes typed as the catalog's schema says."""

    identity: str = ""
    name: str = ""
    image_url: str = msgspec.field(default="", name="imageUrl")
    attributes: dict[str, Any] = {}


class ProductsBody(msgspec.Struct):
    """For the reference: up to 500 KB of products."""

    products: list[ProductBody]


class IdentitiesBody(msgspec.Struct):
    """For the reference: products to remove."""

    identities: list[str]


class UploadedBody(msgspec.Struct):
    """For the reference: a file of products that was sent whole."""

    upload_id: str = msgspec.field(name="uploadId")
    catalog_id: int = msgspec.field(name="catalogId")
    file_name: str = msgspec.field(name="fileName")
    file_size: int = msgspec.field(name="fileSize")
    completed_by: str = msgspec.field(name="completedBy")


_READ, _WRITE = Access((Scope.CONTENT_READ,)), Access((Scope.CONTENT_WRITE,))
_ONE = "/v2/catalogs/{catalogId}"
_EXAMPLE = {
    "catalogName": "Routes",
    "catalogSchema": [{"name": "price", "type": "number", "filterable": True}],
}
_PRODUCT = {
    "identity": "day-pass",
    "name": "Day pass",
    "imageUrl": "https://example.org/p.png",
    "attributes": {"price": 6},
}
_SEARCH = {
    "status": "ACTIVE, INACTIVE or DELETED",
    "search": "a part of the name",
    "page": "from 0",
    "size": "1 to 100, default 20",
    "sortBy": "createdAt, catalogName or updatedAt",
    "sortOrder": "ASC or DESC (default)",
}


def catalog_routes(services: Services) -> tuple[Route, ...]:
    """The calls of the second generation."""
    at = CatalogEndpoint(services)
    products = _ONE + "/products"
    return (
        _route("POST", "/v2/catalogs", at.create, "Make a catalog", body=CatalogBody, example=_EXAMPLE, status="201"),
        _route("GET", "/v2/catalogs", at.list_catalogs, "List catalogs", parameters=_SEARCH),
        _route("GET", _ONE, at.show, "One catalog"),
        _route("PUT", _ONE, at.replace, "Write a catalog anew", body=CatalogBody, example=_EXAMPLE),
        _route(
            "PUT",
            "/v2/catalogs/delete/{catalogId}",
            at.delete,
            "Delete a catalog for good",
            parameters={"deletedBy": "who does it"},
        ),
        _route(
            "PATCH",
            _ONE + "/schema/attributes/{attributeName}/filterable",
            at.set_filterable,
            "Let an attribute be filtered by",
            parameters={"filterable": "true or false", "updatedBy": "who does it"},
        ),
        _route(
            "GET",
            "/v2/catalogs/signedurl",
            at.signed_url,
            "A signed URL for a file of products",
            parameters={"catalogId": "of the catalog", "fileName": "for people"},
        ),
        _route(
            "POST",
            "/v2/catalogs/signedurl/complete",
            at.upload_completed,
            "The file of products is complete",
            body=UploadedBody,
        ),
        _route("POST", products, at.add_product, "Add a product", body=ProductBody, example=_PRODUCT, status="201"),
        _route("POST", products + "/bulk", at.add_products, "Add many products", body=ProductsBody),
        _route("PUT", products + "/bulk", at.change_products, "Change many products", body=ProductsBody),
        _route("DELETE", products + "/bulk", at.delete_products, "Remove many products", body=IdentitiesBody),
        _route("PUT", products + "/{productId}", at.change_product, "Change a product", body=ProductBody),
        _route("DELETE", products + "/{productId}", at.deactivate_product, "Mark a product inactive"),
    )


def _route(
    method: str,
    path: str,
    handler: Handler,
    summary: str,
    *,
    parameters: dict[str, str] | None = None,
    body: Any = None,
    example: Any = None,
    status: str = "200",
) -> Route:
    return Route(
        path=path,
        method=method,
        access=_READ if method == "GET" and not path.endswith("signedurl") else _WRITE,
        handler=handler,
        failure_keys=FAILURE_KEYS,
        document=Document(summary=summary, parameters=parameters or {}, body=body, example=example, status=status),
    )
