"""Keeping secrets out of logs, whatever a line of code puts into them (trial S17)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "[redacted]"
_SECRET_NAMES = re.compile(
    r"pass(code|word|wd|phrase)|secret|token|authorization|cookie|credential|api.?key|private.?key|signature",
    re.IGNORECASE,
)
_HARMLESS_NAMES = frozenset({"passcode_id", "secret_file", "token_count", "tokens_count"})
_IN_TEXT = (
    # The password of a URL or DSN: scheme://user:password@host
    (re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+(?=@)", re.IGNORECASE), r"\g<keep>" + REDACTED),
    # name=value, name: value and "name": "value" where the name says that the value is secret
    (
        re.compile(
            r"(?P<keep>(?:pass(?:code|word)|secret|authorization|api[_-]?key|x-clevertap-passcode|"
            r"[a-z_]*token)[\"']?\s*[=:]\s*(?:bearer\s+|basic\s+)?[\"']?)(?!\[redacted\])[^\s\"',;&})\]]+",
            re.IGNORECASE,
        ),
        r"\g<keep>" + REDACTED,
    ),
)
_DEPTH_MAX = 6


def redact(_logger: object, _method: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """A structlog processor: values under secret names are replaced, secrets inside texts are cut out."""
    return {name: _redacted(name, value, 0) for name, value in event.items()}


def redact_text(text: str) -> str:
    """The text without passwords of URLs and without values that follow a secret's name."""
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _redacted(name: str, value: Any, depth: int) -> Any:
    if name not in _HARMLESS_NAMES and _SECRET_NAMES.search(name):
        return REDACTED
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if depth >= _DEPTH_MAX:
        return REDACTED if isinstance(value, (dict, list, tuple)) else value
    if isinstance(value, dict):
        return {key: _redacted(str(key), item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted("", item, depth + 1) for item in value]
    return value
