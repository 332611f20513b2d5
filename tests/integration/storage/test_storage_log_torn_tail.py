"""Torn tails: whatever happens to the end of the last file, what was whole before it is found again."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belfry.ids import SequentialIds
from belfry.storage.log import LogDamaged
from belfry.storage.log.files import Files
from belfry.storage.log.frames import walk
from belfry.storage.log.segment import HEADER_BYTES, header_of
from support.log_entries import append_each, append_together, bodies_in, open_test_log


class Sample(msgspec.Struct):
    """The bytes of one segment, and where in it each batch ends with how many entries so far."""

    data: bytes
    bodies: list[bytes]
    ends: list[tuple[int, int]]

    def entries_before(self, offset: int) -> int:
        """Entries of the batches that end at or before the offset."""
        return max(entries for end, entries in self.ends if end <= max(offset, HEADER_BYTES))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("torn")
    log = open_test_log(folder)
    for batch in range(6):
        bodies = [bytes([65 + batch]) * (7 * number % 90) for number in range(1 + 3 * (batch % 3))]
        asyncio.run(append_together(log, bodies) if batch % 2 else append_each(log, bodies))
    bodies = bodies_in(log)
    log.close()
    data = (folder / "0" / f"{1:020d}.log").read_bytes()
    return Sample(data, bodies, [(HEADER_BYTES, 0), *ends_of_batches(folder / "0", data)])


def ends_of_batches(folder: Path, data: bytes) -> list[tuple[int, int]]:
    salt = header_of(Files(), folder, 1).salt
    frames = walk(lambda size, offset: data[offset : offset + size], HEADER_BYTES, len(data), salt)
    return [(frame.end, frame.position) for frame in frames if frame.left == 0]


def reopened(data: bytes) -> tuple[list[bytes], int]:
    """What a start makes of these bytes, and the position that it gives next."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "0").mkdir()
        (folder / "0" / f"{1:020d}.log").write_bytes(data)
        log = open_test_log(folder)
        try:
            found = bodies_in(log)
            (position,) = asyncio.run(append_each(log, [b"next"]))
            assert bodies_in(log) == [*found, b"next"]
        finally:
            log.close()
    return found, position


@settings(max_examples=60, deadline=None)
@given(where=st.floats(0, 1))
def test_a_file_cut_at_any_byte_keeps_all_batches_before_the_cut(sample: Sample, where: float) -> None:
    cut = HEADER_BYTES + round(where * (len(sample.data) - HEADER_BYTES))
    entries = sample.entries_before(cut)
    assert reopened(sample.data[:cut]) == (sample.bodies[:entries], entries + 1)


@settings(max_examples=60, deadline=None)
@given(where=st.floats(0, 1), mask=st.integers(1, 255))
def test_a_bad_byte_in_the_last_batch_is_a_torn_tail_and_before_it_is_damage(
    sample: Sample, where: float, mask: int
) -> None:
    at = HEADER_BYTES + round(where * (len(sample.data) - HEADER_BYTES - 1))
    data = bytearray(sample.data)
    data[at] ^= mask
    if at >= sample.ends[-2][0]:
        entries = sample.entries_before(at)
        assert reopened(bytes(data)) == (sample.bodies[:entries], entries + 1)
    else:
        with pytest.raises(LogDamaged) as caught:
            reopened(bytes(data))
        assert sample.entries_before(caught.value.offset) == sample.entries_before(at)
        assert caught.value.offset <= at


@settings(max_examples=30, deadline=None)
@given(where=st.floats(0, 1), damage=st.binary(min_size=1, max_size=60))
def test_a_tail_replaced_by_anything_is_a_torn_tail(sample: Sample, where: float, damage: bytes) -> None:
    cut = HEADER_BYTES + round(where * (len(sample.data) - HEADER_BYTES))
    found, position = reopened(sample.data[:cut] + damage)
    assert found == sample.bodies[: len(found)]
    assert sample.entries_before(cut) <= len(found) == position - 1


@settings(max_examples=40, deadline=None)
@given(garbage=st.binary(min_size=1, max_size=500))
def test_bytes_behind_the_last_batch_are_cut_off(sample: Sample, garbage: bytes) -> None:
    assert reopened(sample.data + garbage) == (sample.bodies, len(sample.bodies) + 1)


@pytest.mark.parametrize("is_salt_known", [False, True])
def test_a_body_that_looks_like_a_log_is_not_taken_for_one(sample: Sample, tmp_path: Path, is_salt_known: bool) -> None:
    """A sender puts frames with high positions into a body, and the power goes while it is written.

    Only who knew the stream's secret salt could make that look like damage.
    """
    ids = SequentialIds()
    if not is_salt_known:
        ids.token_hex(4)
    log = open_test_log(tmp_path, ids=ids)
    asyncio.run(append_each(log, [b"before", sample.data[HEADER_BYTES:]]))
    log.close()
    torn = (tmp_path / "0" / f"{1:020d}.log").read_bytes()[:-1]
    if is_salt_known:
        with pytest.raises(LogDamaged):
            reopened(torn)
    else:
        assert reopened(torn) == ([b"before"], 2)
