"""What handlers may use: one struct, built by `main.py`, handed to every group of endpoints."""

from __future__ import annotations

import msgspec

from belfry.clock import Clock
from belfry.config import Settings
from belfry.edge.acceptance import Acceptance
from belfry.edge.threads import Threads
from belfry.error_stream.actions import ErrorStream
from belfry.ids import Ids
from belfry.intake import UploadLimits
from belfry.pipeline.operations import Operations
from belfry.profiles.actions import Profiles
from belfry.storage.log import IdempotencyIndex


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """Collaborators of the handlers.

    acceptance   the one door to the log
    index        answers to uploads, by Idempotency-Key
    lookups      threads for quick reads and writes of the relational store
    queries      threads for queries that may take seconds
    """

    settings: Settings
    clock: Clock
    ids: Ids
    acceptance: Acceptance
    index: IdempotencyIndex
    upload_limits: UploadLimits
    lookups: Threads
    queries: Threads
    profiles: Profiles
    operations: Operations
    errors: ErrorStream
