"""Credentials that do not show themselves: in logs, errors, explain pages, metric labels (trial S17)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from typing import NoReturn
from urllib.parse import quote

HIDDEN = "***"
_REDACTED_CHARS_MIN = 4
"""Shorter values would black out half of every text; they are not secrets to speak of."""


class Secret:
    """A text that only `reveal` shows. Not a `str`, so that no formatting, joining or JSON encoding shows it either."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself: for the wire and the sealed store, nothing else."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, _: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        """Constant-time, also with another length."""
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


def encode_secret(value: object) -> str:
    """The `enc_hook` of whoever keeps definitions: secrets as they are. The result belongs into a sealed store."""
    if isinstance(value, Secret):
        return value.reveal()
    raise NotImplementedError(f"cannot encode {type(value).__name__}")


def decode_secret(kind: type, value: object) -> Secret:
    """The `dec_hook` that belongs to `encode_secret`."""
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise NotImplementedError(f"cannot decode {kind.__name__}")


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret blacked out, by value: also where a provider echoes what we sent.

    Found as it is, percent-encoded and in base64 (which is how basic authentication sends it).
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _REDACTED_CHARS_MIN:
            for spelling in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()):
                text = text.replace(spelling, HIDDEN)
    return text
