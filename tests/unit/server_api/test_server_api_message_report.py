"""What a message report is asked for, and which messages pass its filters."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from belfry.campaigns.message_report import Started
from belfry.campaigns.model import CampaignState
from belfry.errors import BadRequest
from belfry.ids import CampaignId
from belfry.server_api.message_report import wanted_of

NOVEMBER = {"from": "20261101", "to": "20261130"}
MESSAGE = Started(CampaignId(1_795_608_000), "Winback", "webhook", CampaignState.RUNNING, dt.date(2026, 11, 25))


@pytest.mark.parametrize(
    ("filters", "takes"),
    [
        ({}, True),
        ({"channel": ["webhooks", "email"]}, True),
        ({"channel": "Webhooks"}, True),
        ({"channel": []}, True),
        ({"channel": ["email"]}, False),
        ({"status": ["running"]}, True),
        ({"status": ["completed", "stopped"]}, False),
        ({"delivery": ["one_time"]}, True),
        ({"delivery": ["recurring"]}, False),
        ({"message_type": ["single"]}, True),
        ({"message_type": ["ab"]}, False),
        ({"label": ["weather"]}, False),
    ],
)
def test_a_message_passes_if_every_filter_takes_it(filters: dict[str, Any], takes: bool) -> None:
    assert wanted_of({**NOVEMBER, **filters}).takes(MESSAGE) is takes


@pytest.mark.parametrize("day", ["20261101", 20261101])
def test_days_are_texts_or_numbers(day: object) -> None:
    assert wanted_of({"from": day, "to": day}).first == dt.date(2026, 11, 1)


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        ({}, "from", "required"),
        ({"from": "20261101"}, "to", "required"),
        ({"from": "2026-11-01", "to": "20261101"}, "from", "YYYYMMDD"),
        ({"from": "20261131", "to": "20261201"}, "from", "YYYYMMDD"),
        ({"from": True, "to": 20261101}, "from", "YYYYMMDD"),
        ({"from": "20261102", "to": "20261101"}, "from", "later than"),
        ({**NOVEMBER, "channel": ["pigeon"]}, "channel", "Invalid channel 'pigeon'"),
        ({**NOVEMBER, "delivery": ["soon"]}, "delivery", "Invalid delivery 'soon'"),
        ({**NOVEMBER, "status": ["draft"]}, "status", "Invalid status 'draft'"),
        ({**NOVEMBER, "message_type": ["x"]}, "message_type", "Invalid message_type 'x'"),
        ({**NOVEMBER, "channel": [7]}, "channel[0]", "a text"),
        ({**NOVEMBER, "label": ["x"] * 101}, "label", "100"),
        ({**NOVEMBER, "daily": "often"}, "daily", "true or false"),
    ],
)
def test_what_a_report_does_not_know_is_named(body: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(BadRequest, match=r"^[^\n]+$") as caught:
        wanted_of(body)
    assert caught.value.field == field
    assert text in caught.value.text


def test_unknown_keys_are_ignored_and_named() -> None:
    assert wanted_of({**NOVEMBER, "chanel": ["email"]}).warnings == ["unknown key chanel"]
