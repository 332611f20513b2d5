"""The answer: counts, order, echoes, size (server-api 3.9, 11; scenario 2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from belfry.intake import UploadLimits, answer, check_upload, original_records
from support.uploads import LIMITS, NOW_MS, PARTNERS, SETTINGS, body_of, event, profile

MIB = 1024 * 1024


def answer_to(body: bytes, limits: UploadLimits = LIMITS) -> bytes:
    return answer(check_upload(body, SETTINGS, limits, NOW_MS, PARTNERS), body, limits)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], b'{"status":"success","processed":0,"unprocessed":[]}'),
        ([event(), event()], b'{"status":"success","processed":2,"unprocessed":[]}'),
    ],
    ids=["none", "all"],
)
def test_success_is_compact_and_has_no_key_error(records: list[object], expected: bytes) -> None:
    assert answer_to(body_of(*records)) == expected


def test_the_worked_example_of_the_specification() -> None:
    body = (
        b'{"d":[\n {"type":"event","identity":"rider-81","evtName":"Ride"},\n'
        b' {"type":"event","identity":"rider-81","evtName":"App Uninstalled","evtData":{}},\n'
        b' {"type":"profile","identity":"rider-82","profileData":{"Phone":"912345678"}}\n]}'
    )
    assert answer_to(body) == (
        b'{"status":"partial","processed":1,"unprocessed":['
        b'{"status":"fail","code":513,"error":"Event Name is incorrect. ErrorCode: 513 - Trying to raise a restricted '
        b'system event. Skipped record number : 2","record":{"type":"event","identity":"rider-81",'
        b'"evtName":"App Uninstalled","evtData":{}}},'
        b'{"status":"fail","code":516,"error":"Profile data is incorrect. Phone number is not valid.'
        b'Skipped record number : 3","record":{"type":"profile","identity":"rider-82",'
        b'"profileData":{"Phone":"912345678"}}}]}'
    )


def test_fail_means_that_nothing_was_processed() -> None:
    result = json.loads(answer_to(body_of({}, 1)))
    assert (result["status"], result["processed"]) == ("fail", 0)
    assert [entry["record"] for entry in result["unprocessed"]] == [{}, 1]


ECHOED = [
    b'{ "type" : "page",  "n": 1.50, "t":"\\u00e9\\/" }',
    b'{"type":"page","n":123456789012345678901234567890}',
    b'{"type":"page","t":"\\ud800 \\u0000"}',
    b'{"a":1,"a":2}',
    b'"text"',
    b"[1, 2]",
    '{"type":"page","t":"é用"}'.encode(),
]


@pytest.mark.parametrize("record", ECHOED, ids=[text.decode() for text in ECHOED])
@pytest.mark.parametrize("form", [b'{"d":[1,%s]}', b" [ 1 ,\n%s ]"], ids=["d", "bare"])
def test_the_echo_has_the_bytes_that_were_sent(form: bytes, record: bytes) -> None:
    result = answer_to(form % record)
    assert b'"record":' + record + b"}" in result
    json.loads(result)


def test_entries_are_in_the_order_of_the_body() -> None:
    bad = {"type": "profile", "identity": "x"} | {"profileData": {"Email": "$$$$$"}}
    result = json.loads(answer_to(body_of(bad, event(), {}, event(), bad)))
    assert result["processed"] == 2
    assert [entry["code"] for entry in result["unprocessed"]] == [515, 524, 515]
    assert [entry["error"].rpartition(" ")[2] for entry in result["unprocessed"]] == ["1", "3", "5"]


def large(identity: Any, **keys: Any) -> dict[str, Any]:
    return {"identity": identity, "type": "profile", "profileData": {"Email": "$", "x": "y" * 4000}} | keys


def test_echoes_stop_at_half_a_mebibyte_and_name_the_record_instead() -> None:
    body = body_of(*(large(f"user-{n}") for n in range(1000)))
    result = answer_to(body)
    entries = json.loads(result)["unprocessed"]
    assert len(result) < MIB
    assert len(entries) == 1000
    assert entries[0]["record"] == large("user-0")
    assert entries[999]["record"] == {"type": "profile", "identity": "user-999"}


@pytest.mark.parametrize(
    "record",
    [
        large("\x01" * 1000),
        large("用" * 1000, type="用" * 900),
        large([1] * 500),
        {"type": ["x" * 100] * 40},
        "z" * 4000,
        [1] * 900,
        large("u", source_=0) | {"$source": "x" * 64},
    ],
    ids=["control characters", "wide characters", "array", "odd type", "text", "list", "long reason"],
)
def test_an_answer_stays_below_one_mebibyte_whatever_was_sent(record: object) -> None:
    result = answer_to(body_of(*[record] * 1000))
    assert len(result) < MIB
    assert len(json.loads(result)["unprocessed"]) == 1000


def test_original_records_of_what_is_no_upload_are_none() -> None:
    for body in (b"", b"{", b"1", b"{}", b'{"d":5}', b'{"x":"\\ud800'):
        assert original_records(body) == []


def test_original_records_are_cut_out_of_bodies_with_replaced_characters() -> None:
    records = [b'{"a":"\\ud800"}', b'{"a":"\\ud800"}', json.dumps(profile()).encode(), b"7"]
    assert original_records(b'{"d":[ ' + b" ,\n".join(records) + b"]}") == records
