"""Campaigns and runs: states, ids, what is shown of a definition."""

from __future__ import annotations

import itertools
import json

import msgspec
import pytest

from belfry.campaigns.model import (
    CAMPAIGN_MOVES,
    RUN_MOVES,
    CampaignState,
    RunState,
    check_campaign_move,
    check_run_move,
    decode_definition,
    encode_definition,
    run_id_at,
    shown_definition,
)
from belfry.campaigns.seal import Seal
from belfry.connectors.secret import Secret
from belfry.connectors.webhook import BasicAuth
from belfry.errors import InternalError
from belfry.ids import AccountId, CampaignId, SequentialIds
from support.campaigns import definition

C, R = CampaignState, RunState
CAMPAIGN_ARROWS = {
    (C.DRAFT, C.RUNNING): "launched",
    (C.RUNNING, C.COMPLETED): "its run is over",
    (C.RUNNING, C.STOPPED): "by a user; for good",
    (C.COMPLETED, C.RUNNING): "dead letters are replayed",
}
RUN_ARROWS = {
    (R.PREPARING, R.SENDING): "everybody is there",
    (R.PREPARING, R.REFUSED): "over the safety limit",
    (R.PREPARING, R.STOPPED): "by a user",
    (R.SENDING, R.COMPLETED): "nothing is left to come",
    (R.SENDING, R.STOPPED): "by a user",
    (R.COMPLETED, R.SENDING): "dead letters are replayed",
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(C, C)), ids=str)
def test_a_campaign_goes_along_the_arrows_only(old: CampaignState, new: CampaignState) -> None:
    if (old, new) in CAMPAIGN_ARROWS:
        check_campaign_move(old, new)
    else:
        with pytest.raises(InternalError):
            check_campaign_move(old, new)


@pytest.mark.parametrize(("old", "new"), list(itertools.product(R, R)), ids=str)
def test_a_run_goes_along_the_arrows_only(old: RunState, new: RunState) -> None:
    if (old, new) in RUN_ARROWS:
        check_run_move(old, new)
    else:
        with pytest.raises(InternalError):
            check_run_move(old, new)


def test_every_state_declares_its_moves() -> None:
    assert set(CAMPAIGN_MOVES) == set(C)
    assert set(RUN_MOVES) == set(R)


@pytest.mark.parametrize(
    ("now_ms", "timezone", "expected"),
    [
        pytest.param(1_795_608_000_000, "UTC", 20261125, id="noon in UTC"),
        pytest.param(1_795_608_000_000 + 13 * 3_600_000, "Asia/Tokyo", 20261126, id="the next day in Tokyo"),
        pytest.param(1_795_608_000_000 - 9 * 3_600_000, "America/New_York", 20261124, id="the day before in New York"),
    ],
)
def test_a_run_is_named_after_the_day_in_the_accounts_time_zone(now_ms: int, timezone: str, expected: int) -> None:
    assert run_id_at(now_ms, timezone) == expected


CANARY = "canary-93b1"
WITH_SECRETS = definition(
    webhook={
        "auth": BasicAuth("shop", Secret(CANARY)),
        "headers": (("X-Api-Key", f"key {CANARY}"),),
        "signing_secrets": (Secret(CANARY),),
    },
    upper_cap_for_target_segment=100,
)


def test_a_definition_survives_the_store_with_its_secrets() -> None:
    again = decode_definition(encode_definition(WITH_SECRETS))
    assert again == WITH_SECRETS
    assert CANARY in encode_definition(WITH_SECRETS).decode()


def test_secrets_and_header_values_are_write_only() -> None:
    shown = json.dumps(shown_definition(WITH_SECRETS))
    assert CANARY not in shown
    assert "X-Api-Key" in shown
    assert CANARY not in repr(WITH_SECRETS.webhook)


@pytest.mark.parametrize("cap", [0, 99, -1])
def test_a_safety_limit_below_a_hundred_is_refused(cap: int) -> None:
    data = json.loads(encode_definition(definition())) | {"upper_cap_for_target_segment": cap}
    with pytest.raises(msgspec.ValidationError, match="upper_cap_for_target_segment"):
        decode_definition(json.dumps(data).encode())


def test_a_safety_limit_of_a_hundred_is_taken() -> None:
    data = json.loads(encode_definition(definition())) | {"upper_cap_for_target_segment": 100}
    assert decode_definition(json.dumps(data).encode()).upper_cap_for_target_segment == 100


def test_a_sealed_definition_shows_nothing_and_opens_only_in_its_place() -> None:
    seal = Seal(b"s" * 32, SequentialIds())
    sealed = seal.close(b'{"password":"canary"}', AccountId("A"), CampaignId(1))
    assert b"canary" not in sealed
    assert seal.open(sealed, AccountId("A"), CampaignId(1)) == b'{"password":"canary"}'
    for account, campaign in (("B", 1), ("A", 2)):
        with pytest.raises(InternalError):
            seal.open(sealed, AccountId(account), CampaignId(campaign))
    with pytest.raises(InternalError):
        Seal(b"t" * 32, SequentialIds()).open(sealed, AccountId("A"), CampaignId(1))
    with pytest.raises(InternalError):
        seal.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), AccountId("A"), CampaignId(1))
