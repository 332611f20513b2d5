"""The installation's secret: one file, made at the first start, readable by its owner alone.

Passcode hashes, message ids and cursors are keyed with it. Lost, every passcode has to be issued again; so it
belongs into the backup of the data folder, and nowhere else.
"""

from __future__ import annotations

import os
from pathlib import Path

from belfry.config import ConfigError
from belfry.ids import Ids

FILE_NAME = "secret"
SECRET_BYTES = 32


def load_or_create(path: Path, ids: Ids) -> bytes:
    """The secret in this file; the file is made if it does not exist. Processes that start together agree.

    Raises ConfigError if the file cannot be read or does not hold 64 hex digits.
    """
    if not path.exists():
        _create(path, ids.token_hex(SECRET_BYTES), aside=path.with_name(f"{path.name}.{ids.token_hex(8)}"))
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise ConfigError(f"cannot read the installation's secret {path}: {error.strerror}") from None
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise ConfigError(
            f"the installation's secret {path} does not hold {2 * SECRET_BYTES} hex digits; restore it from a backup: "
            "with another one, every passcode has to be issued again"
        )
    return secret


def _create(path: Path, text: str, *, aside: Path) -> None:
    # Written aside and linked into place: another process sees the whole file or none, and the first one wins.
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, text.encode("ascii"))
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
