"""Every code of server-api 3.12: what raises it, its text to the letter, and which of two comes first."""

from __future__ import annotations

import pytest

from belfry.accounts.model import AccountSettings
from belfry.intake.codes import TEXTS, Code, refusal
from support.uploads import check, code_of, event, profile, token

BAD_TS = "Timestamp should be present in the Unix Epoch format. Skipped record number : 2"
RESTRICTED = (
    "Event Name is incorrect. ErrorCode: 513 - Trying to raise a restricted system event. Skipped record number : 2"
)
NO_NAME = "Event Name is incorrect. ErrorCode: 509 - Event name is mandatory. Skipped record number : 2"

TEXT_CASES = [
    (event(evtName=None), 509, NO_NAME),
    (
        event(evtData=[1]),
        512,
        "Event structure is incorrect. ErrorCode: 512 - evtData needs to be an object, got array. "
        "Skipped record number : 2",
    ),
    (event(evtName="App Uninstalled"), 513, RESTRICTED),
    (
        profile(profileData={"Gender": "X"}),
        514,
        "Profile data is incorrect. Gender needs to be M/F.Skipped record number : 2",
    ),
    (
        profile(profileData={"Email": "$$$$$"}),
        515,
        "Profile data is incorrect. Email is not valid.Skipped record number : 2",
    ),
    (
        profile(profileData={"Phone": "+44+441234"}),
        516,
        "Profile data is incorrect. Phone number is not valid.Skipped record number : 2",
    ),
    (
        profile(profileData={"Employed": True}),
        517,
        "Profile data is incorrect. Employed needs to be Y/N.Skipped record number : 2",
    ),
    (
        profile(profileData={"Education": "Science"}),
        518,
        "Profile data is incorrect. Education needs to be School/College/Graduate..Skipped record number : 2",
    ),
    (
        profile(profileData={"Married": "223"}),
        519,
        "Profile data is incorrect. Married needs to be Y/N.Skipped record number : 2",
    ),
    (
        profile(profileData={"Age": "aa"}),
        520,
        "Profile data is incorrect. Age is invalid.Skipped record number : 2",
    ),
    (
        event(evtData={f"k{n}": n for n in range(257)}),
        522,
        "Event properties exceed the limit of 256. ErrorCode: 522. Skipped record number : 2",
    ),
    (event(identity=""), 523, "Identity is missing. ErrorCode: 523. Skipped record number : 2"),
    (
        event(type="page"),
        524,
        "Record type needs to be event/profile/token. ErrorCode: 524. Skipped record number : 2",
    ),
    (event(ts=0), 525, BAD_TS),
    (
        event(identity=None, objectId="a b"),
        526,
        "ObjectId is not valid. ErrorCode: 526. Skipped record number : 2",
    ),
    (token(objectId="short"), 530, "Token data is incorrect. ObjectId is not valid.Skipped record number : 2"),
    (
        token(tokenData={"id": "t", "type": "pager"}),
        531,
        "Token data is incorrect.Skipped record number : 2",
    ),
    (token(tokenData={"type": "fcm"}), 532, "Token data is incorrect. Id is missing.Skipped record number : 2"),
    (token(tokenData={"id": "t"}), 533, "Token data is incorrect. Type is missing.Skipped record number : 2"),
    (
        token(tokenData={"id": "t", "type": "apns"}),
        534,
        "Token data is incorrect. Type is not valid for objectId.Skipped record number : 2",
    ),
    (
        token(objectId="f54bb572361c4fd1", tokenData={"id": "t", "type": "chrome", "keys": {"auth": "x"}}),
        535,
        "Token data is incorrect.Skipped record number : 2",
    ),
]


@pytest.mark.parametrize(("record", "code", "text"), TEXT_CASES, ids=[str(case[1]) for case in TEXT_CASES])
def test_a_refused_record_has_its_code_and_its_text_to_the_letter(record: object, code: int, text: str) -> None:
    verdict = check(event(), record, event())
    assert [(refusal.index, refusal.code, refusal.text) for refusal in verdict.refusals] == [(1, code, text)]


