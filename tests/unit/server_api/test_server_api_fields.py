"""Reading the fields of bodies and queries."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.errors import BadRequest
from belfry.library.model import PageWanted, Span
from belfry.server_api import fields


@pytest.mark.parametrize(
    ("value", "number"),
    [(31, 31), ("31", 31), (" 31 ", 31), (31.0, 31), (2**53, 2**53), (None, None), ("", None)],
)
def test_a_number_may_be_written_as_text(value: Any, number: int | None) -> None:
    assert fields.number_in({"id": value}, "id") == number


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "x", "1e3", "٣", [], {}, 2**53 + 1, "9" * 30, float("inf")])
def test_what_is_no_whole_number_in_the_bounds_is_refused(value: Any) -> None:
    with pytest.raises(BadRequest, match="id needs to be a whole number from 1 to") as caught:
        fields.number_in({"id": value}, "id")
    assert caught.value.field == "id"


@pytest.mark.parametrize("value", [1, True, [], {}, 1.5])
def test_what_is_no_text_is_refused_by_its_kind(value: Any) -> None:
    with pytest.raises(BadRequest, match="name needs to be text, got "):
        fields.text_in({"name": value}, "name")


def test_texts_keep_their_limit_and_hold_no_nul() -> None:
    assert fields.text_in({"name": "abc"}, "name", length_max=3) == "abc"
    with pytest.raises(BadRequest, match="name has 4 characters, at most 3"):
        fields.text_in({"name": "abcd"}, "name", length_max=3)
    with pytest.raises(BadRequest, match="name holds a NUL character"):
        fields.text_in({"name": "a\x00"}, "name")


@pytest.mark.parametrize(
    ("value", "texts"), [(["a", "b"], ("a", "b")), ("a", ("a",)), ([], ()), (None, None), (["a\x00"], ("a",))]
)
def test_one_text_is_a_list_of_one(value: Any, texts: tuple[str, ...] | None) -> None:
    assert fields.texts_in({"labels": value}, "labels") == texts


@pytest.mark.parametrize("value", [7, {}, [1], ["a", None]])
def test_what_is_no_list_of_text_is_refused(value: Any) -> None:
    with pytest.raises(BadRequest, match="labels needs to be a list of text"):
        fields.texts_in({"labels": value}, "labels")


@pytest.mark.parametrize(
    ("parameters", "page"),
    [
        ({}, PageWanted(1, 20)),
        ({"pageNumber": "3", "pageSize": "100"}, PageWanted(3, 100)),
        ({"pageNumber": "", "pageSize": ""}, PageWanted(1, 20)),
    ],
)
def test_pages_are_counted_from_one(parameters: dict[str, str], page: PageWanted) -> None:
    assert fields.page_in(parameters, size=20) == page


@pytest.mark.parametrize("parameters", [{"pageNumber": "0"}, {"pageSize": "101"}, {"pageSize": "x"}])
def test_pages_beyond_the_limits_are_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        fields.page_in(parameters, size=20)


def test_dates_have_milliseconds() -> None:
    given = {"createdAtFrom": "2026-11-04T08:00:00.000Z", "createdAtTo": "2026-11-04T08:00:00.001Z"}
    assert fields.span_in(given, "createdAtFrom", "createdAtTo") == Span(1793779200000, 1793779200001)
    assert fields.iso_ms(1793779200001) == given["createdAtTo"]


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-04",
        "2026-11-04T08:00:00Z",
        "2026-11-04T08:00:00.000",
        "2026-11-04T08:00:00.000+00:00",
        "2026-13-04T08:00:00.000Z",
        "2026-02-30T08:00:00.000Z",
        "20261104",
        "1793779200000",
        "0000-01-01T00:00:00.000Z",
        "\u0662026-11-04T08:00:00.000Z",
        "x",
    ],
)
def test_any_other_form_of_a_date_is_refused_with_the_documented_text(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        fields.span_in({"updatedTo": text}, "updatedFrom", "updatedTo")
    assert (caught.value.text, caught.value.field) == ("Enter date in ISO format", "updatedTo")


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    given = {"updatedFrom": "2026-11-05T08:00:00.000Z", "updatedTo": "2026-11-04T08:00:00.000Z"}
    with pytest.raises(BadRequest, match="updatedFrom is after updatedTo"):
        fields.span_in(given, "updatedFrom", "updatedTo")
