"""The demo's story, told against a Belfry that it starts: upload, question, campaign, summary."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from belfry.demo import report
from belfry.demo.endpoint import Endpoint, refuses, stumbles
from belfry.demo.shop import Day, make_day

ACCOUNT, PASSCODE = "DEMO-SHOP-001", "5d1f0c7a93e24b6b8d20c1a9e6f7b413"
SEED_EXAMPLE = {
    "d": [
        {
            "identity": "john_124",
            "type": "event",
            "$source": "CleverTap",
            "evtName": "Product CleverTap 1",
            "evtData": {"Product name": "Casio Chronograph Watch"},
        }
    ]
}
UPLOADERS = 2
START_WITHIN_S, APPLY_WITHIN_S, SEND_WITHIN_S = 60, 120, 180
RETRY_DELAYS_S = "1,2,3"
PROGRESS_EVERY_S = 2.0

Figures = dict[str, Any]


def play(data_dir: str | None, *, stay: bool) -> int:
    """Run the demo; 0 if every figure adds up, 1 if one does not.

    stay   keep serving after the summary until Ctrl-C
    """
    # SIGTERM ends the demo as Ctrl-C does: through the code that stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="belfry-demo-") as temporary:
        folder = Path(data_dir or temporary)
        _empty(folder)
        endpoint = Endpoint()
        endpoint.start()
        with contextlib.closing(_Server(folder, endpoint)) as server:
            figures = _tell(server, endpoint)
            problems = report.show(figures, base=server.base, account=ACCOUNT, passcode=PASSCODE)
            if stay:
                print("\nBelfry keeps serving; Ctrl-C ends it.")
                server.wait()
        endpoint.stop()
    return 1 if problems else 0


def _empty(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / "run").exists():
        raise SystemExit(f"belfry: {folder} holds something that is not a demo's; choose another --data-dir")
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


class _Server:
    """The Belfry that the demo starts, and requests to it."""

    def __init__(self, folder: Path, endpoint: Endpoint) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "BELFRY_BOOTSTRAP_ACCOUNT": f"{ACCOUNT}:{PASSCODE}",
            "BELFRY_OUTBOUND_ALLOW": f"127.0.0.1:{endpoint.port}",
            "BELFRY_WEBHOOK_RETRY_DELAYS_S": RETRY_DELAYS_S,
            "BELFRY_LOG_LEVEL": "warning",
            "BELFRY_PORT": "0",
        }
        command = [sys.executable, "-m", "belfry", "serve", "--data-dir", str(folder)]
        self._process = subprocess.Popen(command, env=environment, start_new_session=True)
        self.port = 0
        _wait(self._is_ready, START_WITHIN_S, "starting Belfry")

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise SystemExit(f"belfry: `belfry serve` ended with code {self._process.returncode}")
        try:
            self.port = int((self._folder / "run" / "edge.port").read_text(encoding="ascii"))
            return self.request("GET", "/readyz")[0] == 200
        except (OSError, ValueError, http.client.HTTPException):
            return False

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON answer of one authenticated request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {
            "X-CleverTap-Account-Id": ACCOUNT,
            "X-CleverTap-Passcode": PASSCODE,
            "Content-Type": "application/json",
        }
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")

    def wait(self) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            self._process.wait()

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=30)


def _tell(server: _Server, endpoint: Endpoint) -> Figures:
    now_s = int(time.time())
    day = make_day(now_s)
    figures: Figures = {"day": day, "seed": server.request("POST", "/1/upload", SEED_EXAMPLE)[1]}
    started = time.monotonic()
    figures["answers"] = _upload(server, day)
    figures["upload_s"] = time.monotonic() - started
    for records in day.history:
        server.request("POST", "/api/v1/history", {"d": records})
    _wait(lambda: _is_applied(server, day), APPLY_WITHIN_S, "applying the day")
    figures["apply_s"] = time.monotonic() - started
    figures["launched"] = _who_launched(server, now_s)
    figures["campaign"] = _campaign(server, endpoint)
    figures["report"] = _sent_report(server, figures["campaign"])
    figures["explained"] = _explain(server, figures["campaign"], day)
    figures["errors"] = server.request("GET", "/api/v1/errors")[1]
    figures["taken"] = Counter(endpoint.taken)
    figures["expected"] = _expected(day)
    figures["sample"] = endpoint.samples[:1]
    return figures


def _upload(server: _Server, day: Day) -> list[dict[str, Any]]:
    # Profiles come first, each user's events in the order of their time: what one client does, Belfry keeps in order.
    def send(records: list[dict[str, Any]]) -> dict[str, Any]:
        answer: dict[str, Any] = server.request("POST", "/1/upload", {"d": records})[1]
        return answer

    with ThreadPoolExecutor(UPLOADERS) as pool:
        return list(_progress(pool.map(send, day.uploads), len(day.uploads), "uploading the day"))


def _is_applied(server: _Server, day: Day) -> bool:
    today = time.strftime("%Y%m%d", time.gmtime())
    query = {"event_name": "App Launched", "from": 20200101, "to": int(today)}
    launches = server.request("POST", "/1/counts/profiles.json", query)[1].get("count", 0)
    return bool(launches >= len(day.launched))


def _who_launched(server: _Server, now_s: int) -> set[str]:
    """All users who did App Launched in the last 30 days, over the export API, page by page."""
    query = {
        "event_name": "App Launched",
        "from": int(time.strftime("%Y%m%d", time.gmtime(now_s - 29 * 86_400))),
        "to": int(time.strftime("%Y%m%d", time.gmtime(now_s))),
    }
    cursor = server.request("POST", "/1/profiles.json?batch_size=500", query)[1].get("cursor")
    found: set[str] = set()
    while cursor:
        page = server.request("GET", f"/1/profiles.json?cursor={cursor}")[1]
        found.update(record["identity"] for record in page.get("records", []))
        cursor = page.get("next_cursor")
    return found


def _campaign(server: _Server, endpoint: Endpoint) -> dict[str, Any]:
    rule = {
        "op": "and",
        "rules": [
            {"type": "event", "did": True, "event": "Added To Cart", "when": {"range": {"last": 2, "unit": "day"}}},
            {"type": "event", "did": False, "event": "Charged", "when": {"range": {"last": 2, "unit": "day"}}},
        ],
    }
    segment = server.request("POST", "/api/v1/segments", {"name": "Left a cart", "rule": rule})[1]
    body = {
        "customer": "{{ Profile.Identity }}",
        "text": "Hello {{ Profile.Name | default: 'there' }}, your cart is waiting.",
        "loyalty_number": '{{ Profile["Loyalty Number"] }}',
    }
    campaign = {
        "name": "Your cart is waiting",
        "segment_id": segment["segment_id"],
        "webhook": {"url": endpoint.url, "method": "POST", "body": json.dumps(body)},
    }
    created: dict[str, Any] = server.request("POST", "/api/v1/campaigns", campaign)[1]
    server.request("POST", f"/api/v1/campaigns/{created['campaign_id']}/launch")
    return created


def _sent_report(server: _Server, campaign: dict[str, Any]) -> dict[str, Any]:
    def state() -> str:
        return str(server.request("GET", f"/api/v1/campaigns/{campaign['campaign_id']}")[1].get("state"))

    _wait(lambda: state() == "completed", SEND_WITHIN_S, "sending the campaign")
    answer = server.request("GET", f"/api/v1/campaigns/{campaign['campaign_id']}/report")[1]
    run: dict[str, Any] = answer["runs"][0]
    return run


def _explain(server: _Server, campaign: dict[str, Any], day: Day) -> list[tuple[str, Any]]:
    curious = [
        next(iter(sorted(day.left_carts - day.without_number))),
        next(iter(sorted(day.without_number)), None),
        "john_124",
    ]
    path = f"/api/v1/explain?campaign={campaign['campaign_id']}&identity="
    return [(who, server.request("GET", path + who)[1]) for who in curious if who]


def _expected(day: Day) -> dict[str, int]:
    reachable = day.left_carts - day.without_number
    refused = {user for user in reachable if refuses(user)}
    return {
        "qualified": len(day.left_carts),
        "sent": len(reachable - refused),
        "failed": len(refused),
        "skipped": len(day.without_number),
        "retried": sum(stumbles(user) for user in reachable - refused),
    }


def _wait(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Poll; a line of progress for whatever takes more than two seconds."""
    started, told = time.monotonic(), 0.0
    while not condition():
        passed = time.monotonic() - started
        if passed > within_s:
            raise SystemExit(f"belfry: {what} took more than {within_s} s; see the log above")
        if passed > told + PROGRESS_EVERY_S:
            told = passed
            _tell_progress(f"{what}, {passed:.0f} s")
        time.sleep(0.05)
    if told and sys.stdout.isatty():
        print()


def _progress(results: Iterator[Any], total: int, what: str) -> Iterator[Any]:
    started, told = time.monotonic(), 0.0
    for number, result in enumerate(results, 1):
        passed = time.monotonic() - started
        if passed > told + PROGRESS_EVERY_S:
            told = passed
            _tell_progress(f"{what}, {number} of {total}")
        yield result
    if told and sys.stdout.isatty():
        print()


def _tell_progress(text: str) -> None:
    # A terminal shows one line that changes; a file gets one line each time.
    print(
        f"\r  ... {text}" if sys.stdout.isatty() else f"  ... {text}",
        end="" if sys.stdout.isatty() else "\n",
        flush=True,
    )
