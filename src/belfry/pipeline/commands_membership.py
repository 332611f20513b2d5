"""Adding users to API segments and taking them out (server-api 9.2). Unknown users are made."""

from __future__ import annotations

import msgspec

from belfry.ids import ProfileId
from belfry.pipeline.commands_context import PLACES_MAX, Answer, CommandContext
from belfry.pipeline.effects import Place
from belfry.profiles.graph import Wanted
from belfry.profiles.identify import Sighting, identify
from belfry.profiles.model import Identity, IdentityKind, SystemEvent
from belfry.segments.members import MemberRow

MEMBERSHIP_CHANGE = "Segment Membership Change"
SOURCE = "API"


class SegmentChange(msgspec.Struct, frozen=True):
    """One segment that a user gets into or leaves, as it was called when the request came."""

    segment_id: int
    version: int
    name: str
    external_id: str
    is_member: bool


class UserChange(msgspec.Struct, frozen=True):
    """One user, by an identity or by the id of a device; and what changes for them."""

    segments: list[SegmentChange]
    identity: str = ""
    device_id: str = ""


class SegmentMembership(msgspec.Struct, frozen=True, tag_field="command", tag="segment_membership"):
    """Change who is in API segments."""

    operation_id: str
    users: list[UserChange]


def apply_membership(context: CommandContext, command: SegmentMembership) -> Answer:
    """Write who is in and who is out, and raise an event for each change that was asked for."""
    rows = context.work.effects.members
    for index, user in enumerate(command.users):
        profile_id = _user(context, user)
        seq = context.request.number(min(index, PLACES_MAX - 1))
        for change in {change.segment_id: change for change in user.segments}.values():
            rows.append(
                MemberRow(context.account_id, change.segment_id, change.version, profile_id, int(change.is_member), seq)
            )
            context.raise_events([_event(profile_id, change)])
    return Answer("done", {"users": len(command.users)}, asked_count=len(command.users), done_count=len(command.users))


def _user(context: CommandContext, user: UserChange) -> ProfileId:
    """Who is meant: any user who has the identity, else a new one."""
    named = context.users_named([user.identity]) if user.identity else []
    if named:
        return named[0]
    identity = Identity(IdentityKind.IDENTITY, user.identity) if user.identity else None
    device_id = user.device_id or None
    context.load(Wanted(device_ids={device_id} if device_id else set()))
    seen = Sighting(identity, device_id, (), context.at_ms, SOURCE)
    decision = identify(context.graph, context.work.rules, seen, context.next_profile_id)
    for entry in decision.log:
        context.note(entry)
    for remark in decision.remarks:
        context.work.effects.remark(Place(context.request, 0), remark, SOURCE)
    context.raise_events(decision.events)
    context.graph.touch(decision.profile_id)
    return decision.profile_id


def _event(profile_id: ProfileId, change: SegmentChange) -> SystemEvent:
    props = {
        "Action": "ADD" if change.is_member else "REMOVE",
        "Segment Name": change.name,
        "Segment ID": change.segment_id,
        "Customer_Segment_ID": change.external_id,
    }
    return SystemEvent(MEMBERSHIP_CHANGE, profile_id, None, props)
