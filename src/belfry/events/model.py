"""An event as the pipeline makes it."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.ids import ProfileId


class Event(msgspec.Struct, gc=False):
    """One event of one user, ready for the columnar store.

    name        as shown; the folded form is the key
    props       flat: text, number, boolean, list of text, dates as `$D_<epoch seconds>`; nested objects
    has_own_ts  the sender gave the time (only such events are compared with earlier requests)
    source      `CT Source`: API, Mobile, Web, System or a partner's id
    flags       see `tables.EVENTS`
    """

    name: str
    folded: str
    ts_ms: int
    has_own_ts: bool
    props: dict[str, Any]
    profile_id: ProfileId
    device_id: str
    source: str
    seq: int
    received_at_ms: int
    session_id: int = 0
    flags: int = 0
    key_hash: int = 0
