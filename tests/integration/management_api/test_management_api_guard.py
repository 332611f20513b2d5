"""Guards over the registry: forgetting to declare, to scope or to document a route fails here."""

from __future__ import annotations

import itertools
import re

from belfry.accounts.model import Scope
from belfry.edge.routes import Route
from support.asgi import assert_envelope
from support.edge_world import EdgeWorld

SIGNED_PATHS = {"/ul/{token}"}
"""The path itself is the credential: what it does not open is 403, whoever asks."""
PUBLIC_PATHS = {"/livez", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/docs", *SIGNED_PATHS}
"""All that is served without account headers; each holds no account's data, or asks for a signature."""
ANY_PASSCODE = {"/api/v1/whoami", "/v1/connect"}
"""Open to every live passcode; shows nothing but the credentials themselves."""


def concrete(route: Route) -> str:
    return re.sub(r"\{\w+\}", "12345", route.path)


async def test_every_route_is_public_on_purpose_or_asks_for_a_scope(edge: EdgeWorld) -> None:
    for route in edge.gate.table.routes:
        assert route.access.public is (route.path in PUBLIC_PATHS), route.path
        if not route.access.public:
            assert bool(route.access.scopes) is (route.path not in ANY_PASSCODE), route.path


async def test_every_route_refuses_missing_and_wrong_credentials(edge: EdgeWorld) -> None:
    for route in edge.gate.table.routes:
        if route.access.public:
            continue
        edge.clock.advance_ms(60_000)  # failures of a minute ago delay nobody
        for secret in ("wrong-passcode", edge.secrets[edge.other]):
            assert_envelope(await edge.call(route.method, concrete(route), secret=secret), 401)


async def test_every_route_refuses_a_passcode_of_another_scope(edge: EdgeWorld) -> None:
    secrets = {scope: edge.passcode(edge.shop, scopes=[scope]) for scope in Scope if scope is not Scope.ALL}
    routes = [route for route in edge.gate.table.routes if route.path not in SIGNED_PATHS]
    for route, (scope, secret) in itertools.product(routes, secrets.items()):
        reply = await edge.call(route.method, concrete(route), b"{}", secret=secret)
        if route.access.public or not route.access.scopes or scope in route.access.scopes:
            assert reply.status != 403, (route.path, reply.body)
        else:
            body = assert_envelope(reply, 403)
            assert body["error"] == f"Passcode is not allowed to {route.access.scopes[0]}"


async def test_every_path_answers_every_method_with_json(edge: EdgeWorld) -> None:
    for route in edge.gate.table.routes:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
            reply = await edge.call(method, concrete(route), b'{"\xff')
            assert reply.status < 500, (method, route.path, reply.body)
            if route.path not in PUBLIC_PATHS:
                assert reply.headers["content-type"] == "application/json;charset=utf-8"
                assert reply.json()["status" if reply.status >= 400 else next(iter(reply.json()))] is not None


async def test_every_object_of_another_account_is_404(edge: EdgeWorld) -> None:
    for route in edge.gate.table.routes:
        if "{" in route.path:
            reply = await edge.call(route.method, concrete(route), b"{}", account=edge.other)
            assert_envelope(reply, 403 if route.path in SIGNED_PATHS else 404)


async def test_every_route_is_in_the_reference_with_all_that_can_happen(edge: EdgeWorld) -> None:
    document = (await edge.call("GET", "/api/v1/openapi.json")).json()
    for route in edge.gate.table.routes:
        operation = document["paths"][route.path][route.method.lower()]
        assert operation["summary"]
        responses = operation["responses"]
        assert any(status.startswith("2") for status in responses)
        if not route.access.public:
            assert {"400", "401", "403", "429", "500", "503"} <= set(responses), route.path
            assert operation["security"] == [{"account": [], "passcode": []}]
        if route.method == "POST":
            assert {"409", "413", "415"} <= set(responses), route.path
        if "{" in route.path:
            assert ("403" if route.path in SIGNED_PATHS else "404") in responses
    assert set(document["paths"]) == {route.path for route in edge.gate.table.routes}


async def test_every_reference_in_the_document_leads_somewhere(edge: EdgeWorld) -> None:
    reply = await edge.call("GET", "/api/v1/openapi.json")
    schemas = set(reply.json()["components"]["schemas"])
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', reply.body.decode()))
    assert named <= schemas
    page = (await edge.call("GET", "/api/v1/docs")).body.decode()
    for name in schemas:
        assert f'id="{name}"' in page


async def test_whoami_shows_the_credentials_and_no_secret(edge: EdgeWorld) -> None:
    secret = edge.passcode(edge.shop, scopes=[Scope.ERRORS_READ], partner="Finch")
    reply = await edge.call("GET", "/api/v1/whoami", secret=secret)
    body = reply.json()
    assert body["account"] == {
        "account_id": edge.shop,
        "name": "Shop",
        "timezone": "UTC",
        "region": "eu1",
    }
    assert (body["passcode"]["scopes"], body["passcode"]["partner"]) == (["errors:read"], "Finch")
    assert secret not in reply.body.decode()


async def test_handlers_failures_never_show_a_framework(edge: EdgeWorld) -> None:
    for target in ("/api/v1/errors?limit=x", "/api/v1/errors/records", "/schema", "/not-served", "/api/v1/errors/x"):
        reply = await edge.call("GET", target)
        text = reply.body.decode().lower()
        assert reply.status in {400, 404}
        for word in ("detail", "status_code", "litestar", "traceback", "<html"):
            assert word not in text
