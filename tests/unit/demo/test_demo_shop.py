"""The demo's day is the same each time, and knows what must come of it."""

from __future__ import annotations

import msgspec

from belfry.accounts.model import AccountSettings
from belfry.demo.shop import EVENTS_COUNT, USERS_COUNT, WRONG, make_day
from belfry.intake import PartnerPolicy, UploadLimits, check_upload

NOW_S = 1_795_608_000


def test_the_day_follows_from_its_time_alone() -> None:
    assert make_day(NOW_S) == make_day(NOW_S)


def test_exactly_the_records_that_are_wrong_on_purpose_are_refused() -> None:
    day = make_day(NOW_S)
    codes: dict[int, int] = {}
    for records in day.uploads:
        body = msgspec.json.encode({"d": records})
        for refusal in check_upload(body, AccountSettings(), UploadLimits(), NOW_S * 1000, PartnerPolicy()).refusals:
            codes[refusal.code] = codes.get(refusal.code, 0) + 1
    assert codes == dict(day.refused)
    assert set(codes) == {code for code, _, _ in WRONG}


def test_it_has_the_size_that_the_readme_promises() -> None:
    day = make_day(NOW_S)
    assert (day.events_count, USERS_COUNT) == (EVENTS_COUNT, 2_000)
    assert day.partner_count == EVENTS_COUNT // 10
    assert day.left_carts > day.without_number > set()
