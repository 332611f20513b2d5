"""Between the gate and Litestar: the gate has admitted the request, Litestar reads its parts and calls the handler.

What a handler raises comes out again as it was raised, and what Litestar finds wrong as one of our errors, so that
there is one place that makes envelopes: the gate.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from litestar import Litestar
from litestar import Request as LitestarRequest
from litestar import Response as LitestarResponse
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.params import SkipValidation
from litestar.routes import HTTPRoute

from belfry.edge.exchange import Answer, Request
from belfry.edge.repeatable import Repeatable
from belfry.edge.routes import Access, Route, Undeclared
from belfry.edge.services import Services
from belfry.errors import BadRequest, CallerError, NotFound

ACCEPTED = "belfry.accepted"
"""Where the scope's state holds the request that the gate admitted."""
FAILED = "belfry.failed"
ACCESS = "access"
"""Key of a handler's `opt` that holds its `Access`."""

Accepted = NamedDependency[SkipValidation[Request]]
"""How a handler asks for the request that the gate admitted."""
Uses = NamedDependency[SkipValidation[Services]]
"""How a handler asks for what it may use."""

AnyRequest = LitestarRequest[Any, Any, Any]  # Litestar's own parameters: user, auth, state; unused here


def declared(access: Access) -> dict[str, Access]:
    """What a handler passes as `opt` to say who may call it."""
    return {ACCESS: access}


def accepted_of(request: AnyRequest) -> Request:
    """The request that the gate admitted; a Litestar dependency."""
    accepted: Request = request.scope["state"][ACCEPTED]
    return accepted


def keep_failure(request: AnyRequest, error: Exception) -> LitestarResponse[bytes]:
    """Litestar's exception handler for everything: remembers the error for `Bridge.handle` to raise."""
    request.scope["state"][FAILED] = error
    return LitestarResponse(b"", status_code=500)


class Bridge:
    """Handlers of one Litestar application as routes of the edge."""

    def __init__(self, application: Litestar, repeatable: Repeatable) -> None:
        self._application = application
        self._repeatable = repeatable

    def routes(self) -> tuple[Route, ...]:
        """Every handler that is in the schema. Raises Undeclared for one that does not say who may call it."""
        return tuple(self._routes())

    def _routes(self) -> Iterable[Route]:
        for route in self._application.routes:
            if isinstance(route, HTTPRoute):
                for handler in route.route_handlers:
                    yield from self._routes_of(route.path_format, handler)

    def _routes_of(self, path: str, handler: HTTPRouteHandler) -> Iterable[Route]:
        if not handler.resolve_include_in_schema() or handler.http_methods == {"OPTIONS"}:
            return
        access = handler.opt.get(ACCESS)
        if not isinstance(access, Access):
            raise Undeclared(f"{path}: {handler} does not say who may call it")
        handle = self._repeatable.wrap(self.handle) if access.repeats else self.handle
        for method in sorted(handler.http_methods):
            yield Route(path=path, method=method, access=access, handler=handle)

    async def handle(self, request: Request) -> Answer:
        """Let Litestar answer. Raises what the handler raised."""
        scope = _scope(request)
        started: MutableMapping[str, Any] = {}
        parts: list[bytes] = []
        whole = [{"type": "http.request", "body": request.body, "more_body": False}]

        async def receive() -> Any:
            return whole.pop() if whole else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._application(scope, receive, send)
        if FAILED in scope["state"]:
            raise _as_ours(scope["state"][FAILED])
        return Answer(started["status"], b"".join(parts))


def _scope(request: Request) -> Any:
    # The body is decoded by now, so the headers that spoke of its encoded form are left out.
    headers = [
        (name, value)
        for name, value in request.headers.items()
        if name not in {b"content-encoding", b"content-length", b"content-type"}
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode("utf-8", "replace"),
        "query_string": request.query,
        "root_path": "",
        "headers": headers,
        "client": (request.address, 0),
        "server": None,
        "state": {ACCEPTED: request},
    }


def _as_ours(error: Exception) -> Exception:
    """Litestar's findings in our words; any other error as it is."""
    match error:
        case ValidationException():
            return _invalid(error)
        case HTTPException(status_code=404):
            return NotFound("Path not found")
        case HTTPException(status_code=status) if status < 500:
            return BadRequest("Malformed request")
        case RecursionError():
            # The JSON decoder's, for a body that is nested too deep: Litestar does not expect it.
            return BadRequest("Malformed request")
        case _:
            return error


def _invalid(error: ValidationException) -> CallerError:
    found = error.extra[0] if isinstance(error.extra, list) and error.extra else {}
    message, key = str(found.get("message", error.detail)), found.get("key")
    if key is None:
        return BadRequest(message)
    return BadRequest(f"{key}: {message}", field=str(key))
