"""`/1/delete/profiles.json` and `/1/demerge/profiles.json`: users erased, users taken apart (server-api 7.1, 7.2)."""

from __future__ import annotations

import msgspec

from belfry.accounts.model import Scope
from belfry.edge.acceptance import Acceptance
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.routes import Access, Document, Route
from belfry.edge.services import Services
from belfry.errors import BadRequest
from belfry.intake.identifiers import IDENTIFIER_LENGTH_MAX, number_text
from belfry.server_api.contacts import ContactEndpoint, contact_routes, object_of

NAMES_MAX = 100
SUCCESS = {"status": "success"}
_YES, _NO = ("true", "1"), ("", "false", "0")


class AdministrationEndpoint:
    """Keeps commands about users; the pipeline does them a moment later, and an entry of the audit log tells of it.

    What was named and is not known is no failure: the answer tells nobody who is a user.
    """

    def __init__(self, acceptance: Acceptance) -> None:
        self._acceptance = acceptance

    async def delete(self, request: Request) -> Answer:
        """Erase users for ever. Raises BadRequest: nothing was done."""
        body = object_of(request.body)
        identities, guids = names_of(body, "identity"), names_of(body, "guid")
        if not identities and not guids:
            raise BadRequest("identity or guid is mandatory", field="identity")
        arguments = {"identities": identities, "guids": guids, "erase_events": _flag(body, "erase_events")}
        await self._acceptance.keep_command(request, "erase", arguments)
        return json_answer(SUCCESS)

    async def demerge(self, request: Request) -> Answer:
        """Split users into one for each device and drop their identities. Raises BadRequest: nothing was done."""
        body = object_of(request.body)
        identities = names_of(body, "identities") or names_of(body, "identity")
        if not identities:
            raise BadRequest("identities is mandatory", field="identities")
        await self._acceptance.keep_command(request, "demerge", {"identities": identities})
        return json_answer(SUCCESS)


def names_of(body: dict[str, object], key: str) -> list[str]:
    """The names under a key, one or an array of at most 100, each once; numbers as text, empty ones left out.

    Raises BadRequest for too many, and for what is neither text nor number.
    """
    value = body.get(key)
    values = value if isinstance(value, list) else [] if value is None else [value]
    if len(values) > NAMES_MAX:
        raise BadRequest(f"Too many values in {key}: {len(values)}, maximum {NAMES_MAX}", field=key, limit=NAMES_MAX)
    texts = (_text(one, key) for one in values)
    # Nobody has a longer name than an upload may give.
    return list(dict.fromkeys(text for text in texts if 0 < len(text) <= IDENTIFIER_LENGTH_MAX))


def _text(value: object, key: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadRequest(f"{key} needs to be text or an array of texts", field=key)
    return value.strip() if isinstance(value, str) else number_text(value)


def _flag(body: dict[str, object], key: str) -> bool:
    value = body.get(key)
    text = "" if value is None else str(value).strip().lower()
    if text not in (*_YES, *_NO):
        raise BadRequest(f"{key} needs to be true or false", field=key)
    return text in _YES


class DeleteBody(msgspec.Struct):
    """For the reference: whom to erase. At least one of `identity` and `guid`, each a text or an array of up to 100.

    erase_events   ours: what they did goes as well, instead of staying as what nobody did
    """

    identity: str | list[str] | None = None
    guid: str | list[str] | None = None
    erase_events: bool = False


class DemergeBody(msgspec.Struct):
    """For the reference: whom to take apart, up to 100. Some clients send `identity` instead."""

    identities: list[str]


class Done(msgspec.Struct):
    """For the reference: the request is kept."""

    status: str


def administration_routes(services: Services) -> tuple[Route, ...]:
    """All routes of profile administration (server-api 7)."""
    endpoint = AdministrationEndpoint(services.acceptance)
    access = Access((Scope.PROFILES_WRITE,))
    delete = Document(
        summary="Erase users for ever",
        description=(
            "Profile, identities, devices and tokens go at once; what the users did stays as what nobody did, without "
            "personal properties, or goes as well with `erase_events`. For `erasure_block_days` an old record does "
            "not bring them back. Unknown names are no failure."
        ),
        body=DeleteBody,
        answer=Done,
        example={"identity": "rider-82"},
    )
    demerge = Document(
        summary="Split users into one for each device, without identities",
        description="The oldest device keeps history and properties. Users without a device stay as they are.",
        body=DemergeBody,
        answer=Done,
        example={"identities": ["family-ipad", "rider-12"]},
    )
    return (
        Route(path="/1/delete/profiles.json", method="POST", access=access, handler=endpoint.delete, document=delete),
        Route(
            path="/1/demerge/profiles.json", method="POST", access=access, handler=endpoint.demerge, document=demerge
        ),
        *contact_routes(ContactEndpoint(services)),
    )
