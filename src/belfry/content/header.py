"""Liquid inside a header's value: one line, whatever the values hold."""

from __future__ import annotations

import re
from urllib.parse import quote

from belfry.content.errors import RenderError, TemplateSyntaxError
from belfry.content.guards import Deadline
from belfry.content.model import MissingPolicy, RenderScope, Values
from belfry.content.template import Template, compile_template

HEADER_BYTES_MAX = 8192
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class HeaderTemplate:
    """A header's value, ready to render."""

    __slots__ = ("_template", "roots")

    def __init__(self, template: Template) -> None:
        self._template = template
        self.roots = template.roots

    @property
    def is_static(self) -> bool:
        """Whether the value is the same for everyone."""
        return self._template.is_static

    def render(self, values: Values, scope: RenderScope, *, deadline: Deadline | None = None) -> str:
        """The value for one user: ASCII, in the extended notation of RFC 8187 if it has to be.

        Raises RenderFailure; also for CR, LF, NUL and other control characters, which would begin a new header.
        """
        value = self._template.render(values, scope, bytes_max=HEADER_BYTES_MAX, deadline=deadline)
        if _CONTROL.search(value):
            raise RenderError("a header cannot hold line breaks or control characters")
        return value.strip() if value.isascii() else "UTF-8''" + quote(value, safe="", errors="replace")


def compile_header(text: str, missing: MissingPolicy = MissingPolicy.FAIL) -> HeaderTemplate:
    """Check a header's value and make it ready to render. Raises TemplateSyntaxError."""
    template = compile_template(text, missing=missing)
    if _CONTROL.search(template.own_text):
        raise TemplateSyntaxError("a header cannot hold line breaks or control characters")
    return HeaderTemplate(template)