def test_a_discarded_event_is_refused_in_any_spelling() -> None:
    verdict = check(event(evtName="quiz  done"), discarded=frozenset({"quizdone"}))
    assert verdict.refusals[0].code == 528
    assert verdict.refusals[0].text == (
        "Event Name is incorrect. ErrorCode: 528 - Event is discarded. Skipped record number : 1"
    )


def test_an_internal_error_of_one_record_has_its_own_text() -> None:
    assert refusal(6, Code.INTERNAL).text == "Miscellaneous server error.Skipped record number : 7"


def test_every_code_has_a_text() -> None:
    assert set(TEXTS) == set(Code)


NOT_RECORDS = [1, "event", None, True, [], [{"type": "event"}], 1.5]


@pytest.mark.parametrize("item", NOT_RECORDS, ids=repr)
def test_an_item_that_is_no_object_is_refused_alone(item: object) -> None:
    verdict = check(event(), item, event())
    assert verdict.total == 3
    assert [(refusal.index, refusal.code) for refusal in verdict.refusals] == [(1, 524)]


BAD_DATA = {"Gender": "X", "Email": "x", "Phone": "1", "Employed": 1, "Education": 1, "Married": 1, "Age": "a"}
ORDER_CASES = [
    ("type before identity", event(type=None, identity=None), 524),
    ("identity before ts", event(identity=None, ts=0), 523),
    ("objectId before ts", event(identity=None, objectId="?", ts=0), 526),
    ("ts before name", event(ts=0, evtName=None), 525),
    ("name before data", event(evtName="", evtData=1), 509),
    ("restricted before data", event(evtName="app launched", evtData=1), 513),
    ("$source before data", event(source_=1, evtData={str(n): n for n in range(300)}), 512),
    ("ts before token", token(ts=0, tokenData=None), 525),
    ("token id before type", token(tokenData={}), 532),
    ("token type before objectId", token(objectId=None, tokenData={"id": "t"}), 533),
    ("unfit type before token", token(tokenData={"id": 1, "type": "apns"}), 534),
    ("objectId before token", token(objectId=None, tokenData={"id": 1, "type": "apns"}), 530),
]


@pytest.mark.parametrize(("record", "code"), [case[1:] for case in ORDER_CASES], ids=[case[0] for case in ORDER_CASES])
def test_the_first_failing_rule_decides(record: object, code: int) -> None:
    assert code_of(record) == code


def test_profile_keys_are_checked_in_the_published_order_whatever_order_they_came_in() -> None:
    data = dict(reversed(BAD_DATA.items()))
    seen = []
    while data:
        code = code_of(profile(profileData=data))
        seen.append(code)
        data.pop(list(BAD_DATA)[len(seen) - 1])
    assert seen == [514, 515, 516, 517, 518, 519, 520]


def test_a_batch_of_1000_with_one_bad_email_at_500_refuses_that_one() -> None:
    records = [profile(identity=f"u{n}", profileData={"Email": f"u{n}@example.org"}) for n in range(1000)]
    records[499]["profileData"]["Email"] = "1234"
    verdict = check(*records)
    assert verdict.total == 1000
    assert [refusal.text for refusal in verdict.refusals] == [
        "Profile data is incorrect. Email is not valid.Skipped record number : 500"
    ]


@pytest.mark.parametrize(("count", "code"), [(3, None), (4, 522)], ids=["at the limit", "above"])
def test_the_limit_of_properties_is_the_account_s_and_stands_in_the_text(count: int, code: int | None) -> None:
    settings = AccountSettings(event_properties_max=3)
    record = event(evtData={str(n): n for n in range(count)})
    verdict = check(record, settings=settings)
    assert [refusal.code for refusal in verdict.refusals] == ([] if code is None else [code])
    assert all("limit of 3." in refusal.text for refusal in verdict.refusals)


@pytest.mark.parametrize("kind", ["EVENT", " Event ", "event"])
def test_the_type_of_a_record_is_compared_without_case(kind: str) -> None:
    assert code_of(event(type=kind)) is None
