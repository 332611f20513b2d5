"""Rows of the columnar tables, complete enough to be inserted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

EVENT_COLUMNS = (
    "account_id",
    "name",
    "day",
    "profile_id",
    "ts",
    "seq",
    "recorded_profile_id",
    "device_id",
    "source",
    "key_hash",
    "received_at",
    "props",
)


def event_row(seq: int, *, day: str = "2026-11-25", props: dict[str, Any] | None = None) -> dict[str, Any]:
    """One row of `events`."""
    return {
        "account_id": "acc",
        "name": f"event{seq % 7}",
        "day": day,
        "profile_id": seq % 1000,
        "ts": 1_795_608_000_000 + seq,
        "seq": seq,
        "recorded_profile_id": seq % 1000,
        "device_id": "d",
        "source": "upload",
        "key_hash": seq,
        "received_at": 1_795_608_000_000,
        "props": {"Product name": "Casio", "n": seq} if props is None else props,
    }


def event_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
