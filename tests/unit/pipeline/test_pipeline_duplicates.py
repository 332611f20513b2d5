"""Repeated requests are recognised exactly: the judge against a plain model with multisets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belfry.events.model import encode_props
from belfry.ids import ProfileId
from belfry.pipeline.duplicates import (
    ENTRIES_MAX,
    WINDOW_S,
    Arrivals,
    Families,
    Judge,
    Occurrence,
    find,
    hashes,
    key_hash,
    needs_lookup,
    recounted,
    sender_key_hash,
    united,
)

USER, OTHER = ProfileId(1), ProfileId(2)
START_S = 1_790_000_000
DAY_S = 86_400


class Pair(msgspec.Struct, frozen=True):
    """An event in its simplest form: what it is, and its time as sent."""

    what: int
    sent_s: int

    @property
    def hash(self) -> int:
        return self.what * 1_000_003 + self.sent_s


class Store:
    """The columnar store's rows, the profile's memory, and the pipeline's blocks around a judge."""

    def __init__(self) -> None:
        self.recent: dict[ProfileId, bytes] = defaultdict(bytes)
        self.rows: dict[tuple[ProfileId, int], dict[int, int]] = defaultdict(lambda: defaultdict(int))
        self.position = 0
        self.lookups_count = 0
        self._judge = Judge()
        self._fresh: list[tuple[ProfileId, int, int]] = []

    def end_block(self) -> None:
        """The block's rows are in the store, what the judge remembers of it is gone; as well after a restart."""
        for profile_id, hash_, came_s in self._fresh:
            self.rows[profile_id, hash_][came_s] += 1
        self._fresh.clear()
        self._judge = Judge()

    def begin_block(self, requests: Iterable[Iterable[Pair]], profile_id: ProfileId = USER) -> None:
        """Ask the store about the late ones, as they look before the block."""
        late = {
            event.hash
            for request in requests
            for event in request
            if needs_lookup(self.recent[profile_id], event.hash, event.sent_s)
        }
        self.lookups_count += len(late)
        self._judge.stored = {(profile_id, hash_): self.arrivals(profile_id, hash_) for hash_ in late}

    def arrivals(self, profile_id: ProfileId, hash_: int) -> Arrivals:
        return list(self.rows[profile_id, hash_].items())

    def take(self, request: Iterable[Pair], came_s: int, profile_id: ProfileId = USER) -> list[Pair]:
        """Judge one request; the events that are new."""
        self.position += 1
        new = []
        for event in request:
            occurrence = Occurrence(profile_id, event.hash, event.sent_s, came_s, self.position)
            is_repeated, self.recent[profile_id] = self._judge.judge(self.recent[profile_id], occurrence)
            if not is_repeated:
                new.append(event)
                self._fresh.append((profile_id, event.hash, came_s))
        return new

    def adopt(self, source_id: ProfileId, target_id: ProfileId) -> None:
        self.recent[target_id] = self._judge.adopt(source_id, self.recent[source_id], target_id, self.recent[target_id])

    def block(self, *requests: Iterable[Pair], came_s: int = START_S) -> list[list[Pair]]:
        """One block of requests that came at the same time."""
        self.begin_block(requests)
        new = [self.take(request, came_s) for request in requests]
        self.end_block()
        return new


class Model:
    """What the specification says, with plain multisets (engagement 2.3)."""

    def __init__(self) -> None:
        self.stored: dict[int, tuple[int, int]] = {}  # hash → (how many count, when the newest came)

    def take(self, request: Iterable[Pair], came_s: int) -> list[Pair]:
        held: dict[int, int] = defaultdict(int)
        before = {}
        new = []
        for event in request:
            hash_ = event.hash
            if hash_ not in before:
                count, newest_s = self.stored.get(hash_, (0, 0))
                before[hash_] = count if came_s - newest_s <= WINDOW_S else 0
            held[hash_] += 1
            if held[hash_] > before[hash_]:
                new.append(event)
                self.stored[hash_] = (held[hash_], came_s)
        return new


def other(n: int) -> Pair:
    return Pair(100 + n, START_S - 50 + n)


