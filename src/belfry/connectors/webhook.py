"""The webhook channel: a definition and some users become a request, an answer becomes an outcome.

    problems = check(template, allow)                      when saving
    request = build_request(template, recipients, facts)   for each try
    outcome = classify(answer, now_ms=..., secrets=secrets_of(template))

The Liquid of a definition is rendered by the caller; `Rendered` is what it hands over for each user. Source: partner
integrations 0.5, 0.6, 4.1 to 4.4; engagement 5.8.
"""

from __future__ import annotations

import base64
import enum
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol
from urllib.parse import quote

import msgspec

from belfry.connectors.model import ProfileView
from belfry.connectors.secret import Secret
from belfry.connectors.signature import signature
from belfry.connectors.webhook_body import CallFacts, Switches, default_body, trial_body
from belfry.errors import BelfryError
from belfry.ids import MessageId
from belfry.outbound import OutboundRequest

CALL_BYTES_MAX = 1024 * 1024
MESSAGES_PER_CALL_MAX = 1000
TIMEOUT_MS = 5_000
USER_AGENT = "Belfry-Webhook/1"
Pairs = tuple[tuple[str, str], ...]
_encoder = msgspec.json.Encoder()


class CallTooLarge(BelfryError):
    """The body of one call is over `CALL_BYTES_MAX`: several users need smaller calls, one user's is too large."""


class Method(enum.StrEnum):
    """GET and DELETE have no body: their key-values go into the query."""

    POST = "POST"
    GET = "GET"
    PUT = "PUT"
    DELETE = "DELETE"

    @property
    def has_body(self) -> bool:
        return self in (Method.POST, Method.PUT)


class ContentType(enum.StrEnum):
    """What the body is."""

    JSON = "json"
    TEXT = "text"


class NoAuth(msgspec.Struct, frozen=True, tag_field="kind", tag="none"):
    """Credentials, if any, stand in the headers."""


class BasicAuth(msgspec.Struct, frozen=True, tag_field="kind", tag="basic"):
    """User name and password, RFC 7617."""

    username: str
    password: Secret


class BearerAuth(msgspec.Struct, frozen=True, tag_field="kind", tag="bearer"):
    """A token that does not change, RFC 6750."""

    token: Secret


class WebhookTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook, as its account defined it. Texts may hold Liquid, except names and the URL's origin.

    query                  key-values of the URL
    key_values             of the campaign, in the default body
    body                   a custom body; None: the default one (profile variables and key-values)
    messages_per_call_max  users in one call, if the definition allows several: see `messages_per_call`
    signing_secrets        at most two: the current one first; none: calls are not signed
    """

    name: str
    url: str
    method: Method = Method.POST
    auth: NoAuth | BasicAuth | BearerAuth = NoAuth()
    headers: Pairs = ()
    query: Pairs = ()
    key_values: Pairs = ()
    content_type: ContentType = ContentType.JSON
    body: str | None = None
    messages_per_call_max: int = 1
    timeout_ms: int = TIMEOUT_MS
    signing_secrets: tuple[Secret, ...] = ()
    sends_idempotency_key: bool = True
    switches: Switches = Switches()

    def __repr__(self) -> str:
        return f"WebhookTemplate({self.name!r}, {self.method})"


class Rendered(Protocol):
    """One user's texts, Liquid applied: the URL percent-encoded, header values on one line, the body as bytes."""

    @property
    def url(self) -> str: ...
    @property
    def headers(self) -> Pairs: ...
    @property
    def query(self) -> Pairs: ...
    @property
    def key_values(self) -> Pairs: ...
    @property
    def body(self) -> bytes | None: ...


class Recipient(msgspec.Struct, frozen=True):
    """One user of a call."""

    message_id: MessageId
    profile: ProfileView
    rendered: Rendered


def messages_per_call(template: WebhookTemplate) -> int:
    """How many users may share a call: several only for a *Broadcast* (integrations 4.2).

    That is JSON, the default body, and no Liquid in URL, query, headers or key-values: all users get the same texts.
    """
    texts = [template.url, *_values(template.query), *_values(template.headers), *_values(template.key_values)]
    is_broadcast = (
        template.content_type is ContentType.JSON
        and template.body is None
        and template.method.has_body
        and not any("{{" in text or "{%" in text for text in texts)
    )
    return template.messages_per_call_max if is_broadcast else 1


