"""The files of an import: bounded, whole, and nowhere but in their place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.errors import BadRequest, Conflict, TooLarge
from belfry.ids import AccountId
from belfry.imports import parts
from belfry.imports.model import MOVES, WORKING, ImportState
from belfry.imports.parts import ImportFolder


def folder_in(root: Path) -> ImportFolder:
    return ImportFolder(root, AccountId("SHO-P00-0001"), "0123456789abcdef")


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6), reads=st.lists(st.integers(0, 40), max_size=8))
def test_parts_are_read_as_the_one_file_that_they_are(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], reads: list[int]
) -> None:
    folder = folder_in(tmp_path_factory.mktemp("parts"))
    whole = bytes(range(sum(sizes)))
    at = 0
    for number, size in enumerate(sizes):
        folder.put(number, whole[at : at + size])
        at += size
    with folder.open() as file:
        assert file.read() == whole
        for place in reads:
            file.seek(place)
            assert file.read(7) == whole[place : place + 7]
    assert folder.complete() == len(whole)


def test_a_part_that_comes_again_replaces_the_first(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    folder.put(1, b"b")
    with pytest.raises(Conflict, match="Part 0 is missing"):
        folder.complete()
    assert folder.put(0, b"wrong") == (2, 6)
    assert folder.put(0, b"a") == (2, 2)
    with folder.open() as file:
        assert file.read() == b"ab"


def test_limits_are_kept_on_both_sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "FILE_BYTES_MAX", 10)
    monkeypatch.setattr(parts, "PART_BYTES_MAX", 6)
    folder = folder_in(tmp_path)
    folder.put(0, b"x" * 6)
    folder.put(1, b"x" * 4)
    with pytest.raises(TooLarge):
        folder.put(2, b"x")
    with pytest.raises(TooLarge):
        folder.put(0, b"x" * 7)
    for number in (-1, 1024):
        with pytest.raises(BadRequest):
            folder.put(number, b"x")


@pytest.mark.parametrize("hostile", ["..", "../x", "a/b", "", "a\x00", "/etc", "." * 3, "x" * 65])
def test_no_name_leads_outside(tmp_path: Path, hostile: str) -> None:
    with pytest.raises(ValueError, match="no folder"):
        ImportFolder(tmp_path, AccountId("SHO-P00-0001"), hostile)
    with pytest.raises(ValueError, match="no folder"):
        ImportFolder(tmp_path, AccountId(hostile), "0123456789abcdef")


def test_what_a_crash_left_behind_the_counted_lines_is_cut_off(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    size = folder.append_refused(0, b"1\n2\n")
    folder.append_refused(size, b"uncounted\n")
    size = folder.append_refused(size, b"3\n")
    assert folder.refused(0, size, 10) == ([b"1\n", b"2\n", b"3\n"], 6)
    assert folder.refused(2, size, 1) == ([b"2\n"], 4)


def test_every_state_leads_to_an_end_and_final_ones_nowhere() -> None:
    assert set(MOVES) == set(ImportState)
    for state, moves in MOVES.items():
        assert state not in moves
        assert not moves or ImportState.CANCELLED in moves
    assert all(ImportState.FAILED in MOVES[state] for state in WORKING)
