"""The data folder has one owner; a role that dies is started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from belfry.supervisor import AlreadyRunning, lock_folder

PROGRAM = """
import pathlib, signal, sys, time
from belfry.supervisor import Role, Supervisor
folder = pathlib.Path(sys.argv[1])
def role(name):
    def run():
        stopped = []
        signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
        with (folder / f"{name}.starts").open("a") as file:
            file.write("x")
        while not stopped:
            time.sleep(0.01)
        with (folder / "stops").open("a") as file:
            file.write(name + " ")
    return Role(name, run)
Supervisor([role("a"), role("b")], run_dir=folder, stop_order=["b", "a"], stop_within_s=5).run()
"""


def wait_for(path: Path, content: str) -> None:
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text() == content):
        assert time.monotonic() < deadline, f"{path} never held {content!r}"
        time.sleep(0.01)


@pytest.fixture
def supervised(tmp_path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)])


def test_a_dead_role_is_started_again_and_roles_stop_in_order(
    supervised: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    wait_for(tmp_path / "a.starts", "x")
    wait_for(tmp_path / "b.starts", "x")
    os.kill(int((tmp_path / "a.pid").read_text()), signal.SIGKILL)
    wait_for(tmp_path / "a.starts", "xx")
    supervised.terminate()
    assert supervised.wait(20) == 0
    assert (tmp_path / "stops").read_text() == "b a "
    assert (tmp_path / "b.starts").read_text() == "x"


def test_roles_leave_when_their_parent_was_killed(supervised: subprocess.Popen[bytes], tmp_path: Path) -> None:
    wait_for(tmp_path / "b.starts", "x")
    pid = int((tmp_path / "b.pid").read_text())
    supervised.kill()
    supervised.wait()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_folder_in_use_is_refused_at_once_and_free_again_afterwards(tmp_path: Path) -> None:
    with lock_folder(tmp_path), pytest.raises(AlreadyRunning, match=str(os.getpid())):
        lock_folder(tmp_path)
    lock_folder(tmp_path).close()
