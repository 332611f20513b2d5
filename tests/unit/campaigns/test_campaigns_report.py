"""The figures of a run add up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from belfry.campaigns.model import Run, RunState
from belfry.campaigns.report import run_report
from belfry.delivery.history import StateCount
from belfry.delivery.model import MessageState, Reason
from belfry.ids import AccountId, CampaignId

RUN = Run(AccountId("A"), CampaignId(1_795_608_000), 20261125, RunState.SENDING, "", 0, None, None, 0, None)
S = MessageState


@given(
    st.dictionaries(st.tuples(st.sampled_from(S), st.sampled_from([*Reason, None])), st.integers(1, 10**6), max_size=20)
)
def test_qualified_is_the_sum_of_all_states(counts: dict[tuple[MessageState, Reason | None], int]) -> None:
    report = run_report(RUN, [StateCount(state, reason, n, n, 0) for (state, reason), n in counts.items()])
    assert report.qualified_count == sum(counts.values()) == sum(report.states.values())


def test_each_figure_comes_from_its_states() -> None:
    report = run_report(
        RUN,
        [
            StateCount(S.SENT, None, 90, 100, 7),
            StateCount(S.FAILED, Reason.PROVIDER_DOWN, 3, 12, 3),
            StateCount(S.FAILED, Reason.REJECTED, 2, 2, 0),
            StateCount(S.SKIPPED, Reason.OPTED_OUT, 4, 0, 0),
            StateCount(S.QUEUED, None, 5, 0, 0),
            StateCount(S.RETRYING, Reason.RATE_LIMITED, 2, 2, 0),
            StateCount(S.SENDING, None, 1, 0, 0),
            StateCount(S.CANCELLED, Reason.CAMPAIGN_STOPPED, 6, 1, 0),
        ],
    )
    assert report.name == "1795608000_20261125"
    assert (report.qualified_count, report.sent_count, report.retried_count) == (113, 90, 10)
    assert report.attempts_count == 117
    assert report.failed == {Reason.PROVIDER_DOWN: 3, Reason.REJECTED: 2}
    assert report.skipped == {Reason.OPTED_OUT: 4}
    assert (report.waiting_count, report.cancelled_count) == (8, 6)
