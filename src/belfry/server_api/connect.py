"""`GET /v1/connect`: a partner's dashboard checks what its customer typed (partner-integrations 7.3)."""

from __future__ import annotations

import msgspec

from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.rate import PerMinute
from belfry.edge.routes import Access, Document, Route
from belfry.edge.services import Services
from belfry.errors import BadRequest
from belfry.intake import PartnerPolicy
from belfry.intake.partners import fold

CALLS_A_MINUTE_MAX = 60
MISSING = "partner is missing"
NOT_WHITELISTED = "Partner name not whitelisted"


class ConnectEndpoint:
    """Says whose the credentials are. That they are good, the gate has seen."""

    def __init__(self, services: Services) -> None:
        self._partners = services.partners
        self._rate = PerMinute(services.clock, CALLS_A_MINUTE_MAX)

    async def handle(self, request: Request) -> Answer:
        """Account, region and scopes of the credentials, to a partner that there is."""
        self._rate.note(request.address)
        name = request.parameters().get("partner", "").strip()
        if not name:
            raise BadRequest(MISSING, field="partner")
        partner = canonical(self._partners(request.account_id), name)
        if partner is None:
            raise BadRequest(NOT_WHITELISTED, field="partner")
        caller = request.known_caller
        return json_answer(
            {
                "status": "success",
                "partner": partner,
                "account_name": caller.account.name,
                "region": caller.account.region,
                "scopes": sorted(caller.passcode.scopes),
            }
        )


def canonical(policy: PartnerPolicy, name: str) -> str | None:
    """The Partner ID that a name means; None for partners that are unknown or suspended."""
    folded = fold(name)
    if folded in policy.suspended:
        return None
    return policy.enabled.get(folded) or policy.known.get(folded)


def routes(services: Services) -> tuple[Route, ...]:
    """The one route."""
    return (
        Route(
            path="/v1/connect",
            method="GET",
            access=Access(),
            handler=ConnectEndpoint(services).handle,
            document=Document(
                summary="Check credentials for a partner's dashboard",
                description="At most 60 calls a minute from one address.",
                parameters={"partner": "the Partner ID"},
                answer=Connected,
                tag="partners",
            ),
            failure_keys=("message",),
        ),
    )


class Connected(msgspec.Struct):
    """For the reference: whose the credentials are, and what they allow."""

    status: str
    partner: str
    account_name: str
    region: str
    scopes: list[str]
