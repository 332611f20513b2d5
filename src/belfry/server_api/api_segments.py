"""API segments: made by call, their members added and removed by call (server-api 9.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from belfry.accounts.model import Scope
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.routes import Access, Document, Route
from belfry.edge.services import Services
from belfry.errors import BadRequest, CallerError
from belfry.intake.identifiers import IDENTIFIER_LENGTH_MAX
from belfry.lists.actions import ApiSegment
from belfry.lists.model import API_SEGMENTS_MAX, NAME_LENGTH_MAX, StoredList
from belfry.pipeline.commands_membership import SegmentChange, UserChange
from belfry.server_api.fields import Json, mandatory_text, number_in, object_in, object_of

EXTERNAL_ID_LENGTH_MAX = 200
USERS_MAX = 100
ACTIONS = {"ADD": True, "REMOVE": False}
IDENTITY_CODE, SEGMENT_CODE = 523, 400
_DEVICE = re.compile(r"[A-Za-z0-9_~=|<>;+.()!:$@-]{8,64}")


class Unprocessed(msgspec.Struct, frozen=True):
    """A user of a call who stays as they were, and why."""

    record: Json
    code: int
    error: str


class ApiSegmentEndpoint:
    """API segments and their members."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def create(self, request: Request) -> Answer:
        """Segments: each is made or says why not."""
        entries = _entries(request)
        made = [
            await self._services.lookups.run(self._create, request, entry, f"segments[{index}]")
            for index, entry in enumerate(entries)
        ]
        return json_answer({"status": status_of([one["status"] == "success" for one in made]), "segments": made})

    def _create(self, request: Request, entry: Json, at: str) -> dict[str, Json]:
        external_id = entry.get("customer_segment_id") if isinstance(entry, dict) else None
        try:
            item = object_in(entry, at)
            asked = ApiSegment(
                mandatory_text(item, "segment_name", length_max=NAME_LENGTH_MAX).strip(),
                mandatory_text(item, "customer_segment_id", length_max=EXTERNAL_ID_LENGTH_MAX).strip(),
            )
            stored = self._services.lists.create_api_segment(request.account_id, asked)
        except CallerError as error:
            return {"customer_segment_id": external_id, "status": "fail", "error": error.text, "code": error.code}
        return {"customer_segment_id": stored.external_id, "ct_segment_id": stored.segment_id, "status": "success"}

    async def update(self, request: Request) -> Answer:
        """Change who is in; answered like an upload, when the changes are on disk."""
        groups = _groups(object_of(request))
        known = await self._services.lookups.run(self._known, request, [group for group, _ in groups])
        changes: list[UserChange] = []
        unprocessed: list[Unprocessed] = []
        for group, users in groups:
            try:
                segments = _segments(group, known)
            except CallerError as error:
                unprocessed += [Unprocessed(user, SEGMENT_CODE, error.text) for user in users]
                continue
            for user in users:
                try:
                    changes.append(_user(user, segments))
                except CallerError as error:
                    unprocessed.append(Unprocessed(user, IDENTITY_CODE, error.text))
        if changes:
            await self._services.acceptance.keep_command(request, "segment_membership", {"users": changes})
        return json_answer(_answer(len(changes), unprocessed))

    def _known(self, request: Request, groups: Iterable[Mapping[str, Json]]) -> Mapping[int | str, StoredList]:
        """The API segments that a call names, by either id."""
        named = [one for group in groups for one in _listed(group.get("segments")) if isinstance(one, dict)]
        ours = [one["ct_segment_id"] for one in named if isinstance(one.get("ct_segment_id"), int)]
        theirs = [one["customer_segment_id"] for one in named if isinstance(one.get("customer_segment_id"), str)]
        fitting = [number for number in ours if 0 < number < 1 << 53]
        by_id, by_external_id = self._services.lists.api_segments(
            request.account_id, fitting, [text for text in theirs if "\x00" not in text]
        )
        known: dict[int | str, StoredList] = dict(by_id.items())
        known.update(by_external_id)
        return known


def _entries(request: Request) -> list[Json]:
    """The entries of a call: the body itself if it is a list, or what stands under `segments`."""
    try:
        body: Json = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadRequest("Malformed request") from None
    entries = body if isinstance(body, list) else object_in(body, "body").get("segments")
    if not isinstance(entries, list) or not 1 <= len(entries) <= API_SEGMENTS_MAX:
        text = f"segments needs to be a list of 1 to {API_SEGMENTS_MAX}"
        raise BadRequest(text, field="segments", limit=API_SEGMENTS_MAX)
    return entries


