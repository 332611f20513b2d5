"""The data thread on SQLite and the embedded engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from belfry.clock import ManualClock
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database
from support.thread import DataThread


@pytest.fixture
def thread(tmp_path: Path, database: Database, columnar: Columnar, clock: ManualClock) -> Iterator[DataThread]:
    data_thread = DataThread(tmp_path, database, columnar, clock)
    yield data_thread
    data_thread.close()
