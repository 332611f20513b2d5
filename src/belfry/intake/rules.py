"""What the rules of one upload need to know besides the record."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from belfry.accounts.model import AccountSettings
from belfry.error_stream.model import Remark
from belfry.intake.model import PartnerPolicy, Who
from belfry.intake.vocabulary import Vocabulary, vocabulary_for

FUTURE_TOLERANCE_S = 600
"""How far ahead of ours a sender's clock may be (engagement 2.3)."""


def knows_no_device(_device_id: str) -> bool:
    return False


class Rules(msgspec.Struct, frozen=True):
    """The account's decisions for one upload.

    default_partner  Partner ID of the call's header, for records without `$source`
    discarded        folded event names that the account discarded
    known_device     whether a device of the account has used this objectId
    ts_s_max         latest time that is not refused, epoch seconds
    is_history       the upload holds what was recorded elsewhere: system events are accepted
    is_reading       the edge accepted the record already; only what it could not see may still refuse it
    """

    settings: AccountSettings
    partners: PartnerPolicy
    default_partner: str | None
    discarded: frozenset[str]
    known_device: Callable[[str], bool]
    ts_s_max: int
    is_reading: bool = False
    is_history: bool = False

    @property
    def vocabulary(self) -> Vocabulary:
        return vocabulary_for(self.settings.event_name_length_max, is_history=self.is_history)


class Head(msgspec.Struct, frozen=True):
    """What was read of a profile or event record before its own rules: place, who, when, and remarks so far."""

    index: int
    who: Who
    ts_ms: int | None
    remarks: list[Remark]
