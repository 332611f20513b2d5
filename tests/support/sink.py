"""A webhook endpoint on loopback that keeps what it received, by the id that the sender gave it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


class Sink:
    """Answers 200 after `delay_s`; `status_of(body)` may answer something else."""

    def __init__(self, delay_s: float = 0.0, status_of: Any = None) -> None:
        self.by_key: Counter[str] = Counter()
        self.bodies: dict[str, list[Any]] = {}
        lock = threading.Lock()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
                time.sleep(delay_s)
                status = status_of(body) if status_of else 200
                key = self.headers["Idempotency-Key"]
                with lock:
                    if status == 200:
                        sink.by_key[key] += 1
                    sink.bodies.setdefault(key, []).append(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"

    def first_bodies(self) -> list[Any]:
        return [bodies[0] for bodies in self.bodies.values()]

    def __enter__(self) -> Sink:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
