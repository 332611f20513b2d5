"""Fixtures that every test may ask for: real stores, a clock that moves when told to, ids that count."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from belfry.clock import ManualClock
from belfry.config import Settings
from belfry.ids import SequentialIds
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database, metadata
from support.columnar import EmbeddedEngine, running_engine
from support.postgres import Postgres, PostgresMissing, running_postgres
from support.tables import declare_tables

NOON_MS = 1_795_608_000_000
"""2026-11-25T12:00:00Z."""

_numbers = itertools.count(1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON_MS)


@pytest.fixture
def ids() -> SequentialIds:
    return SequentialIds()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A cluster of the session's own. Missing: the tests that need it are skipped, in CI they fail."""
    try:
        with running_postgres() as server:
            yield server
    except PostgresMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(f"NOT TESTED ON POSTGRESQL: {missing}")


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite-template") / "template.db"
    _prepare(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _postgres_template(postgres: Postgres) -> str:
    _prepare(postgres.create("belfry_template"))
    return "belfry_template"


@pytest.fixture
def sqlite_database(_sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A fresh, empty SQLite store with all tables."""
    path = tmp_path / "belfry.db"
    shutil.copyfile(_sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def postgres_database(postgres: Postgres, _postgres_template: str) -> Iterator[Database]:
    """A fresh, empty PostgreSQL store with all tables."""
    name = f"test_{next(_numbers)}"
    database = Database(postgres.create(name, _postgres_template))
    yield database
    database.close()
    postgres.drop(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def database(request: pytest.FixtureRequest) -> Database:
    """A fresh, empty relational store with all tables, on each engine in turn."""
    fixture = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    store: Database = request.getfixturevalue(fixture)
    return store


@pytest.fixture(scope="session")
def columnar_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    """The session's columnar process."""
    settings = Settings(data_dir=str(tmp_path_factory.mktemp("columnar")))
    with running_engine(settings) as engine:
        yield engine


@pytest.fixture
def columnar_dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty columnar database with all tables, dropped after the test."""
    server = os.environ.get("BELFRY_TEST_CLICKHOUSE_URL") or _embedded_address(request)
    declare_tables()
    base, _, _ = server.rpartition("/")
    name = f"test_{os.getpid()}_{next(_numbers)}"
    admin = Columnar(f"{base}/default")
    admin.command(f"CREATE DATABASE {name}")
    store = Columnar(f"{base}/{name}")
    store.create_tables()
    store.close()
    yield f"{base}/{name}"
    admin.command(f"DROP DATABASE {name}")
    admin.close()


@pytest.fixture
def columnar(columnar_dsn: str) -> Iterator[Columnar]:
    """A client of an empty columnar store with all tables."""
    store = Columnar(columnar_dsn)
    yield store
    store.close()


def _embedded_address(request: pytest.FixtureRequest) -> str:
    from belfry.storage.columnar.address import embedded_dsn

    engine: EmbeddedEngine = request.getfixturevalue("columnar_engine")
    return embedded_dsn(engine.settings)


def _prepare(dsn: str) -> None:
    """All declared tables; a test of its own shows that the migrations make the same."""
    declare_tables()
    database = Database(dsn)
    with database.begin() as connection:
        metadata.create_all(connection)
    database.close()
