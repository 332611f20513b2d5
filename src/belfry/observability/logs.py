"""Structured logs: one JSON line an event, with time, level, logger and the id of the request that it is about."""

from __future__ import annotations

import contextvars
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import Processor

from belfry.observability.redaction import redact

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""The request that the current task works for; empty outside of requests."""


def configure(level: str, form: str, *, stream: TextIO | None = None) -> None:
    """Send every log line of this process, our own and those of libraries, through one chain.

    level    debug, info, warning or error
    form     json, or console for people
    stream   where lines go; default: standard error
    """
    target = stream or sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_common(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_common(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(form)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    # The server's own access log would repeat every path, with what a caller put into the query.
    logging.getLogger("uvicorn.access").disabled = True


def _common() -> list[Processor]:
    return [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
    ]


def _rendering(form: str) -> list[Processor]:
    # Redaction comes last but one, so that it sees exception texts too.
    if form == "console":
        return [structlog.processors.format_exc_info, redact, structlog.dev.ConsoleRenderer(colors=False)]
    return [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(serializer=_to_json)]


def _add_request_id(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    current = request_id.get()
    if current:
        event.setdefault("request_id", current)
    return event


def _to_json(event: object, **_options: object) -> str:
    # JSON escapes line breaks: nobody can forge a line by putting one into a name or a path.
    return msgspec.json.encode(event, enc_hook=str).decode("utf-8")
