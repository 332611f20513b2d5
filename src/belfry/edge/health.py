"""What supervisors and load balancers ask: alive? ready? and the metrics. Served without credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.routes import PUBLIC, Document, Handler, Route
from belfry.edge.threads import Threads
from belfry.observability.metrics import CONTENT_TYPE, EdgeMetrics

log = structlog.get_logger(__name__)

CHECK_S_MAX = 2.0
"""A store that has not answered by then counts as down."""

Check = Callable[[], bool]


class Health:
    """The three endpoints.

    checks  store → a call that says whether it works; may block, may raise
    """

    def __init__(self, checks: Mapping[str, Check], metrics: EdgeMetrics) -> None:
        self._checks = dict(checks)
        self._metrics = metrics
        self._threads = Threads("health", workers=max(len(checks), 1), waiting_max=64)
        self._is_draining = False

    def start_draining(self) -> None:
        """Say "not ready" from now on, so that no new requests are sent here; those that come are still served."""
        self._is_draining = True

    def routes(self) -> tuple[Route, ...]:
        return (
            _route("/livez", "The process answers", self._live),
            _route("/readyz", "Each store answers; 503 when one does not, or while stopping", self._ready),
            _route("/metrics", "Metrics in Prometheus' text format", self._show_metrics),
        )

    async def _live(self, _request: Request) -> Answer:
        return json_answer({"status": "success"})

    async def _ready(self, request: Request) -> Answer:
        names = list(self._checks)
        states = dict(zip(names, await asyncio.gather(*map(self._state, names)), strict=True))
        down = [name for name, state in states.items() if state != "ok"]
        if not down and not self._is_draining:
            return json_answer({"status": "success", "stores": states})
        reason = "Stopping" if self._is_draining else f"Not ready: {', '.join(down)}"
        body = {"status": "fail", "error": reason, "code": 503, "stores": states, "request_id": request.request_id}
        return json_answer(body, status=503)

    async def _state(self, name: str) -> str:
        try:
            async with asyncio.timeout(CHECK_S_MAX):
                return "ok" if await self._threads.run(self._checks[name]) else "down"
        except TimeoutError:
            return "timeout"
        except Exception as error:  # whatever a store raises: it is not ready
            log.info("store is not ready", store=name, error=type(error).__name__)
            return "down"

    async def _show_metrics(self, _request: Request) -> Answer:
        return Answer(200, self._metrics.exposition(), content_type=CONTENT_TYPE.encode("ascii"))


def _route(path: str, summary: str, handler: Handler) -> Route:
    return Route(
        path=path,
        method="GET",
        access=PUBLIC,
        handler=handler,
        document=Document(summary=summary, tag="operations"),
    )
