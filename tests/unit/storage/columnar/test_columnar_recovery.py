"""Tokens of blocks that a crash kept from arriving are taken back; all others stay."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from belfry.storage.columnar.recovery import Part, lost_records, part_of, take_back_lost_tokens


@pytest.mark.parametrize(
    ("name", "part"),
    [
        pytest.param("202611_5_5_0", Part("202611", 5, 5), id="inserted"),
        pytest.param("202611_1_9_2", Part("202611", 1, 9), id="merged"),
        pytest.param("202611_1_9_2_14", Part("202611", 1, 9), id="mutated"),
        pytest.param("all_7_7_0", Part("all", 7, 7), id="without partitions"),
        pytest.param(
            "9f86d081884c7d659a2feaa0c55ad015_3_3_0", Part("9f86d081884c7d659a2feaa0c55ad015", 3, 3), id="hash"
        ),
        pytest.param("tmp_insert_202611_5_5_0", None, id="unfinished insert"),
        pytest.param("tmp_merge_202611_1_9_2", None, id="unfinished merge"),
        pytest.param("delete_tmp_202611_5_5_0", None, id="being removed"),
        pytest.param("detached", None, id="folder of detached parts"),
        pytest.param("format_version.txt", None, id="file"),
    ],
)
def test_a_folders_name_says_which_blocks_it_holds(name: str, part: Part | None) -> None:
    assert part_of(name) == part


@pytest.mark.parametrize(
    ("recorded", "parts", "is_lost"),
    [
        pytest.param(b"202611_5_5_0", ["202611_5_5_0"], False, id="there"),
        pytest.param(b"202611_5_5_0", ["202611_1_9_2"], False, id="merged into a larger one"),
        pytest.param(b"202611_5_5_0", ["202611_1_4_1", "202611_6_6_0"], True, id="only its neighbours"),
        pytest.param(b"202611_5_5_0", ["202612_5_5_0"], True, id="another month"),
        pytest.param(b"202611_5_5_0", [], True, id="nothing"),
        pytest.param(b"what is this", [], False, id="a name from the future is left alone"),
    ],
)
def test_a_token_is_lost_if_no_part_holds_its_block(recorded: bytes, parts: list[str], is_lost: bool) -> None:
    known = [part for name in parts if (part := part_of(name))]
    assert lost_records([(recorded, b"id")], known) == ([(recorded, b"id")] if is_lost else [])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    folder = tmp_path / "store" / "abc" / "abcdef"
    (folder / "deduplication_logs").mkdir(parents=True)
    (folder / "202611_1_1_0").mkdir()
    return folder


def log(table: Path, number: int = 1) -> Path:
    return table / "deduplication_logs" / f"deduplication_log_{number}.txt"


def test_lost_tokens_get_a_drop_record_in_the_newest_file(tmp_path: Path, table: Path) -> None:
    log(table).write_bytes(b"1\t202611_1_1_0\tone\n1\t202611_2_2_0\ttwo\n")
    log(table, 10).write_bytes(b"1\t202611_3_3_0\tthree\n")
    assert take_back_lost_tokens(tmp_path) == 2
    assert log(table, 10).read_bytes() == (b"1\t202611_3_3_0\tthree\n2\t202611_2_2_0\ttwo\n2\t202611_3_3_0\tthree\n")
    assert take_back_lost_tokens(tmp_path) == 0, "a second start finds nothing to do"


def test_a_token_that_was_dropped_already_is_not_dropped_again(tmp_path: Path, table: Path) -> None:
    text = b"1\t202611_2_2_0\ttwo\n2\t202611_2_2_0\ttwo\n"
    log(table).write_bytes(text)
    assert take_back_lost_tokens(tmp_path) == 0
    assert log(table).read_bytes() == text


def test_a_torn_last_record_is_cut_off(tmp_path: Path, table: Path) -> None:
    log(table).write_bytes(b"1\t202611_1_1_0\tone\n1\t202611_2")
    take_back_lost_tokens(tmp_path)
    assert log(table).read_bytes() == b"1\t202611_1_1_0\tone\n"


def test_a_folder_that_an_engine_uses_is_left_alone(tmp_path: Path, table: Path) -> None:
    log(table).write_bytes(b"1\t202611_2_2_0\ttwo\n")
    with (tmp_path / "status").open("ab") as status:
        fcntl.flock(status, fcntl.LOCK_EX)
        with pytest.raises(RuntimeError, match="in use by another columnar process"):
            take_back_lost_tokens(tmp_path)
    assert log(table).read_bytes() == b"1\t202611_2_2_0\ttwo\n"


def test_a_new_folder_needs_nothing(tmp_path: Path) -> None:
    assert take_back_lost_tokens(tmp_path) == 0
