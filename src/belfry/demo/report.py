"""The demo's summary: what happened, in words that read well, and whether every figure adds up."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from belfry.demo.shop import PARTNER_ID, WRONG, Day


def show(figures: dict[str, Any], *, base: str, account: str, passcode: str) -> list[str]:
    """Print the summary; what does not add up, a sentence each."""
    day: Day = figures["day"]
    _data_in(figures, day)
    _question(figures, day)
    _campaign(figures)
    problems = _problems(figures, day)
    _go_on(figures, base, account, passcode)
    print()
    if problems:
        print("These figures do not add up:")
        for problem in problems:
            print(f"  - {problem}")
    else:
        print("Every figure adds up.")
    return problems


def _data_in(figures: dict[str, Any], day: Day) -> None:
    refused = _refused(figures)
    accepted = sum(answer["processed"] for answer in figures["answers"])
    print("\nA partner's event, as the integration guide has it (POST /1/upload):")
    print(f"  {json.dumps(figures['seed'])}")
    print(f"\nThe shop's day: {day.records_count:,} records in {len(day.uploads)} uploads, {figures['upload_s']:.1f} s")
    print(f"  accepted  {accepted:>7,}   {day.partner_count:,} of them with $source {PARTNER_ID!r}")
    print(f"  refused   {sum(refused.values()):>7,}")
    for code, words, _ in WRONG:
        print(f"    {refused[code]:>4}  {code}  {words}")
    print(f"  visible to queries {figures['apply_s']:.1f} s after the first upload")


def _question(figures: dict[str, Any], day: Day) -> None:
    print("\nAll users who did App Launched in the last 30 days (POST, then GET /1/profiles.json):")
    print(f"  {len(figures['launched']):,} users, {len(day.launched):,} expected")


def _campaign(figures: dict[str, Any]) -> None:
    report = figures["report"]
    print('\nCampaign "Your cart is waiting" over webhook, to those who filled a cart and did not buy:')
    print(f"  qualified {report['qualified_count']:>6,}")
    print(f"  sent      {report['sent_count']:>6,}   {report['retried_count']:,} of them only after a retry")
    for reason, count in sorted({**report["failed"], **report["skipped"]}.items()):
        print(f"  not sent  {count:>6,}   {reason}")
    for who, answer in figures["explained"]:
        print(f"  why {who}: {answer.get('text') or answer.get('error')}")


def _go_on(figures: dict[str, Any], base: str, account: str, passcode: str) -> None:
    headers = f"-H 'X-CleverTap-Account-Id: {account}' -H 'X-CleverTap-Passcode: {passcode}'"
    campaign = figures["campaign"]["campaign_id"]
    print("\nTo go on with:")
    print(f"  API page    {base}/api/v1/docs")
    print(f"  one user    curl -s {headers} '{base}/1/profile.json?identity=shop-0001'")
    print(f"  the report  curl -s {headers} '{base}/api/v1/campaigns/{campaign}/report'")
    print(f"  errors      curl -s {headers} '{base}/api/v1/errors'")


def _refused(figures: dict[str, Any]) -> Counter[int]:
    return Counter(entry["code"] for answer in figures["answers"] for entry in answer["unprocessed"])


def _problems(figures: dict[str, Any], day: Day) -> list[str]:
    report, expected, taken = figures["report"], figures["expected"], figures["taken"]
    accepted = sum(answer["processed"] for answer in figures["answers"])
    checks = [
        ("the seed example was answered", figures["seed"], {"status": "success", "processed": 1, "unprocessed": []}),
        ("records accepted", accepted, day.records_count - sum(day.refused.values())),
        ("records refused, by code", dict(_refused(figures)), dict(day.refused)),
        ("users who launched the app", figures["launched"] == day.launched, True),
        ("users qualified", report["qualified_count"], expected["qualified"]),
        ("messages sent", report["sent_count"], expected["sent"]),
        ("messages retried", report["retried_count"], expected["retried"]),
        ("messages failed", sum(report["failed"].values()), expected["failed"]),
        ("messages skipped", sum(report["skipped"].values()), expected["skipped"]),
        ("messages that the endpoint took", len(taken), expected["sent"]),
        ("messages that it took twice", sum(count > 1 for count in taken.values()), 0),
    ]
    return [f"{what}: {got}, expected {wanted}" for what, got, wanted in checks if got != wanted]