@pytest.mark.parametrize(
    ("requests", "new_counts"),
    [
        pytest.param([[Pair(1, 5)], [Pair(1, 5)]], [1, 0], id="a repeated request adds nothing"),
        pytest.param([[Pair(1, 5), Pair(1, 5)]], [2], id="two equal events of one request are two"),
        pytest.param([[Pair(1, 5)] * 2, [Pair(1, 5)] * 3], [2, 1], id="m - n are new"),
        pytest.param([[Pair(1, 5)] * 3, [Pair(1, 5)]], [3, 0], id="never below none"),
        pytest.param([[Pair(1, 5)], [Pair(1, 6)]], [1, 1], id="another time is another event"),
        pytest.param([[Pair(1, 5)], [Pair(2, 5)]], [1, 1], id="other properties are another event"),
        pytest.param(
            [[Pair(1, 5)], [other(n) for n in range(40)], [Pair(1, 5)]], [1, 40, 0], id="after many other events"
        ),
        pytest.param(
            [[Pair(1, 5), *(other(n) for n in range(40)), Pair(1, 5)]], [42], id="equal ones far apart in one request"
        ),
    ],
)
@pytest.mark.parametrize("in_one_block", [True, False], ids=["one block", "a block each"])
def test_requests_are_compared_with_multiplicity(
    requests: list[list[Pair]], new_counts: list[int], in_one_block: bool
) -> None:
    store = Store()
    blocks = [requests] if in_one_block else [[request] for request in requests]
    new = [part for block in blocks for part in store.block(*block)]
    assert [len(part) for part in new] == new_counts


@pytest.mark.parametrize(
    ("days", "new_counts"),
    [
        pytest.param([0, 7], [1, 0], id="seven days later it is recognised"),
        pytest.param([0, 7.1], [1, 1], id="later it is not"),
        pytest.param([0, 6, 12], [1, 0, 1], id="repetitions do not prolong the time"),
        pytest.param([0, 7.1, 14], [1, 1, 0], id="what was stored again counts from then"),
    ],
)
@pytest.mark.parametrize("others", [0, 40], ids=["remembered", "looked up"])
def test_what_was_stored_counts_for_seven_days(days: list[float], new_counts: list[int], others: int) -> None:
    store, counts = Store(), []
    for day in days:
        came_s = START_S + int(day * DAY_S)
        (new,) = store.block([Pair(1, START_S - 1000)], came_s=came_s)
        counts.append(len(new))
        store.block([other(n + 100 * len(counts)) for n in range(others)], came_s=came_s)
    assert counts == new_counts


def test_in_order_events_never_ask_the_store() -> None:
    store = Store()
    for n in range(100):
        store.block([Pair(n, START_S + n)])
    assert store.lookups_count == 0
    store.block([Pair(0, START_S)])
    assert store.lookups_count == 1


request_lists = st.lists(
    st.tuples(
        st.lists(st.builds(Pair, st.integers(0, 3), st.integers(START_S, START_S + 9)), max_size=14),
        st.sampled_from([0, 1, 3600, 3 * DAY_S, 8 * DAY_S]),  # until the next request
        st.booleans(),  # whether a block ends here
    ),
    max_size=12,
)


@settings(max_examples=400, deadline=None)
@given(request_lists)
def test_the_judge_decides_as_the_model_whatever_the_blocks(
    requests: list[tuple[list[Pair], int, bool]],
) -> None:
    store, model, unbroken = Store(), Model(), Store()
    blocks: list[list[tuple[list[Pair], int]]] = [[]]
    came_s = START_S + 100
    for request, pause_s, ends_block in requests:
        blocks[-1].append((request, came_s))
        came_s += pause_s
        if ends_block:
            blocks.append([])
    unbroken.begin_block(request for block in blocks for request, _ in block)
    for block in blocks:
        store.begin_block(request for request, _ in block)
        for request, at_s in block:
            expected = model.take(request, at_s)
            assert store.take(request, at_s) == expected
            assert unbroken.take(request, at_s) == expected
        store.end_block()
    assert store.recent[USER] == unbroken.recent[USER], "the memory does not depend on the blocks"


def test_the_memory_is_bounded() -> None:
    store = Store()
    store.block([other(n) for n in range(500)])
    assert len(store.recent[USER]) == 4 + ENTRIES_MAX * 24


