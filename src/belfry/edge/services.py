"""What handlers may use: one struct, built by `main.py`, handed to every group of endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from belfry.campaigns.actions import Campaigns
from belfry.campaigns.explain import Explain
from belfry.clock import Clock
from belfry.config import Settings
from belfry.edge.acceptance import Acceptance
from belfry.edge.threads import Threads
from belfry.error_stream.actions import ErrorStream
from belfry.ids import AccountId, Ids
from belfry.intake import UploadLimits
from belfry.pipeline.operations import Operations
from belfry.profiles.actions import Profiles
from belfry.segments.actions import Segments
from belfry.segments.exports import Exports
from belfry.storage.log import IdempotencyIndex


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """Collaborators of the handlers.

    acceptance   the one door to the log
    index        answers to uploads, by Idempotency-Key
    lookups      threads for quick reads and writes of the relational store
    queries      threads for queries that may take seconds
    exporting    threads for exports alone: long ones cannot starve anything else
    event_names  an account's events as they are known: folded name → as shown
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
    profiles: Profiles
    segments: Segments
    exports: Exports
    campaigns: Campaigns
    explain: Explain
    event_names: Callable[[AccountId], Mapping[str, str]]
    operations: Operations
    errors: ErrorStream

    def is_known_event(self, account_id: AccountId, folded: str) -> bool:
        """Whether the account has seen an event of this folded name."""
        return folded in self.event_names(account_id)
