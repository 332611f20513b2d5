"""Where the embedded engine listens, and the secret that opens it: two files in the data folder.

Both are fresh at every start of the columnar process, so a client that is refused reads them again.
"""

from __future__ import annotations

import os
from pathlib import Path

from belfry.config import Settings
from belfry.storage.columnar.errors import UNREACHABLE, ColumnarUnavailable

USER = "belfry"
DATABASE = "belfry"
PORT_FILE = "columnar.port"
TOKEN_FILE = "columnar.token"  # noqa: S105 - the file's name, not the secret


def embedded_dsn(settings: Settings) -> str:
    """The DSN of the running embedded engine.

    Raises ColumnarUnavailable while the engine has not said yet where it listens.
    """
    folder = settings.path("run")
    try:
        port = int((folder / PORT_FILE).read_text())
        token = (folder / TOKEN_FILE).read_text()
    except (OSError, ValueError) as error:
        raise ColumnarUnavailable("the embedded columnar engine is not running", UNREACHABLE) from error
    return f"clickhouse://{USER}:{token}@127.0.0.1:{port}/{DATABASE}"


def publish(settings: Settings, port: int, token: str) -> None:
    """Tell the other processes. The port comes last: whoever sees it finds its token."""
    folder = settings.path("run")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _replace(folder / TOKEN_FILE, token)
    _replace(folder / PORT_FILE, str(port))


def withdraw(settings: Settings) -> None:
    """Take the address back at the end: nobody sends the secret to whoever gets the port next."""
    for name in (PORT_FILE, TOKEN_FILE):
        settings.path("run", name).unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    """Write whole or not at all, readable by the owner only."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)
