"""Rows of a custom list's file: what names a user, and what does not."""

from __future__ import annotations

import io

import pytest

from belfry.lists.csv_file import read_members
from belfry.lists.model import Malformed, MemberKind, Named
from belfry.uploads.model import Unusable


def rows(text: bytes) -> list[Named | Malformed]:
    return list(read_members(io.BufferedReader(io.BytesIO(text))))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(b"i,ana", Named(MemberKind.IDENTITY, "ana"), id="identity"),
        pytest.param(b"g,__device0001", Named(MemberKind.DEVICE, "__device0001"), id="device"),
        pytest.param(b" I , ana ", Named(MemberKind.IDENTITY, "ana"), id="capitals and spaces"),
        pytest.param(b'i,"a,""b"', Named(MemberKind.IDENTITY, 'a,"b'), id="quoted"),
        pytest.param("i,é".encode(), Named(MemberKind.IDENTITY, "é"), id="not ASCII"),
        pytest.param(b"i,=1+1", Named(MemberKind.IDENTITY, "=1+1"), id="a formula is a text"),
        pytest.param(b"i,", Malformed(2, "Identity is empty"), id="empty"),
        pytest.param(b"x,ana", Malformed(2, "Type is 'x', needs i or g"), id="another type"),
        pytest.param(b"i", Malformed(2, "has 1 columns, needs 2"), id="one column"),
        pytest.param(b"i,a,b", Malformed(2, "has 3 columns, needs 2"), id="three columns"),
        pytest.param(b"i," + b"x" * 1024, Named(MemberKind.IDENTITY, "x" * 1024), id="longest"),
        pytest.param(
            b"i," + b"x" * 1025, Malformed(2, "Identity has 1025 characters, at most 1024"), id="one too long"
        ),
        pytest.param(b"i,\xff", Malformed(2, "Identity is not UTF-8 text"), id="no UTF-8"),
        pytest.param(b"i,a\x00b", Malformed(2, "Identity is not UTF-8 text"), id="NUL"),
    ],
)
def test_a_row_names_a_user_or_says_why_not(line: bytes, expected: Named | Malformed) -> None:
    assert rows(b"Type,Identity\r\n" + line + b"\r\n") == [expected]


@pytest.mark.parametrize(
    "header", [b"Type,Identity\n", b"\xef\xbb\xbfType,Identity\n", b" Type , Identity", b'"Type","Identity"']
)
def test_the_header_may_have_a_mark_spaces_and_quotes(header: bytes) -> None:
    assert rows(header) == []


@pytest.mark.parametrize(
    "header", [b"", b"\n", b"type,identity\n", b"Type\n", b"Type,Identity,More\n", b"Identity,Type\n"]
)
def test_another_header_is_unusable(header: bytes) -> None:
    with pytest.raises(Unusable, match="Type,Identity"):
        rows(header + b"i,ana\n")


def test_empty_lines_are_passed_over_and_lines_are_counted() -> None:
    assert rows(b"Type,Identity\n\ni,ana\n\nz,b\n") == [
        Named(MemberKind.IDENTITY, "ana"),
        Malformed(5, "Type is 'z', needs i or g"),
    ]
