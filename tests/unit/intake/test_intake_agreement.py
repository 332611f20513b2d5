"""Laws: edge and pipeline agree, the fast ways equal the full one, and no body raises anything unforeseen."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belfry.accounts.model import AccountSettings
from belfry.errors import CallerError
from belfry.events.names import FORBIDDEN_PROFILE
from belfry.intake import (
    EventRecord,
    ProfileRecord,
    Refusal,
    TokenRecord,
    answer,
    check_upload,
    original_records,
    read_upload,
)
from belfry.intake.records import check_record, read_record
from belfry.intake.rules import Rules, knows_no_device
from belfry.intake.wire import decode
from belfry.profiles.model import SUBSCRIPTION_KEYS
from support.uploads import LIMITS, NOW_MS, NOW_S, PARTNERS, SETTINGS, body_of, event

texts = st.text(max_size=20) | st.sampled_from(["", " ", "a.b", "x" * 600, "$add", "event", "\ud800", "a\u0000"])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars | st.integers(-(2**80), 2**80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
identifiers = st.sampled_from(["u-1", " u 1 ", 13, "x" * 1024, "ines@example.org"]) | scalars
object_ids = st.sampled_from(["__b41c2a6f0d9e", "-v0123456789", "short", "a@example.org", "back-end-event"]) | scalars
times = st.sampled_from([1_767_225_600, "1767225600", NOW_S * 1000, 0, "tomorrow", "2026-01-01T00:00:00Z"]) | scalars
names = st.sampled_from(["Buy", "Charged", "App Launched", "Web: Home", "", "n" * 600]) | texts | scalars
sources = st.sampled_from(["Talon.One", "Finch", "Gone", "Acme", "Segment", "?"]) | scalars

PROFILE_KEYS = [
    "Name", "Email", "Phone", "Gender", "DOB", "Employed", "Education", "Married", "Age", "Tz", "Photo", "identity",
    "FBID", "GPID", "name", "category-unsubscribe", "category-resubscribe", *sorted(SUBSCRIPTION_KEYS),
]  # fmt: skip
profile_values = (
    st.sampled_from(["M", "a@example.org", "+351912345678", "Y", "School", "18", "Europe/Lisbon", "true", ""])
    | st.dictionaries(st.sampled_from(["$add", "$remove", "$set", "$delete", "$incr", "$decr", "$x", "a"]), values)
    | st.dictionaries(st.sampled_from(["email", "sms"]), st.lists(texts, max_size=2))
    | values
)


def _record(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    common = {"identity": identifiers, "FBID": identifiers, "objectId": object_ids, "ts": times, "$source": sources}
    return st.fixed_dictionaries({}, optional=common | {"source": sources, "other": values} | optional)


events = _record(
    evtName=names,
    evtData=st.dictionaries(texts | st.sampled_from(["Items", "event_id", "Charged ID"]), values, max_size=5) | values,
).map(lambda record: record | {"type": "event"})
profiles = _record(
    profileData=st.dictionaries(st.sampled_from(PROFILE_KEYS) | texts, profile_values, max_size=5) | values
).map(lambda record: record | {"type": "profile"})
tokens = _record(
    tokenData=st.fixed_dictionaries(
        {}, optional={"id": texts | values, "type": st.sampled_from(["fcm", "apns", "chrome", "x"]), "keys": values}
    )
    | values
).map(lambda record: record | {"type": "token"})
plain_events = st.builds(
    lambda identity, name, data, ts: event(identity=identity, evtName=name, evtData=data, ts=ts),
    st.sampled_from(["u-1", "u-2 "]),
    st.sampled_from(["Buy", "Sign Up", "Web: Home"]),
    st.dictionaries(st.sampled_from(["price", "Product name", "a.b", "event_id"]), scalars, max_size=4),
    st.integers(1, NOW_S),
)
records = events | profiles | tokens | plain_events | values | _record(type=texts | values)
account_settings = st.builds(
    AccountSettings,
    nested_objects=st.booleans(),
    default_country=st.sampled_from([None, "PT"]),
    partner_policy=st.sampled_from(["accept_tag", "reject"]),
    unknown_partner_policy=st.sampled_from(["accept_untagged", "reject"]),
    event_properties_max=st.sampled_from([2, 256]),
    value_length_max=st.sampled_from([5, 512]),
)


def dump(value: object) -> bytes:
    return json.dumps(value).encode()


@settings(max_examples=400, deadline=None)
@given(st.lists(records, max_size=6), account_settings)
def test_the_pipeline_reads_exactly_the_records_that_the_edge_accepted(
    sent: list[object], account: AccountSettings
) -> None:
    body = dump({"d": sent})
    verdict = check_upload(body, account, LIMITS, NOW_MS, PARTNERS)
    refused = [refusal.index for refusal in verdict.refusals]
    assert verdict.total == len(sent)
    assert refused == sorted(set(refused))
    results = read_upload(body, account, refused, NOW_MS, PARTNERS)
    assert not [result for result in results if isinstance(result, Refusal)]
    assert [result.index for result in results] == [index for index in range(len(sent)) if index not in refused]


@settings(max_examples=200, deadline=None)
@given(st.lists(records, max_size=6), account_settings)
def test_reading_again_gives_the_same(sent: list[object], account: AccountSettings) -> None:
    body = dump({"d": sent})
    refused = {refusal.index for refusal in check_upload(body, account, LIMITS, NOW_MS, PARTNERS).refusals}
    first = read_upload(body, account, refused, NOW_MS, PARTNERS)
    assert first == read_upload(body, account, refused, NOW_MS + 10**9, PARTNERS)


@settings(max_examples=400, deadline=None)
@given(st.lists(plain_events | records, min_size=1, max_size=4), account_settings)
def test_the_fast_ways_equal_the_full_one(sent: list[object], account: AccountSettings) -> None:
    body = dump({"d": sent})
    edge = Rules(account, PARTNERS, None, frozenset(), knows_no_device, NOW_S + 600)
    wire = decode(body, LIMITS).records
    full = [check_record(record, index, edge) for index, record in enumerate(wire)]
    assert check_upload(body, account, LIMITS, NOW_MS, PARTNERS).refusals == tuple(r for r in full if r is not None)
    pipeline = Rules(account, PARTNERS, None, frozenset(), knows_no_device, 10**12 - 1, is_reading=True)
    slow = [read_record(record, index, pipeline) for index, record in enumerate(decode(body, LIMITS).records)]
    assert [without_byte_remarks(result) for result in read_upload(body, account, (), NOW_MS, PARTNERS)] == [
        without_byte_remarks(result) for result in slow
    ]


def without_byte_remarks(result: object) -> object:
    """The result without the remarks that only the bytes of a record show."""
    if isinstance(result, EventRecord | ProfileRecord | TokenRecord):
        remarks = tuple(r for r in result.remarks if r.kind.value not in ("surrogates_replaced", "duplicate_keys"))
        return msgspec.structs.replace(result, remarks=remarks)
    return result


@settings(max_examples=300, deadline=None)
@given(st.lists(records, max_size=4), account_settings)
def test_what_is_read_can_be_stored(sent: list[object], account: AccountSettings) -> None:
    """Nothing that a store cannot hold gets through: U+0000, lone surrogates, integers beyond 64 bits, dots in keys."""
    for result in read_upload(dump({"d": sent}), account, (), NOW_MS, PARTNERS):
        text = msgspec.json.encode(result)  # fails on surrogates and on integers beyond 64 bits
        assert b"\\u0000" not in text
        if isinstance(result, EventRecord):
            assert_storable(result.props)


def assert_storable(value: object) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            assert key
            assert not set(key) & set(FORBIDDEN_PROFILE) - {"#"}
            assert_storable(inner)
    elif isinstance(value, list):
        assert len({type(item) for item in value}) == 1
        for item in value:
            assert_storable(item)
    elif isinstance(value, int):
        assert -(2**63) <= value < 2**63
    else:
        assert isinstance(value, str | float)


@settings(max_examples=300, deadline=None)
@given(values | st.dictionaries(st.sampled_from(["d", "x"]), values) | st.lists(records, max_size=3))
def test_no_json_body_raises_anything_but_an_error_for_the_caller(value: object) -> None:
    take(dump(value))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(records, min_size=1, max_size=3),
    st.lists(
        st.tuples(st.integers(0, 10_000), st.sampled_from([b"", b'"', b"\\", b"{", b"]", b"\xff", b"1e999", b","]))
    ),
)
def test_no_damaged_body_raises_anything_but_an_error_for_the_caller(
    sent: list[object], damages: list[tuple[int, bytes]]
) -> None:
    body = dump({"d": sent})
    for place, replacement in damages:
        at = place % len(body)
        body = body[:at] + replacement + body[at + 1 :]
    take(body)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_but_an_error_for_the_caller(body: bytes) -> None:
    take(body)


def take(body: bytes) -> None:
    """All that is done with a body; the answer is JSON and has an entry for every refused record."""
    with contextlib.suppress(CallerError):
        verdict = check_upload(body, SETTINGS, LIMITS, NOW_MS, PARTNERS)
        assert len(original_records(body)) == verdict.total
        result = json.loads(answer(verdict, body, LIMITS))
        assert result["processed"] + len(result["unprocessed"]) == verdict.total
        read_upload(body, SETTINGS, {refusal.index for refusal in verdict.refusals}, NOW_MS, PARTNERS)


def test_a_record_that_new_settings_refuse_is_handed_over_and_not_lost() -> None:
    body = body_of(event(evtData={"a": 1, "b": 2}), event())
    stricter = AccountSettings(event_properties_max=1)
    results = read_upload(body, stricter, (), NOW_MS, PARTNERS)
    assert isinstance(results[0], Refusal)
    assert (results[0].index, results[0].code) == (0, 522)
    assert isinstance(results[1], EventRecord)


def test_reading_what_was_never_accepted_is_an_error_for_the_caller() -> None:
    with pytest.raises(CallerError):
        read_upload(b"{", SETTINGS, (), NOW_MS, PARTNERS)
