"""A whole Belfry for a bench, in a folder of its own, with one account."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

ACCOUNT, PASSCODE = "BENCH-000-1", "0123456789abcdef0123456789abcdef"


class Server:
    """A started Belfry: its port, its folder, and small requests to it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer of one request."""
        data = None if body is None else msgspec.json.encode(body)
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data,
            {
                "X-CleverTap-Account-Id": ACCOUNT,
                "X-CleverTap-Passcode": PASSCODE,
                "Content-Type": "application/json",
            },
            method=method,
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return msgspec.json.decode(answer.read())


@contextlib.contextmanager
def started(folder: str | None = None, **settings: Any) -> Iterator[Server]:
    """Start Belfry and wait until it is ready; stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="belfry-bench-") as temporary:
        data_dir = Path(folder or temporary)
        environment = {
            **os.environ,
            "BELFRY_PORT": "0",
            "BELFRY_BOOTSTRAP_ACCOUNT": f"{ACCOUNT}:{PASSCODE}",
            "BELFRY_LOG_LEVEL": "warning",
            **{f"BELFRY_{name.upper()}": str(value) for name, value in settings.items()},
        }
        port_file = data_dir / "run" / "edge.port"
        port_file.unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-m", "belfry", "serve", "--data-dir", str(data_dir)], env=environment
        )
        try:
            yield Server(data_dir, _wait_until_ready(process, port_file))
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_until_ready(process: subprocess.Popen[bytes], port_file: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"belfry serve ended with {process.returncode}")
        with contextlib.suppress(OSError, ValueError):
            port = int(port_file.read_text())
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return port
        time.sleep(0.01)
    raise SystemExit("belfry serve was not ready within 60 s")
