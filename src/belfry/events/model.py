"""An event as the pipeline makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from belfry.ids import ProfileId


class Event(msgspec.Struct, gc=False):
    """One event of one user, ready for the columnar store.

    name        as shown; the folded form is the key
    props       flat: text, number, boolean, list of text, dates as `$D_<epoch seconds>`; nested objects
    props_json  the same as JSON in UTF-8, keys in order: encoded once, then hashed, looked at and stored
    source      `CT Source`: API, Mobile, Web, System or a partner's id
    flags       see `tables.EVENTS`
    key_hash    stands for (device, name, time, properties) of an event that is compared with earlier requests;
                0: it is not
    """

    name: str
    folded: str
    ts_ms: int
    props: dict[str, Any]  # JSON values
    props_json: bytes
    profile_id: ProfileId
    device_id: str
    source: str
    seq: int
    received_at_ms: int
    flags: int = 0
    key_hash: int = 0
    session_id: int = 0


encode_props: Callable[[Mapping[str, Any]], bytes] = msgspec.json.Encoder(order="deterministic").encode
"""Makes `props_json` of `props`; equal properties give equal bytes, whatever their order."""
