"""What handlers may use: one struct, built by `main.py`, handed to every group of endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from belfry.audit.actions import AuditLog
from belfry.campaigns.actions import Campaigns
from belfry.campaigns.explain import Explain
from belfry.campaigns.message_report import MessageReports
from belfry.catalogs.actions import Catalogs
from belfry.clock import Clock
from belfry.config import Settings
from belfry.edge.acceptance import Acceptance
from belfry.edge.threads import Threads
from belfry.error_stream.actions import ErrorStream
from belfry.events.actions import Schemas
from belfry.events.discards import EventDiscards
from belfry.exporting.actions import FileExports
from belfry.ids import AccountId, Ids
from belfry.imports.actions import Imports
from belfry.intake import PartnerPolicy, UploadLimits
from belfry.library.actions import ContentBlocks, EmailTemplates
from belfry.lists.actions import Lists
from belfry.pipeline.operations import Operations
from belfry.profiles.actions import Profiles
from belfry.remote_config.actions import RemoteConfig
from belfry.segments.actions import Segments
from belfry.segments.exports import Exports
from belfry.segments.reports.actions import Reports
from belfry.storage.log import IdempotencyIndex
from belfry.subscription_groups.actions import SubscriptionGroups
from belfry.uploads.actions import Uploads


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """Collaborators of the handlers.

    acceptance   the one door to the log
    index        answers to uploads, by Idempotency-Key
    lookups      threads for quick reads and writes of the relational store
    queries      threads for queries that may take seconds
    exporting    threads for exports alone: long ones cannot starve anything else
    uploading    threads that write uploaded files
    event_names  an account's events as they are known: folded name → as shown
    partners     which Partner IDs an account deals with
    """

    settings: Settings
    clock: Clock
    ids: Ids
    acceptance: Acceptance
    index: IdempotencyIndex
    upload_limits: UploadLimits
    lookups: Threads
    queries: Threads
    exporting: Threads
    uploading: Threads
    profiles: Profiles
    segments: Segments
    exports: Exports
    reports: Reports
    imports: Imports
    file_exports: FileExports
    uploads: Uploads
    lists: Lists
    catalogs: Catalogs
    campaigns: Campaigns
    message_reports: MessageReports
    explain: Explain
    event_names: Callable[[AccountId], Mapping[str, str]]
    operations: Operations
    errors: ErrorStream
    audit: AuditLog
    partners: Callable[[AccountId], PartnerPolicy]
    schemas: Schemas
    discards: EventDiscards
    content_blocks: ContentBlocks
    email_templates: EmailTemplates
    subscription_groups: SubscriptionGroups
    remote_config: RemoteConfig

    def is_known_event(self, account_id: AccountId, folded: str) -> bool:
        """Whether the account has seen an event of this folded name."""
        return folded in self.event_names(account_id)
