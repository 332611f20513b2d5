"""Request bodies: read within a limit, decoded within the same limit."""

from __future__ import annotations

import io
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import zstandard

from belfry.errors import BadRequest, TooLarge, UnsupportedMedia

CHUNK_BYTES = 256 * 1024
ZSTD_WINDOW_BYTES_MAX = 16 * 1024 * 1024
FORM = b"application/x-www-form-urlencoded"
NEVER_JSON = (b"multipart/form-data", b"application/octet-stream+hpke")
SERVED = "gzip, deflate, zstd, identity"

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGone(Exception):
    """The client closed the connection before its request was whole. Nobody waits for an answer."""


async def read(receive: Receive, headers: dict[bytes, bytes], bytes_max: int) -> bytes:
    """The body as JSON bytes, whatever its Content-Encoding.

    bytes_max  for what comes over the wire and for what is decoded from it
    Raises TooLarge, UnsupportedMedia (a form, an encrypted body, another encoding), BadRequest (broken
    compression), ClientGone. A missing or wrong Content-Type is no reason to refuse (server-api 1.6).
    """
    media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media in NEVER_JSON:
        raise _unserved(media)
    encoding = headers.get(b"content-encoding", b"").strip().lower()
    raw = await _read_raw(receive, headers, bytes_max)
    whole = raw if encoding in (b"", b"identity") else decode(raw, encoding.decode("latin-1"), bytes_max)
    # curl and many a script call JSON a form, because that is their default; only a real form is refused.
    if media == FORM and whole.lstrip()[:1] not in (b"{", b"["):
        raise _unserved(media)
    return whole


async def stream(receive: Receive) -> AsyncIterator[bytes]:
    """The body's bytes as they come, not decoded. Raises ClientGone if the client leaves before the end."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body", False):
            return


def decode(raw: bytes, encoding: str, bytes_max: int) -> bytes:
    """Decompress, and stop as soon as the limit is passed: a bomb costs no more than an honest body."""
    try:
        match encoding:
            case "gzip" | "x-gzip":
                return _inflate(raw, 31, bytes_max)
            case "deflate":
                # The standard means zlib's format; some clients send the bare stream.
                return _inflate(raw, 15 if raw[:1] and raw[0] & 0x0F == 8 else -15, bytes_max)
            case "zstd":
                return _unzstd(raw, bytes_max)
    except (zlib.error, zstandard.ZstdError, EOFError):
        raise BadRequest(f"Body is not valid {encoding} data", field="Content-Encoding") from None
    raise UnsupportedMedia(
        f"Content-Encoding {encoding[:40]} is not served, only {SERVED}", field="Content-Encoding", limit=SERVED
    )


def too_large(bytes_max: int, received: str) -> TooLarge:
    return TooLarge(f"Request body exceeds {bytes_max} bytes: {received}", field="body", limit=bytes_max)


async def _read_raw(receive: Receive, headers: dict[bytes, bytes], bytes_max: int) -> bytes:
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > bytes_max:
        raise too_large(bytes_max, f"{int(announced)} announced")
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        whole: bytes = message.get("body", b"")
        if len(whole) > bytes_max:
            raise too_large(bytes_max, f"{len(whole)} received")
        return whole
    return await _read_chunks(message, receive, bytes_max)


async def _read_chunks(message: MutableMapping[str, Any], receive: Receive, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise too_large(bytes_max, f"{size} received so far")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
        message = await receive()


def _unserved(media: bytes) -> UnsupportedMedia:
    return UnsupportedMedia(
        f"Content-Type {media.decode('latin-1')} is not served, send application/json", field="Content-Type"
    )


def _inflate(raw: bytes, window_bits: int, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size, rest = 0, raw
    # A gzip body may consist of several members, one after the other.
    while rest:
        stream = zlib.decompressobj(window_bits)
        while True:
            part = stream.decompress(rest, CHUNK_BYTES)
            size += len(part)
            if size > bytes_max:
                raise too_large(bytes_max, "after decoding")
            parts.append(part)
            if stream.eof:
                break
            rest = stream.unconsumed_tail
            if not part and not rest:
                raise EOFError
        rest = stream.unused_data if window_bits == 31 else b""
    return b"".join(parts)


def _unzstd(raw: bytes, bytes_max: int) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
    parts: list[bytes] = []
    size = 0
    with decompressor.stream_reader(io.BytesIO(raw), read_across_frames=True) as reader:
        while part := reader.read(CHUNK_BYTES):
            size += len(part)
            if size > bytes_max:
                raise too_large(bytes_max, "after decoding")
            parts.append(part)
    return b"".join(parts)
