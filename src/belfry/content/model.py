"""What a template is rendered with, and the choices of whoever compiles it."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

Values = Mapping[str, object]
"""Root name (`Profile`, `Campaign`, `Event`, …) → its properties: JSON values; dates as `$D_<epoch seconds>`."""


class Mode(enum.StrEnum):
    """What the rendered text is for; decides the escaping of values, never of the template's own text."""

    TEXT = "text"  # as they are
    HTML = "html"  # & < > ' " escaped
    URL = "url"  # percent-encoded, everything but unreserved characters


class MissingPolicy(enum.StrEnum):
    """What becomes of a message whose template writes a value that is not there and has no default."""

    FAIL = "fail"  # not sent, reason `missing_value`
    BLANK = "blank"  # written as nothing


class RenderScope(msgspec.Struct, frozen=True):
    """What a template may know besides values.

    now_ms        the moment of the send, epoch milliseconds
    zone          IANA name of the account's time zone: dates are written in it
    user_zone     the user's, for the filter `local`; None: the account's
    locale        language for `money` and `number`, such as `de` or `pt_BR`
    translations  key → text, for the filter `t`
    """

    now_ms: int
    zone: str = "UTC"
    user_zone: str | None = None
    locale: str = "en"
    translations: Mapping[str, str] = {}
