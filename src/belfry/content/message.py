"""One message's texts together: URL, headers, query, key-values, body. Compiled once, rendered per user.

All parts share one deadline: a message takes `guards.RENDER_MS_MAX` at most, however many parts it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from belfry.content.errors import TemplateSyntaxError
from belfry.content.guards import OUTPUT_BYTES_MAX, Deadline
from belfry.content.header import HeaderTemplate, compile_header
from belfry.content.json_body import JsonTemplate, compile_json
from belfry.content.model import MissingPolicy, RenderScope, Values
from belfry.content.template import Template, compile_template
from belfry.content.url import UrlTemplate, compile_url

Pairs = tuple[tuple[str, str], ...]
_Compiled = TypeVar("_Compiled")


class MessageSource(msgspec.Struct, frozen=True, kw_only=True):
    """The texts as they were written. body None: the channel makes its own."""

    url: str
    headers: Pairs = ()
    query: Pairs = ()
    key_values: Pairs = ()
    body: str | None = None
    is_json: bool = True


class RenderedMessage(msgspec.Struct, frozen=True):
    """The texts for one user."""

    url: str
    headers: Pairs
    query: Pairs
    key_values: Pairs
    body: bytes | None


class MessageTemplate:
    """A message's texts, ready to render."""

    __slots__ = ("_body", "_headers", "_key_values", "_query", "_url", "is_static", "roots")

    def __init__(self, source: MessageSource, missing: MissingPolicy) -> None:
        self._url = _named("url", source.url, compile_url, missing)
        self._headers = [
            (name, _named(f"headers.{name}", text, compile_header, missing)) for name, text in source.headers
        ]
        self._query = _texts("query", source.query, missing)
        self._key_values = _texts("key_values", source.key_values, missing)
        self._body = _body(source, missing)
        parts = self._parts()
        self.is_static = all(part.is_static for part in parts)
        self.roots = frozenset[str]().union(*(part.roots for part in parts))

    def render(self, values: Values, scope: RenderScope, *, body_bytes_max: int = OUTPUT_BYTES_MAX) -> RenderedMessage:
        """The texts for one user. Raises RenderFailure and its kinds; nothing else."""
        deadline = Deadline()
        return RenderedMessage(
            url=self._url.render(values, scope, deadline=deadline),
            headers=tuple((name, part.render(values, scope, deadline=deadline)) for name, part in self._headers),
            query=tuple((name, part.render(values, scope, deadline=deadline)) for name, part in self._query),
            key_values=tuple((name, part.render(values, scope, deadline=deadline)) for name, part in self._key_values),
            body=self._render_body(values, scope, deadline, body_bytes_max),
        )

    def _render_body(self, values: Values, scope: RenderScope, deadline: Deadline, bytes_max: int) -> bytes | None:
        if self._body is None:
            return None
        body = self._body.render(values, scope, bytes_max=bytes_max, deadline=deadline)
        return body if isinstance(body, bytes) else body.encode("utf-8", "replace")

    def _parts(self) -> list[UrlTemplate | HeaderTemplate | Template | JsonTemplate]:
        named = [part for pairs in (self._headers, self._query, self._key_values) for _, part in pairs]
        return [self._url, *named, *([self._body] if self._body is not None else [])]


def compile_message(source: MessageSource, missing: MissingPolicy = MissingPolicy.FAIL) -> MessageTemplate:
    """Check a message's texts and make them ready to render. Raises TemplateSyntaxError, naming the part."""
    return MessageTemplate(source, missing)


def _texts(part: str, pairs: Pairs, missing: MissingPolicy) -> list[tuple[str, Template]]:
    return [(name, _named(f"{part}.{name}", text, _compile_text, missing)) for name, text in pairs]


def _compile_text(text: str, missing: MissingPolicy) -> Template:
    return compile_template(text, missing=missing)


def _body(source: MessageSource, missing: MissingPolicy) -> JsonTemplate | Template | None:
    if source.body is None:
        return None
    if source.is_json:
        return _named("body", source.body, compile_json, missing)
    return _named("body", source.body, _compile_text, missing)


def _named(
    part: str, text: str, compile_part: Callable[[str, MissingPolicy], _Compiled], missing: MissingPolicy
) -> _Compiled:
    """Compile one part; an error says which one it is in."""
    try:
        return compile_part(text, missing)
    except TemplateSyntaxError as error:
        raise TemplateSyntaxError(f"{part}: {error.text}", error.line, error.column) from None
