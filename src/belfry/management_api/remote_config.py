"""Remote config: what waits to be published, and publishing it."""

from __future__ import annotations

import msgspec
from litestar import Controller, get, post

from belfry.accounts.model import Scope
from belfry.edge.routes import Access
from belfry.management_api.bridge import Accepted, Uses, declared
from belfry.management_api.wire import Page
from belfry.remote_config.model import Definition, Variable


class DefinitionView(msgspec.Struct, frozen=True):
    """What a variable is, or will be."""

    type: str
    default: str | bool | int | float
    description: str


class VariableView(msgspec.Struct, frozen=True):
    """A variable. draft: waits to be published; published: what apps get."""

    name: str
    draft: DefinitionView | None
    published: DefinitionView | None
    updated_at_ms: int


class Published(msgspec.Struct, frozen=True):
    """How many drafts took effect."""

    published_count: int


class RemoteConfigController(Controller):
    """`/api/v1/remote-config`"""

    path = "/api/v1/remote-config"
    tags = ("settings",)

    @get("/variables", opt=declared(Access((Scope.SETTINGS_READ,))), summary="Variables, by name; all on one page")
    async def list_variables(self, accepted: Accepted, services: Uses) -> Page[VariableView]:
        variables = await services.lookups.run(services.remote_config.list_variables, accepted.account_id)
        return Page([_view(variable) for variable in variables])

    @post(
        "/publish",
        opt=declared(Access((Scope.SETTINGS_WRITE,), repeats=True)),
        status_code=200,
        summary="Make all drafts take effect",
    )
    async def publish(self, accepted: Accepted, services: Uses) -> Published:
        return Published(await services.lookups.run(services.remote_config.publish, accepted.account_id))


def _view(variable: Variable) -> VariableView:
    return VariableView(
        variable.name, _definition(variable.draft), _definition(variable.published), variable.updated_at_ms
    )


def _definition(definition: Definition | None) -> DefinitionView | None:
    if definition is None:
        return None
    return DefinitionView(definition.type.value, definition.default, definition.description)
