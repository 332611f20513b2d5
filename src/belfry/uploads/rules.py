"""How a part may be sent in pieces: `Content-Range`, as object stores and resumable uploads have it."""

from __future__ import annotations

import re

import msgspec

from belfry.errors import BadRequest

_PIECE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")
_ASKED = re.compile(r"bytes \*/(?:\d{1,15}|\*)")


class Piece(msgspec.Struct, frozen=True):
    """Bytes `start` up to and with `end` of `total`."""

    start: int
    end: int
    total: int

    @property
    def is_last(self) -> bool:
        return self.end + 1 == self.total


class Question(msgspec.Struct, frozen=True):
    """`bytes */n`: nothing is sent; how much is there?"""


def read_range(header: str | None) -> Piece | Question | None:
    """What a request sends; None: the whole part. Raises BadRequest for a header that says neither."""
    if header is None:
        return None
    if _ASKED.fullmatch(header):
        return Question()
    match = _PIECE.fullmatch(header)
    if match is not None:
        start, end, total = map(int, match.groups())
        if start <= end < total:
            return Piece(start, end, total)
    raise BadRequest(
        "Content-Range needs the form 'bytes start-end/total' with start <= end < total", field="Content-Range"
    )
