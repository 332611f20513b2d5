"""What operators see of a running Belfry: logs and metrics.

`logs.py` sets up structured logs (JSON lines with the request id); `redaction.py` keeps secrets out of them;
`metrics.py` holds the edge's Prometheus metrics. Health checks are endpoints and live in `belfry.edge`.
"""
