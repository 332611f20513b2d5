"""Alive, ready, metrics: without credentials, and always JSON but for the metrics."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from belfry.clock import ManualClock
from belfry.config import Settings
from belfry.edge import application, health
from belfry.edge.health import Health
from belfry.ids import SequentialIds
from belfry.observability.metrics import EdgeMetrics
from support.asgi import Reply, call


def _raise() -> bool:
    raise ConnectionError("refused")


def edge(checks: dict[str, Callable[[], bool]]) -> tuple[Health, application.Gate]:
    metrics = EdgeMetrics()
    made = Health(checks, metrics)
    gate = application.build(
        made.routes(),
        directory=None,  # type: ignore[arg-type]
        metrics=metrics,
        settings=Settings(),
        clock=ManualClock(0),
        ids=SequentialIds(),
        version="0",
    )
    return made, gate


async def ask(gate: application.Gate, path: str) -> Reply:
    return await call(gate, "GET", path)


async def test_ready_names_each_store() -> None:
    _, gate = edge({"log": lambda: True, "relational": lambda: True, "columnar": lambda: True})
    reply = await ask(gate, "/readyz")
    assert (reply.status, reply.json()) == (
        200,
        {"status": "success", "stores": {"log": "ok", "relational": "ok", "columnar": "ok"}},
    )


@pytest.mark.parametrize("check", [lambda: False, _raise])
async def test_one_store_down_is_503_and_named(check: Callable[[], bool]) -> None:
    _, gate = edge({"log": lambda: True, "columnar": check})
    reply = await ask(gate, "/readyz")
    body = reply.json()
    assert (reply.status, body["status"], body["code"]) == (503, "fail", 503)
    assert body["error"] == "Not ready: columnar"
    assert body["stores"] == {"log": "ok", "columnar": "down"}
    assert (await ask(gate, "/livez")).status == 200


async def test_a_store_that_hangs_is_down_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_S_MAX", 0.05)
    release = threading.Event()
    _, gate = edge({"log": lambda: True, "columnar": release.wait})
    reply = await ask(gate, "/readyz")
    release.set()
    assert (reply.status, reply.json()["stores"]) == (503, {"log": "ok", "columnar": "timeout"})


async def test_a_process_that_stops_is_alive_and_not_ready() -> None:
    made, gate = edge({"log": lambda: True})
    made.start_draining()
    assert (await ask(gate, "/readyz")).json()["error"] == "Stopping"
    assert (await ask(gate, "/livez")).json() == {"status": "success"}


async def test_metrics_are_prometheus_text() -> None:
    _, gate = edge({})
    await ask(gate, "/livez")
    reply = await ask(gate, "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'belfry_http_requests_total{method="GET",route="/livez",status="200"} 1.0' in reply.body.decode()


async def test_the_reference_is_served_without_credentials_and_without_anything_from_elsewhere() -> None:
    _, gate = edge({})
    document = (await ask(gate, "/api/v1/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    assert {"/livez", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/docs"} <= set(document["paths"])
    page = await ask(gate, "/api/v1/docs")
    text = page.body.decode()
    assert page.headers["content-type"] == "text/html;charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "/readyz" in text
    assert "<script" not in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text
