"""Push tokens: the latest owner of a token wins (server-api 3.8). Pure."""

from __future__ import annotations

from belfry.profiles.graph import IdentityGraph
from belfry.profiles.model import PUSH_UNREGISTERED, SystemEvent, Token

WEB_KINDS = frozenset({"chrome", "safari", "firefox", "web"})
"""Kinds of tokens that are browser subscriptions; all others are mobile push."""
TOKENS_MAX = 5
"""Tokens of one device, the newest stay; a device replaces its token, it does not collect them."""


def register_token(graph: IdentityGraph, device_id: str, token: Token) -> list[SystemEvent]:
    """Give a known device a token, taking it from whoever had it. Changes the graph.

    returns   `Push Unregistered` of the user who lost it, if that is another one
    """
    former_device = graph.device_of_token(token.token)
    owner = graph.owner_of_device(device_id)
    if owner is None:
        raise ValueError(f"device {device_id!r} is not loaded; identify it first")
    devices = graph.devices_of(owner)
    if former_device == device_id:
        if devices[device_id].tokens[token.token] != token:
            graph.put_token(device_id, token)
        return []
    events = []
    if former_device is not None:
        former_owner = graph.owner_of_device(former_device)
        if former_owner is not None and former_owner != owner:
            props = {"token": token.token, "reason": "the token belongs to another user's device now"}
            events.append(SystemEvent(PUSH_UNREGISTERED, former_owner, former_device, props))
        graph.remove_token(token.token)
    graph.put_token(device_id, token)
    by_age = sorted(devices[device_id].tokens.values(), key=lambda t: (t.added_at_ms, t.token))
    for oldest in [t for t in by_age if t.token != token.token][: max(0, len(by_age) - TOKENS_MAX)]:
        graph.remove_token(oldest.token)
    return events
