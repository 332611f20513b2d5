"""Whom a campaign goes to: its segment, asked in four ways. Calls block; they read the columnar store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from belfry.accounts.actions import Accounts
from belfry.accounts.model import Account
from belfry.campaigns.model import Campaign, WebhookCampaign
from belfry.errors import BadRequest
from belfry.ids import ProfileId
from belfry.segments.model import Rule, SegmentRule
from belfry.segments.parse import parse


class Segments(Protocol):
    """What is asked of `belfry.segments.actions.Segments`."""

    def check(self, account: Account, rule: Rule) -> None:
        """Raise BadRequest if the rule cannot be computed in this account: it names a segment that is not there."""
        ...

    def stream_profile_ids(
        self, account: Account, rule: Rule, *, as_of_ms: int | None = None
    ) -> Iterator[list[ProfileId]]:
        """Every user that the rule picks, each once, in ascending order, in blocks."""
        ...

    def contains(self, account: Account, rule: Rule, profile_id: ProfileId) -> bool:
        """Whether the rule picks this user now."""
        ...


class Who:
    """The segments of campaigns."""

    def __init__(self, segments: Segments, accounts: Accounts) -> None:
        self._segments = segments
        self._accounts = accounts

    def check(self, account: Account, definition: WebhookCampaign) -> None:
        """Raise BadRequest if the campaign has no segment that can be computed."""
        self._segments.check(account, rule_of(definition))

    def members(self, campaign: Campaign, *, as_of_ms: int) -> Iterator[Sequence[ProfileId]]:
        """Everybody in the segment at that moment, in ascending order, in blocks. Raises BadRequest as `check`."""
        account = self._accounts.show(campaign.account_id)
        return self._segments.stream_profile_ids(account, rule_of(campaign.definition), as_of_ms=as_of_ms)

    def qualified(self, campaign: Campaign, profile_ids: Sequence[ProfileId]) -> Collection[ProfileId]:
        """Which of these users are in the segment now."""
        account = self._accounts.show(campaign.account_id)
        rule = rule_of(campaign.definition)
        return [profile_id for profile_id in profile_ids if self._segments.contains(account, rule, profile_id)]


def rule_of(definition: WebhookCampaign) -> Rule:
    """The rule tree of a definition. Raises BadRequest, with the position of what is wrong."""
    if definition.segment_id is not None and definition.rule is None:
        return SegmentRule(definition.segment_id)
    if definition.rule is not None and definition.segment_id is None:
        return parse(definition.rule)
    raise BadRequest("give either segment_id, a saved segment, or rule, a rule tree", field="segment_id")
