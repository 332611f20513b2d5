"""The server's own answers as the envelope: what no ASGI application gets to see (server-api 11, consequence 1)."""

from __future__ import annotations

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_REFUSAL = msgspec.json.encode(
    {"status": "fail", "error": "The request is not valid HTTP, or its line or headers exceed 64 KiB", "code": 400}
)


class EnvelopeProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which answers in JSON also when it cannot read a request."""

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, and close the connection."""
        head = (
            b"HTTP/1.1 400 Bad Request\r\n"
            b"content-type: application/json;charset=utf-8\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n"
        ) % len(_REFUSAL)
        self.transport.write(head + _REFUSAL)
        self.transport.close()
