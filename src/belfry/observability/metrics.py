"""The edge's metrics in Prometheus' text format. Labels are closed sets: never a path, an id or a name from outside."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class EdgeMetrics:
    """What the edge counts. Each is registered with a registry of its own, so that tests do not share figures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "belfry_http_requests", "Answered requests.", ("route", "method", "status"), registry=self.registry
        )
        self._latency = Histogram(
            "belfry_http_request_seconds",
            "Time from the first byte of a request to the end of its answer.",
            ("route",),
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self._records = Counter(
            "belfry_upload_records", "Records of uploads, by what became of them.", ("outcome",), registry=self.registry
        )
        self._failures = Counter("belfry_auth_failures", "Requests without valid credentials.", registry=self.registry)
        self.accepted = self._records.labels("accepted")
        self.refused = self._records.labels("refused")
        self._children: dict[tuple[str, str, int], Counter] = {}
        self._timers: dict[str, Histogram] = {}

    def note_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request.

        route   the declared path, `/api/v1/segments/{segment_id}`, or `unknown`
        method  one that the route serves, or `other`
        """
        key = (route, method, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._requests.labels(route, method, str(status))
            self._timers.setdefault(route, self._latency.labels(route))
        child.inc()
        self._timers[route].observe(seconds)

    def note_auth_failure(self) -> None:
        self._failures.inc()

    def gauge(self, name: str, sentence: str, read: Callable[[], float]) -> None:
        """Show a figure that is read whenever the metrics are."""
        Gauge(name, sentence, registry=self.registry).set_function(read)

    def exposition(self) -> bytes:
        """All metrics as text."""
        return generate_latest(self.registry)