class TestUnited:
    """Two profiles become one."""

    def test_nothing_and_something_is_something(self) -> None:
        store = Store()
        store.block([Pair(1, 5)])
        recent = store.recent[USER]
        assert united(b"", recent) == united(recent, b"") == recent

    def test_what_either_knew_is_known(self) -> None:
        store = Store()
        store.take([Pair(1, 5)], START_S, USER)
        store.take([Pair(2, 6)], START_S, OTHER)
        both = united(store.recent[USER], store.recent[OTHER])
        assert find(both, Pair(1, 5).hash) >= 0
        assert find(both, Pair(2, 6).hash) >= 0

    def test_equal_events_of_both_count_together(self) -> None:
        store = Store()
        store.take([Pair(1, 5)], START_S, USER)
        store.take([Pair(1, 5)] * 2, START_S + 60, OTHER)
        store.recent[USER] = united(store.recent[OTHER], store.recent[USER])
        assert len(store.take([Pair(1, 5)] * 4, START_S + 120, USER)) == 1

    def test_the_newest_of_both_stay_and_what_goes_raises_the_floor(self) -> None:
        store = Store()
        store.take([Pair(1, START_S + n) for n in range(ENTRIES_MAX)], START_S, USER)
        store.take([Pair(2, START_S + 2 + n) for n in range(ENTRIES_MAX)], START_S, OTHER)
        both = united(store.recent[USER], store.recent[OTHER])
        assert len(both) == 4 + ENTRIES_MAX * 24
        assert not needs_lookup(both, 1, START_S + ENTRIES_MAX)
        assert needs_lookup(both, Pair(1, START_S).hash, START_S)

    @pytest.mark.parametrize("is_remembered", [True, False], ids=["remembered", "looked up"])
    def test_what_a_source_had_stored_counts_for_who_took_over(self, is_remembered: bool) -> None:
        store, old = Store(), Pair(1, START_S - 5)
        store.begin_block([])
        store.take([old, old], START_S, OTHER)
        if not is_remembered:
            store.take([other(n) for n in range(ENTRIES_MAX + 1)], START_S, OTHER)
        store.adopt(OTHER, USER)
        assert len(store.take([old] * 3, START_S + 60, USER)) == 1
        store.take([other(n + 100) for n in range(ENTRIES_MAX + 1)], START_S + 70, USER)
        assert len(store.take([old] * 4, START_S + 80, USER)) == 1, "and once only"

    def test_what_was_pushed_out_by_uniting_is_not_forgotten(self) -> None:
        store, old = Store(), Pair(1, START_S - 5)
        store.begin_block([])
        store.take([old, *(other(n) for n in range(ENTRIES_MAX - 1))], START_S, OTHER)
        store.take([other(n + 100) for n in range(ENTRIES_MAX)], START_S, USER)
        store.adopt(OTHER, USER)
        assert store.take([old], START_S + 60, USER) == []


class TestRecounted:
    """Some of a profile's events were taken away."""

    def test_what_is_left_counts_and_what_is_gone_is_new_again(self) -> None:
        store = Store()
        store.block([Pair(1, 5)] * 2 + [Pair(2, 5)])
        assert hashes(store.recent[USER]) == [Pair(1, 5).hash, Pair(2, 5).hash]
        store.recent[USER] = recounted(store.recent[USER], {Pair(1, 5).hash: [(START_S, 1)]})
        (new,) = store.block([Pair(1, 5)] * 2 + [Pair(2, 5)], came_s=START_S + 60)
        assert new == [Pair(1, 5), Pair(2, 5)]

    def test_the_floor_stays(self) -> None:
        floored = memory_with_a_floor()
        assert needs_lookup(recounted(floored, {}), 1, START_S)
        assert recounted(b"", {}) == b""


def memory_with_a_floor() -> bytes:
    """A memory whose floor is at START_S."""
    store = Store()
    store.block([Pair(9, START_S + n) for n in range(ENTRIES_MAX + 1)])
    return store.recent[USER]


class TestFamilies:
    def test_a_family_reaches_over_several_adoptions(self) -> None:
        families = Families()
        families.adopt(ProfileId(3), ProfileId(2))
        families.adopt(ProfileId(2), ProfileId(1))
        assert families.of(ProfileId(1)) == [1, 2, 3]
        assert families.of(ProfileId(3)) == [3]
        assert ProfileId(1) in families
        assert ProfileId(3) not in families

    def test_a_copy_does_not_change_what_it_was_made_of(self) -> None:
        families = Families()
        families.copy().adopt(OTHER, USER)
        assert not families


class TestHashes:
    @pytest.mark.parametrize(
        "changed",
        [
            pytest.param({"device_id": "d2"}, id="device"),
            pytest.param({"folded": "sold"}, id="name"),
            pytest.param({"sent_s": 6}, id="time"),
            pytest.param({"props_json": b'{"n":2}'}, id="properties"),
        ],
    )
    def test_every_part_counts(self, changed: dict[str, object]) -> None:
        parts: dict[str, object] = {"device_id": "d", "folded": "bought", "sent_s": 5, "props_json": b'{"n":1}'}
        assert key_hash(**parts) != key_hash(**(parts | changed))  # type: ignore[arg-type]

    def test_the_order_of_properties_does_not(self) -> None:
        one, two = encode_props({"a": 1, "b": "x"}), encode_props({"b": "x", "a": 1})
        assert key_hash("", "bought", 5, one) == key_hash("", "bought", 5, two)

    def test_an_id_counts_with_its_event_name(self) -> None:
        assert sender_key_hash("charged", "T1") != sender_key_hash("refunded", "T1")
        assert len(sender_key_hash("charged", "T1")) == 16
