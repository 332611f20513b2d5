"""One parent process that keeps a list of roles running.

Each role is a child process. A child that dies is started again (with growing pauses when it dies at once);
when the parent dies, however it dies, its children notice and leave. SIGTERM and SIGINT stop the roles one
after another in the given order, so that what is accepted is still applied. Knows nothing of what roles do.
"""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import IO

import structlog

from belfry.errors import BelfryError

log = structlog.get_logger(__name__)

RESTART_PAUSE_S = (0.0, 0.2, 1.0, 3.0)
STABLE_AFTER_S = 10.0
LOCK_WAIT_S = 10.0


class AlreadyRunning(BelfryError):
    """Another Belfry uses this data folder."""


class Role:
    """One child: its name and what it runs. `run` returns when it was told to stop by SIGTERM."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        self.name = name
        self.run = run
        self.process: ForkProcess | None = None
        self.started_at = 0.0
        self.quick_deaths_count = 0


class Supervisor:
    """Runs roles until told to stop.

    roles           started in this order, stopped in the order of `stop_order`
    run_dir         where `<role>.pid` files go, for operators and tests
    stop_within_s   after this the roles that still run are killed
    """

    def __init__(
        self, roles: Sequence[Role], *, run_dir: Path, stop_order: Sequence[str], stop_within_s: float
    ) -> None:
        self._roles = list(roles)
        self._run_dir = run_dir
        self._stop_order = list(stop_order)
        self._stop_within_s = stop_within_s
        self._stopping = False
        self._context = multiprocessing.get_context("fork")
        self._life_read, self._life_write = os.pipe()

    def run(self) -> None:
        """Start the roles, keep them running, return after they have stopped."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        try:
            for role in self._roles:
                self._start(role)
            while not self._stopping:
                self._wait_for_death()
                self._revive()
        finally:
            # Also when the parent itself fails: it must not leave roles behind, nor wait for them for ever.
            self._stop_all()

    def _on_stop(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _start(self, role: Role) -> None:
        role.process = self._context.Process(target=self._child, args=(role,), name=f"belfry-{role.name}")
        role.process.start()
        role.started_at = time.monotonic()
        (self._run_dir / f"{role.name}.pid").write_text(str(role.process.pid), encoding="ascii")

    def _child(self, role: Role) -> None:
        os.close(self._life_write)
        # A terminal's Ctrl-C reaches the whole group; only the parent decides who stops when.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threading.Thread(target=_leave_with_parent, args=(self._life_read,), daemon=True).start()
        role.run()

    def _wait_for_death(self) -> None:
        sentinels = [role.process.sentinel for role in self._roles if role.process is not None]
        with contextlib.suppress(InterruptedError):
            multiprocessing.connection.wait(sentinels, timeout=0.5)

    def _revive(self) -> None:
        for role in self._roles:
            process = role.process
            if self._stopping or process is None or process.is_alive():
                continue
            lived_s = time.monotonic() - role.started_at
            role.quick_deaths_count = 0 if lived_s > STABLE_AFTER_S else role.quick_deaths_count + 1
            pause_s = RESTART_PAUSE_S[min(role.quick_deaths_count, len(RESTART_PAUSE_S) - 1)]
            log.error("role died, starting it again", role=role.name, exit_code=process.exitcode, pause_s=pause_s)
            _sleep_unless(lambda: self._stopping, pause_s)
            if not self._stopping:
                self._start(role)

    def _stop_all(self) -> None:
        deadline = time.monotonic() + self._stop_within_s
        for name in self._stop_order:
            for role in self._roles:
                if role.name == name and role.process is not None and role.process.is_alive():
                    role.process.terminate()
                    role.process.join(max(deadline - time.monotonic(), 0.1))
        for role in self._roles:
            if role.process is not None and role.process.is_alive():
                log.error("role did not stop in time, killing it", role=role.name)
                role.process.kill()
                role.process.join()


def _sleep_unless(stopping: Callable[[], bool], pause_s: float) -> None:
    deadline = time.monotonic() + pause_s
    while not stopping() and time.monotonic() < deadline:
        time.sleep(0.05)


def _leave_with_parent(life: int) -> None:
    # The parent never writes: reading returns only when its end is closed, that is, when the parent is gone.
    os.read(life, 1)
    log.error("parent process is gone, leaving")
    os.kill(os.getpid(), signal.SIGKILL)


def lock_folder(folder: Path) -> IO[str]:
    """Take a data folder for this process and its children until they are all gone.

    Raises AlreadyRunning at once if a living process holds it; waits up to 10 s for children of a parent that
    was killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "belfry.lock"
    file = path.open("a+", encoding="ascii")
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip()
            if time.monotonic() > deadline or (holder.isdigit() and _is_alive(int(holder))):
                file.close()
                raise AlreadyRunning(
                    f"the data folder {folder} is in use by process {holder or '?'}; "
                    "stop it, or start this one with another --data-dir"
                ) from None
            time.sleep(0.1)
        else:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            return file


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
