"""The bytes of the log: frames, the writing of many buffers, segment headers, the watermark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.ids import AccountId
from belfry.storage.log.files import BUFFERS_MAX, Buffer, Files, write_all
from belfry.storage.log.frames import BadFrame, Frame, batch_buffers, decode, encode, later_batch_begins, walk
from belfry.storage.log.model import Entry, LogDamaged
from belfry.storage.log.segment import (
    HEADER_BYTES,
    SegmentHeader,
    create_segment,
    header_of,
    list_segments,
    remove_unfinished,
    segment_path,
)
from belfry.storage.log.watermark import Watermark, WatermarkFile
from support.log_entries import entry_of

SALT = 0xC0FFEE

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
entries = st.builds(
    Entry,
    account_id=st.text(max_size=40).map(AccountId),
    kind=st.sampled_from(["upload", "command"]),
    received_at_ms=st.integers(0, 2**53),
    request_id=st.text(max_size=40),
    meta=st.dictionaries(st.text(), json_values, max_size=4),
    body=st.binary(max_size=300),
)


def bytes_of(batches: Sequence[Sequence[Entry]], first: int = 1) -> bytes:
    data = b""
    for batch in batches:
        data += b"".join(batch_buffers([encode(entry) for entry in batch], first, SALT))
        first += len(batch)
    return data


def frames_of(data: bytes, chunk_bytes: int = 1 << 20, salt: int = SALT) -> list[Frame]:
    return list(walk(lambda size, offset: data[offset : offset + size], 0, len(data), salt, chunk_bytes))


@given(batch=st.lists(entries, min_size=1, max_size=5), first=st.integers(1, 2**60), chunk_bytes=st.integers(1, 400))
def test_entries_come_back_from_their_frames_however_they_are_read(
    batch: list[Entry], first: int, chunk_bytes: int
) -> None:
    frames = frames_of(bytes_of([batch], first), chunk_bytes)
    assert [decode(frame).entry for frame in frames] == batch
    assert [frame.position for frame in frames] == [first + index for index in range(len(batch))]
    assert [(frame.index, frame.left) for frame in frames] == [
        (index, len(batch) - 1 - index) for index in range(len(batch))
    ]


@given(body=st.binary(max_size=100), where=st.floats(0, 1), mask=st.integers(1, 255))
def test_no_changed_byte_passes_the_checks(body: bytes, where: float, mask: int) -> None:
    data = bytearray(bytes_of([[entry_of(body)]]))
    data[round(where * (len(data) - 1))] ^= mask
    with pytest.raises(BadFrame):
        frames_of(bytes(data))


def test_frames_of_another_stream_are_no_frames() -> None:
    with pytest.raises(BadFrame, match="no frame begins here"):
        frames_of(bytes_of([[entry_of(b"x")]]), salt=SALT + 1)


@pytest.mark.parametrize(
    ("expected", "is_later"),
    [
        pytest.param(1, True, id="the second batch begins behind entry 1"),
        pytest.param(2, True, id="and behind entry 2"),
        pytest.param(3, False, id="entry 3 is of that batch itself"),
        pytest.param(5, False, id="nothing begins behind entry 5"),
    ],
)
def test_a_later_batch_is_one_that_began_after_the_expected_entry_was_on_disk(expected: int, is_later: bool) -> None:
    data = b"torn" + bytes_of([[entry_of(b"1"), entry_of(b"2")], [entry_of(b"3"), entry_of(b"4"), entry_of(b"5")]])
    found = later_batch_begins(lambda size, offset: data[offset : offset + size], 0, len(data), SALT, expected)
    assert found == is_later


class SlowTaker(Files):
    """Takes only some of what it is given."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.taken: dict[int, bytes] = {}
        self.buffers_seen = 0

    def write_at(self, fd: int, buffers: Sequence[Buffer], offset: int) -> int:
        self.buffers_seen = max(self.buffers_seen, len(buffers))
        self.taken[offset] = b"".join(buffers)[: self.bytes_max]
        return len(self.taken[offset])


@given(buffers=st.lists(st.binary(max_size=20), max_size=20), bytes_max=st.integers(1, 50))
def test_every_byte_is_written_once_however_little_is_taken_at_a_time(buffers: list[bytes], bytes_max: int) -> None:
    files = SlowTaker(bytes_max)
    whole = b"".join(buffers)
    assert write_all(files, 0, buffers, 7) == 7 + len(whole)
    assert b"".join(files.taken[offset] for offset in sorted(files.taken)) == whole


def test_one_write_never_has_more_buffers_than_the_system_takes() -> None:
    files = SlowTaker(1 << 20)
    write_all(files, 0, [b"x"] * 5_000, 0)
    assert files.buffers_seen == BUFFERS_MAX


def test_a_segment_has_its_name_only_when_its_header_is_whole(tmp_path: Path) -> None:
    files = Files()
    header = SegmentHeader(first=7, previous_last=6, created_at_ms=1, salt=SALT)
    create_segment(files, tmp_path, header).close()
    (tmp_path / f"{9:020d}.new").write_bytes(b"a crash came here")
    assert list_segments(files, tmp_path) == [7]
    assert header_of(files, tmp_path, 7) == header
    remove_unfinished(files, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{7:020d}.log"]


@pytest.mark.parametrize("at", range(0, HEADER_BYTES, 3))
def test_a_damaged_segment_header_is_named(tmp_path: Path, at: int) -> None:
    files = Files()
    create_segment(files, tmp_path, SegmentHeader(1, 0, 1, SALT)).close()
    path = segment_path(tmp_path, 1)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(LogDamaged, match="header") as caught:
        header_of(files, tmp_path, 1)
    assert (caught.value.file, caught.value.offset) == (str(path), 0)


def test_the_watermark_says_what_was_published_last(tmp_path: Path) -> None:
    watermark = WatermarkFile(Files(), tmp_path)
    assert watermark.read() == Watermark(0, 0, 0)
    watermark.publish(Watermark(9, 4, 1234))
    watermark.close()
    again = WatermarkFile(Files(), tmp_path)
    assert again.read() == Watermark(9, 4, 1234)
    again.close()


@pytest.mark.parametrize("data", [b"", b"\x00" * 36, b"BFMARK01" + b"\x01" * 28], ids=["empty", "zeros", "torn"])
def test_a_watermark_that_cannot_be_trusted_says_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "watermark").write_bytes(data)
    watermark = WatermarkFile(Files(), tmp_path)
    assert watermark.read() is None
    watermark.close()
