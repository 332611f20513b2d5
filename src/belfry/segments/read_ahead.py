"""What follows a page of an export, kept for the next request: a query costs the same for one page or for many.

Only an amortisation: whatever is not here is queried again, with the same result. Bounded in number and age.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import msgspec

from belfry.clock import Clock

AGE_MS_MAX = 30_000
"""Who is deleted disappears from an export after this time at the latest."""

_T = TypeVar("_T")


class _Kept(msgspec.Struct, Generic[_T]):
    items: list[_T]
    is_complete: bool  # nothing follows these items
    at_ms: int


class ReadAhead(Generic[_T]):
    """Items after a place, taken once. Safe to use from several threads.

    count       items to ask for at once, at least
    places_max  places that are kept; the longest unused goes first
    """

    def __init__(self, clock: Clock, *, count: int, places_max: int) -> None:
        self._clock = clock
        self._count = count
        self._places_max = places_max
        self._kept: OrderedDict[Hashable, _Kept[_T]] = OrderedDict()
        self._lock = threading.Lock()

    def page(
        self, place: Hashable, size: int, fetch: Callable[[int], list[_T]], place_after: Callable[[_T], Hashable]
    ) -> tuple[list[_T], bool]:
        """The next `size` items after a place, and whether more follow.

        fetch        asks the store for at most so many items after the place, in order
        place_after  the place of whoever has seen this item
        """
        kept = self._take(place, size)
        if kept is None:
            wanted = max(size, self._count) + 1
            items = fetch(wanted)
            kept = _Kept(items, len(items) < wanted, self._clock.now_ms())
        page, rest = kept.items[:size], kept.items[size:]
        if rest:
            self._put(place_after(page[-1]), _Kept(rest, kept.is_complete, kept.at_ms))
        return page, bool(rest)

    def _take(self, place: Hashable, size: int) -> _Kept[_T] | None:
        with self._lock:
            kept = self._kept.pop(place, None)
        if kept is None or self._clock.now_ms() - kept.at_ms > AGE_MS_MAX:
            return None
        return kept if kept.is_complete or len(kept.items) > size else None

    def _put(self, place: Hashable, kept: _Kept[_T]) -> None:
        with self._lock:
            self._kept[place] = kept
            while len(self._kept) > self._places_max:
                self._kept.popitem(last=False)
