"""Reading ahead changes nothing but the number of queries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from belfry.clock import ManualClock
from belfry.segments.read_ahead import AGE_MS_MAX, ReadAhead


class Numbers:
    """A store of the numbers 1 … count that counts its queries."""

    def __init__(self, count: int, ahead: ReadAhead[int]) -> None:
        self.count = count
        self.queries = 0
        self._ahead = ahead

    def page(self, after: int, size: int) -> tuple[list[int], bool]:
        def fetch(limit: int) -> list[int]:
            self.queries += 1
            return list(range(after + 1, min(after + limit, self.count) + 1))

        return self._ahead.page(after, size, fetch, lambda last: last)

    def all(self, size: int) -> list[int]:
        found: list[int] = []
        more = True
        while more:
            page, more = self.page(found[-1] if found else 0, size)
            found += page
        return found


@given(st.integers(0, 60), st.integers(1, 10), st.integers(1, 25), st.integers(1, 3))
def test_pages_are_those_of_the_store(count: int, size: int, at_once: int, places: int) -> None:
    numbers = Numbers(count, ReadAhead(ManualClock(0), count=at_once, places_max=places))
    assert numbers.all(size) == list(range(1, count + 1))


def test_many_small_pages_cost_few_queries() -> None:
    numbers = Numbers(1000, ReadAhead(ManualClock(0), count=500, places_max=1))
    numbers.all(10)
    assert numbers.queries == 2


def test_a_page_can_be_repeated() -> None:
    numbers = Numbers(20, ReadAhead(ManualClock(0), count=10, places_max=2))
    first = numbers.page(0, 4)
    second = numbers.page(4, 4)
    assert numbers.page(4, 4) == second == ([5, 6, 7, 8], True)
    assert numbers.page(0, 4) == first


def test_what_is_old_is_asked_for_again() -> None:
    clock = ManualClock(0)
    numbers = Numbers(20, ReadAhead(clock, count=20, places_max=2))
    numbers.page(0, 4)
    clock.advance_ms(AGE_MS_MAX + 1)
    assert numbers.page(4, 4) == ([5, 6, 7, 8], True)
    assert numbers.queries == 2


def test_only_so_many_places_are_kept() -> None:
    ahead: ReadAhead[int] = ReadAhead(ManualClock(0), count=20, places_max=1)
    numbers = Numbers(20, ahead)
    numbers.page(0, 2)
    numbers.page(10, 2)
    numbers.page(2, 2)
    assert numbers.queries == 3
