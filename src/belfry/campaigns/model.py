"""Campaigns and their runs: definition, states, legal moves."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from belfry.connectors.secret import HIDDEN, Secret, decode_secret, encode_secret
from belfry.connectors.webhook import WebhookTemplate
from belfry.content.model import MissingPolicy
from belfry.delivery.model import RunKey
from belfry.errors import InternalError
from belfry.ids import AccountId, CampaignId, SegmentId

NAME_CHARS_MAX = 200
SAFETY_LIMIT_MIN = 100
CHANNEL = "webhook"


class CampaignState(enum.StrEnum):
    """Where a campaign is (engagement 4.2). Legal moves: `CAMPAIGN_MOVES`."""

    DRAFT = "draft"
    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"  # by a user: no pause, no restart


CAMPAIGN_MOVES: dict[CampaignState, frozenset[CampaignState]] = {
    CampaignState.DRAFT: frozenset({CampaignState.RUNNING}),
    CampaignState.RUNNING: frozenset({CampaignState.COMPLETED, CampaignState.STOPPED}),
    CampaignState.COMPLETED: frozenset({CampaignState.RUNNING}),  # dead letters are replayed
    CampaignState.STOPPED: frozenset(),
}


class RunState(enum.StrEnum):
    """Where one sending of a campaign is. Legal moves: `RUN_MOVES`."""

    PREPARING = "preparing"  # its messages are being written; none may leave
    SENDING = "sending"
    COMPLETED = "completed"  # nothing is left to come
    STOPPED = "stopped"
    REFUSED = "refused"  # over the safety limit, or its segment cannot be computed; `detail` says which


RUN_MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.PREPARING: frozenset({RunState.SENDING, RunState.STOPPED, RunState.REFUSED}),
    RunState.SENDING: frozenset({RunState.COMPLETED, RunState.STOPPED}),
    RunState.COMPLETED: frozenset({RunState.SENDING}),  # dead letters are replayed
    RunState.STOPPED: frozenset(),
    RunState.REFUSED: frozenset(),
}


def check_campaign_move(old: CampaignState, new: CampaignState) -> None:
    """Raise InternalError if a campaign may not go from one state to the other."""
    if new not in CAMPAIGN_MOVES[old]:
        raise InternalError(f"a campaign may not go from {old} to {new}")


def check_run_move(old: RunState, new: RunState) -> None:
    """Raise InternalError if a run may not go from one state to the other."""
    if new not in RUN_MOVES[old]:
        raise InternalError(f"a run may not go from {old} to {new}")


class WebhookCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook campaign sends to whom: one time, now (engagement 4.1).

    segment_id, rule              a saved segment, or a rule tree of engagement 3.2 as JSON; exactly one of them
    webhook                       endpoint and content, and how many users share a call
    upper_cap_for_target_segment  safety check: if more users qualify, nothing is sent; None: no check
    missing_value_policy          what becomes of a message whose template has no value and no default
    recheck_segment               users who waited for more than an hour must still be in the segment
    """

    name: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]
    webhook: WebhookTemplate
    segment_id: SegmentId | None = None
    rule: dict[str, Any] | None = None  # JSON of the account's own making, read by `segments`
    upper_cap_for_target_segment: Annotated[int, Meta(ge=SAFETY_LIMIT_MIN)] | None = None
    missing_value_policy: MissingPolicy = MissingPolicy.FAIL
    recheck_segment: bool = True


class Campaign(msgspec.Struct, frozen=True):
    """One campaign of an account."""

    account_id: AccountId
    campaign_id: CampaignId
    state: CampaignState
    definition: WebhookCampaign
    created_at_ms: int
    updated_at_ms: int


class Run(msgspec.Struct, frozen=True):
    """One sending of a campaign.

    as_of_ms         the moment for which the segment is computed
    qualified_count  users in the segment; None until it is known
    cancelled_count  messages that a stop took out of the queue
    finished_at_ms   when nothing of it was left to come
    """

    account_id: AccountId
    campaign_id: CampaignId
    run_id: int
    state: RunState
    detail: str
    as_of_ms: int
    qualified_count: int | None
    cancelled_count: int | None
    started_at_ms: int
    finished_at_ms: int | None

    @property
    def key(self) -> RunKey:
        return RunKey(self.account_id, self.campaign_id, self.run_id)


def run_id_at(now_ms: int, timezone: str) -> int:
    """The id of a run: the day on which it was launched in the account's time zone, as YYYYMMDD (engagement 0)."""
    return int(datetime.fromtimestamp(now_ms / 1000, ZoneInfo(timezone)).strftime("%Y%m%d"))


def encode_definition(definition: WebhookCampaign) -> bytes:
    """JSON with secrets as they are: for the sealed store, nothing else."""
    return msgspec.json.encode(definition, enc_hook=encode_secret)


def decode_definition(data: bytes) -> WebhookCampaign:
    """What `encode_definition` made, or what a caller sent. Raises msgspec.ValidationError."""
    return msgspec.json.decode(data, type=WebhookCampaign, dec_hook=decode_secret)


def shown_definition(definition: WebhookCampaign) -> dict[str, Any]:
    """JSON for people: secrets are write-only (partner integrations 0.5), and any header may hold one."""
    hidden = tuple((name, HIDDEN) for name, _ in definition.webhook.headers)
    webhook = msgspec.structs.replace(definition.webhook, headers=hidden)
    shown = msgspec.to_builtins(msgspec.structs.replace(definition, webhook=webhook), enc_hook=_hide)
    return dict(shown)


def _hide(value: object) -> str:
    if isinstance(value, Secret):
        return HIDDEN
    raise NotImplementedError(f"cannot show {type(value).__name__}")
