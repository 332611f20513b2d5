"""`/1/profile.json`: one user by what names them (server-api 5.1)."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.threads import Threads
from belfry.errors import BadRequest
from belfry.profiles.actions import Profiles
from belfry.server_api.wire import profile_record

NAMES = ("objectId", "identity", "email")
NOT_FOUND = {"status": "fail", "error": "Profile not found", "code": 404}
VALUE_LENGTH_MAX = 1024


class ProfileEndpoint:
    """Finds one user; by GET with a parameter, or by POST with the same key in a JSON body."""

    def __init__(self, profiles: Profiles, threads: Threads) -> None:
        self._profiles = profiles
        self._threads = threads

    async def handle(self, request: Request) -> Answer:
        """The user as `record`. An unknown user is HTTP 200 with a failure: clients that raise on 4xx go on working.

        Raises BadRequest without any of the three names; of several, objectId counts before identity before email.
        """
        given = _given(request)
        if not given:
            raise BadRequest("Provide one of email, identity, objectId", field="identity")
        return await self._threads.run(self._answer, request, given)

    def _answer(self, request: Request, given: dict[str, str]) -> Answer:
        card = self._profiles.find(
            request.account_id,
            object_id=given.get("objectId"),
            identity=given.get("identity"),
            email=given.get("email"),
        )
        if card is None:
            return json_answer(NOT_FOUND)
        return json_answer({"status": "success", "record": profile_record(card)})


def _given(request: Request) -> dict[str, str]:
    parameters: dict[str, Any] = dict(request.parameters())
    if request.method == "POST" and request.body:
        parameters.update(_body(request.body))
    texts = {name: _text(name, parameters[name]) for name in NAMES if parameters.get(name) is not None}
    return {name: text for name, text in texts.items() if text.strip()}


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadRequest("Malformed request") from None
    if not isinstance(body, dict):
        raise BadRequest(f"The body needs to be an object, it is {_kind(body)}", field="body")
    return body


def _text(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise BadRequest(f"{name} needs to be text, it is {_kind(value)}", field=name)
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if len(text) > VALUE_LENGTH_MAX:
        raise BadRequest(
            f"{name} has {len(text)} characters, at most {VALUE_LENGTH_MAX}", field=name, limit=VALUE_LENGTH_MAX
        )
    return text


def _kind(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case dict():
            return "an object"
        case list():
            return "an array"
        case None:
            return "null"
        case str():
            return "text"
        case _:
            return "a number"


class ProfileNames(msgspec.Struct):
    """For the reference: the body of a POST; one of the three is enough."""

    objectId: str | None = None  # noqa: N815 - the wire's name
    identity: str | None = None
    email: str | None = None


class ProfileAnswer(msgspec.Struct):
    """For the reference: a user, or `status` fail with code 404 under HTTP 200."""

    status: str
    record: dict[str, Any] | None = None
    error: str | None = None
    code: int | None = None
