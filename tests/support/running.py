"""A whole Belfry as a user runs it: `belfry serve` on a folder, spoken to over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ACCOUNT, PASSCODE = "TEST-W9R-486", "0123456789abcdef0123456789abcdef"
START_WITHIN_S = 30


class Answer:
    """Status, headers (lower-case names) and body of one answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """One started Belfry. `request` uses a connection of its own; safe from several threads."""

    def __init__(self, data_dir: Path, **settings: Any) -> None:
        self.data_dir = data_dir
        self._settings = {
            "port": 0,
            "bootstrap_account": f"{ACCOUNT}:{PASSCODE}",
            "log_level": "warning",
            "webhook_retry_delays_s": "0.2,0.5,1",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        (self.data_dir / "run" / "edge.port").unlink(missing_ok=True)
        environment = {f"BELFRY_{name.upper()}": str(value) for name, value in self._settings.items()}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "belfry", "serve", "--data-dir", str(self.data_dir)],
            env={**os.environ, **environment},
            start_new_session=True,
        )
        try:
            self.wait_until_ready()
        except BaseException:
            self.kill_all()
            raise

    def wait_until_ready(self, within_s: float = START_WITHIN_S) -> None:
        wait_for(self._is_ready, within_s, "Belfry to be ready")

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"belfry serve ended with {self._process.returncode}")
        try:
            self.port = int((self.data_dir / "run" / "edge.port").read_text())
            return self.request("GET", "/readyz", authenticated=False).status == 200
        except (OSError, ValueError, http.client.HTTPException):
            return False

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        authenticated: bool = True,
        timeout_s: float = 30,
    ) -> Answer:
        sent = {"X-CleverTap-Account-Id": ACCOUNT, "X-CleverTap-Passcode": PASSCODE} if authenticated else {}
        sent |= headers or {}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        with contextlib.closing(connection):
            connection.request(method, path, body=data, headers=sent)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read())

    def pid(self, role: str) -> int:
        return int((self.data_dir / "run" / f"{role}.pid").read_text())

    def kill(self, role: str) -> None:
        """SIGKILL one role (`edge`, `engine`, `columnar`); the supervisor starts it again."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid(role), signal.SIGKILL)

    def kill_all(self) -> None:
        """SIGKILL the parent; its children leave by themselves."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=30)


@contextlib.contextmanager
def running(data_dir: Path, **settings: Any) -> Iterator[Running]:
    """A Belfry that is ready; stopped at the end."""
    belfry = Running(data_dir, **settings)
    belfry.start()
    try:
        yield belfry
    finally:
        with contextlib.suppress(ProcessLookupError):
            belfry.stop()


def wait_for(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Poll until the condition holds; fails with what was waited for."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within_s} s for {what}")
        time.sleep(0.02)
