"""Every route of the server API: who may call it, which slots it takes, who answers, what the reference says."""

from __future__ import annotations

from belfry.accounts.model import Scope
from belfry.edge.routes import Access, Document, Route
from belfry.edge.services import Services
from belfry.edge.slots import SlotClass
from belfry.server_api.profile import NAMES, ProfileAnswer, ProfileEndpoint, ProfileNames
from belfry.server_api.upload import UploadAnswer, UploadBody, UploadEndpoint


def build(services: Services) -> tuple[Route, ...]:
    """All routes, with what their handlers may use."""
    upload = UploadEndpoint(services.acceptance, services.index, services.upload_limits)
    profile = ProfileEndpoint(services.profiles, services.lookups)
    return (upload_route(upload), *profile_routes(profile))


def upload_route(endpoint: UploadEndpoint) -> Route:
    """`POST /1/upload`. One of the two scopes opens it; which records may come, the endpoint decides."""
    return Route(
        path="/1/upload",
        method="POST",
        access=Access((Scope.EVENTS_WRITE, Scope.PROFILES_WRITE), SlotClass.UPLOAD),
        handler=endpoint.handle,
        document=Document(
            summary="Upload profiles, events and device tokens",
            description=(
                "Up to 1000 records of any mix. Answered when the accepted records are on disk; records that are not "
                "accepted are named in `unprocessed`, in order, each with its code. With an `Idempotency-Key` header "
                "the same request has one effect and one answer for 24 hours."
            ),
            parameters={"dryRun": "1: validate and answer, keep nothing"},
            body=UploadBody,
            answer=UploadAnswer,
            example={
                "d": [
                    {
                        "identity": "john_124",
                        "type": "event",
                        "$source": "CleverTap",
                        "evtName": "Product CleverTap 1",
                        "evtData": {"Product name": "Casio Chronograph Watch"},
                    }
                ]
            },
        ),
    )


def profile_routes(endpoint: ProfileEndpoint) -> tuple[Route, ...]:
    """`/1/profile.json` by GET, as documented, and by POST with a JSON body (ours)."""
    summary = "One user by identity, email or objectId"
    access = Access((Scope.PROFILES_READ,))
    by_get = Document(
        summary=summary,
        description="An unknown user is HTTP 200 with `status` fail and `code` 404.",
        parameters=dict.fromkeys(NAMES, "Names the user; one of the three"),
        answer=ProfileAnswer,
    )
    by_post = Document(summary=summary, body=ProfileNames, answer=ProfileAnswer, example={"identity": "rider-81"})
    return tuple(
        Route(path="/1/profile.json", method=method, access=access, handler=endpoint.handle, document=document)
        for method, document in (("GET", by_get), ("POST", by_post))
    )
