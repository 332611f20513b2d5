"""A PostgreSQL cluster of the tests' own: started once, on loopback, unsafe and fast, gone at the end."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "lc_messages": "C",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
}
"""Durability is PostgreSQL's own promise and not under test; speed is what the tests need."""

START_WITHIN_S = 60


class PostgresMissing(Exception):
    """There is no PostgreSQL server on this machine and none could be installed."""


class Postgres:
    """A running cluster.

    port     on 127.0.0.1; user `belfry`, no password
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def dsn(self, name: str) -> str:
        return f"postgresql://belfry@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, template: str = "template0") -> str:
        """Make a database as a copy of another that nobody is connected to; returns its DSN."""
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.dsn(name)

    def drop(self, name: str) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _run(self, sql: str) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(sql)


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a cluster in a folder of its own; stop it and remove the folder on leaving."""
    binaries = _binaries()
    # Not below pytest's folder: an unprivileged server must be able to reach it.
    folder = Path(tempfile.mkdtemp(prefix="belfry-postgres-"))
    user = _unprivileged_user()
    port = free_port()
    if user is not None:
        shutil.chown(folder, user)
    try:
        data = folder / "data"
        _run(
            [
                str(binaries / "initdb"),
                "--pgdata", str(data),
                "--username", "belfry",
                "--auth", "trust",
                "--encoding", "UTF8",
                "--locale", "C",
                "--no-sync",
            ],
            user,
            folder,
        )  # fmt: skip
        settings = " ".join(f"-c {name}={value}" for name, value in {**FAST, "port": str(port)}.items())
        control = [str(binaries / "pg_ctl"), "--pgdata", str(data)]
        log = str(folder / "server.log")
        start = ["start", "--wait", "--timeout", str(START_WITHIN_S), "--log", log, "--options", settings]
        _run([*control, *start], user, folder)
        try:
            yield Postgres(port)
        finally:
            _run([*control, "stop", "--wait", "--mode", "immediate"], user, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _run(command: list[str], user: str | None, folder: Path) -> None:
    # Output goes to a file: a server that inherits a pipe would keep it open, and us waiting.
    output = folder / "commands.log"
    with output.open("ab") as sink:
        done = subprocess.run(
            command,
            user=user,
            group=None if user is None else pwd.getpwnam(user).pw_gid,
            extra_groups=None if user is None else [],
            cwd=folder,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            timeout=START_WITHIN_S + 30,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {output.read_text(errors='replace')[-2000:]}")


def _unprivileged_user() -> str | None:
    """The server refuses to run as root; anyone else runs it as themselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise PostgresMissing("running as root and there is neither a user `postgres` nor `nobody`")


def _binaries() -> Path:
    found = _find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _install()
        found = _find()
    if found is None:
        raise PostgresMissing("no PostgreSQL server found; install the Debian package `postgresql`")
    return found


def _find() -> Path | None:
    """The newest Debian version first: PATH may hold wrappers that are something else."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version, reverse=True)
    on_path = shutil.which("initdb")
    candidates = [*versions, *([Path(on_path)] if on_path else [])]
    for initdb in candidates:
        if (initdb.parent / "pg_ctl").exists() and (initdb.parent / "postgres").exists():
            return initdb.parent
    return None


def _version(initdb: Path) -> int:
    name = initdb.parent.parent.name
    return int(name) if name.isdigit() else 0


def _install() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"]
    for command in (["apt-get", "update"], install):
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)
