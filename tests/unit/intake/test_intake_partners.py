"""`$source`, its alias and its header (partner-integrations 7.1, 7.2)."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.accounts.model import AccountSettings
from belfry.error_stream.model import ErrorKind
from belfry.errors import BadRequest
from belfry.intake import EventRecord, read_upload
from belfry.intake.partners import PARTNER_RAW, fold
from support.uploads import PARTNERS, body_of, check, code_of, event, kinds, profile, read, read_event, read_profile


def text_of(record: object, **settings: str) -> str | None:
    refusals = check(record, settings=AccountSettings(**settings)).refusals
    return refusals[0].text if refusals else None


@pytest.mark.parametrize("sent", ["Talon.One", "talon one", "TALON-ONE", " TalonOne "])
def test_an_enabled_partner_is_stored_under_its_own_name(sent: str) -> None:
    record = read_event(event(source_=sent))
    assert record.source == "Talon.One"
    assert record.props == {"score": 9}
    assert record.remarks == ()


def test_a_known_partner_that_is_not_enabled_is_tagged_or_refused_as_the_account_says() -> None:
    assert read_event(event(source_="finch")).source == "Finch"
    assert text_of(event(source_="finch"), partner_policy="reject") == (
        "Event structure is incorrect. ErrorCode: 512 - $source: partner finch is not enabled for this account. "
        "Skipped record number : 1"
    )


def test_an_unknown_partner_is_stored_untagged_with_the_raw_value_or_refused_as_the_account_says() -> None:
    record = read_event(event(source_="Acme & Co"))
    assert record.source is None
    assert record.props == {"score": 9, PARTNER_RAW: "Acme & Co"}
    assert kinds(record) == [ErrorKind.PARTNER_UNKNOWN]
    assert text_of(event(source_="Acme"), unknown_partner_policy="reject") == (
        "Event structure is incorrect. ErrorCode: 512 - $source: partner Acme is not known. Skipped record number : 1"
    )


def test_a_suspended_partner_is_always_refused() -> None:
    assert text_of(event(source_="Gone")) == (
        "Event structure is incorrect. ErrorCode: 512 - $source: partner Gone is suspended. Skipped record number : 1"
    )
    assert code_of(profile(source_="gone")) == 512


MALFORMED = ["", "x", "x" * 65, " ", "-x", "a/b", "a\nb", "é", 5, True, [], {}, ["Finch"]]


@pytest.mark.parametrize("value", MALFORMED, ids=repr)
@pytest.mark.parametrize("make", [event, profile], ids=["event", "profile"])
def test_a_malformed_source_refuses_its_record_and_names_itself(make: Any, value: object) -> None:
    verdict = check(event(), make(source_=value), event())
    assert [(refusal.index, refusal.code) for refusal in verdict.refusals] == [(1, 512)]
    assert "ErrorCode: 512 - $source needs" in verdict.refusals[0].text


def test_null_is_no_source() -> None:
    assert read_event(event(source_=None)).source is None
    assert read_event(event(source_=None)).props == {"score": 9}


def test_the_alias_is_taken_only_where_it_can_be_an_id() -> None:
    assert read_event(event(source="talon.one")).source == "Talon.One"
    assert read_event(event(source="talon.one", source_="Finch")).source == "Finch"
    for value in (None, "", 5, ["x"], "a/b", "x" * 65):
        record = read_event(event(source=value))
        assert (record.source, record.props, record.remarks) == (None, {"score": 9}, ())


def test_the_key_that_segment_sends_with_profiles_is_no_error() -> None:
    record = read_profile({"plan": "gold"}, source="Segment")
    assert record.source is None
    assert [operation.key for operation in record.operations] == ["plan"]


def test_the_header_is_the_default_and_the_record_wins() -> None:
    records = read(event(), event(source_="Finch"), event(source_=None), partner_header=" Talon.One ")
    assert [record.source for record in records if isinstance(record, EventRecord)] == [
        "Talon.One",
        "Finch",
        "Talon.One",
    ]


def test_a_malformed_header_refuses_the_call() -> None:
    with pytest.raises(BadRequest, match="X-Partner-Id needs 2 to 64 characters"):
        check(event(), partner_header="a/b")


def test_an_empty_header_is_none() -> None:
    assert check(event(), partner_header="  ").refusals == ()


def test_what_the_edge_accepted_stays_accepted_when_a_partner_is_suspended_later() -> None:
    (record,) = read_upload(body_of(event(source_="Gone")), AccountSettings(), (), 0, PARTNERS)
    assert isinstance(record, EventRecord)
    assert record.source == "Gone"


def test_ids_compare_without_case_spaces_dots_and_hyphens() -> None:
    assert fold("Talon. One") == fold("talon-one") == "talonone"
    assert fold("a_b") != fold("ab")
