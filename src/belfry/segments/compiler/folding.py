"""Case-insensitive comparison that gives the same answer on every engine build.

Two characters are equal if they fold to the same character; folding is upper case, then lower case, where these are one
character each, within ASCII or outside of it but not across (`K` is not the Kelvin sign). The embedded engine has no
function for Unicode case, but `lower` (ASCII) and `translateUTF8`: only the variants of the needle's own characters
need translating, so the SQL for a plain ASCII needle is `lower(x)`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

_ASCII = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_CASED_END = 0x1E944
"""No character beyond has a case."""


def fold_case(text: str) -> str:
    """The form in which texts compare."""
    lowered = text.translate(_ASCII)
    return lowered if lowered.isascii() else "".join(_fold(character) for character in lowered)


def _fold(character: str) -> str:
    if character.isascii():
        return character
    folded = _single(_single(character, str.upper), str.lower)
    return character if folded.isascii() else folded


def _single(character: str, change: Callable[[str], str]) -> str:
    changed = change(character)
    return changed if len(changed) == 1 else character


@functools.cache
def _variants() -> dict[str, str]:
    """Folded character → the other characters that fold to it, outside ASCII. Built at first need, 60 ms."""
    variants: dict[str, str] = {}
    for code in range(0x80, _CASED_END):
        if 0xD800 <= code <= 0xDFFF:
            continue
        character = chr(code)
        folded = _fold(character)
        if folded != character:
            variants[folded] = variants.get(folded, "") + character
    return variants


def translation(folded_texts: Iterable[str]) -> tuple[str, str]:
    """What to translate in a text, after ASCII lower case, so that it can be compared with these folded texts.

    returns  two strings of equal length, from and to; both empty if ASCII lower case is enough
    """
    characters = sorted({character for text in folded_texts for character in text if not character.isascii()})
    if not characters:
        return "", ""
    pairs = [(variant, folded) for folded in characters for variant in _variants().get(folded, "")]
    return "".join(variant for variant, _ in pairs), "".join(folded for _, folded in pairs)


@functools.cache
def full_translation() -> tuple[str, str]:
    """The same for texts that are not known beforehand: every cased character outside ASCII."""
    return translation(_variants())
