"""The demo's partner: a webhook endpoint on loopback that counts messages by id and misbehaves on purpose."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    """Connections that wait to be taken: the dispatcher opens many at once, and a refused one would be retried."""


class Endpoint:
    """Receives webhook calls on `127.0.0.1:<port>/hook`.

    Of the recipients it answers 503 to some once (they are retried), 400 to a few for ever (they are final), and
    200 to the rest. The choice follows from the identity, so that the demo knows what to expect.
    """

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.refused: set[str] = set()
        self.stumbled: set[str] = set()
        self.samples: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                status = endpoint.take(self.headers.get("Idempotency-Key", ""), json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing: the demo prints the summary."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, key: str, message: dict[str, Any]) -> int:
        """Answer one call: the status. A message that was taken before is answered 200 and counted again."""
        identity = str(message.get("customer", ""))
        with self._lock:
            if refuses(identity):
                self.refused.add(identity)
                return 400
            if stumbles(identity) and identity not in self.stumbled:
                self.stumbled.add(identity)
                return 503
            self.taken[key] += 1
            if len(self.samples) < 3:
                self.samples.append(message)
            return 200


def refuses(identity: str) -> bool:
    """Whether the endpoint declines this recipient for good."""
    return identity.endswith("77")


def stumbles(identity: str) -> bool:
    """Whether the endpoint fails at the first try for this recipient."""
    return identity.endswith(("13", "31"))
