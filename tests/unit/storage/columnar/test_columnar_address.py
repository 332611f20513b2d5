"""Other processes find the embedded engine by two files that only their owner can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from belfry.config import Settings
from belfry.storage.columnar import ColumnarUnavailable, embedded_dsn
from belfry.storage.columnar.address import publish, withdraw


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=str(tmp_path))


def test_what_is_published_is_found(settings: Settings) -> None:
    publish(settings, 8123, "secret")
    assert embedded_dsn(settings) == "clickhouse://belfry:secret@127.0.0.1:8123/belfry"


def test_the_secret_is_readable_by_its_owner_only(settings: Settings) -> None:
    publish(settings, 8123, "secret")
    publish(settings, 8124, "newer")
    assert settings.path("run", "columnar.token").stat().st_mode & 0o777 == 0o600
    assert embedded_dsn(settings).startswith("clickhouse://belfry:newer@127.0.0.1:8124/")


def test_no_engine_is_an_error_that_may_pass(settings: Settings) -> None:
    publish(settings, 8123, "secret")
    withdraw(settings)
    withdraw(settings)
    with pytest.raises(ColumnarUnavailable, match="not running"):
        embedded_dsn(settings)


def test_a_damaged_port_file_is_no_engine(settings: Settings) -> None:
    publish(settings, 8123, "secret")
    settings.path("run", "columnar.port").write_text("")
    with pytest.raises(ColumnarUnavailable):
        embedded_dsn(settings)
