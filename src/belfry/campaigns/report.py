"""The figures of one campaign. They add up: qualified = the sum over all states (engagement 8.6). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from belfry.campaigns.model import Campaign, CampaignState, Run, RunState
from belfry.delivery.history import StateCount
from belfry.delivery.model import MessageState, Reason
from belfry.ids import CampaignId


class RunReport(msgspec.Struct, frozen=True):
    """What became of one run's messages.

    name               `<campaign>_<YYYYMMDD>`
    qualified_count    users in the segment; while the run is being prepared those found until now
    sent_count         taken by the endpoint
    retried_count      messages that took more than one attempt
    attempts_count     attempts all together; a call counts once for each of its messages
    failed, skipped    by reason; failed ones can be replayed for seven days
    waiting_count      queued, being sent, or waiting for a retry
    cancelled_count    taken out of the queue by a stop
    states             messages by state
    """

    name: str
    state: RunState
    detail: str
    started_at_ms: int
    finished_at_ms: int | None
    qualified_count: int
    sent_count: int
    retried_count: int
    attempts_count: int
    failed: dict[Reason, int]
    skipped: dict[Reason, int]
    waiting_count: int
    cancelled_count: int
    states: dict[MessageState, int]


class CampaignReport(msgspec.Struct, frozen=True):
    """One campaign with its runs, the latest first."""

    campaign_id: CampaignId
    name: str
    state: CampaignState
    runs: list[RunReport]


def campaign_report(campaign: Campaign, runs: Iterable[tuple[Run, Sequence[StateCount]]]) -> CampaignReport:
    """The report of a campaign."""
    return CampaignReport(
        campaign_id=campaign.campaign_id,
        name=campaign.definition.name,
        state=campaign.state,
        runs=[run_report(run, counts) for run, counts in runs],
    )


def run_report(run: Run, counts: Sequence[StateCount]) -> RunReport:
    """The report of one run, from its messages counted once each."""
    states: Counter[MessageState] = Counter()
    for count in counts:
        states[count.state] += count.count
    waiting = (MessageState.QUEUED, MessageState.SENDING, MessageState.RETRYING)
    return RunReport(
        name=f"{run.campaign_id}_{run.run_id}",
        state=run.state,
        detail=run.detail,
        started_at_ms=run.started_at_ms,
        finished_at_ms=run.finished_at_ms,
        qualified_count=states.total(),
        sent_count=states[MessageState.SENT],
        retried_count=sum(count.retried_count for count in counts),
        attempts_count=sum(count.attempts_count for count in counts),
        failed=_by_reason(counts, MessageState.FAILED),
        skipped=_by_reason(counts, MessageState.SKIPPED),
        waiting_count=sum(states[state] for state in waiting),
        cancelled_count=states[MessageState.CANCELLED],
        states=dict(states),
    )


def _by_reason(counts: Iterable[StateCount], state: MessageState) -> dict[Reason, int]:
    return {count.reason: count.count for count in counts if count.state is state and count.reason is not None}
