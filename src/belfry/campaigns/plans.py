"""Running campaigns as the dispatcher sees them: compiled once, asked for each message."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa
import structlog

from belfry.accounts.actions import Accounts
from belfry.campaigns.model import Campaign, Run, RunState, WebhookCampaign
from belfry.campaigns.store import CampaignStore
from belfry.campaigns.who import Who
from belfry.clock import Clock
from belfry.connectors.model import Outcome, ProfileView
from belfry.connectors.webhook import (
    ContentType,
    Recipient,
    WebhookTemplate,
    build_request,
    messages_per_call,
    secrets_of,
)
from belfry.connectors.webhook_body import CallFacts
from belfry.connectors.webhook_outcome import classify
from belfry.content.message import MessageSource, MessageTemplate, RenderedMessage, compile_message
from belfry.content.model import RenderScope
from belfry.delivery.checks import is_over_limit
from belfry.delivery.model import Plan, RunKey
from belfry.errors import BelfryError
from belfry.ids import MessageId, ProfileId
from belfry.outbound import OutboundError, OutboundRequest, OutboundResponse, check_url
from belfry.storage.relational import Database

log = structlog.get_logger(__name__)


class WebhookPlan:
    """One run of a webhook campaign: its texts compiled, its credentials at hand.

    zone   the account's time zone: dates are written in it
    allow  `host:port` pairs that this installation may call whatever their address is
    """

    def __init__(
        self, campaign: Campaign, run: Run, *, zone: str, allow: Collection[str], who: Who, clock: Clock
    ) -> None:
        self._campaign = campaign
        self._zone = zone
        self._who = who
        self._clock = clock
        self._webhook = campaign.definition.webhook
        self._texts = compile_texts(campaign.definition)
        self._same_for_all: RenderedMessage | None = None
        self._secrets = secrets_of(self._webhook)
        self.run = run.key
        self.host = check_url(_origin(self._webhook), allow).key
        self.messages_per_call_max = messages_per_call(self._webhook)
        self.is_over_limit = is_over_limit(run.qualified_count or 0, campaign.definition.upper_cap_for_target_segment)
        self.rechecks_segment = campaign.definition.recheck_segment

    def qualified(self, profile_ids: Sequence[ProfileId]) -> Collection[ProfileId]:
        """Which of these users are in the campaign's segment now."""
        return self._who.qualified(self._campaign, profile_ids)

    def request(
        self, messages: Sequence[tuple[MessageId, ProfileView]], *, attempt: int, now_ms: int
    ) -> OutboundRequest:
        """One call. Raises RenderFailure for a user's texts, CallTooLarge for all of it."""
        recipients = [Recipient(m, view, self._rendered(view, now_ms)) for m, view in messages]
        facts = CallFacts(
            account_id=self.run.account_id, campaign_id=self.run.campaign_id, attempt=attempt, now_ms=now_ms
        )
        return build_request(self._webhook, recipients, facts)

    def outcome(self, answer: OutboundResponse | OutboundError) -> Outcome:
        """What the endpoint's answer, or its absence, means."""
        return classify(answer, now_ms=self._clock.now_ms(), secrets=self._secrets)

    def _rendered(self, view: ProfileView, now_ms: int) -> RenderedMessage:
        if self._same_for_all is not None:
            return self._same_for_all
        zone = view.properties.get("Tz")
        scope = RenderScope(now_ms=now_ms, zone=self._zone, user_zone=zone if isinstance(zone, str) else None)
        rendered = self._texts.render(self._values(view), scope)
        if self._texts.is_static:
            self._same_for_all = rendered
        return rendered

    def _values(self, view: ProfileView) -> dict[str, object]:
        return {"Profile": profile_values(view), "Campaign": {"campaignId": self.run.campaign_id}}


class RunningPlans:
    """All runs that are being sent. A plan is compiled once for a run: what runs keeps the content it started with."""

    def __init__(
        self,
        *,
        database: Database,
        store: CampaignStore,
        accounts: Accounts,
        who: Who,
        clock: Clock,
        allow: Collection[str],
    ) -> None:
        self._database = database
        self._store = store
        self._accounts = accounts
        self._who = who
        self._clock = clock
        self._allow = frozenset(allow)
        self._plans: dict[RunKey, WebhookPlan] = {}

    def sending(self) -> Sequence[Plan]:
        """Every run whose messages may leave now."""
        with self._database.read() as connection:
            running = self._store.runs_in(connection, RunState.SENDING)
        known = self._plans
        self._plans = {}
        for run in running:
            plan = known.get(run.key) or self._compile(run)
            if plan is not None:
                self._plans[run.key] = plan
        return list(self._plans.values())

    def _compile(self, run: Run) -> WebhookPlan | None:
        try:
            account = self._accounts.show(run.account_id)
            with self._database.read() as connection:
                campaign = self._store.find(connection, run.account_id, run.campaign_id)
            if campaign is None:
                return None
            return WebhookPlan(
                campaign, run, zone=account.timezone, allow=self._allow, who=self._who, clock=self._clock
            )
        except (BelfryError, sa.exc.SQLAlchemyError):
            # One campaign that cannot be compiled must not keep the others from being sent.
            log.exception("a campaign that is being sent cannot be compiled", run=run.key)
            return None


def compile_texts(definition: WebhookCampaign) -> MessageTemplate:
    """A definition's Liquid, ready to render. Raises TemplateSyntaxError, naming the part."""
    webhook = definition.webhook
    source = MessageSource(
        url=webhook.url,
        headers=webhook.headers,
        query=webhook.query,
        key_values=webhook.key_values,
        body=webhook.body,
        is_json=webhook.content_type is ContentType.JSON,
    )
    return compile_message(source, definition.missing_value_policy)


def profile_values(view: ProfileView) -> dict[str, object]:
    """What `Profile.…` finds in a template: properties, and what identifies the user (engagement 7.1)."""
    own = {
        "Identity": view.identity,
        "Email": view.email,
        "Phone": view.phone,
        "Name": view.name,
        "objectId": view.object_id,
    }
    return {**view.properties, **{name: value for name, value in own.items() if value is not None}}


def _origin(webhook: WebhookTemplate) -> str:
    """Scheme, host and port: these hold no Liquid (`webhook_check`), so that all calls go to one host."""
    scheme, _, rest = webhook.url.partition("://")
    host = rest.replace("?", "/").replace("#", "/").partition("/")[0]
    return f"{scheme}://{host}/"
