"""Starting, stopping and starting again, as an operator does it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from support.running import ACCOUNT, PASSCODE, Running, running, wait_for

EVENT = {"d": [{"type": "event", "identity": "u-1", "evtName": "Opened", "evtData": {"n": 1}}]}


def belfry(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "belfry", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def profile_is_there(running_belfry: Running) -> bool:
    answer = running_belfry.request("GET", "/1/profile.json?identity=u-1").json()
    return bool(answer["status"] == "success")


def test_a_second_start_on_the_same_folder_is_refused_with_a_clear_message(tmp_path: Path) -> None:
    with running(tmp_path):
        second = belfry("serve", "--data-dir", str(tmp_path), "--port", "0")
        assert second.returncode == 1
        assert "in use" in second.stderr
        assert "--data-dir" in second.stderr


def test_sigterm_drains_and_stops_within_ten_seconds_and_a_restart_knows_everything(tmp_path: Path) -> None:
    first = Running(tmp_path)
    first.start()
    assert first.request("POST", "/1/upload", EVENT).json()["processed"] == 1
    started = time.monotonic()
    assert first.stop() == 0
    assert time.monotonic() - started < 10
    with running(tmp_path) as second:
        wait_for(lambda: profile_is_there(second), 10, "the profile")


def test_a_killed_parent_leaves_nothing_behind_and_the_next_start_recovers(tmp_path: Path) -> None:
    first = Running(tmp_path)
    first.start()
    assert first.request("POST", "/1/upload", EVENT).json()["processed"] == 1
    first.kill_all()
    with running(tmp_path) as second:
        wait_for(lambda: profile_is_there(second), 10, "the profile")


def test_health_pages_answer_without_credentials_and_everything_else_does_not(tmp_path: Path) -> None:
    with running(tmp_path) as served:
        for path in ("/livez", "/readyz", "/metrics"):
            assert served.request("GET", path, authenticated=False).status == 200
        for path in ("/1/profile.json?identity=u-1", "/api/v1/segments", "/nowhere"):
            answer = served.request("GET", path, authenticated=False)
            assert answer.status == 401
            assert answer.json()["error"] == "12 digit account ID mandatory"


def test_a_wrong_setting_stops_the_start_and_names_it(tmp_path: Path) -> None:
    refused = belfry("serve", "--data-dir", str(tmp_path), BELFRY_RECORDS_MAX="many")
    assert refused.returncode == 2
    assert "records_max" in refused.stderr


def test_accounts_and_passcodes_are_managed_from_the_command_line(tmp_path: Path) -> None:
    folder = ("--data-dir", str(tmp_path))
    created = belfry("accounts", "create", "Shop", "--id", "SHO-PPP-0001", "--timezone", "Europe/Lisbon", *folder)
    assert created.returncode == 0, created.stderr
    assert "SHO-PPP-0001" in created.stdout
    assert "SHO-PPP-0001" in belfry("accounts", "list", *folder).stdout
    issued = belfry("passcodes", "create", "SHO-PPP-0001", "export", "--scope", "profiles:read", *folder)
    assert issued.returncode == 0, issued.stderr
    assert "profiles:read" in belfry("passcodes", "list", "SHO-PPP-0001", *folder).stdout
    unknown = belfry("passcodes", "create", "SHO-PPP-0001", "x", "--scope", "everything", *folder)
    assert unknown.returncode == 1
    assert "unknown scope" in unknown.stderr
    twice = belfry("accounts", "create", "Shop", "--id", "SHO-PPP-0001", *folder)
    assert twice.returncode == 1
    assert "exists" in twice.stderr


def test_doctor_says_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    with running(tmp_path):
        healthy = belfry("doctor", "--data-dir", str(tmp_path))
        assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    broken = belfry("doctor", "--data-dir", str(tmp_path), BELFRY_RELATIONAL_DSN="postgresql://127.0.0.1:1/none")
    assert broken.returncode == 1
    assert "relational" in broken.stdout


def test_the_bootstrap_account_exists_after_the_first_start(tmp_path: Path) -> None:
    with running(tmp_path) as served:
        headers = {"X-CleverTap-Account-Id": f" {ACCOUNT} ", "x-clevertap-passcode": PASSCODE}
        answer = served.request("POST", "/1/upload", {"d": []}, headers=headers, authenticated=False)
        assert (answer.status, answer.json()) == (200, {"status": "success", "processed": 0, "unprocessed": []})
