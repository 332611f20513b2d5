"""The documents' commands run as printed against a started Belfry, and say what the documents say they say."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from belfry.config import Settings
from belfry.main import administration
from support.docs import DOCS, ROOT, documents, rules, snippets
from support.running import Answer, Running, running, wait_for

ACCOUNT, PASSCODE = "DEMO-123-4567", "5d1f0c7a93e24b6b8d20c1a9e6f7b413"
"""As the documents have them."""
BASE, ENDPOINT = "http://127.0.0.1:8080", "127.0.0.1:9000"
TUTORIAL = DOCS / "tutorial" / "first-campaign.md"


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Desk:
    """A terminal beside a running Belfry, with an account of its own in the place of the documents' one."""

    def __init__(self, belfry: Running, folder: Path, endpoint_port: int) -> None:
        self.belfry = belfry
        self.folder = folder
        self.endpoint_port = endpoint_port
        with administration(Settings(data_dir=str(belfry.data_dir))) as admin:
            self.account_id = admin.accounts.create("Docs").account_id
            self.passcode = admin.passcodes.create(self.account_id, "docs").secret
        wait_for(lambda: self.ask("GET", "/api/v1/whoami").status == 200, 10, "the account to be known")

    def command(self, *arguments: str) -> str:
        """What a command of `belfry` prints."""
        done = subprocess.run(
            [sys.executable, "-m", "belfry", *arguments],
            env={**os.environ, "BELFRY_DATA_DIR": str(self.belfry.data_dir)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """One request in the account's name."""
        credentials = {"X-CleverTap-Account-Id": self.account_id, "X-CleverTap-Passcode": self.passcode}
        return self.belfry.request(method, path, body, headers=credentials)

    def here(self, text: str) -> str:
        """A snippet with what the documents have replaced by what is here."""
        places = {
            BASE: f"http://127.0.0.1:{self.belfry.port}",
            ENDPOINT: f"127.0.0.1:{self.endpoint_port}",
            ACCOUNT: self.account_id,
            PASSCODE: self.passcode,
        }
        for printed, real in places.items():
            text = text.replace(printed, real)
        return text

    def run(self, *scripts: str) -> list[Any]:
        """Run snippets one after another in one bash; the JSON lines that they print."""
        text = "\n".join(self.here(script) for script in scripts)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def endpoint_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def belfry(tmp_path_factory: pytest.TempPathFactory, endpoint_port: int) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("docs"), outbound_allow=f"127.0.0.1:{endpoint_port}") as started:
        yield started


@pytest.fixture
def desk(belfry: Running, tmp_path: Path, endpoint_port: int) -> Desk:
    return Desk(belfry, tmp_path, endpoint_port)


def opening() -> str:
    """The lines that set BASE and AUTH, as the tutorial prints them."""
    return next(text for text in snippets(TUTORIAL, "sh") if text.startswith("BASE="))


def test_the_tour_of_the_readme_runs_as_printed(desk: Desk) -> None:
    start, tour = snippets(ROOT / "README.md", "sh")[1:3]
    assert start.strip() == f"BELFRY_BOOTSTRAP_ACCOUNT={ACCOUNT}:{PASSCODE} make serve"
    event, profiles, known, count, segment, errors = desk.run(tour)
    assert event == {"status": "success", "processed": 1, "unprocessed": []}
    assert (profiles["processed"], [one["code"] for one in profiles["unprocessed"]]) == (1, [515])
    assert known["record"]["email"] == "john@example.org"
    assert known["record"]["events"]["Product CleverTap 1"]["count"] == 1
    assert count == {"status": "success", "count": 1}
    assert segment["in_words"].startswith("Users who did Product CleverTap 1 from ")
    groups = {(group["key"]["kind"], group["key"]["subject"]) for group in errors["items"]}
    assert groups == {("partner_unknown", "CleverTap"), ("refused", "code 515")}


def test_the_tutorial_runs_as_printed(desk: Desk) -> None:
    blocks = snippets(TUTORIAL, "sh")
    started, typed = blocks[0], [text for text in blocks if not text.startswith("# terminal")]
    assert f"BELFRY_BOOTSTRAP_ACCOUNT={ACCOUNT}:{PASSCODE}" in started
    assert f"BELFRY_OUTBOUND_ALLOW={ENDPOINT}" in started
    with endpoint_of_the_tutorial(desk) as received:
        answers = desk.run(*typed)
        wait_for(lambda: "ana@example.org" in received.read_text(), 5, "the endpoint to print its message")
    whoami, upload, ana, preview, run, report, *explained, errors = answers
    assert whoami["account"]["account_id"] == desk.account_id
    assert (upload["processed"], [one["code"] for one in upload["unprocessed"]]) == (6, [516])
    assert ana["record"]["profileData"] == {"Plan": "pro"}
    assert preview["count"] == 2
    assert run["state"] == "preparing"
    figures = report["runs"][0]
    assert (figures["qualified_count"], figures["sent_count"]) == (2, 1)
    assert figures["skipped"] == {"missing_value": 1}
    outcomes = [explanation["outcome"] for explanation in explained]
    assert outcomes == ["sent", "missing_value", "not_in_segment", "user_unknown"]
    assert [group["key"]["subject"] for group in errors["items"]] == ["code 516"]
    keys = re.findall(r"^(b1\S+) ", received.read_text(), re.MULTILINE)
    assert keys == [explained[0]["message_id"]], "one message, and its key is the id that explain shows"


@contextlib.contextmanager
def endpoint_of_the_tutorial(desk: Desk) -> Iterator[Path]:
    """The tutorial's endpoint, started; what it prints."""
    (program,) = snippets(TUTORIAL, "python")
    (desk.folder / "endpoint.py").write_text(program.replace("9000", str(desk.endpoint_port)), encoding="utf-8")
    printed = desk.folder / "endpoint.txt"
    with printed.open("w") as out:
        process = subprocess.Popen([sys.executable, "endpoint.py"], cwd=desk.folder, stdout=out, stderr=out)
        try:
            wait_for(lambda: _listens(desk.endpoint_port), 10, "the endpoint to listen")
            yield printed
        finally:
            process.terminate()
            process.wait(timeout=10)


def _listens(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_partner_gets_from_credentials_to_an_export_as_printed(desk: Desk) -> None:
    create, *typed = snippets(DOCS / "how-to" / "partner-integration.md", "sh")
    _, *arguments = shlex.split(create.replace("ACCOUNT-ID", desk.account_id).replace("\\\n", " "))
    assert "shown once" in desk.command(*arguments)
    answers = desk.run(opening(), *typed)
    assert [answer["status"] for answer in answers[2:]] == ["success", "success", "success"]
    dry_run, upload, page = answers[2:]
    assert (dry_run["processed"], upload["processed"]) == (1, 2)
    assert [user["identity"] for user in page["records"]] == ["u-77"], "the dry run stored nothing of its own"


def test_users_are_merged_and_parted_as_printed(desk: Desk) -> None:
    merge, undo, log = snippets(DOCS / "how-to" / "merge-profiles.md", "sh")
    records = [
        {"type": "profile", "identity": "ana", "profileData": {"Plan": "pro"}},
        {"type": "profile", "identity": "ana-2", "profileData": {"City": "Porto"}},
    ]
    upload(desk, records)
    merged = desk.run(opening(), merge)[-1]
    assert merged["outcome"] == "done"
    undone, entries = desk.run(opening(), f"LOG_ID={merged['result']['log_id']}", undo, log)[-2:]
    assert (undone["outcome"], undone["result"]["kept"]) == ("done", [])
    assert [entry["kind"] for entry in entries["items"]] == ["undo", "merge"]


def test_refused_records_are_looked_at_and_replayed_as_printed(desk: Desk) -> None:
    upload(desk, [{"type": "profile", "identity": "eve", "profileData": {"Phone": "none"}}], wait_for_all=False)
    wait_for(lambda: bool(desk.run(opening(), 'curl "${AUTH[@]}" $BASE/api/v1/errors')[-1]["items"]), 10, "the stream")
    groups, records, replayed = desk.run(opening(), *snippets(DOCS / "how-to" / "replay-errors.md", "sh"))[-3:]
    assert groups["items"][0]["waiting_count"] == 1
    assert json.loads(records["items"][0]["record"])["identity"] == "eve"
    assert (replayed["records_count"], replayed["accepted_count"]) == (1, 0)


def test_the_examples_for_clients_run_as_printed(desk: Desk) -> None:
    answers = desk.run(opening(), *snippets(DOCS / "how-to" / "clients.md", "sh"))
    assert [answer["processed"] for answer in answers if "processed" in answer] == [2, 1]


def test_groups_variables_and_events_are_set_as_printed(desk: Desk) -> None:
    upload(desk, [{"type": "event", "identity": "rider-81", "evtName": "Ride Booked"}])
    wait_for(lambda: b"Ride Booked" in desk.ask("GET", "/getSchema?type=events").body, 10, "the event to be known")
    pages = snippets(DOCS / "how-to" / "groups-variables-events.md", "sh")
    answers = desk.run(opening(), *pages)[-6:]
    group, left, made, published, values, discarded = answers
    assert (group["key"], left["processed"], made["status"]) == (1, 1, "success")
    assert (published["published_count"], values["vars"]) == (1, {"promo.banner": "none"})
    assert (discarded["name"], discarded["restored_at_ms"]) == ("ridebooked", None)


def test_groups_variables_and_discards_work_as_printed(desk: Desk) -> None:
    upload(desk, [{"type": "event", "identity": "rider-81", "evtName": "Ride Booked"}])
    group, left, created, _, variables, *_ = desk.run(
        opening(), *snippets(DOCS / "how-to" / "groups-variables-events.md", "sh")
    )[1:]
    assert group["name"] == "Offers"
    assert left["processed"] == 1
    assert created["status"] == "success"
    assert "promo.banner" in json.dumps(variables)
    booked = {"d": [{"type": "event", "identity": "rider-81", "evtName": "ride booked"}]}

    def is_refused() -> bool:
        return [one["code"] for one in desk.ask("POST", "/1/upload", booked).json()["unprocessed"]] == [528]

    wait_for(is_refused, 5, "the discard to be known")


def test_every_example_of_a_rule_counts_users(desk: Desk) -> None:
    examples = rules()
    assert len(examples) > 50
    for rule in examples:
        answer = desk.ask("POST", "/api/v1/segments/preview", {"rule": rule})
        assert answer.status == 200, (rule, answer.body)
        assert answer.json()["count"] == 0, "nobody is in this account"


def upload(desk: Desk, records: list[dict[str, Any]], *, wait_for_all: bool = True) -> None:
    answer = desk.ask("POST", "/1/upload", {"d": records})
    assert answer.status == 200
    last = f"/1/profile.json?identity={records[-1]['identity']}"

    def is_there() -> bool:
        return bool(desk.ask("GET", last).json()["status"] == "success")

    if wait_for_all:
        wait_for(is_there, 10, "the last record to be applied")


SHOWN_ONLY = {
    "README.md": 2,  # make demo and make test; make serve, which the tour's test starts itself
    "CONTRIBUTING.md": 1,  # the commands of make
    "docs/how-to/run.md": 2,  # installing, and accounts of an installation elsewhere
    "docs/how-to/import-and-export.md": 4,  # they read and write files of the reader's own
    "docs/how-to/explain.md": 3,  # the tutorial's calls on a campaign, and the replay of dead letters
}
"""Blocks of shell that no test here runs, with the reason. May only get shorter."""


def test_every_block_of_shell_is_run_by_a_test_or_listed() -> None:
    tested = {"docs/tutorial/first-campaign.md"} | {
        f"docs/how-to/{name}.md"
        for name in ("partner-integration", "merge-profiles", "replay-errors", "clients", "groups-variables-events")
    }
    blocks = {str(page.relative_to(ROOT)): len(snippets(page, "sh")) for page in documents()}
    not_run = {name: count for name, count in blocks.items() if count and name not in tested}
    not_run["README.md"] -= 1
    assert not_run == SHOWN_ONLY
