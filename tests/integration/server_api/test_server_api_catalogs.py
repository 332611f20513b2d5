"""Catalogs of both generations (server-api 9.3, 9.4)."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

import pytest

from belfry.accounts.model import Scope
from support.asgi import Reply, assert_envelope, call
from support.edge_world import EdgeWorld

HEADER = b"Identity,Name,ImageURL,Category,Price\n"
ROWS = b"p1,Day pass,https://x.org/1.png,tickets,6\np2,Week pass,https://x.org/2.png,tickets,20\n"
FORM = {"name": "Routes", "creator": "Ana", "email": "ana@example.org"}
SCHEMA = [{"name": "price", "type": "number", "filterable": False}, {"name": "color", "type": "string"}]
PASS = {"identity": "day/pass", "name": "Day pass", "imageUrl": "https://x.org/1.png", "attributes": {"price": 6}}


async def put(edge: EdgeWorld, url: str, body: bytes) -> Reply:
    return await call(edge.gate, "PUT", urlsplit(url).path, body, {})


async def uploaded(edge: EdgeWorld, body: bytes, **form: Any) -> int:
    """The id of a catalog whose file was processed."""
    url = (await edge.call("POST", "/get_catalog_url", {})).json()["presignedS3URL"]
    assert (await put(edge, url, body)).status == 200
    reply = await edge.call("POST", "/upload_catalog_completed", {**FORM, "url": url, **form})
    assert reply.status == 200, reply.body
    edge.process_uploads()
    catalog_id: int = reply.json()["id"]
    return catalog_id


async def state(edge: EdgeWorld, catalog_id: int) -> Any:
    return (await edge.call("GET", f"/1/imports/{catalog_id}.json")).json()


async def shown(edge: EdgeWorld, catalog_id: int) -> Any:
    return (await edge.call("GET", f"/v2/catalogs/{catalog_id}")).json()


# ---- first generation


async def test_a_file_becomes_a_catalog(edge: EdgeWorld) -> None:
    catalog_id = await uploaded(edge, HEADER + ROWS)
    assert (await state(edge, catalog_id))["result"] == {
        "accepted": 2,
        "malformed": 0,
        "samples": [],
        "warnings": [],
        "is_current": True,
    }
    catalog = await shown(edge, catalog_id)
    assert (catalog["catalogName"], catalog["status"]) == ("Routes", "ACTIVE")
    assert [one["name"] for one in catalog["catalogSchema"]] == ["Category", "Price"]
    assert catalog["productSummary"] == {"total": 2, "active": 2, "inactive": 0}


async def test_a_file_in_parts_is_read_as_one(edge: EdgeWorld) -> None:
    reply = await edge.call("GET", "/get_multipart_upload_catalog_url?totalParts=2")
    answer = reply.json()
    assert (set(answer), len(answer["presignedS3URLs"])) == ({"status", "uploadId", "presignedS3URLs"}, 2)
    parts = [HEADER + ROWS[:43], ROWS[43:]]
    tags = []
    for number, (url, part) in enumerate(zip(answer["presignedS3URLs"], parts, strict=True), 1):
        etag = (await put(edge, url, part)).headers["etag"]
        tags.append({"partNumber": number, "eTag": etag if number == 1 else etag.strip('"')})
    body = {**FORM, "uploadId": answer["uploadId"], "eTags": tags}
    wrong = {**body, "eTags": [{"partNumber": 1, "eTag": hashlib.md5(b"").hexdigest()}]}
    assert_envelope(await edge.call("POST", "/upload_catalog_completed", wrong), 400)
    catalog_id = (await edge.call("POST", "/upload_catalog_completed", body)).json()["id"]
    edge.process_uploads()
    assert (await state(edge, catalog_id))["result"]["accepted"] == 2


@pytest.mark.parametrize("parts", ["", "1", "5", "x"])
async def test_a_file_has_2_to_4_parts(edge: EdgeWorld, parts: str) -> None:
    assert_envelope(await edge.call("GET", f"/get_multipart_upload_catalog_url?totalParts={parts}"), 400)


async def test_replacing_swaps_all_products_and_keeps_the_id(edge: EdgeWorld) -> None:
    catalog_id = await uploaded(edge, HEADER + ROWS)
    assert await uploaded(edge, HEADER + ROWS[:43], replace=True) == catalog_id
    assert (await shown(edge, catalog_id))["productSummary"]["total"] == 1


async def test_a_file_that_lacks_columns_needs_override(edge: EdgeWorld) -> None:
    catalog_id = await uploaded(edge, HEADER + ROWS)
    smaller = b"Identity,Name,ImageURL\np9,New,\n"
    await uploaded(edge, smaller, replace=True)
    assert "Category, Price" in (await state(edge, catalog_id))["result"]["error"]
    assert (await shown(edge, catalog_id))["productSummary"]["total"] == 2
    edge.clock.advance_ms(1)
    await uploaded(edge, smaller, replace=True, override=True)
    told = await state(edge, catalog_id)
    assert (told["state"], told["result"]["warnings"]) == ("done", ["The file has no column Category"])
    assert (await shown(edge, catalog_id))["productSummary"]["total"] == 1


async def test_places_have_coordinates_within_bounds(edge: EdgeWorld) -> None:
    body = b"identity,latitude,longitude\na,38.7,-9.1\nb,91,0\nc,,\nd,x,1\n"
    catalog_id = await uploaded(edge, body, isLocationCatalog=True)
    result = (await state(edge, catalog_id))["result"]
    assert (result["accepted"], result["malformed"]) == (1, 3)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"Name,ImageURL\na,b\n", id="no identity"),
        pytest.param(b"Identity,Name,ImageURL" + b",x" * 18 + b"\n", id="21 columns, doubled"),
        pytest.param(b"Identity,Name,ImageURL\np,n,javascript:alert(1)\n", id="no row is good"),
        pytest.param(b"Identity,Identity,Name,ImageURL\n", id="a column twice"),
    ],
)
async def test_a_file_that_is_no_catalog_says_why(edge: EdgeWorld, body: bytes) -> None:
    told = await state(edge, await uploaded(edge, body))
    assert (told["state"], bool(told["result"]["error"])) == ("failed", True)


async def test_the_same_name_without_replace_is_a_duplicate(edge: EdgeWorld) -> None:
    await uploaded(edge, HEADER + ROWS)
    url = (await edge.call("GET", "/get_catalog_url")).json()["presignedS3URL"]
    await put(edge, url, HEADER)
    reply = await edge.call("POST", "/upload_catalog_completed", {**FORM, "url": url})
    assert "duplicate_name" in assert_envelope(reply, 409)["error"]


# ---- second generation


async def created(edge: EdgeWorld, name: str = "Shop", **more: Any) -> int:
    body = {"catalogName": name, "catalogSchema": SCHEMA, **more}
    reply = await edge.call("POST", "/v2/catalogs", body)
    assert reply.status == 201, reply.body
    catalog_id: int = reply.json()["id"]
    return catalog_id


async def test_both_sets_of_headers_open_it(edge: EdgeWorld) -> None:
    secret = edge.secrets[edge.shop]
    for headers in (
        {"X-Account-Id": edge.shop, "X-CleverTap-Token": secret},
        {"X-CleverTap-Account-Id": edge.shop, "X-CleverTap-Token": secret},
        {"X-Account-Id": edge.shop, "X-CleverTap-Passcode": secret},
    ):
        assert (await call(edge.gate, "GET", "/v2/catalogs", b"", headers)).status == 200
    reply = await call(
        edge.gate, "GET", "/v2/catalogs", b"", {"X-Account-Id": edge.shop, "X-CleverTap-Token": "a-public-token"}
    )
    body = assert_envelope(reply, 401)
    assert body["message"] == body["error"]


async def test_a_catalog_is_made_shown_changed_listed_and_deleted(edge: EdgeWorld) -> None:
    catalog_id = await created(edge, description="d", createdBy="Ana")
    catalog = await shown(edge, catalog_id)
    assert catalog == {
        "id": catalog_id,
        "catalogName": "Shop",
        "description": "d",
        "status": "ACTIVE",
        "catalogSchema": [SCHEMA[0], {**SCHEMA[1], "filterable": False}],
        "createdBy": "Ana",
        "updatedBy": "Ana",
        "createdAt": "2026-11-25T12:00:00.000Z",
        "updatedAt": "2026-11-25T12:00:00.000Z",
        "productSummary": {"total": 0, "active": 0, "inactive": 0},
    }
    changed = {"catalogName": "Shop 2", "catalogSchema": SCHEMA[:1], "status": "INACTIVE", "updatedBy": "Ben"}
    reply = await edge.call("PUT", f"/v2/catalogs/{catalog_id}", changed)
    assert (reply.json()["catalogName"], reply.json()["status"]) == ("Shop 2", "INACTIVE")
    reply = await edge.call(
        "PATCH", f"/v2/catalogs/{catalog_id}/schema/attributes/price/filterable?filterable=true&updatedBy=Ben"
    )
    assert reply.json() == {"message": "Attribute updated successfully"}
    assert (await shown(edge, catalog_id))["catalogSchema"][0]["filterable"] is True
    await edge.call("POST", f"/v2/catalogs/{catalog_id}/products", PASS)
    reply = await edge.call("PUT", f"/v2/catalogs/delete/{catalog_id}?deletedBy=Ben")
    assert reply.json() == {"message": f"Catalog - {catalog_id} deleted successfully"}
    body = assert_envelope(await edge.call("GET", f"/v2/catalogs/{catalog_id}"), 404)
    assert body["message"] == body["error"]
    assert await created(edge, "Shop 2") != catalog_id


async def test_lists_are_searched_sorted_and_paged(edge: EdgeWorld) -> None:
    for name in ("Alpha", "beta", "Gamma_x"):
        await created(edge, name)
        edge.clock.advance_ms(1000)

    async def names(query: str) -> tuple[list[str], int]:
        body = (await edge.call("GET", f"/v2/catalogs?{query}")).json()
        return [one["catalogName"] for one in body["content"]], body["totalElements"]

    assert await names("") == (["Gamma_x", "beta", "Alpha"], 3)
    assert await names("sortOrder=ASC&size=2&page=1") == (["Gamma_x"], 3)
    assert await names("search=BET") == (["beta"], 1)
    assert await names("search=_") == (["Gamma_x"], 1)
    assert await names("status=DELETED") == ([], 0)
    for bad in ("size=101", "page=-1", "sortBy=1;DROP", "sortOrder=up", "status=x"):
        assert_envelope(await edge.call("GET", f"/v2/catalogs?{bad}"), 400)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"catalogName": "x"},
        {"catalogName": "x", "catalogSchema": []},
        {"catalogName": "x", "catalogSchema": [{"name": "a", "type": "date"}]},
        {"catalogName": "x", "catalogSchema": [{"name": "a", "type": "string"}] * 2},
        {"catalogName": "x", "catalogSchema": [{"name": f"a{n}", "type": "string"} for n in range(21)]},
        {"catalogName": "x", "catalogSchema": [{"name": "identity", "type": "string"}]},
        {"catalogName": "x" * 201, "catalogSchema": SCHEMA},
    ],
)
async def test_a_catalog_without_a_name_or_a_schema_is_400(edge: EdgeWorld, body: Any) -> None:
    assert_envelope(await edge.call("POST", "/v2/catalogs", body), 400)


async def test_an_account_has_five_catalogs(edge: EdgeWorld) -> None:
    for number in range(5):
        await created(edge, f"c{number}")
    assert_envelope(await edge.call("POST", "/v2/catalogs", {"catalogName": "c5", "catalogSchema": SCHEMA}), 409)


async def test_one_product_is_added_changed_and_made_inactive(edge: EdgeWorld) -> None:
    at = f"/v2/catalogs/{await created(edge)}/products"
    reply = await edge.call("POST", at, PASS)
    assert (reply.status, reply.json()) == (201, {**PASS, "status": "ACTIVE"})
    assert_envelope(await edge.call("POST", at, PASS), 409)
    reply = await edge.call("PUT", f"{at}/day%2Fpass", {"attributes": {"color": "red"}})
    assert reply.json() == {"message": "Operation completed successfully"}
    reply = await edge.call("DELETE", f"{at}/day%2Fpass")
    assert reply.json() == {"message": "Operation completed successfully"}
    assert (await shown(edge, 1))["productSummary"] == {"total": 1, "active": 0, "inactive": 1}
    assert_envelope(await edge.call("DELETE", f"{at}/unknown"), 404)
    assert_envelope(await edge.call("PUT", f"{at}/unknown", {"name": "x"}), 404)


async def test_bulk_calls_do_what_they_can_and_name_the_rest(edge: EdgeWorld) -> None:
    at = f"/v2/catalogs/{await created(edge)}/products/bulk"
    products = [
        {"identity": "a", "name": "A"},
        {"identity": "b", "name": "B", "attributes": {"price": "6"}},
        {"identity": "c"},
        {"identity": "d", "name": "D", "imageUrl": "javascript:x"},
        {"identity": "a", "name": "again"},
        7,
    ]
    answer = (await edge.call("POST", at, {"products": products})).json()
    assert (answer["message"], answer["successCount"]) == ("Operation completed successfully", 1)
    assert [one["identity"] for one in answer["failures"]] == ["b", "c", "d", "", "a"]
    changes = [{"identity": "a", "name": "A2"}, {"identity": "zz", "name": "x"}]
    answer = (await edge.call("PUT", at, {"products": changes})).json()
    assert (answer["successCount"], answer["failures"][0]["identity"]) == (1, "zz")
    answer = (await edge.call("DELETE", at, {"identities": ["a", "zz"]})).json()
    assert (answer["successCount"], answer["failures"]) == (1, [{"identity": "zz", "error": "Product zz not found"}])
    assert (await shown(edge, 1))["productSummary"]["total"] == 0


async def test_bodies_over_their_limit_are_413(edge: EdgeWorld) -> None:
    at = f"/v2/catalogs/{await created(edge)}/products"
    assert_envelope(await edge.call("POST", at, {**PASS, "name": "x" * 102_400}), 413)
    many = {"products": [{"identity": "a", "name": "x" * 512_000}]}
    assert_envelope(await edge.call("POST", f"{at}/bulk", many), 413)


async def test_a_file_of_products_adds_to_those_that_are_there(edge: EdgeWorld) -> None:
    catalog_id = await created(edge)
    await edge.call("POST", f"/v2/catalogs/{catalog_id}/products", PASS)
    answer = (await edge.call("GET", f"/v2/catalogs/signedurl?catalogId={catalog_id}&fileName=..%2Fx")).json()
    file = b"identity,name,imageUrl,price,odd\nn1,New,,7,x\nn2,Bad,,seven,x\n"
    await put(edge, answer["signedUrl"], file)
    body = {
        "uploadId": answer["uploadId"],
        "catalogId": catalog_id,
        "fileName": "../../etc/x",
        "fileSize": len(file) + 1,
        "completedBy": "Ana",
    }
    assert_envelope(await edge.call("POST", "/v2/catalogs/signedurl/complete", body), 400)
    reply = await edge.call("POST", "/v2/catalogs/signedurl/complete", {**body, "fileSize": len(file)})
    assert reply.json() == {"message": "Upload marked complete"}
    edge.process_uploads()
    result = (await state(edge, catalog_id))["result"]
    assert (result["accepted"], result["malformed"]) == (1, 1)
    assert result["samples"] == [{"line": 3, "reason": "price needs to be a number"}]
    assert "odd" in result["warnings"][0]
    assert (await shown(edge, catalog_id))["productSummary"]["total"] == 2


async def test_a_passcode_for_other_things_opens_no_catalog(edge: EdgeWorld) -> None:
    secret = edge.passcode(edge.shop, scopes=[Scope.EVENTS_WRITE])
    body = assert_envelope(await edge.call("GET", "/v2/catalogs", secret=secret), 403)
    assert body["message"] == body["error"]


async def test_another_accounts_catalog_is_unknown(edge: EdgeWorld) -> None:
    catalog_id = await created(edge)
    for method, path in (("GET", ""), ("PUT", ""), ("POST", "/products"), ("DELETE", "/products/bulk")):
        reply = await edge.call(method, f"/v2/catalogs/{catalog_id}{path}", {}, account=edge.other)
        assert_envelope(reply, 404)
    assert_envelope(await edge.call("PUT", f"/v2/catalogs/delete/{catalog_id}", account=edge.other), 404)
    target = f"/v2/catalogs/signedurl?catalogId={catalog_id}"
    assert_envelope(await edge.call("GET", target, account=edge.other), 404)
