"""The data thread on each relational engine and the embedded columnar engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from belfry.clock import ManualClock
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database
from support.store_dump import Stores
from support.thread import DataThread


@pytest.fixture
def thread(tmp_path: Path, database: Database, columnar: Columnar, clock: ManualClock) -> Iterator[DataThread]:
    data_thread = DataThread(tmp_path, database, columnar, clock)
    yield data_thread
    data_thread.close()


@pytest.fixture
def empty_stores(
    request: pytest.FixtureRequest, tmp_path: Path, database: Database, columnar_dsn: str
) -> Iterator[Callable[[], Stores]]:
    """Makes further pairs of empty stores of the same engines, for replays."""
    base, _, name = columnar_dsn.rpartition("/")
    numbers, made = count(1), []

    def make() -> Stores:
        number = next(numbers)
        if database.is_sqlite:
            path = tmp_path / f"other-{number}.db"
            shutil.copyfile(request.getfixturevalue("_sqlite_template"), path)
            relational = Database(f"sqlite:///{path}")
        else:
            server = request.getfixturevalue("postgres")
            relational = Database(server.create(f"{name}_{number}", request.getfixturevalue("_postgres_template")))
        admin = Columnar(f"{base}/default")
        admin.command(f"CREATE DATABASE {name}_{number}")
        admin.close()
        columnar = Columnar(f"{base}/{name}_{number}")
        columnar.create_tables()
        made.append(Stores(relational, columnar, f"{base}/{name}_{number}"))
        return made[-1]

    yield make
    for stores in made:
        other = stores.columnar_dsn.rpartition("/")[2]
        stores.columnar.command(f"DROP DATABASE {other}")
        stores.columnar.close()
        stores.database.close()
        if not database.is_sqlite:
            request.getfixturevalue("postgres").drop(other)
