"""Which groups an upload may speak of, and what groups may look like."""

from __future__ import annotations

import pytest

from belfry.error_stream.model import ErrorKind, Remark
from belfry.errors import BadRequest
from belfry.subscription_groups import rules
from belfry.subscription_groups.model import GroupChannel, SubscriptionGroup
from belfry.subscription_groups.rules import KnownGroups


def group(name: str, *channels: GroupChannel, created_at_ms: int = 0, archived: bool = False) -> SubscriptionGroup:
    return SubscriptionGroup(
        key=1,
        name=name,
        description="",
        channels=channels or (GroupChannel.EMAIL,),
        created_at_ms=created_at_ms,
        updated_at_ms=0,
        archived_at_ms=1 if archived else None,
    )


@pytest.mark.parametrize(
    ("groups", "wishes", "kept", "unknown"),
    [
        pytest.param([group("Offers")], {"email": ["Offers"]}, {"email": ["Offers"]}, [], id="known"),
        pytest.param([group("Offers")], {"email": ["offers"]}, {}, ["offers"], id="names are exact"),
        pytest.param([group("Offers")], {"sms": ["Offers"]}, {}, ["Offers"], id="of another channel"),
        pytest.param([group("Offers")], {"fax": ["Offers"]}, {}, ["Offers"], id="of no channel"),
        pytest.param([], {"email": ["Offers", "News"]}, {}, ["Offers", "News"], id="none at all"),
        pytest.param(
            [group("Offers")], {"email": ["Offers", "x"]}, {"email": ["Offers"]}, ["x"], id="one of them is known"
        ),
        pytest.param([group("Old", archived=True)], {"email": ["Old"]}, {"email": ["Old"]}, [], id="archived"),
        pytest.param([group("New", created_at_ms=1001)], {"email": ["New"]}, {}, ["New"], id="made afterwards"),
        pytest.param([group("New", created_at_ms=1000)], {"email": ["New"]}, {"email": ["New"]}, [], id="just made"),
    ],
)
def test_wishes_for_unknown_groups_are_taken_out_with_a_remark(
    groups: list[SubscriptionGroup], wishes: dict[str, list[str]], kept: dict[str, list[str]], unknown: list[str]
) -> None:
    remarks: list[Remark] = []
    assert KnownGroups(groups, 1000).only_known(wishes, remarks) == kept
    assert [(remark.kind, remark.subject) for remark in remarks] == [(ErrorKind.UNKNOWN_GROUP, n) for n in unknown]


def test_no_wishes_stay_none() -> None:
    remarks: list[Remark] = []
    assert KnownGroups([], 0).only_known(None, remarks) is None
    assert remarks == []


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00", "x" * 121])
def test_a_name_that_no_upload_could_use_is_refused(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        rules.checked_name(name)
    assert caught.value.field == "name"


def test_channels_come_once_and_in_their_order() -> None:
    chosen = [GroupChannel.SMS, GroupChannel.EMAIL, GroupChannel.SMS]
    assert rules.checked_channels(chosen) == (GroupChannel.EMAIL, GroupChannel.SMS)


def test_a_group_needs_a_channel() -> None:
    with pytest.raises(BadRequest, match="channels needs at least one channel"):
        rules.checked_channels([])


@pytest.mark.parametrize("text", ["x" * 501, "a\x00b"])
def test_a_description_beyond_the_limit_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="description has"):
        rules.checked_description(text)
