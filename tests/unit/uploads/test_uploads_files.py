"""Bytes on disk: whole, in pieces, within limits."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from belfry.errors import Conflict, InternalError, TooLarge, Unavailable
from belfry.uploads.files import UploadFiles
from belfry.uploads.model import Part
from belfry.uploads.rules import Piece

UPLOAD = "0" * 32


@pytest.fixture
def files(tmp_path: Path) -> UploadFiles:
    return UploadFiles(tmp_path / "uploads", bytes_max=100, free_bytes_min=0)


def store(files: UploadFiles, part: int, body: bytes, piece: Piece | None = None) -> Part | None:
    incoming = files.receive(UPLOAD, part, "n", piece)
    incoming.write(body)
    return incoming.finish(part)


def test_parts_are_read_one_after_the_other(files: UploadFiles) -> None:
    parts = [store(files, 1, b"abc"), store(files, 2, b""), store(files, 3, b"de")]
    whole = [part for part in parts if part is not None]
    assert whole[0] == Part(1, 3, hashlib.md5(b"abc").hexdigest())
    with files.read(UPLOAD, whole) as stream:
        assert stream.read() == b"abcde"


def test_a_part_that_is_sent_again_replaces_the_one_before(files: UploadFiles) -> None:
    store(files, 1, b"first")
    part = store(files, 1, b"second")
    assert part is not None
    with files.read(UPLOAD, [part]) as stream:
        assert stream.read() == b"second"


def test_pieces_make_the_same_part_as_the_whole(files: UploadFiles) -> None:
    assert store(files, 1, b"abc", Piece(0, 2, 5)) is None
    assert files.held(UPLOAD, 1) == 3
    assert store(files, 1, b"de", Piece(3, 4, 5)) == Part(1, 5, hashlib.md5(b"abcde").hexdigest())


def test_a_piece_that_was_cut_is_continued_from_what_came(files: UploadFiles) -> None:
    incoming = files.receive(UPLOAD, 1, "n", Piece(0, 4, 5))
    incoming.write(b"ab")
    incoming.abandon()
    with pytest.raises(Conflict) as caught:
        files.receive(UPLOAD, 1, "n", Piece(0, 4, 5))
    assert caught.value.headers == {"Range": "bytes=0-1"}
    assert store(files, 1, b"cde", Piece(2, 4, 5)) is not None


def test_a_body_longer_than_its_range_is_refused_and_leaves_what_was_there(files: UploadFiles) -> None:
    store(files, 1, b"ab", Piece(0, 1, 5))
    incoming = files.receive(UPLOAD, 1, "n", Piece(2, 3, 5))
    with pytest.raises(Conflict):
        incoming.write(b"too long")
    incoming.abandon()
    assert files.held(UPLOAD, 1) == 2


@pytest.mark.parametrize(("size", "fits"), [(100, True), (101, False)])
def test_the_limit_is_kept_whatever_was_announced(files: UploadFiles, size: int, fits: bool) -> None:
    incoming = files.receive(UPLOAD, 1, "n", None)
    if fits:
        incoming.write(b"x" * size)
        assert incoming.finish(1) is not None
        return
    with pytest.raises(TooLarge):
        incoming.write(b"x" * size)
    incoming.abandon()
    assert not any(path.is_file() for path in files._folder.rglob("*"))


def test_a_full_disk_is_said_before_it_is_full(tmp_path: Path) -> None:
    files = UploadFiles(tmp_path, bytes_max=100, free_bytes_min=1 << 60)
    with pytest.raises(Unavailable):
        files.check_space(0)


@pytest.mark.parametrize("upload_id", ["", "..", "../x", "/etc", "0" * 31, "0" * 33, "A" * 32, "0" * 31 + "\n"])
def test_nothing_but_our_own_ids_makes_a_place(files: UploadFiles, upload_id: str) -> None:
    with pytest.raises(InternalError):
        files.receive(upload_id, 1, "n", None)
    with pytest.raises(InternalError):
        files.remove(upload_id)


def test_two_requests_never_append_at_once(files: UploadFiles) -> None:
    first = files.receive(UPLOAD, 1, "n", Piece(0, 4, 5))
    with pytest.raises(Conflict, match="another request"):
        files.receive(UPLOAD, 1, "m", Piece(0, 4, 5))
    first.write(b"abcde")
    assert first.finish(1) is not None