def _groups(body: dict[str, Json]) -> list[tuple[dict[str, Json], list[Json]]]:
    """Each entry with its users. Raises BadRequest: no entries, or more than 100 users in all."""
    entries = _listed(body.get("bulk_profiles"))
    groups = [
        (object_in(entry, f"bulk_profiles[{index}]"), _listed(object_in(entry, "bulk_profiles").get("user_profiles")))
        for index, entry in enumerate(entries)
    ]
    count = sum(len(users) for _, users in groups)
    if not 1 <= count <= USERS_MAX:
        text = f"bulk_profiles needs 1 to {USERS_MAX} user_profiles in all, got {count}"
        raise BadRequest(text, field="bulk_profiles", limit=USERS_MAX)
    return groups


def _segments(group: Mapping[str, Json], known: Mapping[int | str, StoredList]) -> list[SegmentChange]:
    """What an entry changes. Raises BadRequest: an unknown segment or action, or nothing at all."""
    asked = _listed(group.get("segments"))
    if not 1 <= len(asked) <= API_SEGMENTS_MAX:
        raise BadRequest(f"segments needs to be a list of 1 to {API_SEGMENTS_MAX}", field="segments")
    return [_segment(object_in(one, "segments"), known) for one in asked]


def _segment(one: dict[str, Json], known: Mapping[int | str, StoredList]) -> SegmentChange:
    action = str(one.get("action")).strip().upper()
    if action not in ACTIONS:
        raise BadRequest("action needs to be ADD or REMOVE", field="action")
    number = number_in(one, "ct_segment_id")
    key = number if number is not None else mandatory_text(one, "customer_segment_id")
    stored = known.get(key)
    if stored is None:
        raise BadRequest(f"There is no API segment {key}", field="segments")
    return SegmentChange(stored.segment_id, stored.version, stored.name, stored.external_id or "", ACTIONS[action])


def _user(value: Json, segments: list[SegmentChange]) -> UserChange:
    """One user of a call. Raises BadRequest: it names nobody."""
    user = object_in(value, "user_profiles")
    identity = user.get("identity")
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)
    if identity is not None and identity != "":
        named = mandatory_text({"identity": identity}, "identity", length_max=IDENTIFIER_LENGTH_MAX).strip()
        return UserChange(segments, identity=named)
    guid = mandatory_text(user, "guid").strip()
    if not _DEVICE.fullmatch(guid):
        raise BadRequest("guid is no id of a device", field="guid")
    return UserChange(segments, device_id=guid)


def _answer(processed: int, unprocessed: list[Unprocessed]) -> dict[str, Json]:
    return {
        "status": "success" if not unprocessed else "partial" if processed else "fail",
        "processed": processed,
        "unprocessed": [
            {"status": "fail", "code": one.code, "error": one.error, "record": one.record} for one in unprocessed
        ],
    }


def status_of(outcomes: list[bool]) -> str:
    """`success`, `partial` or `fail`, of many at once."""
    if all(outcomes):
        return "success"
    return "partial" if any(outcomes) else "fail"


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


class UpdateBody(msgspec.Struct):
    """For the reference: users, and the segments that they get into or leave."""

    bulk_profiles: list[dict[str, Any]]


def api_segment_routes(services: Services) -> tuple[Route, ...]:
    """Making API segments and changing their members."""
    endpoint = ApiSegmentEndpoint(services)
    access = Access((Scope.SEGMENTS_WRITE,))
    segment = {"customer_segment_id": "vip-1", "action": "ADD"}
    return (
        Route(
            path="/api/createSegment",
            method="POST",
            access=access,
            handler=endpoint.create,
            document=Document(
                summary="Make up to 100 API segments",
                body=list[dict[str, Any]],
                example=[{"segment_name": "VIP", "customer_segment_id": "vip-1"}],
            ),
        ),
        Route(
            path="/api/updateSegment",
            method="POST",
            access=access,
            handler=endpoint.update,
            document=Document(
                summary="Add up to 100 users to API segments, or take them out",
                description="Unknown users are made. Each change raises the event `Segment Membership Change`.",
                body=UpdateBody,
                example={"bulk_profiles": [{"user_profiles": [{"identity": "rider-81"}], "segments": [segment]}]},
            ),
        ),
    )
