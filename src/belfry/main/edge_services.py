"""The edge's objects: services, routes, application."""

from __future__ import annotations

from functools import partial

import msgspec

from belfry import __version__
from belfry.accounts.directory import Directory
from belfry.audit.actions import AuditLog
from belfry.campaigns.message_report import MessageReports
from belfry.edge import application
from belfry.edge.acceptance import Acceptance
from belfry.edge.gate import Gate
from belfry.edge.health import Check, Health
from belfry.edge.import_door import ImportDoor
from belfry.edge.remembered import RememberedAnswers
from belfry.edge.repeatable import Repeatable
from belfry.edge.services import Services
from belfry.edge.threads import Threads
from belfry.error_stream.actions import ErrorStream
from belfry.events.actions import Schemas
from belfry.events.discarded_names import DiscardedNames
from belfry.events.discards import EventDiscards
from belfry.events.schema import known_names
from belfry.exporting.actions import FileExports
from belfry.ids import AccountId
from belfry.imports.actions import Imports
from belfry.imports.bell import Bell
from belfry.imports.worker import ImportWorker
from belfry.intake import PartnerPolicy, UploadLimits
from belfry.library.actions import ContentBlocks, EmailTemplates
from belfry.main.listing import build_listing
from belfry.main.sending import build_campaigns
from belfry.main.stores import Installation
from belfry.management_api import application as management
from belfry.management_api import file_exports
from belfry.management_api.bridge import Bridge
from belfry.observability.metrics import EdgeMetrics
from belfry.pipeline.operations import Heartbeats, Operations
from belfry.pipeline.position import committed_position
from belfry.remote_config.actions import RemoteConfig
from belfry.segments.exports import Exports
from belfry.segments.reports.actions import Reports
from belfry.server_api import routes as server_api
from belfry.storage.log import FileLog, IdempotencyIndex
from belfry.subscription_groups.actions import SubscriptionGroups

QUERY_THREADS, EXPORT_THREADS, UPLOAD_THREADS = 8, 4, 4
LOOKUP_THREADS_SQLITE, LOOKUP_THREADS = 2, 8
"""SQLite answers in a fraction of a millisecond: more threads than two only fight over the interpreter."""
WAITING_MAX = 1024
ENGINE_SILENT_MS = 15_000


class EdgeParts(msgspec.Struct, frozen=True):
    """What the edge process serves, and what it tells when it stops."""

    application: Gate
    health: Health
    threads: tuple[Threads, ...]
    import_worker: ImportWorker
    discarded: DiscardedNames


def build_edge(here: Installation, body_log: FileLog, index: IdempotencyIndex, directory: Directory) -> EdgeParts:
    """Everything between the socket and the stores."""
    metrics = EdgeMetrics()
    metrics.gauge(
        "belfry_log_waiting_bytes", "Bodies in memory that wait for the disk.", lambda: body_log.waiting_bytes
    )
    metrics.gauge("belfry_log_position", "The last entry of the log.", body_log.end)
    lag = "Entries of the log that the pipeline has not applied yet."
    metrics.gauge("belfry_pipeline_lag_entries", lag, lambda: body_log.end() - committed_position(here.database, 0))
    lookup_threads = LOOKUP_THREADS_SQLITE if here.database.is_sqlite else LOOKUP_THREADS
    lookups = Threads("lookups", workers=lookup_threads, waiting_max=WAITING_MAX)
    queries = Threads("queries", workers=QUERY_THREADS, waiting_max=WAITING_MAX)
    exporting = Threads("exports", workers=EXPORT_THREADS, waiting_max=WAITING_MAX)
    discarded = DiscardedNames(here.database)
    discarded.start()
    services = _services(here, body_log, index, metrics, (lookups, queries, exporting), discarded=discarded)
    litestar = management.build(services)
    answers = RememberedAnswers(here.database, here.clock, hours=here.settings.idempotency_hours)
    health = Health(_checks(here, body_log), metrics)
    gate = application.build(
        (
            *health.routes(),
            *server_api.build(services),
            *file_exports.routes(services),
            *Bridge(litestar, Repeatable(answers, lookups)).routes(),
        ),
        directory=directory,
        metrics=metrics,
        settings=here.settings,
        clock=here.clock,
        ids=here.ids,
        version=__version__,
        management_document=management.openapi_of(litestar),
    )
    worker = _import_worker(here, body_log, directory, services)
    return EdgeParts(gate, health, (lookups, queries, exporting, services.uploading), worker, discarded)


