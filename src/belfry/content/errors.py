"""What can go wrong with content.

ContentError
├── TemplateSyntaxError   at publish time: position and what to do
└── RenderFailure         at send time: this user's message alone
    ├── RenderError         render_error
    ├── RenderTimeout       render_timeout
    ├── MissingValue        missing_value
    ├── Aborted             aborted
    └── OutputTooLarge      too_large
"""

from __future__ import annotations

from belfry.errors import BelfryError


class ContentError(BelfryError):
    """Anything that content raises."""


class TemplateSyntaxError(ContentError):
    """The template cannot be published. line and column count from 1."""

    def __init__(self, text: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {text}")
        self.text = text
        self.line = line
        self.column = column


class RenderFailure(ContentError):
    """One user's message cannot be made; others are not affected."""

    reason = "render_error"


class RenderError(RenderFailure):
    """A filter or operator was given something that it cannot work with, or a limit was passed."""


class RenderTimeout(RenderFailure):
    """Rendering took longer than `guards.RENDER_MS_MAX`."""

    reason = "render_timeout"


class MissingValue(RenderFailure):
    """A value is missing, the template gives no default, and the campaign's policy is `fail`."""

    reason = "missing_value"

    def __init__(self, name: str) -> None:
        super().__init__(f"no value for {name} and no default")
        self.name = name


class Aborted(RenderFailure):
    """The template stopped this message with `{% abort %}`."""

    reason = "aborted"

    def __init__(self, why: str = "") -> None:
        super().__init__(why or "the template stopped this message")
        self.why = why


class OutputTooLarge(RenderFailure):
    """The text grew over the limit of its place."""

    reason = "too_large"
