"""Requests of real clients against a whole running Belfry: every *must* holds, and every advisory that we can meet."""

from __future__ import annotations

import hashlib
import json
import re
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.running import Answer, Running, running, wait_for

DATA = Path(__file__).parent / "data"
FILES = ("rudderstack.json", "segment.json", "tradeo_ruby.json")
ADVISORY_NOT_MET = {
    "rudder.router.batch": "the objectId anon_id has 7 characters, a device's has at least 8 (server-api 3.3)",
    "tradeo.uploader.with_invalid_credentials.failed_to_upload_the_profiles": "no oracle which half was wrong",
}
"""Advisory expectations that the specification decides otherwise, and why."""

Case = dict[str, Any]


def cases() -> list[Any]:
    return [
        pytest.param(case, id=case["id"])
        for name in FILES
        for case in json.loads((DATA / name).read_text(encoding="utf-8"))["cases"]
    ]


@pytest.fixture(scope="module")
def belfry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("conformance")) as served:
        yield served


class Filled:
    """The placeholders of one case: a time, a suffix of the run, device ids."""

    def __init__(self, case_id: str) -> None:
        self.now = int(time.time())
        self.uid = hashlib.blake2b(f"{case_id}{time.time_ns()}".encode(), digest_size=6).hexdigest()

    def fill(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.fill(key): self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if not isinstance(value, str):
            return value
        if value == "{{now}}":
            return self.now
        text = value.replace("{{now_str}}", str(self.now)).replace("{{now}}", str(self.now))
        text = text.replace("{{uid}}", self.uid)
        return re.sub(r"\{\{ctid:(\w+)\}\}", lambda found: "__" + self._hex(found[1]), text)

    def _hex(self, name: str) -> str:
        return hashlib.md5(f"{self.uid}{name}".encode()).hexdigest()


def send(belfry: Running, request: Case) -> Answer:
    path = request["path"]
    if request.get("query"):
        path += "?" + urllib.parse.urlencode(request["query"])
    headers = dict(request.get("headers", {}))
    if request.get("auth") == "wrong_both":
        headers |= {"X-CleverTap-Account-Id": "ZZZ-ZZZ-ZZZZ", "X-CleverTap-Passcode": "f" * 32}
    return belfry.request(request["method"], path, request.get("body"), headers=headers)


def found(body: Any, path: str) -> Any:
    for part in path.split("."):
        body = body[int(part)] if isinstance(body, list) else body[part]
    return body


def problems(answer: Answer, expected: Case, records: int) -> list[str]:
    """What of an expectation does not hold, a line each."""
    lines = []
    if "http" in expected and answer.status not in expected["http"]:
        lines.append(f"HTTP {answer.status}, not one of {expected['http']}: {answer.body[:300]!r}")
    body = answer.json()
    if expected.get("no_profile") and body.get("record"):
        lines.append(f"a profile is there: {body}")
    if "upload" in expected:
        lines += upload_problems(body, expected["upload"], records)
    for check in expected.get("paths", ()):
        try:
            value = found(body, check["p"])
        except (KeyError, IndexError, TypeError):
            lines.append(f"{check['p']} is not there: {body}")
            continue
        if not holds(check["op"], value, check.get("v")):
            lines.append(f"{check['p']} is {value!r}, expected {check['op']} {check.get('v')!r}")
    return lines


def holds(op: str, value: Any, wanted: Any) -> bool:
    if op == "eq":
        return bool(value == wanted)
    if op == "eqws":
        return " ".join(value.split()) == " ".join(wanted.split())
    if op == "nonempty_str":
        return isinstance(value, str) and bool(value)
    if op == "regex":
        return re.search(wanted, value) is not None
    raise AssertionError(f"unknown operator {op}")


def upload_problems(body: Any, wanted: list[Any], records: int) -> list[str]:
    """`ok`, `{"fail": codes}` or `{"ok_or": codes}` for each record, read from the numbers in `unprocessed`."""
    codes = {int(re.search(r"(\d+)$", e["error"])[1]) - 1: e["code"] for e in body["unprocessed"]}  # type: ignore[index]
    lines = [] if body["processed"] == records - len(codes) else [f"processed is {body['processed']}"]
    for index, outcome in enumerate(wanted):
        code = codes.get(index)
        if outcome == "ok":
            is_right = code is None
        elif "fail" in outcome:
            is_right = code in outcome["fail"]
        else:
            is_right = code is None or code in outcome["ok_or"]
        if not is_right:
            lines.append(f"record {index}: code {code}, expected {outcome}")
    return lines


@pytest.mark.parametrize("case", cases())
def test_a_real_client_is_answered_as_it_expects(belfry: Running, case: Case) -> None:
    filled = Filled(case["id"])
    for step in case.get("steps", [case]):
        check_step(belfry, filled.fill(step), takes_advice=case["id"] not in ADVISORY_NOT_MET)


def check_step(belfry: Running, step: Case, *, takes_advice: bool) -> None:
    request = step["request"]
    records = len(request["body"]["d"]) if request["path"] == "/1/upload" else 0
    expectations = [step.get("expect", {}), step.get("should", {}) if takes_advice else {}]

    def unmet() -> list[str]:
        answer = send(belfry, request)
        return [line for expected in expectations for line in problems(answer, expected, records)]

    if step.get("eventually"):
        wait_for(lambda: not unmet(), 15, f"{request['method']} {request['path']} to be as expected")
    else:
        assert unmet() == []
