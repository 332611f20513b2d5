"""Finding Liquid in a text without running it: where tags and outputs begin and end.

One linear pass. It also refuses what the Liquid lexer, whose expressions backtrack, could take very long over:
tags that are not closed, very long ones, long white space inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from belfry.content.errors import TemplateSyntaxError
from belfry.content.guards import BLANKS_MAX, SOURCE_CHARS_MAX, SPAN_CHARS_MAX

_OPEN = re.compile(r"\{\{|\{%")
_VERBATIM = re.compile(r"\{%-?\s{0,64}(raw|doc)\s{0,64}-?%\}")
_VERBATIM_END = {name: re.compile(rf"\{{%-?\s{{0,64}}end{name}\s{{0,64}}-?%\}}") for name in ("raw", "doc")}
_NAME = re.compile(r"\{%-?\s*(#|\w+)")
_LONG_BLANK = re.compile(rf"\s{{{BLANKS_MAX + 1}}}")


class Span(NamedTuple):
    """One piece of Liquid: `text[start:end]`. name: the tag's; empty for an output `{{ … }}`."""

    start: int
    end: int
    name: str

    @property
    def is_output(self) -> bool:
        return not self.name


def has_liquid(text: str) -> bool:
    """Whether the text is more than itself."""
    return "{{" in text or "{%" in text


def spans(text: str) -> Iterator[Span]:
    """Each tag and output of a text, in order; `raw` with everything up to its end is one.

    Raises TemplateSyntaxError for what is not closed or passes a limit.
    """
    if len(text) > SOURCE_CHARS_MAX:
        raise TemplateSyntaxError(f"the template is longer than {SOURCE_CHARS_MAX} characters")
    position = 0
    while (match := _OPEN.search(text, position)) is not None:
        span = _span_at(text, match.start())
        yield span
        position = span.end


def check_lexable(text: str) -> None:
    """Raise TemplateSyntaxError if the text must not be given to the Liquid lexer."""
    for _ in spans(text):
        pass


def error_at(text: str, index: int, what: str) -> TemplateSyntaxError:
    """A syntax error with the line and column of `text[index]`."""
    before = text[: max(index, 0)]
    return TemplateSyntaxError(what, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def _span_at(text: str, start: int) -> Span:
    verbatim = _VERBATIM.match(text, start)
    if verbatim is not None:
        return _verbatim_span(text, start, verbatim)
    closing = "}}" if text[start + 1] == "{" else "%}"
    end = text.find(closing, start + 2)
    if end < 0:
        raise error_at(text, start, f"{text[start : start + 2]} is not closed by {closing}")
    _check_inside(text, start, end)
    return Span(start, end + 2, _name_of(text, start))


def _verbatim_span(text: str, start: int, opening: re.Match[str]) -> Span:
    name = opening.group(1)
    ending = _VERBATIM_END[name].search(text, opening.end())
    if ending is None:
        raise error_at(text, start, f"{name} is not closed by end{name}")
    return Span(start, ending.end(), name)


def _check_inside(text: str, start: int, end: int) -> None:
    if end - start > SPAN_CHARS_MAX:
        raise error_at(text, start, f"a tag is longer than {SPAN_CHARS_MAX} characters")
    if _LONG_BLANK.search(text, start, end):
        raise error_at(text, start, f"a tag has more than {BLANKS_MAX} blanks in a row")


def _name_of(text: str, start: int) -> str:
    if text[start + 1] == "{":
        return ""
    match = _NAME.match(text, start)
    if match is None:
        raise error_at(text, start, "a tag has no name")
    return match.group(1)
