"""`belfry import` and `belfry export` against a running Belfry, and a crash in the middle."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.running import ACCOUNT, PASSCODE, Running, running, wait_for

ROWS = 60_000


@pytest.fixture(scope="module")
def belfry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("belfry")) as started:
        yield started


def cli(belfry: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "belfry", *arguments, "--url", f"http://127.0.0.1:{belfry.port}"]
    credentials = {"BELFRY_ACCOUNT": ACCOUNT, "BELFRY_PASSCODE": PASSCODE}
    return subprocess.run(command, env=credentials, capture_output=True, text=True, timeout=120, check=False)


def test_a_file_is_checked_imported_and_exported_from_the_command_line(belfry: Running, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("identity,email,Joined<dd/MM/yyyy>\nc1,c1@example.org,01/12/2025\nc2,nonsense,\n", encoding="utf-8")
    refused = tmp_path / "refused.csv"
    dry = cli(belfry, "import", "users", str(file), "--dry-run", "--refused", str(refused))
    assert dry.returncode == 1
    assert "2 rows: 1 would be accepted, 1 refused" in dry.stdout
    assert "1 new, 0 updated" in dry.stdout
    assert "row 3, column email: Profile data is incorrect. Email is not valid." in dry.stdout
    _header, row = csv.reader(refused.read_text(encoding="utf-8").splitlines())
    assert row == ["3", "email", "515", "Profile data is incorrect. Email is not valid.", "c2", "nonsense", ""]
    assert belfry.request("GET", "/1/profile.json?identity=c1").json()["status"] == "fail"

    real = cli(belfry, "import", "users", str(file))
    assert (real.returncode, "1 accepted, 1 refused" in real.stdout) == (1, True), real.stderr
    path = "/1/profile.json?identity=c1"
    wait_for(lambda: belfry.request("GET", path).json()["status"] == "success", 20, "the imported profile")

    out = tmp_path / "out.jsonl"
    wait_for(lambda: cli(belfry, "export", "users", str(out)).returncode == 0 and out.stat().st_size > 0, 30, "a file")
    assert json.loads(out.read_text().splitlines()[0])["profileData"] == {"Joined": "$D_1764590400"}
    bad = cli(belfry, "export", "events", str(out), "--from", "2025-12-02", "--to", "2025-12-01", "--event", "Nothing")
    assert bad.returncode == 1
    assert bad.stderr.startswith("belfry: ")
    assert out.exists()


def test_what_the_command_line_cannot_do_is_one_clear_line(belfry: Running, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("name\nInes\n", encoding="utf-8")
    answer = cli(belfry, "import", "users", str(file))
    assert (answer.returncode, answer.stderr.count("\n")) == (1, 1)
    assert "a column identity is needed" in answer.stderr
    answer = cli(belfry, "import", "users", str(file), "--passcode", "wrong-passcode")
    assert "Invalid Credentials (HTTP 401)" in answer.stderr
    unnamed = tmp_path / "users.txt"
    unnamed.write_text("identity\n", encoding="utf-8")
    assert "--format" in cli(belfry, "import", "users", str(unnamed)).stderr


def test_an_import_goes_on_after_kill_nine_and_no_row_is_lost_or_doubled(belfry: Running, tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    lines = "".join(f"k{n % 500},Ride Booked,{1_764_000_000 + n},{n}\n" for n in range(ROWS))
    file.write_text("identity,evtName,ts,n\n" + lines, encoding="utf-8")
    started = cli(belfry, "import", "events", str(file), "--no-wait")
    path = f"/api/v1/imports/{started.stdout.strip()}"
    for _ in range(2):
        read = belfry.request("GET", path).json()["counts"]["read"]
        wait_for(lambda read=read: _has_moved(belfry, path, read), 60, "progress")
        belfry.kill("edge")
        belfry.wait_until_ready()
    wait_for(lambda: belfry.request("GET", path).json()["state"] == "done", 120, "the import's end")
    counts = belfry.request("GET", path).json()["counts"]
    assert (counts["read"], counts["accepted"], counts["refused"]) == (ROWS, ROWS, 0)
    query = {"event_name": "Ride Booked", "from": 20251101, "to": time.strftime("%Y%m%d", time.gmtime())}
    wait_for(lambda: _count(belfry, query) >= ROWS, 120, "all events")
    assert _count(belfry, query) == ROWS


def _has_moved(belfry: Running, path: str, read: int) -> bool:
    job = belfry.request("GET", path).json()
    return bool(job["counts"]["read"] > read or job["state"] == "done")


def _count(belfry: Running, query: dict[str, object]) -> int:
    answer = belfry.request("POST", "/1/counts/events.json", query).json()
    return int(answer.get("count", -1))
