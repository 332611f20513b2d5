"""Webhook campaigns: create, launch, stop, report, dead letters; and why a user did, or did not, get a message."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter

from belfry.accounts.model import Scope
from belfry.campaigns.explain import Explanation, Step
from belfry.campaigns.report import CampaignReport
from belfry.edge.routes import Access
from belfry.errors import BadRequest
from belfry.ids import CampaignId, MessageId, ProfileId
from belfry.management_api.bridge import Accepted, Uses, declared
from belfry.management_api.campaign_wire import (
    CampaignDraft,
    CampaignView,
    DeadLetterView,
    RunView,
    campaign_view,
    dead_letter_view,
    run_view,
)
from belfry.management_api.wire import PAGE_ITEMS, CursorText, Limit, Page, big_int, key_of, page_of

CAMPAIGN_ID_MAX = 10**12
READ = declared(Access((Scope.CAMPAIGNS_READ,)))
WRITE = declared(Access((Scope.CAMPAIGNS_WRITE,), repeats=True))
CampaignPath = Annotated[int, PathParameter(ge=1, le=CAMPAIGN_ID_MAX, description="The campaign's id")]
MESSAGES_MAX = 500


class Stopped(msgspec.Struct, frozen=True):
    """cancelled_count: messages that were waiting and will not leave."""

    cancelled_count: int


class ReplayMessages(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead letters to send again, up to 500; left out: all of the last seven days."""

    message_ids: list[str] | None = None


class QueuedAgain(msgspec.Struct, frozen=True):
    """queued_count: dead letters that will be tried again, under their old ids."""

    queued_count: int


class ExplanationView(msgspec.Struct, frozen=True):
    """What became of one user in one campaign; see `campaigns.explain.Explanation`."""

    campaign_id: int
    profile_id: str | None
    message_id: str | None
    outcome: str
    text: str
    steps: list[Step]


class CampaignsController(Controller):
    """`/api/v1/campaigns`"""

    path = "/api/v1/campaigns"
    tags = ("campaigns",)

    @post(opt=WRITE, summary="Create a webhook campaign as a draft")
    async def create(self, accepted: Accepted, services: Uses, data: JSONBody[CampaignDraft]) -> CampaignView:
        # Checking the draft asks the columnar store whether its segment can be computed.
        made = await services.queries.run(services.campaigns.create, accepted.account, data.definition())
        return campaign_view(made)

    @get(opt=READ, summary="Campaigns, the newest first")
    async def list_campaigns(
        self, accepted: Accepted, services: Uses, limit: Limit = PAGE_ITEMS, cursor: CursorText = None
    ) -> Page[CampaignView]:
        key = key_of(cursor)
        found = await services.lookups.run(
            services.campaigns.list_newest,
            accepted.account_id,
            before=None if key is None else CampaignId(key),
            limit=limit + 1,
        )
        return page_of([campaign_view(one) for one in found], [one.campaign_id for one in found], limit)

    @get("/{campaign_id:int}", opt=READ, summary="One campaign; its secrets are not shown")
    async def show(self, accepted: Accepted, services: Uses, campaign_id: CampaignPath) -> CampaignView:
        found = await services.lookups.run(services.campaigns.get, accepted.account_id, CampaignId(campaign_id))
        return campaign_view(found)

    @post(
        "/{campaign_id:int}/launch",
        opt=WRITE,
        status_code=200,
        summary="Start sending, now",
        description="A campaign runs once: 409 for one that is not a draft.",
    )
    async def launch(self, accepted: Accepted, services: Uses, campaign_id: CampaignPath) -> RunView:
        run = await services.queries.run(services.campaigns.launch, accepted.account, CampaignId(campaign_id))
        return run_view(run)

    @post("/{campaign_id:int}/stop", opt=WRITE, status_code=200, summary="Stop for good: what waits will not leave")
    async def stop(self, accepted: Accepted, services: Uses, campaign_id: CampaignPath) -> Stopped:
        count = await services.lookups.run(services.campaigns.stop, accepted.account_id, CampaignId(campaign_id))
        return Stopped(count)

    @get("/{campaign_id:int}/report", opt=READ, summary="The figures as they stand; they add up")
    async def report(self, accepted: Accepted, services: Uses, campaign_id: CampaignPath) -> CampaignReport:
        return await services.lookups.run(services.campaigns.report, accepted.account_id, CampaignId(campaign_id))

    @get("/{campaign_id:int}/runs", opt=READ, summary="The runs of a campaign, the latest first")
    async def runs(self, accepted: Accepted, services: Uses, campaign_id: CampaignPath) -> Page[RunView]:
        found = await services.lookups.run(services.campaigns.runs, accepted.account_id, CampaignId(campaign_id))
        return Page([run_view(run) for run in found])

    @get("/{campaign_id:int}/dead-letters", opt=READ, summary="Messages of the latest run that failed for good")
    async def dead_letters(
        self,
        *,
        accepted: Accepted,
        services: Uses,
        campaign_id: CampaignPath,
        limit: Limit = PAGE_ITEMS,
        after: Annotated[str, QueryParameter(description="`next_cursor` of the page before", name="cursor")] = "",
    ) -> Page[DeadLetterView]:
        found = await services.lookups.run(
            services.campaigns.dead_letters, accepted.account_id, CampaignId(campaign_id), after=after, limit=limit + 1
        )
        views = [dead_letter_view(message) for message in found]
        return Page(views[:limit], views[limit - 1].message_id if len(views) > limit else None)

    @post(
        "/{campaign_id:int}/replay",
        opt=WRITE,
        status_code=200,
        summary="Send dead letters again",
        description="They keep their ids, so an endpoint that took one after all recognises it.",
    )
    async def replay(
        self, accepted: Accepted, services: Uses, campaign_id: CampaignPath, data: JSONBody[ReplayMessages]
    ) -> QueuedAgain:
        if data.message_ids is not None and len(data.message_ids) > MESSAGES_MAX:
            raise BadRequest(
                f"message_ids holds {len(data.message_ids)} ids, at most {MESSAGES_MAX}",
                field="message_ids",
                limit=MESSAGES_MAX,
            )
        ids = None if data.message_ids is None else [MessageId(one) for one in data.message_ids]
        count = await services.lookups.run(services.campaigns.replay, accepted.account_id, CampaignId(campaign_id), ids)
        return QueuedAgain(count)


class ExplainController(Controller):
    """`/api/v1/explain`"""

    path = "/api/v1/explain"
    tags = ("campaigns",)

    @get(opt=READ, summary="Why a user did, or did not, get a campaign's message")
    async def show(
        self,
        *,
        accepted: Accepted,
        services: Uses,
        campaign: Annotated[int, QueryParameter(ge=1, le=CAMPAIGN_ID_MAX, description="The campaign's id")],
        identity: Annotated[str | None, QueryParameter(description="An identity of the user")] = None,
        profile_id: Annotated[str | None, QueryParameter(description="Or the id of the profile")] = None,
    ) -> ExplanationView:
        found = await services.queries.run(
            services.explain.explain,
            accepted.account_id,
            CampaignId(campaign),
            identity=identity,
            profile_id=None if profile_id is None else ProfileId(big_int(profile_id, "profile_id")),
        )
        return _explanation_view(found)


def _explanation_view(found: Explanation) -> ExplanationView:
    return ExplanationView(
        campaign_id=found.campaign_id,
        profile_id=None if found.profile_id is None else str(found.profile_id),
        message_id=found.message_id,
        outcome=found.outcome,
        text=found.text,
        steps=found.steps,
    )
