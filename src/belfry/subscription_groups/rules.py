"""What groups may look like, and which groups an upload may speak of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from belfry.error_stream.model import ErrorKind, Remark
from belfry.errors import BadRequest
from belfry.subscription_groups.model import GroupChannel, SubscriptionGroup

ACTIVE_MAX = 50
ALL_MAX = 1000
"""Groups of an account, archived ones included: a name is never forgotten."""
NAME_LENGTH_MAX = 120
DESCRIPTION_LENGTH_MAX = 500

Wishes = Mapping[str, Sequence[str]]
"""Channel, as written in lower case → names of groups to leave or to join."""


def checked_name(name: str) -> str:
    """The name, trimmed. Raises BadRequest for one that no upload could use."""
    trimmed = name.strip()
    if not 1 <= len(trimmed) <= NAME_LENGTH_MAX or not trimmed.isprintable():
        raise BadRequest(f"name needs 1 to {NAME_LENGTH_MAX} printable characters", field="name", limit=NAME_LENGTH_MAX)
    return trimmed


def checked_description(text: str) -> str:
    trimmed = text.strip()
    if len(trimmed) > DESCRIPTION_LENGTH_MAX or "\x00" in trimmed:
        raise BadRequest(
            f"description has {len(trimmed)} characters, at most {DESCRIPTION_LENGTH_MAX} without NUL",
            field="description",
            limit=DESCRIPTION_LENGTH_MAX,
        )
    return trimmed


def checked_channels(channels: Iterable[GroupChannel]) -> tuple[GroupChannel, ...]:
    """Each channel once, in the usual order. Raises BadRequest without any."""
    chosen = set(channels)
    if not chosen:
        raise BadRequest("channels needs at least one channel", field="channels")
    return tuple(channel for channel in GroupChannel if channel in chosen)


class KnownGroups:
    """The groups that an account had at a moment: what an upload of that time may name.

    Archived ones are among them: whoever leaves such a group has left it when it is active again.
    """

    def __init__(self, groups: Iterable[SubscriptionGroup], at_ms: int) -> None:
        self._names: dict[str, set[str]] = {}
        for group in groups:
            if group.created_at_ms <= at_ms:
                for channel in group.channels:
                    self._names.setdefault(channel.value, set()).add(group.name)

    def only_known(self, wishes: Wishes | None, remarks: list[Remark]) -> dict[str, list[str]] | None:
        """The wishes that name a group; a remark for each that does not. None stays None."""
        if wishes is None:
            return None
        kept: dict[str, list[str]] = {}
        for channel, names in wishes.items():
            known = self._names.get(channel, set())
            kept[channel] = [name for name in names if name in known]
            remarks.extend(_unknown(channel, name) for name in names if name not in known)
        return {channel: names for channel, names in kept.items() if names}


def _unknown(channel: str, name: str) -> Remark:
    detail = f"the account has no subscription group of this name for {channel[:40]}; ignored"
    return Remark(ErrorKind.UNKNOWN_GROUP, name[:NAME_LENGTH_MAX], detail)
