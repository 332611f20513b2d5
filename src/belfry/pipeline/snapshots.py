"""Profile snapshots: what segments see of a profile, as rows of the columnar store."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.ids import AccountId, ProfileId
from belfry.profiles.graph import MemoryGraph, ProfileNode
from belfry.profiles.model import IdentityKind, ProfileStatus
from belfry.profiles.subscriptions import standing

SNAPSHOT_COLUMNS = (
    "account_id",
    "profile_id",
    "version",
    "hidden",
    "bucket",
    "created_at",
    "identified",
    "identity",
    "email",
    "phone",
    "reachable",
    "devices",
    "props",
)
DEVICE_FIELDS = ("platform", "os_version", "app_version", "sdk_version", "make", "model", "browser", "device_type")
_encoder = msgspec.json.Encoder()


class _Row(msgspec.Struct, array_like=True, gc=False):
    account_id: str
    profile_id: int
    version: int
    hidden: int
    bucket: int
    created_at: int
    identified: int
    identity: str
    email: str
    phone: str
    reachable: list[str]
    devices: str
    props: dict[str, Any]  # JSON values, as the profile has them


def snapshot_lines(account_id: AccountId, graph: MemoryGraph, profile_ids: list[ProfileId]) -> bytes:
    """Rows of `profile_snapshots` for these profiles as they are now, one line each."""
    return _encoder.encode_lines([_row(account_id, graph, graph.profiles[profile_id]) for profile_id in profile_ids])


def _row(account_id: AccountId, graph: MemoryGraph, node: ProfileNode) -> _Row:
    state = node.state
    is_user = state.status is ProfileStatus.ACTIVE
    reachable = standing(node, graph.flags_of(state.profile_id)).reachable if is_user else ()
    return _Row(
        account_id,
        state.profile_id,
        state.version,
        0 if is_user else 1,
        state.bucket,
        state.created_at_ms,
        1 if node.identities else 0,
        node.newest(IdentityKind.IDENTITY) or "",
        node.email or "",
        node.phone or "",
        [str(channel) for channel in reachable],
        _devices(node),
        state.properties,
    )


def _devices(node: ProfileNode) -> str:
    described = [
        {name: device.fields[name] for name in DEVICE_FIELDS if name in device.fields}
        for _, device in sorted(node.devices.items())
    ]
    return _encoder.encode(described).decode()
