"""Liquid inside a URL: values are data in path and query, never structure, and never choose where a call goes."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from belfry.content.errors import RenderError, TemplateSyntaxError
from belfry.content.guards import Deadline
from belfry.content.model import MissingPolicy, Mode, RenderScope, Values
from belfry.content.scan import has_liquid
from belfry.content.template import Template, compile_template

URL_BYTES_MAX = 8192
_LITERAL_ORIGIN = re.compile(r"https?://[^/?#\\\s]+", re.IGNORECASE)
_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")
_DOT_SEGMENTS = frozenset({".", "..", "%2e", ".%2e", "%2e.", "%2e%2e"})


class UrlTemplate:
    """A URL with Liquid in path or query, ready to render."""

    __slots__ = ("_dots_count", "_template", "roots")

    def __init__(self, template: Template) -> None:
        self._template = template
        self._dots_count = _dot_segments(template.text) if template.is_static else 0
        self.roots = template.roots

    @property
    def is_static(self) -> bool:
        """Whether the URL is the same for everyone."""
        return self._template.is_static

    def render(self, values: Values, scope: RenderScope, *, deadline: Deadline | None = None) -> str:
        """The URL for one user, with scheme, host and port as the template has them.

        Raises RenderFailure; also when a value makes a path segment `.` or `..`, which would climb out of the path.
        """
        url = self._template.render(values, scope, bytes_max=URL_BYTES_MAX, deadline=deadline)
        if not self.is_static and _dot_segments(url):
            raise RenderError("a value makes a path segment of dots")
        return url


def compile_url(text: str, missing: MissingPolicy = MissingPolicy.FAIL) -> UrlTemplate:
    """Check a URL template and make it ready to render.

    Raises TemplateSyntaxError if Liquid stands in scheme, host or port, or the text cannot be part of a URL.
    """
    origin = _LITERAL_ORIGIN.match(text)
    if origin is None or has_liquid(origin.group()):
        raise TemplateSyntaxError("a URL begins with http:// or https:// and a host, both without Liquid")
    template = compile_template(text, Mode.URL, missing)
    _check_own_text(text, template)
    return UrlTemplate(template)


def _check_own_text(text: str, template: Template) -> None:
    if template.is_static and _NOT_IN_URL.search(text):
        raise TemplateSyntaxError("a URL holds no blanks, control characters or backslashes; percent-encode them")
    if not template.is_static and _NOT_IN_URL.search(template.own_text):
        raise TemplateSyntaxError("outside Liquid a URL holds no blanks, control characters or backslashes")


def _dot_segments(url: str) -> int:
    return sum(segment.lower() in _DOT_SEGMENTS for segment in urlsplit(url).path.split("/"))