def _import_worker(here: Installation, body_log: FileLog, directory: Directory, services: Services) -> ImportWorker:
    return ImportWorker(
        database=here.database,
        root=here.settings.path("imports"),
        clock=here.clock,
        entries=body_log,
        door=ImportDoor(services.acceptance, directory.account, here.clock),
        accounts=directory.account,
        bell=services.imports.bell,
    )


def _services(
    here: Installation,
    body_log: FileLog,
    index: IdempotencyIndex,
    metrics: EdgeMetrics,
    threads: tuple[Threads, Threads, Threads],
    *,
    discarded: DiscardedNames,
) -> Services:
    lookups, queries, exporting = threads
    parts = build_campaigns(here)
    exports = Exports(here.database, here.columnar, here.clock, here.ids, here.secret)
    listing = build_listing(here)
    database, clock = here.database, here.clock
    limits = UploadLimits(records_max=here.settings.records_max)
    acceptance = Acceptance(
        log=body_log,
        limits=limits,
        threads=lookups,
        metrics=metrics,
        ids=here.ids,
        partners=_no_partners,
        discarded=discarded.of,
        known_device=parts.profiles.is_known_device,
    )
    return Services(
        settings=here.settings,
        clock=here.clock,
        ids=here.ids,
        acceptance=acceptance,
        index=index,
        upload_limits=limits,
        lookups=lookups,
        queries=queries,
        exporting=exporting,
        uploading=Threads("uploads", workers=UPLOAD_THREADS, waiting_max=WAITING_MAX),
        profiles=parts.profiles,
        segments=parts.segments,
        exports=exports,
        reports=Reports(here.database, here.columnar, here.clock),
        file_exports=FileExports(here.database, exports, parts.profiles),
        imports=Imports(here.database, here.settings.path("imports"), here.clock, here.ids, Bell()),
        campaigns=parts.campaigns,
        message_reports=MessageReports(here.database),
        explain=parts.explain,
        event_names=partial(known_names, here.database),
        operations=Operations(here.database),
        errors=ErrorStream(here.database, here.columnar, here.clock, here.ids),
        audit=AuditLog(here.database),
        uploads=listing.uploads,
        lists=listing.lists,
        catalogs=listing.catalogs,
        partners=_no_partners,
        schemas=Schemas(database, here.columnar),
        discards=EventDiscards(database, clock),
        content_blocks=ContentBlocks(database, clock),
        email_templates=EmailTemplates(database, clock),
        subscription_groups=SubscriptionGroups(database, clock),
        remote_config=RemoteConfig(database, clock),
    )


def _no_partners(_account_id: AccountId) -> PartnerPolicy:
    """Which Partner IDs an account deals with: there is no registry of partners, so all are unknown."""
    return PartnerPolicy()


def _checks(here: Installation, body_log: FileLog) -> dict[str, Check]:
    heartbeats = Heartbeats(here.database)

    def engine_is_alive() -> bool:
        newest_ms = heartbeats.newest_ms("engine")
        return newest_ms is not None and here.clock.now_ms() - newest_ms < ENGINE_SILENT_MS

    def relational_answers() -> bool:
        with here.database.read() as connection:
            return connection.exec_driver_sql("SELECT 1").scalar() == 1

    return {
        "log": lambda: body_log.is_writable,
        "relational": relational_answers,
        "columnar": here.columnar.ping,
        "engine": engine_is_alive,
    }
