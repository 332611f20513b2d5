"""The bytes of the log: how an entry becomes a frame in a file, and how a frame is told from damage.

    segment file = segment header, frame, frame, ...
    frame        = prefix (36 bytes), header (msgpack: the entry without its body), body

All numbers are little-endian. `index` and `left` count frames before and after this one in its batch: what was
written together is valid together, so a batch of which the last frame is missing never happened. The prefix's
checksum begins with the stream's salt, a random number that nobody outside knows: bytes in a body that look
like a frame are never taken for one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from belfry.ids import AccountId
from belfry.storage.log.files import Buffer
from belfry.storage.log.model import Entry, Stored

MAGIC = b"\xb3Fr\x01"
_PREFIX = struct.Struct("<4sIIIIQII")
_NUMBERS = struct.Struct("<IIIQII")
_NUMBERS_AT = 8
PREFIX_BYTES = _PREFIX.size

CHUNK_BYTES = 4 * 1024 * 1024
"""Read at once when walking a file: large enough that the system call does not count."""


class _Header(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An entry without its body, as it stands in the frame. Add fields at the end, with a default."""

    account_id: str
    kind: str
    received_at_ms: int
    request_id: str
    meta: dict[str, Any]  # the edge's own facts; values of JSON types


class Payload(msgspec.Struct, frozen=True, gc=False):
    """What of a frame is known before its position is."""

    header: bytes
    body: bytes
    checksum: int

    def frame_bytes(self) -> int:
        return PREFIX_BYTES + len(self.header) + len(self.body)


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One good frame of a file. `header` and `body` are views into the bytes that were read."""

    position: int
    index: int
    left: int
    start: int
    end: int
    header: memoryview
    body: memoryview


class BadFrame(Exception):
    """The bytes at this offset are not a whole, undamaged frame."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(f"byte {offset}: {why}")
        self.offset = offset
        self.why = why


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Header)


def encode(entry: Entry) -> Payload:
    """The parts of a frame that do not depend on its place. Raises TypeError for a meta that is not JSON-like."""
    header = _encoder.encode(_Header(entry.account_id, entry.kind, entry.received_at_ms, entry.request_id, entry.meta))
    return Payload(header, entry.body, zlib.crc32(entry.body, zlib.crc32(header)))


def batch_buffers(payloads: Sequence[Payload], first: int, salt: int) -> list[Buffer]:
    """The bytes of one batch whose entries get positions from `first` on, as buffers to write in order."""
    buffers: list[Buffer] = []
    left = len(payloads)
    for index, payload in enumerate(payloads):
        left -= 1
        numbers = _NUMBERS.pack(payload.checksum, len(payload.header), len(payload.body), first + index, index, left)
        prefix_checksum = zlib.crc32(numbers, salt)
        buffers.append(MAGIC + prefix_checksum.to_bytes(4, "little") + numbers + payload.header)
        if payload.body:
            buffers.append(payload.body)
    return buffers


def decode(frame: Frame) -> Stored:
    """The entry of a frame. Raises BadFrame if a newer version of Belfry wrote it in another shape."""
    try:
        header = _decoder.decode(frame.header)
    except msgspec.MsgspecError as error:
        raise BadFrame(frame.start, f"the entry's header cannot be read ({error})") from None
    entry = Entry(
        AccountId(header.account_id),
        header.kind,
        header.received_at_ms,
        header.request_id,
        header.meta,
        bytes(frame.body),
    )
    return Stored(frame.position, entry)


def walk(
    read: Callable[[int, int], bytes], start: int, limit: int, salt: int, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Frame]:
    """The frames between two offsets, in order, each checked. `read(size, offset)` gives bytes.

    Raises BadFrame where the bytes before `limit` stop being frames; what came before is good.
    """
    offset, wanted = start, chunk_bytes
    while offset < limit:
        size = min(max(wanted, PREFIX_BYTES), limit - offset)
        view = memoryview(read(size, offset))
        if len(view) < size:
            raise BadFrame(offset, f"the file ends at byte {offset + len(view)}, before byte {limit}")
        used = 0
        while isinstance(found := _parse(view, used, offset, salt), Frame):
            yield found
            used = found.end - offset
        offset += used
        if used == 0 and found > limit - offset:
            raise BadFrame(offset, "the frame is not complete")
        wanted = max(found, chunk_bytes)


def later_batch_begins(read: Callable[[int, int], bytes], start: int, limit: int, salt: int, expected: int) -> bool:
    """Whether a frame after `start` belongs to a batch that was begun when `expected` was already on disk.

    A batch is begun only after the one before is synced, so such a frame proves that the bytes in front of it
    were once good. Looks at prefixes alone: cheap, whatever bodies hold.
    """
    offset = start
    while offset + PREFIX_BYTES <= limit:
        data = read(min(CHUNK_BYTES, limit - offset), offset)
        if len(data) < PREFIX_BYTES:
            return False
        at = data.find(MAGIC)
        while 0 <= at <= len(data) - PREFIX_BYTES:
            numbers = _numbers_at(data, at, salt)
            if numbers is not None and numbers[3] - numbers[4] > expected:
                return True
            at = data.find(MAGIC, at + 1)
        offset += len(data) - (PREFIX_BYTES - 1)
    return False


def _parse(view: memoryview, at: int, offset: int, salt: int) -> Frame | int:
    """The frame at `view[at]`, or how many bytes it needs if the view holds fewer."""
    held = len(view) - at
    if held < PREFIX_BYTES:
        return PREFIX_BYTES
    numbers = _numbers_at(view, at, salt)
    if numbers is None:
        raise BadFrame(offset + at, "no frame begins here")
    checksum, header_bytes, body_bytes, position, index, left = numbers
    needed = PREFIX_BYTES + header_bytes + body_bytes
    if held < needed:
        return needed
    content = view[at + PREFIX_BYTES : at + needed]
    if zlib.crc32(content) != checksum:
        raise BadFrame(offset + at, f"the checksum of entry {position} does not match")
    return Frame(
        position, index, left, offset + at, offset + at + needed, content[:header_bytes], content[header_bytes:]
    )


def _numbers_at(data: Buffer, at: int, salt: int) -> tuple[int, int, int, int, int, int] | None:
    magic, prefix_checksum, *_ = _PREFIX.unpack_from(data, at)
    if magic != MAGIC or zlib.crc32(data[at + _NUMBERS_AT : at + PREFIX_BYTES], salt) != prefix_checksum:
        return None
    return _NUMBERS.unpack_from(data, at + _NUMBERS_AT)
