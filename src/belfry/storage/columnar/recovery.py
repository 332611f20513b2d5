"""What the embedded engine does not repair by itself after a crash.

A block's token is written to the table's deduplication log just before its part is moved into place (seen with
strace, engine 26.5). Killed in between, the engine remembers a block that it does not have, and would take the
repeated insert for a duplicate: the block would be lost. So, before the engine opens the folder, tokens whose
part is nowhere are taken back.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

_ADDED, _DROPPED = b"1", b"2"
_PART = re.compile(r"(?P<partition>.+?)_(?P<first>\d+)_(?P<last>\d+)_(?P<level>\d+)(?:_\d+)?\Z")


class Part(msgspec.Struct, frozen=True):
    """A part's name: which blocks of which partition it holds. A merged part holds those of what it came from."""

    partition: str
    first: int
    last: int


def take_back_lost_tokens(folder: Path) -> int:
    """Forget tokens of blocks that did not arrive; returns how many records were taken back.

    folder   of an engine that does not run: raises RuntimeError if one does
    """
    with _locked(folder):
        return sum(_repair_table(logs) for logs in folder.glob("store/*/*/deduplication_logs"))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock that a running engine holds."""
    with (folder / "status").open("ab") as status:
        try:
            fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"{folder} is in use by another columnar process; stop it first") from None
        yield


def part_of(name: str) -> Part | None:
    """The part that a folder of this name holds; None for what is no part (temporary, detached)."""
    found = _PART.match(name)
    if found is None or name.startswith(("tmp", "delete_tmp")):
        return None
    return Part(found["partition"], int(found["first"]), int(found["last"]))


def lost_records(records: Iterable[tuple[bytes, bytes]], parts: Iterable[Part]) -> list[tuple[bytes, bytes]]:
    """Of (part name, block id) records those whose blocks are in no part."""
    by_partition = defaultdict(list)
    for part in parts:
        by_partition[part.partition].append(part)

    def is_there(name: bytes) -> bool:
        wanted = part_of(name.decode())
        return wanted is None or any(
            part.first <= wanted.first and wanted.last <= part.last for part in by_partition[wanted.partition]
        )

    return [(name, block) for name, block in records if not is_there(name)]


def _repair_table(logs: Path) -> int:
    files = sorted(logs.glob("deduplication_log_*.txt"), key=lambda file: int(file.stem.rpartition("_")[2]))
    if not files:
        return 0
    _cut_torn_line(files[-1])
    parts = [part for entry in logs.parent.iterdir() if (part := part_of(entry.name))]
    lost = lost_records(_remembered(files), parts)
    if lost:
        with files[-1].open("ab") as log:
            log.writelines(b"%s\t%s\t%s\n" % (_DROPPED, name, block) for name, block in lost)
    return len(lost)


def _cut_torn_line(file: Path) -> None:
    """A record that was being written when the power failed would make the engine ignore those after it."""
    text = file.read_bytes()
    whole = text.rfind(b"\n") + 1
    if whole < len(text):
        with file.open("r+b") as log:
            log.truncate(whole)


def _remembered(files: Iterable[Path]) -> list[tuple[bytes, bytes]]:
    """(part name, block id) of every token that counts, as the engine reads the files."""
    names: dict[bytes, bytes] = {}
    for file in files:
        for line in file.read_bytes().splitlines():
            operation, name, block = line.split(b"\t")
            if operation == _ADDED:
                names[block] = name
            else:
                names.pop(block, None)
    return [(name, block) for block, name in names.items()]
