"""The whole edge, for both APIs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from belfry.clock import ManualClock
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database
from support.edge_world import EdgeWorld


@pytest.fixture
async def edge(
    tmp_path: Path, sqlite_database: Database, columnar: Columnar, clock: ManualClock
) -> AsyncIterator[EdgeWorld]:
    world = EdgeWorld(tmp_path, sqlite_database, columnar, clock)
    yield world
    world.close()
