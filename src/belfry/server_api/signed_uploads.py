"""`PUT /ul/<token>`: the bytes of a file by signed URL, streamed to disk (server-api 9.1).

No account headers: the token is the credential. The answer is an object store's: 200, an `ETag`, no body. With
`Content-Range` a part may be sent in pieces; 202 and `Range` say how much of it is there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from belfry.edge.exchange import Answer, Header, Request
from belfry.edge.routes import PUBLIC, Document, Route
from belfry.edge.services import Services
from belfry.edge.threads import Threads
from belfry.errors import BadRequest
from belfry.uploads.actions import PATH, Received, Receiving, Uploads
from belfry.uploads.files import range_text

WRITE_BYTES = 1024 * 1024
"""Bytes that go to a thread together: a hop for each chunk of the socket would cost more than the disk."""


class SignedUploadEndpoint:
    """Takes files."""

    def __init__(self, uploads: Uploads, threads: Threads) -> None:
        self._uploads = uploads
        self._threads = threads

    async def handle(self, request: Request) -> Answer:
        """Take one part, or a piece of it. Raises Forbidden, TooLarge, Conflict, Unavailable."""
        if request.chunks is None:
            raise RuntimeError("this route needs to stream")
        receiving = await self._threads.run(
            self._uploads.begin,
            request.path_parameter("token"),
            content_range=request.header(b"content-range"),
            content_length=_length_of(request),
        )
        try:
            await self._write(receiving, request.chunks)
            received = await self._threads.run(self._uploads.end, receiving)
        except BaseException:
            # Also when the client leaves or the process stops: half a file is no file, half a piece can go on.
            if receiving.incoming is not None:
                receiving.incoming.abandon()
            raise
        return _answer(received)

    async def _write(self, receiving: Receiving, chunks: AsyncIterator[bytes]) -> None:
        async for block in blocks(chunks):
            if receiving.incoming is None:
                raise BadRequest("a request that asks how much is there has no body", field="Content-Range")
            await self._threads.run(receiving.incoming.write, block)


async def blocks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Chunks joined to blocks of about a megabyte."""
    held: list[bytes] = []
    size = 0
    async for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= WRITE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def upload_url(services: Services, request: Request, token: str) -> str:
    """The URL of a token: under the address that the installation is configured with, else as it was called."""
    base = services.settings.public_url.rstrip("/")
    if not base:
        scheme = (request.header(b"x-forwarded-proto") or "http").partition(",")[0].strip().lower()
        host = request.header(b"host") or f"{services.settings.host}:{services.settings.port}"
        base = f"{'https' if scheme == 'https' else 'http'}://{host}"
    return f"{base}{PATH}{token}"


def signed_upload_routes(services: Services) -> tuple[Route, ...]:
    """The one route that streams."""
    endpoint = SignedUploadEndpoint(services.uploads, services.uploading)
    return (
        Route(
            path=PATH + "{token}",
            method="PUT",
            access=PUBLIC,
            handler=endpoint.handle,
            streams=True,
            document=Document(
                summary="Send a file by a signed URL",
                description=(
                    "Without account headers: the URL is the credential, for 24 hours. `Content-Type` is ignored. "
                    "With `Content-Range: bytes start-end/total` in pieces, each answered 202 with `Range` until the "
                    "last; `bytes */total` asks how much is there."
                ),
                statuses={"202": "The piece is there, others are to come; `Range` says how much is there"},
                failures={
                    "400": "Content-Range cannot be read",
                    "403": "The URL is unknown, expired, or its upload was completed",
                    "409": "The piece does not follow what is there; `Range` says what is",
                    "413": "The file is over the limit",
                    "503": "There is no room on the disk now",
                },
            ),
        ),
    )


def _answer(received: Received) -> Answer:
    headers: tuple[Header, ...] = ()
    if received.part is not None:
        return Answer(200, b"", ((b"etag", f'"{received.part.etag}"'.encode()),))
    if received.held:
        headers = ((b"range", range_text(received.held).encode()),)
    return Answer(202, b"", headers)


def _length_of(request: Request) -> int | None:
    text = request.header(b"content-length") or ""
    return int(text) if text.isascii() and text.isdecimal() else None
