"""S13: what a spreadsheet would run is never written, and reading gives every value back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.cells import boolean_of, cell_of, number_of, text_cell, text_of, value_of

DANGEROUS = "=+-@\t\r"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
risky = st.builds(lambda first, rest: first + rest, st.text("='+-@\t\r\"[{0123456789tTfF", max_size=6), texts)
scalars = st.one_of(
    texts, risky, st.booleans(), st.integers(-(2**63) + 1, 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)
values = st.one_of(scalars, st.lists(texts, max_size=4), st.dictionaries(texts, scalars, max_size=3))


def through_a_file(cell: str) -> str:
    file = io.StringIO(newline="")
    csv.writer(file).writerow([cell, "x"])
    row: list[str] = next(csv.reader(io.StringIO(file.getvalue(), newline="")))
    return row[0]


@given(values)
def test_every_value_comes_back_with_its_type(value: object) -> None:
    back = value_of(through_a_file(cell_of(value)))
    assert back == value
    assert type(back) is type(value)


@given(st.one_of(texts, risky))
def test_a_text_column_gives_every_text_back(text: str) -> None:
    assert text_of(through_a_file(text_cell(text))) == text


@given(st.one_of(texts, risky, st.lists(texts, max_size=3)))
def test_no_text_is_a_live_formula(value: object) -> None:
    assert cell_of(value)[:1] not in tuple(DANGEROUS)
    if isinstance(value, str):
        assert text_cell(value)[:1] not in tuple(DANGEROUS)


@pytest.mark.parametrize(
    "text", [f"{sign}{body}" for sign in DANGEROUS for body in ("1+1", "cmd|' /C calc'!A0", "", "'x")]
)
def test_each_dangerous_beginning_is_escaped_and_undone(text: str) -> None:
    assert cell_of(text)[0] in "'\""
    assert value_of(cell_of(text)) == text
    assert text_of(text_cell(text)) == text


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("", None), ("12", 12), ("-3", -3), ("12.50", 12.5), ("1e3", 1000.0), ("007", "007"), ("+3519", "+3519"),
        ("9223372036854775808", "9223372036854775808"), ("TRUE", True), ("False", False), ("truest", "truest"),
        ('["a","b"]', ["a", "b"]), ("[broken", "[broken"), ("1e999", "1e999"),
        ("$D_12", "$D_12"), ("12 Main St", "12 Main St"),
    ],
)  # fmt: skip
def test_cells_that_people_write(cell: str, value: object) -> None:
    assert value_of(cell) == value
    assert type(value_of(cell)) is type(value)


@pytest.mark.parametrize(("cell", "number"), [(" 5 ", 5), ("5.5", 5.5), ("5,5", None), ("", None), ("x", None)])
def test_a_column_of_numbers_takes_numbers_only(cell: str, number: float | None) -> None:
    assert number_of(cell) == number


@pytest.mark.parametrize(("cell", "truth"), [("Y", True), ("0", False), ("yes", True), ("maybe", None), ("", None)])
def test_a_column_of_booleans_takes_booleans_only(cell: str, truth: bool | None) -> None:
    assert boolean_of(cell) is truth
