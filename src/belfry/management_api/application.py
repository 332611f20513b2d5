"""The management API's controllers as one Litestar application; `bridge.py` makes routes of it."""

from __future__ import annotations

from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig

from belfry.edge.services import Services
from belfry.management_api.audit import AuditController
from belfry.management_api.bridge import accepted_of, keep_failure
from belfry.management_api.campaigns import CampaignsController, ExplainController
from belfry.management_api.error_records import ErrorsController
from belfry.management_api.history import HistoryController
from belfry.management_api.imports import ImportsController
from belfry.management_api.operations import OperationsController
from belfry.management_api.profiles import ProfilesController
from belfry.management_api.remote_config import RemoteConfigController
from belfry.management_api.schema import SchemaController
from belfry.management_api.segments import SegmentsController
from belfry.management_api.subscription_groups import SubscriptionGroupsController
from belfry.management_api.whoami import WhoamiController

CONTROLLERS = (
    AuditController,
    CampaignsController,
    ErrorsController,
    ExplainController,
    HistoryController,
    ImportsController,
    OperationsController,
    ProfilesController,
    RemoteConfigController,
    SchemaController,
    SegmentsController,
    SubscriptionGroupsController,
    WhoamiController,
)


def build(services: Services) -> Litestar:
    """All controllers, with what they may use."""
    return Litestar(
        route_handlers=list(CONTROLLERS),
        dependencies={
            "services": Provide(lambda: services, sync_to_thread=False),
            "accepted": Provide(accepted_of, sync_to_thread=False),
        },
        exception_handlers={Exception: keep_failure},
        openapi_config=OpenAPIConfig(title="Belfry", version="1", render_plugins=[], path="/not-served"),
        logging_config=None,
        debug=False,
    )


def openapi_of(application: Litestar) -> dict[str, Any]:
    """What Litestar knows of the handlers from their types, as an OpenAPI document."""
    return application.openapi_schema.to_schema()
