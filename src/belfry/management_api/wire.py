"""Bodies that go in and out of the management API. Unknown keys are refused: a misspelt field is never ignored."""

from __future__ import annotations

import base64
import re
from typing import Annotated, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter

from belfry.errors import BadRequest

T = TypeVar("T")

PAGE_ITEMS = 50
PAGE_ITEMS_MAX = 200
_BIG_INT = re.compile("[0-9]{1,19}")

Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_ITEMS_MAX, description="Items on a page")]
CursorText = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before", name="cursor")]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Items, and where the next page begins; `next_cursor` null: this is the last one."""

    items: list[T]
    next_cursor: str | None = None


def cursor_of(key: int) -> str:
    """An opaque cursor that stands behind the item with this key."""
    return base64.urlsafe_b64encode(f"k{key}".encode()).decode("ascii").rstrip("=")


def key_of(cursor: str | None) -> int | None:
    """The key behind which a page begins; None without a cursor. Raises BadRequest for one that is not ours."""
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        key = int(text[1:]) if text.startswith("k") else None
    except ValueError:
        key = None
    if key is None or not 0 <= key < 2**63:
        raise BadRequest("Invalid cursor", field="cursor")
    return key


def big_int(text: str, field: str) -> int:
    """A 64-bit id, which travels as decimal text: JavaScript cannot hold it as a number. Raises BadRequest."""
    if not _BIG_INT.fullmatch(text) or int(text) >= 2**63:
        raise BadRequest(f"{field} needs to be decimal digits, as it was shown", field=field)
    return int(text)


def page_of(items: list[T], keys: list[int], limit: int) -> Page[T]:
    """A page of at most `limit` of the items; callers ask the store for one more than that.

    keys  of the items, in their order
    """
    if len(items) <= limit:
        return Page(items)
    return Page(items[:limit], cursor_of(keys[limit - 1]))


class Identifier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is meant: exactly one of the three."""

    identity: str | None = None
    email: str | None = None
    object_id: str | None = None

    def check(self, field: str) -> None:
        """Raises BadRequest unless exactly one is given."""
        given = [value for value in (self.identity, self.email, self.object_id) if value]
        if len(given) != 1:
            raise BadRequest(f"{field} needs exactly one of identity, email, object_id", field=field)
