"""The whole edge in one process: real log, real stores, every route; the pipeline is driven by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from belfry.accounts.actions import Accounts, Passcodes
from belfry.accounts.directory import Directory
from belfry.accounts.hashing import PasscodeHasher
from belfry.audit.actions import AuditLog
from belfry.campaigns.message_report import MessageReports
from belfry.clock import ManualClock
from belfry.config import Settings
from belfry.edge import application
from belfry.edge.acceptance import Acceptance
from belfry.edge.health import Health
from belfry.edge.import_door import ImportDoor
from belfry.edge.remembered import RememberedAnswers
from belfry.edge.repeatable import Repeatable
from belfry.edge.services import Services
from belfry.edge.threads import Threads
from belfry.error_stream.actions import ErrorStream
from belfry.events.actions import Schemas
from belfry.events.discarded_names import DiscardedNames
from belfry.events.discards import EventDiscards
from belfry.events.schema import read_schema
from belfry.exporting.actions import FileExports
from belfry.ids import AccountId, SequentialIds
from belfry.imports.actions import Imports
from belfry.imports.bell import Bell
from belfry.imports.worker import ImportWorker
from belfry.intake import PartnerPolicy, UploadLimits
from belfry.library.actions import ContentBlocks, EmailTemplates
from belfry.main.listing import build_listing, build_upload_worker
from belfry.main.sending import build_campaigns
from belfry.main.stores import Installation
from belfry.management_api import application as management
from belfry.management_api import file_exports
from belfry.management_api.bridge import Bridge
from belfry.observability.metrics import EdgeMetrics
from belfry.pipeline.apply import BlockApplier
from belfry.pipeline.loop import Pipeline
from belfry.pipeline.operations import Operations
from belfry.profiles.actions import Profiles
from belfry.remote_config.actions import RemoteConfig
from belfry.segments.exports import Exports
from belfry.segments.reports.actions import Reports
from belfry.server_api import routes as server_api
from belfry.storage.columnar import Columnar
from belfry.storage.log import IdempotencyIndex, open_log, open_reader
from belfry.storage.relational import Database
from belfry.subscription_groups.actions import SubscriptionGroups
from support.asgi import Reply, call


class EdgeWorld:
    """Two accounts, `shop` and `other`, each with a passcode for everything."""

    def __init__(self, folder: Path, database: Database, columnar: Columnar, clock: ManualClock) -> None:
        ids = SequentialIds()
        self.clock = clock
        self.database = database
        self.settings = Settings(data_dir=str(folder), log_free_bytes_min=0, file_free_bytes_min=0, slot_wait_ms=2000)
        hasher = PasscodeHasher(b"s" * 32)
        self.accounts = Accounts(database, clock, ids, region="eu1")
        self._passcodes = Passcodes(database, clock, ids, hasher)
        self.directory = Directory(database, hasher, clock)
        self.shop = AccountId(self.accounts.create("Shop", account_id="SHO-P00-0001").account_id)
        self.other = AccountId(self.accounts.create("Other", account_id="OTH-ER0-0002").account_id)
        self.secrets = {account: self.passcode(account) for account in (self.shop, self.other)}
        self.metrics = EdgeMetrics()
        self.discarded = DiscardedNames(database)
        self.partner_policy = PartnerPolicy()
        self.index = IdempotencyIndex(folder / "idempotency.db", hours=24, clock=clock)
        self.log = open_log(self.settings, clock=clock, ids=ids, on_durable=self.index.on_durable)
        self.lookups = Threads("lookups", workers=4, waiting_max=64)
        self.queries = Threads("queries", workers=4, waiting_max=64)
        self.exporting = Threads("exports", workers=2, waiting_max=64)
        self.uploading = Threads("uploads", workers=2, waiting_max=64)
        self.here = Installation(
            settings=self.settings, clock=clock, ids=ids, database=database, columnar=columnar, secret=b"s" * 32
        )
        self.services = self._services(database, columnar, clock, ids)
        self.management = management.build(self.services)
        repeatable = Repeatable(RememberedAnswers(database, clock, hours=24), self.lookups)
        self.routes = (
            *Health({"log": lambda: True}, self.metrics).routes(),
            *server_api.build(self.services),
            *file_exports.routes(self.services),
            *Bridge(self.management, repeatable).routes(),
        )
        self.gate = application.build(
            self.routes,
            directory=self.directory,
            metrics=self.metrics,
            settings=self.settings,
            clock=clock,
            ids=ids,
            version="0",
            management_document=management.openapi_of(self.management),
        )
        self.pipeline = self._pipeline(database, columnar)

    def _services(self, database: Database, columnar: Columnar, clock: ManualClock, ids: SequentialIds) -> Services:
        profiles = Profiles(database)
        acceptance = Acceptance(
            log=self.log,
            limits=UploadLimits(),
            threads=self.lookups,
            metrics=self.metrics,
            ids=ids,
            partners=lambda _account: self.partner_policy,
            discarded=self.discarded.of,
            known_device=profiles.is_known_device,
        )
        parts = build_campaigns(self.here)
        exports = Exports(database, columnar, clock, ids, self.here.secret)
        listing = build_listing(self.here)
        return Services(
            settings=self.settings,
            clock=clock,
            ids=ids,
            acceptance=acceptance,
            index=self.index,
            upload_limits=UploadLimits(),
            lookups=self.lookups,
            queries=self.queries,
            exporting=self.exporting,
            uploading=self.uploading,
            profiles=profiles,
            segments=parts.segments,
            exports=exports,
            reports=Reports(database, columnar, clock),
            file_exports=FileExports(database, exports, profiles),
            imports=Imports(database, self.settings.path("imports"), clock, ids, Bell()),
            campaigns=parts.campaigns,
            message_reports=MessageReports(database),
            explain=parts.explain,
            event_names=lambda account: {event.name: event.shown_as for event in read_schema(database, account)[0]},
            operations=Operations(database),
            errors=ErrorStream(database, columnar, clock, ids),
            audit=AuditLog(database),
            uploads=listing.uploads,
            lists=listing.lists,
            catalogs=listing.catalogs,
            partners=lambda _account: self.partner_policy,
            schemas=Schemas(database, columnar),
            discards=EventDiscards(database, clock),
            content_blocks=ContentBlocks(database, clock),
            email_templates=EmailTemplates(database, clock),
            subscription_groups=SubscriptionGroups(database, clock),
            remote_config=RemoteConfig(database, clock),
        )

    def process_uploads(self) -> None:
        """Process every file that was submitted, as the engine would."""
        worker = build_upload_worker(self.here)
        while worker.step():
            pass

    def import_worker(self) -> ImportWorker:
        """A worker as after a start; a second one stands for the first one's successor after a crash."""
        return ImportWorker(
            database=self.database,
            root=self.settings.path("imports"),
            clock=self.clock,
            entries=self.log,
            door=ImportDoor(self.services.acceptance, self.directory.account, self.clock),
            accounts=self.directory.account,
            bell=self.services.imports.bell,
        )

    def _pipeline(self, database: Database, columnar: Columnar) -> Pipeline:
        applier = BlockApplier(
            database=database,
            columnar=columnar,
            accounts=self.directory.account,
            partners=lambda _account: PartnerPolicy(),
            clock=self.clock,
            profiles_cached_max=1000,
            secret=self.here.secret,
        )
        return Pipeline(
            reader=open_reader(self.settings.path("log")),
            stream=0,
            database=database,
            columnar=columnar,
            applier=applier,
            clock=self.clock,
            settings=self.settings,
        )

    def passcode(self, account: AccountId, **options: Any) -> str:
        """A new passcode's secret, known to the edge."""
        secret = self._passcodes.create(account, "backend", **options).secret
        self.directory.refresh()
        return secret

    def apply(self) -> None:
        """Bring everything that is in the log into the stores."""
        while self.pipeline.step() is not None:
            pass

    async def call(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        account: AccountId | None = None,
        secret: str | None = None,
        headers: Mapping[str, str] = {},
    ) -> Reply:
        """One request of `shop`, or of another account; a body that is not bytes goes as JSON."""
        account = account or self.shop
        credentials = {
            "X-CleverTap-Account-Id": account,
            "X-CleverTap-Passcode": secret or self.secrets[account],
        }
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return await call(self.gate, method, target, raw, {**credentials, **headers})

    async def call_and_apply(self, method: str, target: str, body: Any, **options: Any) -> Reply:
        """A request that waits for the pipeline, with the pipeline at work."""
        asked = asyncio.create_task(self.call(method, target, body, **options))
        while not asked.done():
            await asyncio.to_thread(self.apply)
            await asyncio.sleep(0.01)
        return await asked

    async def upload(self, *records: dict[str, Any], account: AccountId | None = None) -> None:
        """Upload and apply."""
        reply = await self.call("POST", "/1/upload", {"d": list(records)}, account=account)
        assert reply.status == 200, reply.body
        await asyncio.to_thread(self.apply)

    def close(self) -> None:
        self.log.close()
        self.index.close()
        self.lookups.close()
        self.queries.close()
        self.exporting.close()
        self.uploading.close()
