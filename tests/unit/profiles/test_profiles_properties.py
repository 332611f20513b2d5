"""Property operations: what each does, and the laws of folding them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.error_stream.model import ErrorKind
from belfry.profiles.model import Identity, IdentityKind, Op, Operation
from belfry.profiles.properties import CLOCKS_MAX, PropertyLimits, fold, without_refused

HUNDRED = [str(number) for number in range(100)]

ABSENT = object()


@pytest.mark.parametrize(
    ("present", "op", "value", "expected"),
    [
        pytest.param(ABSENT, Op.SET, "gold", "gold", id="set creates"),
        pytest.param("gold", Op.SET, 5, 5, id="set replaces, type and all"),
        pytest.param("gold", Op.SET, "", "", id="an empty text is a value"),
        pytest.param("gold", Op.SET, None, "gold", id="null changes nothing"),
        pytest.param(ABSENT, Op.SET, {"a": {"b": 1}}, {"a": {"b": 1}}, id="a nested object is kept"),
        pytest.param(ABSENT, Op.SET, [{"a": 1}, 2], [{"a": 1}, 2], id="a list that is not of text is a nested value"),
        pytest.param(ABSENT, Op.SET, ["a", "b", "a"], ["a", "b"], id="a list of text is a multi-value: unique"),
        pytest.param(["z"], Op.REPLACE, ["a", 5, True, "a"], ["a", "5", "true"], id="replace makes text of items"),
        pytest.param(["z"], Op.REPLACE, [], ABSENT, id="replaced by nothing: gone"),
        pytest.param(["z"], Op.REPLACE, [*HUNDRED, "new"], [*HUNDRED[1:], "new"], id="101 items: the oldest is out"),
        pytest.param(ABSENT, Op.ADD, ["a", "b"], ["a", "b"], id="add creates"),
        pytest.param(ABSENT, Op.ADD, [], ABSENT, id="adding nothing creates nothing"),
        pytest.param("gold", Op.ADD, ["a"], ["gold", "a"], id="add promotes a text to the first item"),
        pytest.param(5, Op.ADD, ["a"], ["5", "a"], id="add promotes a number as text"),
        pytest.param(True, Op.ADD, ["a"], ["true", "a"], id="add promotes a boolean as text"),
        pytest.param(["a", "b"], Op.ADD, ["a", "c"], ["a", "b", "c"], id="add does not double"),
        pytest.param(["a"], Op.ADD, "c", ["a", "c"], id="add takes one text"),
        pytest.param(HUNDRED, Op.ADD, ["new"], [*HUNDRED[1:], "new"], id="add to 100: first in, first out"),
        pytest.param(["a", "b"], Op.REMOVE, ["a"], ["b"], id="remove"),
        pytest.param(["a"], Op.REMOVE, ["a"], ABSENT, id="the last item gone: property gone"),
        pytest.param("gold", Op.REMOVE, ["gold"], ABSENT, id="remove of a scalar's own value"),
        pytest.param("gold", Op.REMOVE, ["a"], ["gold"], id="remove promotes a scalar first"),
        pytest.param(ABSENT, Op.REMOVE, ["a"], ABSENT, id="remove from nothing"),
        pytest.param(ABSENT, Op.INCREMENT, 3, 3, id="an absent number counts as 0"),
        pytest.param(4, Op.INCREMENT, 3, 7, id="increment"),
        pytest.param(4, Op.INCREMENT, -5.5, -1.5, id="decrement by a fraction"),
        pytest.param(2**63 - 1, Op.INCREMENT, 1, float(2**63), id="beyond 64 bit: goes on as a float"),
        pytest.param("gold", Op.DELETE, None, ABSENT, id="delete"),
        pytest.param(ABSENT, Op.DELETE, None, ABSENT, id="delete of nothing"),
    ],
)
def test_one_operation(present: Any, op: Op, value: Any, expected: Any) -> None:
    properties = {} if present is ABSENT else {"tier": present}
    written_at = {} if present is ABSENT else {"tier": 5}
    remarks = fold(properties, written_at, [Operation("tier", op, value)], 10)
    assert remarks == []
    assert properties == ({} if expected is ABSENT else {"tier": expected})
    assert [type(v) for v in properties.values()] == ([] if expected is ABSENT else [type(expected)])


@pytest.mark.parametrize(
    ("present", "by"),
    [
        pytest.param("text", 1, id="the property is text"),
        pytest.param(True, 1, id="a boolean is no number"),
        pytest.param(["1"], 1, id="a list"),
        pytest.param(1, "1", id="the step is text"),
        pytest.param(1.7e308, 1.7e308, id="the sum is not finite"),
    ],
)
def test_counting_up_what_is_no_number_is_remarked_and_changes_nothing(present: Any, by: Any) -> None:
    properties, written_at = {"trips": present}, {"trips": 5}
    (remark,) = fold(properties, written_at, [Operation("trips", Op.INCREMENT, by)], 10)
    assert (remark.kind, remark.subject) == (ErrorKind.NOT_A_NUMBER, "trips")
    assert (properties, written_at) == ({"trips": present}, {"trips": 5})


class TestTime:
    """An older write never beats a newer one, in whatever order they arrive."""

    @pytest.mark.parametrize(
        ("writes", "expected"),
        [
            pytest.param([(20, Op.SET, "new"), (10, Op.SET, "old")], "new", id="late set"),
            pytest.param([(20, Op.DELETE, None), (10, Op.SET, "old")], ABSENT, id="late set after a delete"),
            pytest.param([(20, Op.SET, "new"), (10, Op.DELETE, None)], "new", id="late delete"),
            pytest.param([(20, Op.SET, "a"), (20, Op.SET, "b")], "b", id="equal times: the later arrival"),
            pytest.param([(20, Op.SET, 5), (10, Op.INCREMENT, 1)], 5, id="an increment from before the set"),
            pytest.param([(20, Op.INCREMENT, 5), (10, Op.INCREMENT, 1)], 6, id="late increments add up"),
            pytest.param([(20, Op.ADD, ["b"]), (10, Op.ADD, ["a"])], ["b", "a"], id="late items are added"),
            pytest.param([(10, Op.SET, 5), (20, Op.INCREMENT, 1), (15, Op.SET, 0)], 6, id="set before an increment"),
            pytest.param(
                [(10, Op.SET, 5), (20, Op.INCREMENT, 1), (15, Op.INCREMENT, 2)], 8, id="increment after the set"
            ),
            pytest.param(
                [(10, Op.SET, 5), (20, Op.INCREMENT, 1), (5, Op.INCREMENT, 2)], 6, id="increment before the set"
            ),
            pytest.param([(20, Op.REMOVE, ["a"]), (10, Op.ADD, ["a"])], ["a"], id="remove from nothing is no write"),
        ],
    )
    def test_writes_in_order_of_arrival(self, writes: list[tuple[int, Op, Any]], expected: Any) -> None:
        properties: dict[str, Any] = {}
        written_at: dict[str, int] = {}
        for at_ms, op, value in writes:
            assert fold(properties, written_at, [Operation("x", op, value)], at_ms) == []
        assert properties.get("x", ABSENT) == expected

    def test_clocks_of_deleted_properties_are_bounded(self) -> None:
        properties: dict[str, Any] = {"kept": 1}
        written_at = {"kept": 1}
        for number in range(3 * CLOCKS_MAX):
            fold(properties, written_at, [Operation(f"k{number}", Op.DELETE)], number)
        assert len(written_at) <= CLOCKS_MAX
        assert written_at["kept"] == 1
        assert f"k{3 * CLOCKS_MAX - 1}" in written_at, "the newest are kept"


def test_the_257th_custom_property_is_dropped_with_a_remark_and_predefined_ones_do_not_count() -> None:
    properties: dict[str, Any] = {}
    written_at: dict[str, int] = {}
    many = [Operation("Name", Op.SET, "Ana"), Operation("MSG-email", Op.SET, True)]
    many += [Operation(f"k{number}", Op.SET, number) for number in range(256)]
    assert fold(properties, written_at, many, 1) == []
    for op, value in ((Op.SET, 1), (Op.ADD, ["a"]), (Op.INCREMENT, 1)):
        (remark,) = fold(properties, written_at, [Operation("one more", op, value)], 2)
        assert (remark.kind, remark.subject) == (ErrorKind.TOO_MANY_PROPERTIES, "one more")
        assert "256" in remark.detail
    assert "one more" not in properties
    assert fold(properties, written_at, [Operation("k0", Op.SET, "changed"), Operation("Gender", Op.SET, "F")], 3) == []
    assert fold(properties, written_at, [Operation("k0", Op.DELETE), Operation("one more", Op.SET, 1)], 4) == []


def test_a_write_of_a_refused_identity_is_left_out() -> None:
    email = Operation("Email", Op.SET, "ana@example.org")
    phone = Operation("Phone", Op.SET, "+34600111222")
    tier = Operation("tier", Op.SET, "ana@example.org")
    refused = {Identity(IdentityKind.EMAIL, "ana@example.org")}
    assert without_refused([email, phone, tier], refused) == (phone, tier)


values = st.one_of(
    st.text("ab", max_size=2),
    st.integers(-3, 3),
    st.booleans(),
    st.floats(-2, 2),
    st.none(),
    st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=4),
)
operations = st.builds(Operation, st.sampled_from(["x", "y", "z", "Name", "v"]), st.sampled_from(list(Op)), values)
records = st.lists(st.tuples(st.integers(0, 5), st.lists(operations, max_size=4)), max_size=12)
TIGHT = PropertyLimits(custom_keys_max=3, list_items_max=3)


@given(records)
def test_folding_one_by_one_equals_folding_as_a_batch(history: list[tuple[int, list[Operation]]]) -> None:
    batched: tuple[dict[str, Any], dict[str, int]] = ({}, {})
    single: tuple[dict[str, Any], dict[str, int]] = ({}, {})
    for at_ms, ops in history:
        together = fold(*batched, ops, at_ms, TIGHT)
        apart = [remark for op in ops for remark in fold(*single, [op], at_ms, TIGHT)]
        assert together == apart
    assert batched == single


@given(records)
def test_a_replay_into_an_empty_profile_gives_the_same_and_bounds_hold(
    history: list[tuple[int, list[Operation]]],
) -> None:
    first: tuple[dict[str, Any], dict[str, int]] = ({}, {})
    again: tuple[dict[str, Any], dict[str, int]] = ({}, {})
    for state in (first, again):
        for at_ms, ops in history:
            fold(*state, ops, at_ms, TIGHT)
    assert first == again
    properties = first[0]
    assert sum(key != "Name" for key in properties) <= 3
    for value in properties.values():
        assert value != [], "an empty multi-value is gone"
        if isinstance(value, list):
            assert len(value) == len(set(value)) <= 3


@given(st.permutations([(1, "a"), (2, "b"), (3, "c"), (4, None)]))
def test_whole_writes_of_different_times_end_the_same_in_any_order(order: list[tuple[int, str | None]]) -> None:
    properties: dict[str, Any] = {}
    written_at: dict[str, int] = {}
    for at_ms, value in order:
        fold(properties, written_at, [Operation("x", Op.SET if value else Op.DELETE, value)], at_ms)
    assert (properties, written_at) == ({}, {"x": 4})
