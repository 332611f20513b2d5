"""Requests of real clients get the verdicts that their recordings and documentation allow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from belfry.intake import PartnerPolicy, answer, check_upload
from support.uploads import LIMITS, NOW_MS, NOW_S, SETTINGS

DATA = Path(__file__).parents[2] / "conformance" / "data"
FILES = ("rudderstack", "segment", "tradeo_ruby")


def uploads() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every upload of the fixtures whose verdict depends on the body alone."""
    for file in FILES:
        for case in json.loads((DATA / f"{file}.json").read_text(encoding="utf-8"))["cases"]:
            for number, step in enumerate(case.get("steps", [case])):
                request, expect = step["request"], step.get("expect") or {}
                if request["path"] == "/1/upload" and expect.get("http") == [200] and "upload" in expect:
                    yield f"{case['id']}.{number}", step


def body_of(request: dict[str, Any]) -> bytes:
    text = json.dumps(request["body"])
    for placeholder, value in (('"{{now}}"', str(NOW_S)), ("{{now_str}}", str(NOW_S)), ("{{uid}}", "run1")):
        text = text.replace(placeholder, value)
    return re.sub(r"\{\{ctid:\w+\}\}", "__" + "0a1b2c3d" * 4, text).encode()


def is_allowed(expected: object, code: int | None) -> bool:
    if expected == "ok":
        return code is None
    assert isinstance(expected, dict)
    codes = expected.get("fail") or expected["ok_or"]
    return code in codes or (code is None and "ok_or" in expected)


CASES = list(uploads())


@pytest.mark.parametrize("step", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_each_record_of_a_real_client_gets_an_allowed_verdict(step: dict[str, Any]) -> None:
    body = body_of(step["request"])
    verdict = check_upload(body, SETTINGS, LIMITS, NOW_MS, PartnerPolicy())
    codes = {refusal.index: refusal.code for refusal in verdict.refusals}
    expected = step["expect"]["upload"]
    assert verdict.total == len(expected)
    assert [codes.get(index) for index, one in enumerate(expected) if not is_allowed(one, codes.get(index))] == []


RECORDED = [
    (case_id, step)
    for case_id, step in CASES
    if case_id.startswith("tradeo") and (step["expect"].get("paths") or step.get("should"))
]


def value_at(result: Any, path: str) -> object:
    for part in path.split("."):
        result = result[int(part)] if part.isdigit() else result[part]
    return result


@pytest.mark.parametrize("step", [case[1] for case in RECORDED], ids=[case[0] for case in RECORDED])
def test_the_answer_equals_the_recorded_one_of_the_real_service(step: dict[str, Any]) -> None:
    body = body_of(step["request"])
    result = json.loads(answer(check_upload(body, SETTINGS, LIMITS, NOW_MS, PartnerPolicy()), body, LIMITS))
    paths = step["expect"].get("paths", []) + (step.get("should") or {}).get("paths", [])
    assert paths
    assert [value_at(result, path["p"]) for path in paths] == [path["v"] for path in paths]


def test_the_fixtures_hold_the_clients_that_we_know() -> None:
    assert len(CASES) > 60
    assert len(RECORDED) > 12
