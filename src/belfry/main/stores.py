"""Opening the stores that the settings name."""

from __future__ import annotations

from functools import partial

import msgspec
import structlog

import belfry.accounts.tables
import belfry.audit.tables
import belfry.campaigns.tables
import belfry.catalogs.tables
import belfry.delivery.tables
import belfry.edge.tables
import belfry.error_stream.tables
import belfry.events.tables
import belfry.imports.tables
import belfry.library.tables
import belfry.lists.tables
import belfry.pipeline.tables
import belfry.profiles.tables
import belfry.remote_config.tables
import belfry.segments.tables
import belfry.subscription_groups.tables
import belfry.uploads.tables  # noqa: F401 - a table exists when its module is imported
from belfry.accounts.secret import FILE_NAME, load_or_create
from belfry.clock import Clock, SystemClock
from belfry.config import Settings
from belfry.ids import Ids, SystemIds
from belfry.storage.columnar import Columnar
from belfry.storage.columnar.address import embedded_dsn
from belfry.storage.relational import Database
from belfry.storage.relational.migrations import migrate

log = structlog.get_logger(__name__)


def open_database(settings: Settings) -> Database:
    """The relational store as it is; raises what connecting raises."""
    settings.path().mkdir(parents=True, exist_ok=True)
    return Database(settings.relational_url())


def open_migrated(settings: Settings) -> Database:
    """The relational store with the tables of this version."""
    database = open_database(settings)
    applied = migrate(database)
    if applied:
        log.info("relational store migrated", steps=applied)
    return database


class Installation(msgspec.Struct, frozen=True):
    """What every process of an installation stands on."""

    settings: Settings
    clock: Clock
    ids: Ids
    database: Database
    columnar: Columnar
    secret: bytes

    def close(self) -> None:
        self.columnar.close()
        self.database.close()


def open_installation(settings: Settings) -> Installation:
    """Open the stores as they are; whoever starts the roles has migrated them."""
    ids = SystemIds()
    return Installation(
        settings, SystemClock(), ids, open_database(settings), open_columnar(settings), secret_of(settings)
    )


def secret_of(settings: Settings) -> bytes:
    """The installation's secret."""
    return load_or_create(settings.path(FILE_NAME), SystemIds())


def open_columnar(settings: Settings) -> Columnar:
    """The columnar store; the embedded engine's address is looked up whenever it has to be."""
    return Columnar(settings.columnar_dsn or partial(embedded_dsn, settings))
