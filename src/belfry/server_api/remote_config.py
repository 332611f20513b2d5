"""`/1/createVars`, `/1/deleteVars`, `/1/getVars`: variables of remote config (server-api 10.5)."""

from __future__ import annotations

from typing import Any

import msgspec

from belfry.accounts.model import Scope
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.routes import Access, Document, Route
from belfry.edge.services import Services
from belfry.errors import BadRequest
from belfry.remote_config.model import Definition
from belfry.remote_config.rules import definition_of
from belfry.server_api.fields import Json, object_in, object_of, text_in, texts_in

WRITE = Access((Scope.SETTINGS_WRITE,))
READ = Access((Scope.SETTINGS_READ, Scope.PROFILES_READ))
IDENTIFIER_LENGTH_MAX = 1024
SUCCESS: dict[str, Json] = {"status": "success"}


class RemoteConfigEndpoint:
    """Defines, removes and reads variables."""

    def __init__(self, services: Services) -> None:
        self._config = services.remote_config
        self._threads = services.lookups

    async def create(self, request: Request) -> Answer:
        """Keep definitions as drafts; they take effect when they are published."""
        definitions = _definitions(object_of(request))
        await self._threads.run(self._config.define, request.account_id, definitions)
        return json_answer(SUCCESS)

    async def delete(self, request: Request) -> Answer:
        """Remove variables by name, or all."""
        names = _names_to_delete(object_of(request))
        await self._threads.run(self._config.delete, request.account_id, names)
        return json_answer(SUCCESS)

    async def get(self, request: Request) -> Answer:
        """A user's values. Until users can have values of their own, everybody has the defaults."""
        fields = object_of(request)
        named = [text_in(fields, name, length_max=IDENTIFIER_LENGTH_MAX) for name in ("identity", "clevertapId")]
        if not any(text and text.strip() for text in named):
            raise BadRequest("Provide one of identity, clevertapId", field="identity")
        if not _flag(fields, "includeDefaults", default=True):
            return json_answer({**SUCCESS, "vars": {}})
        defaults = await self._threads.run(self._config.defaults, request.account_id)
        return json_answer({**SUCCESS, "vars": defaults})


def _definitions(fields: dict[str, Json]) -> dict[str, Definition]:
    if not fields.get("variableDefinitions"):
        raise BadRequest("variableDefinitions is mandatory", field="variableDefinitions")
    given = object_in(fields["variableDefinitions"], "variableDefinitions")
    return {name.strip(): _definition(name.strip(), definition) for name, definition in given.items()}


def _definition(name: str, value: Json) -> Definition:
    fields = object_in(value, f"variableDefinitions.{name[:120]}")
    return definition_of(name[:120], fields.get("type"), fields.get("defaultValue"), fields.get("description"))


def _names_to_delete(fields: dict[str, Json]) -> tuple[str, ...] | None:
    """The names; None: all variables."""
    if _flag(fields, "deleteAllVars", default=False):
        return None
    names = texts_in(fields, "variableNames")
    if not names:
        raise BadRequest("variableNames is mandatory, or deleteAllVars", field="variableNames")
    return tuple(name.strip() for name in names)


def _flag(fields: dict[str, Json], name: str, *, default: bool) -> bool:
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise BadRequest(f"{name} needs to be true or false", field=name)
    return value


def routes(services: Services) -> tuple[Route, ...]:
    """All routes of remote config."""
    endpoint = RemoteConfigEndpoint(services)
    return (
        Route(
            path="/1/createVars",
            method="POST",
            access=WRITE,
            handler=endpoint.create,
            document=Document(
                summary="Define variables",
                description=(
                    "All or none. Types are string, boolean and number; dots in a name make folders. A definition "
                    "takes effect when it is published: `POST /api/v1/remote-config/publish`."
                ),
                body=NewVariables,
                answer=Success,
                example={"variableDefinitions": {"promo.banner": {"type": "string", "defaultValue": "none"}}},
                tag="settings",
            ),
        ),
        Route(
            path="/1/deleteVars",
            method="POST",
            access=WRITE,
            handler=endpoint.delete,
            document=Document(
                summary="Remove variables, at once",
                body=VariablesToDelete,
                answer=Success,
                example={"variableNames": ["promo.banner"]},
                tag="settings",
            ),
        ),
        Route(
            path="/1/getVars",
            method="POST",
            access=READ,
            handler=endpoint.get,
            document=Document(
                summary="The variables of one user",
                description="An unknown user has the defaults.",
                body=WhoseVariables,
                answer=Variables,
                example={"identity": "rider-81"},
                tag="settings",
            ),
        ),
    )


class VariableBody(msgspec.Struct, omit_defaults=True):
    """For the reference: what a variable is."""

    type: str
    defaultValue: str | bool | int | float  # noqa: N815 - the wire's names
    description: str | None = None


class NewVariables(msgspec.Struct):
    """For the reference: name → definition."""

    variableDefinitions: dict[str, VariableBody]  # noqa: N815


class VariablesToDelete(msgspec.Struct, omit_defaults=True):
    """For the reference: which variables go."""

    variableNames: list[str] | None = None  # noqa: N815
    deleteAllVars: bool = False  # noqa: N815


class WhoseVariables(msgspec.Struct, omit_defaults=True):
    """For the reference: the user; one of the two names is enough."""

    identity: str | None = None
    clevertapId: str | None = None  # noqa: N815
    includeDefaults: bool = True  # noqa: N815


class Success(msgspec.Struct):
    """For the reference: it was done."""

    status: str


class Variables(msgspec.Struct):
    """For the reference: name → value."""

    status: str
    vars: dict[str, Any]