def build_request(template: WebhookTemplate, recipients: Sequence[Recipient], facts: CallFacts) -> OutboundRequest:
    """The request of one call.

    recipients  at least one, at most `messages_per_call(template)`
    raises      CallTooLarge, when the body is over `CALL_BYTES_MAX`
    """
    if not 1 <= len(recipients) <= messages_per_call(template):
        raise ValueError(f"a call of {len(recipients)} users, of at most {messages_per_call(template)}")
    rendered = recipients[0].rendered
    body = _body(template, recipients, facts) if template.method.has_body else None
    if body is not None and len(body) > CALL_BYTES_MAX:
        raise CallTooLarge(f"the body of a call is larger than {CALL_BYTES_MAX} bytes")
    return OutboundRequest(
        method=template.method,
        url=_url(template, rendered),
        headers=tuple(_headers(template, rendered, call_key([r.message_id for r in recipients]), body, facts)),
        body=body,
        timeout_ms=template.timeout_ms,
    )


def build_trial_request(template: WebhookTemplate, rendered: Rendered, facts: CallFacts) -> OutboundRequest:
    """The request that tries a definition out before it is used (integrations 4.1); any 2xx will do.

    rendered  its texts for an invented user, with the missing value policy `blank`
    """
    body = (rendered.body or _encoder.encode(trial_body())) if template.method.has_body else None
    return OutboundRequest(
        method=template.method,
        url=_url(template, rendered),
        headers=tuple(_headers(template, rendered, call_key(["trial", str(facts.now_ms)]), body, facts)),
        body=body,
        timeout_ms=template.timeout_ms,
    )


def call_key(message_ids: Sequence[str]) -> str:
    """The id of one call: the message's own, or one made of all of them.

    A retry to the same users has the same key; to fewer users (one opted out meanwhile) it is another request and
    has another key, so that a receiver does not take it for one that it has seen.
    """
    if len(message_ids) == 1:
        return message_ids[0]
    return "b1" + hashlib.blake2b("\x00".join(message_ids).encode(), digest_size=20).hexdigest()


def secrets_of(template: WebhookTemplate) -> list[str]:
    """Every value of a definition that must not be shown: for `secret.redact`.

    All header values count: which of them are credentials is not known by their names.
    """
    shown = [secret.reveal() for secret in template.signing_secrets]
    match template.auth:
        case BasicAuth(username=username, password=password):
            shown += [password.reveal(), f"{username}:{password.reveal()}"]
        case BearerAuth(token=token):
            shown.append(token.reveal())
        case NoAuth():
            pass
    return shown + [part for value in _values(template.headers) for part in (value, value.rpartition(" ")[2])]


def _body(template: WebhookTemplate, recipients: Sequence[Recipient], facts: CallFacts) -> bytes:
    rendered = recipients[0].rendered
    if template.body is not None:
        return rendered.body or b""
    users = [(one.message_id, one.profile, dict(one.rendered.key_values)) for one in recipients]
    return _encoder.encode(default_body(users, dict(rendered.key_values), facts, template.switches))


def _url(template: WebhookTemplate, rendered: Rendered) -> str:
    pairs = rendered.query if template.method.has_body else rendered.query + rendered.key_values
    base = rendered.url.partition("#")[0]
    if not pairs:
        return base
    query = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)
    separator = "" if base.endswith(("?", "&")) else "&" if "?" in base else "?"
    return f"{base}{separator}{query}"


def _headers(
    template: WebhookTemplate, rendered: Rendered, key: str, body: bytes | None, facts: CallFacts
) -> Iterator[tuple[str, str]]:
    given = {name.lower() for name, _ in rendered.headers}
    own = {"User-Agent": USER_AGENT}
    if body is not None:
        is_json = template.content_type is ContentType.JSON
        own["Content-Type"] = "application/json" if is_json else "text/plain; charset=utf-8"
    yield from ((name, value) for name, value in own.items() if name.lower() not in given)
    yield from _authorization(template)
    yield from rendered.headers
    if template.sends_idempotency_key:
        yield "Idempotency-Key", key
    timestamp_s = facts.now_ms // 1000
    yield "webhook-id", key
    yield "webhook-timestamp", str(timestamp_s)
    if template.signing_secrets:
        yield "webhook-signature", signature(template.signing_secrets, key, timestamp_s, body or b"")


def _authorization(template: WebhookTemplate) -> Iterator[tuple[str, str]]:
    match template.auth:
        case BasicAuth(username=username, password=password):
            pair = f"{username}:{password.reveal()}".encode()
            yield "Authorization", f"Basic {base64.b64encode(pair).decode()}"
        case BearerAuth(token=token):
            yield "Authorization", f"Bearer {token.reveal()}"
        case NoAuth():
            return


def _values(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [value for _, value in pairs]


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")
