"""Campaigns as they are sent to us and shown: plain JSON in, no secret out."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from belfry.campaigns.model import (
    NAME_CHARS_MAX,
    SAFETY_LIMIT_MIN,
    Campaign,
    Run,
    WebhookCampaign,
    shown_definition,
)
from belfry.connectors.secret import Secret
from belfry.connectors.webhook import (
    TIMEOUT_MS,
    BasicAuth,
    BearerAuth,
    ContentType,
    Method,
    NoAuth,
    WebhookTemplate,
)
from belfry.connectors.webhook_body import Switches
from belfry.content.model import MissingPolicy
from belfry.delivery.history import MessageView
from belfry.ids import SegmentId

Json = dict[str, Any]  # JSON of the account's own making


class NoAuthDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="none"):
    """Credentials, if any, stand in the headers."""


class BasicAuthDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="basic"):
    """User name and password; the password is never shown again."""

    username: str
    password: str


class BearerAuthDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="bearer"):
    """A token; never shown again."""

    token: str


class WebhookDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Endpoint and content of a webhook. Texts may hold Liquid, except names and the URL's origin.

    headers, query, key_values  name → text, sent in this order
    body                        a custom body; left out: the default one (profile variables and key-values)
    signing_secrets             at most two, the current one first; calls are signed with them
    """

    url: str
    name: str = ""
    method: Method = Method.POST
    auth: NoAuthDraft | BasicAuthDraft | BearerAuthDraft = NoAuthDraft()
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    key_values: dict[str, str] = {}
    content_type: ContentType = ContentType.JSON
    body: str | None = None
    messages_per_call_max: int = 1
    timeout_ms: int = TIMEOUT_MS
    signing_secrets: list[str] = []
    sends_idempotency_key: bool = True
    switches: Switches = Switches()


class CampaignDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook campaign to create. Exactly one of `segment_id` (saved) and `rule` (a tree) says to whom it goes.

    upper_cap_for_target_segment  if more users qualify, nothing is sent
    """

    name: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]
    webhook: WebhookDraft
    segment_id: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    rule: Json | None = None
    upper_cap_for_target_segment: Annotated[int, Meta(ge=SAFETY_LIMIT_MIN, le=2**53)] | None = None
    missing_value_policy: MissingPolicy = MissingPolicy.FAIL
    recheck_segment: bool = True

    def definition(self) -> WebhookCampaign:
        """The campaign that this describes; secrets are wrapped from here on."""
        return WebhookCampaign(
            name=self.name.strip(),
            webhook=_template(self.webhook, self.name.strip()),
            segment_id=None if self.segment_id is None else SegmentId(self.segment_id),
            rule=self.rule,
            upper_cap_for_target_segment=self.upper_cap_for_target_segment,
            missing_value_policy=self.missing_value_policy,
            recheck_segment=self.recheck_segment,
        )


class CampaignView(msgspec.Struct, frozen=True):
    """A campaign. definition: as it was created, without secrets. state: draft, running, completed, stopped."""

    campaign_id: int
    name: str
    state: str
    definition: Json
    created_at_ms: int
    updated_at_ms: int


class RunView(msgspec.Struct, frozen=True):
    """One sending of a campaign. run_id: the day of the launch as YYYYMMDD."""

    campaign_id: int
    run_id: int
    state: str
    detail: str
    qualified_count: int | None
    cancelled_count: int | None
    started_at_ms: int
    finished_at_ms: int | None


class DeadLetterView(msgspec.Struct, frozen=True):
    """A message that failed for good."""

    message_id: str
    profile_id: str
    reason: str | None
    detail: str
    status: int | None
    attempts_count: int
    failed_at_ms: int


def campaign_view(campaign: Campaign) -> CampaignView:
    return CampaignView(
        campaign_id=campaign.campaign_id,
        name=campaign.definition.name,
        state=str(campaign.state),
        definition=shown_definition(campaign.definition),
        created_at_ms=campaign.created_at_ms,
        updated_at_ms=campaign.updated_at_ms,
    )


def run_view(run: Run) -> RunView:
    return RunView(
        campaign_id=run.campaign_id,
        run_id=run.run_id,
        state=str(run.state),
        detail=run.detail,
        qualified_count=run.qualified_count,
        cancelled_count=run.cancelled_count,
        started_at_ms=run.started_at_ms,
        finished_at_ms=run.finished_at_ms,
    )


def dead_letter_view(message: MessageView) -> DeadLetterView:
    return DeadLetterView(
        message_id=message.message_id,
        profile_id=str(message.profile_id),
        reason=None if message.reason is None else str(message.reason),
        detail=message.detail,
        status=message.status,
        attempts_count=message.attempts_count,
        failed_at_ms=message.updated_at_ms,
    )


def _template(draft: WebhookDraft, campaign_name: str) -> WebhookTemplate:
    return WebhookTemplate(
        name=draft.name or campaign_name,
        url=draft.url,
        method=draft.method,
        auth=_auth(draft.auth),
        headers=tuple(draft.headers.items()),
        query=tuple(draft.query.items()),
        key_values=tuple(draft.key_values.items()),
        content_type=draft.content_type,
        body=draft.body,
        messages_per_call_max=draft.messages_per_call_max,
        timeout_ms=draft.timeout_ms,
        signing_secrets=tuple(map(Secret, draft.signing_secrets)),
        sends_idempotency_key=draft.sends_idempotency_key,
        switches=draft.switches,
    )


def _auth(draft: NoAuthDraft | BasicAuthDraft | BearerAuthDraft) -> NoAuth | BasicAuth | BearerAuth:
    match draft:
        case BasicAuthDraft():
            return BasicAuth(draft.username, Secret(draft.password))
        case BearerAuthDraft():
            return BearerAuth(Secret(draft.token))
        case NoAuthDraft():
            return NoAuth()
