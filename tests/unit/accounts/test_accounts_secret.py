"""The installation's secret, and the hashes that are keyed with it."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from belfry.accounts.hashing import PasscodeHasher
from belfry.accounts.secret import load_or_create
from belfry.config import ConfigError
from belfry.ids import SequentialIds, SystemIds


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    first = load_or_create(path, SystemIds())
    assert load_or_create(path, SystemIds()) == first
    assert len(first) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(load_or_create(path, SystemIds()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 8


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "ab" * 31, "ab" * 33, "é" * 64])
def test_a_secret_that_is_none_stops_the_start(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="64 hex digits"):
        load_or_create(path, SequentialIds())
    assert path.read_text(encoding="utf-8") == text


def test_a_digest_depends_on_secret_account_and_passcode() -> None:
    one, two = PasscodeHasher(b"1" * 32), PasscodeHasher(b"2" * 32)
    digests = {
        one.digest("A-1", "passcode"),
        two.digest("A-1", "passcode"),
        one.digest("A-2", "passcode"),
        one.digest("A-1", "Passcode"),
        one.digest("A-1p", "asscode"),
    }
    assert len(digests) == 5
    assert one.digest("A-1", "passcode") == PasscodeHasher(b"1" * 32).digest("A-1", "passcode")
