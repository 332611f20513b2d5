"""Whom a campaign goes to: its segment, asked in three ways. Calls block; they read the columnar store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from belfry.accounts.actions import Accounts
from belfry.accounts.model import Account
from belfry.campaigns.model import Campaign, WebhookCampaign
from belfry.errors import BadRequest
from belfry.ids import ProfileId
from belfry.segments.actions import Segments
from belfry.segments.model import Rule, SegmentRule
from belfry.segments.parse import parse

ASKED_ONE_BY_ONE_MAX = 4
"""More users than this are looked for in the list of members: messages wait in the order of that list, so that the
members between the first and the last of a batch are few."""
PAGE_MEMBERS = 10_000
NOBODY = ProfileId(0)


class Who:
    """The segments of campaigns."""

    def __init__(self, segments: Segments, accounts: Accounts) -> None:
        self._segments = segments
        self._accounts = accounts

    def check(self, account: Account, definition: WebhookCampaign) -> None:
        """Raise BadRequest if the campaign has no segment, or one that cannot be computed."""
        self._segments.contains(account, rule_of(definition), NOBODY)

    def members(self, campaign: Campaign, *, as_of_ms: int) -> Iterator[Sequence[ProfileId]]:
        """Everybody in the segment at that moment, in ascending order, in blocks. Raises BadRequest as `check`."""
        account = self._accounts.show(campaign.account_id)
        return self._segments.stream_profile_ids(account, rule_of(campaign.definition), as_of_ms=as_of_ms)

    def qualified(self, campaign: Campaign, profile_ids: Sequence[ProfileId]) -> Collection[ProfileId]:
        """Which of these users are in the segment now."""
        account = self._accounts.show(campaign.account_id)
        rule = rule_of(campaign.definition)
        if len(profile_ids) <= ASKED_ONE_BY_ONE_MAX:
            return {one for one in profile_ids if self._segments.contains(account, rule, one)}
        wanted, after = set(profile_ids), ProfileId(min(profile_ids) - 1)
        found: set[ProfileId] = set()
        while after < max(wanted):
            page = self._segments.profile_ids(account, rule, after=after, limit=PAGE_MEMBERS)
            found.update(wanted.intersection(page))
            if len(page) < PAGE_MEMBERS:
                break
            after = page[-1]
        return found


def rule_of(definition: WebhookCampaign) -> Rule:
    """The rule tree of a definition. Raises BadRequest, with the position of what is wrong."""
    if definition.segment_id is not None and definition.rule is None:
        return SegmentRule(definition.segment_id, "segment_id")
    if definition.rule is not None and definition.segment_id is None:
        return parse(definition.rule)
    raise BadRequest("give either segment_id, a saved segment, or rule, a rule tree", field="segment_id")
