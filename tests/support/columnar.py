"""The embedded columnar engine as a process of the tests."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from belfry.config import Settings
from belfry.storage.columnar.address import embedded_dsn

START_WITHIN_S = 30
STOP_WITHIN_S = 30

_PROGRAM = """
import ctypes, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: does not outlive the tests
import msgspec
from belfry.config import Settings
from belfry.storage.columnar.embedded import run_embedded
run_embedded(msgspec.json.decode(sys.argv[1], type=Settings), 0, lambda: None)
"""


class EmbeddedEngine:
    """A columnar process over one data folder; may be killed and started again."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._log = settings.path("columnar-process.log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the engine is not running"
        return self._process.pid

    def start(self) -> str:
        """Start and wait until it answers; returns the DSN of its default database."""
        import msgspec

        assert self._process is None, "the engine is running already"
        Path(self.settings.data_dir).mkdir(parents=True, exist_ok=True)
        port_file = self.settings.path("run", "columnar.port")
        port_file.unlink(missing_ok=True)
        argument = msgspec.json.encode(self.settings).decode()
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, argument],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        deadline = time.monotonic() + START_WITHIN_S
        while not port_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the columnar process did not start: {self.log()}")
            time.sleep(0.02)
        return embedded_dsn(self.settings)

    def stop(self) -> int:
        """Ask it to stop and wait; returns its exit code."""
        assert self._process is not None, "the engine is not running"
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise RuntimeError(f"the columnar process did not stop: {self.log()}") from None

    def kill(self) -> None:
        """`kill -9`, as a crash."""
        assert self._process is not None, "the engine is not running"
        process, self._process = self._process, None
        process.kill()
        process.wait()

    def log(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    @property
    def is_running(self) -> bool:
        return self._process is not None


@contextlib.contextmanager
def running_engine(settings: Settings) -> Iterator[EmbeddedEngine]:
    """An engine that is stopped on leaving, whatever happened to it in between."""
    engine = EmbeddedEngine(settings)
    engine.start()
    try:
        yield engine
    finally:
        if engine.is_running:
            engine.stop()
