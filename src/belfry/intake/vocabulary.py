"""Event names and property keys: cleaned once, remembered, because an account sends the same few again and again.

What is remembered is a pure function of the text, so sharing it between accounts shows nothing of one to another.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import msgspec

from belfry.error_stream.model import ErrorKind, Remark
from belfry.events import names
from belfry.intake.codes import Code

KEY_LENGTH_MAX = 120
ENTRIES_MAX = 20_000
ENTRY_LENGTH_MAX = 512
"""Longer texts are cleaned each time: a sender must not fill our memory with them."""


class CleanName(msgspec.Struct, frozen=True):
    """An event name after cleaning. code: why no account may send it (509, 513), None if it may."""

    name: str
    folded: str
    code: Code | None
    remarks: tuple[Remark, ...]


class CleanKey(msgspec.Struct, frozen=True):
    """A property key after cleaning; empty if nothing is left."""

    key: str
    remarks: tuple[Remark, ...]


class Names(dict[str, CleanName]):
    """Raw event name → clean name; bounded."""

    def __init__(self, length_max: int, restricted: frozenset[str]) -> None:
        super().__init__()
        self._length_max = length_max
        self._restricted = restricted

    def __missing__(self, raw: str) -> CleanName:
        clean = _clean_name(raw, self._length_max, self._restricted)
        if len(raw) <= ENTRY_LENGTH_MAX:
            if len(self) >= ENTRIES_MAX:
                self.clear()
            self[raw] = clean
        return clean


class Keys(dict[str, CleanKey]):
    """Raw property key → clean key; bounded. `unchanged` holds the raw keys that are clean as they are."""

    def __init__(self, clean: Callable[[str, int], str]) -> None:
        super().__init__()
        self._clean = clean
        self.unchanged: set[str] = set()

    def __missing__(self, raw: str) -> CleanKey:
        key = self._clean(raw, KEY_LENGTH_MAX)
        clean = CleanKey(key, () if key == raw else (_key_remark(raw, key),))
        if len(raw) <= ENTRY_LENGTH_MAX:
            if len(self) >= ENTRIES_MAX:
                self.clear()
                self.unchanged.clear()
            self[raw] = clean
            if key == raw:
                self.unchanged.add(raw)
        return clean


class Vocabulary(msgspec.Struct, frozen=True):
    """The memory for one setting of the longest event name."""

    names: Names


@functools.lru_cache(maxsize=32)
def vocabulary_for(name_length_max: int, *, is_history: bool = False) -> Vocabulary:
    """is_history: system events that an SDK or another platform recorded may come; what only we say may not."""
    return Vocabulary(Names(name_length_max, names.DEBUG if is_history else names.RESTRICTED))


EVENT_KEYS = Keys(names.clean)
PROFILE_KEYS = Keys(names.clean_profile_key)


def _clean_name(raw: str, length_max: int, restricted: frozenset[str]) -> CleanName:
    name = names.clean(raw, length_max)
    folded = names.fold(name)
    code = Code.NAME_MISSING if not folded else Code.RESTRICTED if folded in restricted else None
    return CleanName(name, folded, code, () if name == raw else (_name_remark(raw, name, length_max),))


def _name_remark(raw: str, name: str, length_max: int) -> Remark:
    if len(names.clean(raw, len(raw))) > length_max:
        return Remark(ErrorKind.NAME_CUT, name, f"event name of {len(raw)} characters cut at {length_max}")
    return Remark(ErrorKind.CHARACTERS_REMOVED, name, f"event name was {_shown(raw)}")


def _key_remark(raw: str, key: str) -> Remark:
    if len(raw) > KEY_LENGTH_MAX and len(key) >= KEY_LENGTH_MAX - 1:
        return Remark(ErrorKind.NAME_CUT, key, f"property name of {len(raw)} characters cut at {KEY_LENGTH_MAX}")
    return Remark(ErrorKind.CHARACTERS_REMOVED, key, f"property name was {_shown(raw)}")


def _shown(raw: str) -> str:
    return repr(raw if len(raw) <= KEY_LENGTH_MAX else raw[:KEY_LENGTH_MAX] + "…")
