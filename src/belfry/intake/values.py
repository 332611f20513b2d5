"""Property values: what is kept, cut, turned into text or dropped (server-api 3.5, 3.10; engagement 1.3, 2.3)."""

from __future__ import annotations

import json
import re

from belfry.accounts.model import AccountSettings
from belfry.error_stream.model import ErrorKind, Remark
from belfry.intake.codes import kind_of
from belfry.intake.identifiers import number_text
from belfry.intake.vocabulary import Keys
from belfry.profiles.model import LIST_ITEMS_MAX

LEVELS_MAX = 3
NESTED_KEYS_MAX = 5
NESTED_BYTES_MAX = 128 * 1024
PAIRS_MAX = 100
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
"""What the stores call an integer; beyond, a number is kept as text."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")


def json_text(value: object) -> str:
    """A nested value as JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def number_of(value: object) -> int | float | None:
    """The number that a value is or spells; None if it is none, or an integer beyond 64 bits."""
    if isinstance(value, str):
        text = value.strip()
        match = _NUMBER.fullmatch(text)
        return None if match is None else float(text) if match[1] else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, float) or INTEGER_MIN <= value <= INTEGER_MAX else None


class Cleaner:
    """Cleans the values of one record's properties. One for each record: the limits of nested values are its own.

    remarks    gets one entry for everything that is changed or dropped
    """

    def __init__(self, settings: AccountSettings, keys: Keys, remarks: list[Remark]) -> None:
        self._text_length_max = settings.value_length_max
        self._keeps_nested = settings.nested_objects
        self._keys = keys
        self._remarks = remarks
        self._nested_keys_left = NESTED_KEYS_MAX
        self._nested_bytes_left = NESTED_BYTES_MAX

    def key(self, raw: str) -> str:
        """The property key without what is not allowed in it; empty if nothing is left."""
        clean = self._keys[raw]
        if clean.remarks:
            self._remarks.extend(clean.remarks)
        return clean.key

    def value(self, key: str, value: object) -> object:
        """The value of a property as it is stored; None: nothing to store."""
        if isinstance(value, list):
            if any(isinstance(item, dict | list) for item in value):
                return self._nested(key, value)
            return self.texts(key, value) or None
        if isinstance(value, dict):
            return self._nested(key, value)
        return self.scalar(key, value)

    def scalar(self, key: str, value: object) -> object:
        """A text, cut, a boolean, or a number that the stores can hold; None for null."""
        if isinstance(value, str):
            return self.text(key, value)
        if isinstance(value, bool) or not isinstance(value, int) or INTEGER_MIN <= value <= INTEGER_MAX:
            return value
        return self.text(key, str(value))

    def text(self, key: str, text: str) -> str:
        """The text, cut at the account's limit."""
        if len(text) <= self._text_length_max:
            return text
        self.remark(ErrorKind.VALUE_CUT, key, f"text of {len(text)} characters cut at {self._text_length_max}")
        return text[: self._text_length_max]

    def texts(self, key: str, items: list[object]) -> list[str]:
        """A list as texts, nulls left out; of more than the limit the last ones stay."""
        kept = [item for item in items if item is not None]
        if len(kept) > LIST_ITEMS_MAX:
            self.remark(
                ErrorKind.VALUE_CUT, key, f"list of {len(kept)} items; the last {LIST_ITEMS_MAX} of them were kept"
            )
        return [self.item_text(key, item) for item in kept[-LIST_ITEMS_MAX:]]

    def item_text(self, key: str, item: object) -> str:
        """A value as text: booleans and nested values as in JSON, numbers as people write them."""
        if isinstance(item, str):
            return self.text(key, item)
        if isinstance(item, int | float) and not isinstance(item, bool):
            return self.text(key, number_text(item))
        return self.text(key, json_text(item))

    def remark(self, kind: ErrorKind, key: str, detail: str) -> None:
        self._remarks.append(Remark(kind, key, detail))

    def flat_object(self, key: str, item: dict[str, object]) -> dict[str, object]:
        """An object whose values are all flat; nested ones become text."""
        flat = {}
        for raw, value in item.items():
            inner = self.key(raw)
            kept = self.item_text(key, value) if isinstance(value, dict | list) else self.scalar(key, value)
            if inner and kept is not None:
                flat[inner] = kept
        return flat

    def _nested(self, key: str, value: dict[str, object] | list[object]) -> object:
        if not self._keeps_nested:
            return self.text(key, json_text(value))
        if self._nested_keys_left == 0:
            self.remark(ErrorKind.NESTED_LIMIT, key, f"more than {NESTED_KEYS_MAX} nested properties; kept as text")
            return self.text(key, json_text(value))
        nested = self._inside(key, value, 1)
        if nested is None:
            return None
        bytes_count = len(json_text(nested).encode())
        if bytes_count > self._nested_bytes_left:
            self.remark(ErrorKind.NESTED_LIMIT, key, f"nested values of more than {NESTED_BYTES_MAX} bytes; dropped")
            return None
        self._nested_keys_left -= 1
        self._nested_bytes_left -= bytes_count
        return nested

    def _inside(self, key: str, value: object, level: int) -> object:
        """A value at a level of nesting, without nulls and empty values; None if nothing is left."""
        if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
            return self.texts(key, value) or None
        if not isinstance(value, dict | list):
            return None if value == "" else self.scalar(key, value)
        if level > LEVELS_MAX:
            self.remark(ErrorKind.NESTED_LIMIT, key, f"nested deeper than {LEVELS_MAX} levels; kept as text")
            return self.text(key, json_text(value))
        if isinstance(value, dict):
            return self._object(key, value, level) or None
        return self._array(key, value, level) or None

    def _object(self, key: str, value: dict[str, object], level: int) -> dict[str, object]:
        if len(value) > PAIRS_MAX:
            self.remark(ErrorKind.NESTED_LIMIT, key, f"object of {len(value)} pairs; the first {PAIRS_MAX} were kept")
        kept = {}
        for raw, inner_value in list(value.items())[:PAIRS_MAX]:
            inner = self.key(raw)
            clean = self._inside(key, inner_value, level + 1)
            if inner and clean is not None:
                kept[inner] = clean
        return kept

    def _array(self, key: str, value: list[object], level: int) -> list[object]:
        """An array is either all objects or all text: a column holds no mixture."""
        if len(value) > LIST_ITEMS_MAX:
            self.remark(ErrorKind.NESTED_LIMIT, key, f"array of {len(value)} items; {LIST_ITEMS_MAX} were kept")
        items = [item for item in value[:LIST_ITEMS_MAX] if item is not None]
        if all(isinstance(item, dict) for item in items):
            cleaned = [self._inside(key, item, level + 1) for item in items]
            if all(isinstance(item, dict) for item in cleaned if item is not None):
                return [item for item in cleaned if item is not None]
        return [self.item_text(key, item) for item in items]


def type_remark(key: str, needed: str, value: object) -> Remark:
    """A remark on a value of another type than the key needs."""
    return Remark(ErrorKind.TYPE_MISMATCH, key, f"{needed} needed, got {kind_of(value)}")
