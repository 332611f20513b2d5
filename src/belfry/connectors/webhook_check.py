"""What is wrong with a webhook's definition, found when it is saved. Liquid itself is checked by `content`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import msgspec

from belfry.connectors.signature import SECRETS_MAX
from belfry.connectors.webhook import (
    MESSAGES_PER_CALL_MAX,
    BasicAuth,
    BearerAuth,
    NoAuth,
    WebhookTemplate,
    messages_per_call,
)
from belfry.outbound import AddressRefused, check_url
from belfry.outbound.model import OWN_HEADERS

NAME_CHARS_MAX = 200
PAIRS_MAX = 50
TIMEOUT_MS_MIN, TIMEOUT_MS_MAX = 100, 60_000

_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_RESERVED_HEADERS = frozenset({"idempotency-key", "webhook-id", "webhook-timestamp", "webhook-signature"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Problem(msgspec.Struct, frozen=True):
    """One thing to put right. field: as in `WebhookTemplate`."""

    field: str
    text: str


def check(template: WebhookTemplate, allow: Collection[str] = ()) -> list[Problem]:
    """Everything that is wrong with a definition; none: it can be saved.

    allow  `host:port` pairs that this installation may call whatever their address is
    """
    return [
        *_check_name(template),
        *_check_url(template, allow),
        *_check_auth(template),
        *_check_headers(template),
        *_check_pairs(template),
        *_check_body(template),
        *_check_limits(template),
    ]


def _check_name(template: WebhookTemplate) -> Iterator[Problem]:
    if not template.name.strip() or len(template.name) > NAME_CHARS_MAX:
        yield Problem("name", f"1 to {NAME_CHARS_MAX} characters")


def _check_url(template: WebhookTemplate, allow: Collection[str]) -> Iterator[Problem]:
    origin = _ORIGIN.match(template.url)
    if origin is None:
        yield Problem("url", "a URL begins with http:// or https://")
    elif "{{" in origin.group() or "{%" in origin.group():
        yield Problem("url", "scheme, host and port cannot hold Liquid: a value must not choose where a call goes")
    else:
        has_liquid = "{{" in template.url or "{%" in template.url
        try:
            check_url(f"{origin.group()}/" if has_liquid else template.url, allow)
        except AddressRefused as refused:
            yield Problem("url", str(refused))


def _check_auth(template: WebhookTemplate) -> Iterator[Problem]:
    match template.auth:
        case BasicAuth(username=username, password=password):
            if ":" in username or _CONTROL.search(username + password.reveal()):
                yield Problem("auth", "a user name holds no colon, and neither part holds control characters")
        case BearerAuth(token=token):
            if not re.fullmatch(r"[\x21-\x7e]+", token.reveal()):
                yield Problem("auth", "a token is not empty and holds visible ASCII characters only")
        case NoAuth():
            pass


def _check_headers(template: WebhookTemplate) -> Iterator[Problem]:
    seen: set[str] = set()
    for name, value in template.headers:
        folded, field = name.lower(), f"headers.{name[:64]}"
        if not _HEADER_NAME.fullmatch(name):
            yield Problem("headers", "a header's name is 1 to 128 letters, digits or - _ . and the like")
        elif folded in OWN_HEADERS or folded in _RESERVED_HEADERS:
            yield Problem(field, "this header is set by Belfry")
        elif folded == "authorization" and not isinstance(template.auth, NoAuth):
            yield Problem(field, "either `auth` or this header")
        elif folded in seen:
            yield Problem(field, "stands twice")
        elif "{" not in value and _CONTROL.search(value):
            yield Problem(field, "a value holds no line breaks and no control characters")
        seen.add(folded)


def _check_pairs(template: WebhookTemplate) -> Iterator[Problem]:
    for field, pairs in (("headers", template.headers), ("query", template.query), ("key_values", template.key_values)):
        if len(pairs) > PAIRS_MAX:
            yield Problem(field, f"at most {PAIRS_MAX}")
    for field, pairs in (("query", template.query), ("key_values", template.key_values)):
        names = [name for name, _ in pairs]
        if any(not name.strip() or "{{" in name or "{%" in name for name in names):
            yield Problem(field, "names are not empty and hold no Liquid")
        if field == "key_values" and len(set(names)) != len(names):
            yield Problem(field, "a name stands twice")


def _check_body(template: WebhookTemplate) -> Iterator[Problem]:
    if template.body is not None and not template.method.has_body:
        yield Problem("body", f"{template.method} sends no body; use the query")


def _check_limits(template: WebhookTemplate) -> Iterator[Problem]:
    if not 1 <= template.messages_per_call_max <= MESSAGES_PER_CALL_MAX:
        yield Problem("messages_per_call_max", f"1 to {MESSAGES_PER_CALL_MAX}")
    elif template.messages_per_call_max > 1 and messages_per_call(template) == 1:
        yield Problem(
            "messages_per_call_max",
            "several users share a call only with POST or PUT, JSON, the default body, and no Liquid in URL, query, "
            "headers and key-values",
        )
    if not TIMEOUT_MS_MIN <= template.timeout_ms <= TIMEOUT_MS_MAX:
        yield Problem("timeout_ms", f"{TIMEOUT_MS_MIN} to {TIMEOUT_MS_MAX}")
    if len(template.signing_secrets) > SECRETS_MAX or not all(template.signing_secrets):
        yield Problem("signing_secrets", f"at most {SECRETS_MAX}, none of them empty")
