"""From definition to the wire and back: content, connector and client together, against a server on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest

from belfry.config import Settings
from belfry.connectors.model import Outcome, ProfileView, SendFailure, liquid_values
from belfry.connectors.secret import Secret
from belfry.connectors.webhook import BearerAuth, Recipient, WebhookTemplate, build_request, secrets_of
from belfry.connectors.webhook_body import CallFacts
from belfry.connectors.webhook_outcome import classify
from belfry.content.message import MessageSource, compile_message
from belfry.content.model import RenderScope
from belfry.ids import AccountId, MessageId, ProfileId
from belfry.outbound import OutboundClient, OutboundError
from support import endpoint as misbehave
from support.endpoint import Behaviour, Endpoint, answer

NOW_MS = 1_795_608_000_000
NAME = 'Ana "the\\best"\n😀'
TOKEN = "canary-55aa"
KEY = b"k" * 24


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        yield server


def webhook(endpoint: Endpoint) -> WebhookTemplate:
    return WebhookTemplate(
        name="Cart",
        url=endpoint.url("/hooks/{{ Profile.Identity }}"),
        auth=BearerAuth(Secret(TOKEN)),
        headers=(("X-Tier", "{{ Profile.tier | default: 'none' }}"),),
        query=(("src", "{{ Profile.name }}"),),
        body='{"name":"{{ Profile.name }}","score":{{ Profile.score }}}',
        timeout_ms=400,
        signing_secrets=(Secret("whsec_" + base64.b64encode(KEY).decode()),),
    )


async def deliver(template: WebhookTemplate, endpoint: Endpoint) -> Outcome:
    source = MessageSource(
        url=template.url,
        headers=template.headers,
        query=template.query,
        key_values=template.key_values,
        body=template.body,
    )
    user = ProfileView(
        ProfileId(1), "u/77", ("u/77",), None, None, NAME, None, None, {"score": 308, "tier": "gold"}, {}
    )
    rendered = compile_message(source).render({"Profile": liquid_values(user)}, RenderScope(now_ms=NOW_MS))
    facts = CallFacts(account_id=AccountId("A"), campaign_id=1, attempt=1, now_ms=NOW_MS)
    request = build_request(template, [Recipient(MessageId("b1x"), user, rendered)], facts)
    assert TOKEN not in repr(request)
    secrets = secrets_of(template)
    async with OutboundClient(Settings(outbound_allow=[endpoint.host_port])) as client:
        try:
            return classify(await client.send(request), now_ms=NOW_MS, secrets=secrets)
        except OutboundError as error:
            return classify(error, now_ms=NOW_MS, secrets=secrets)


async def test_a_name_of_quotes_backslash_line_break_and_emoji_arrives_unchanged(endpoint: Endpoint) -> None:
    outcome = await deliver(webhook(endpoint), endpoint)
    received = endpoint.requests[0]
    assert outcome.failure is None
    assert json.loads(received.body) == {"name": NAME, "score": 308}
    assert received.target == "/hooks/u%2F77?src=Ana%20%22the%5Cbest%22%0A%F0%9F%98%80"
    assert received.headers["x-tier"] == "gold"
    assert received.headers["authorization"] == f"Bearer {TOKEN}"
    assert received.headers["idempotency-key"] == "b1x"


async def test_a_receiver_can_verify_the_signature(endpoint: Endpoint) -> None:
    await deliver(webhook(endpoint), endpoint)
    received = endpoint.requests[0]
    signed = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    expected = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    assert received.headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize(
    ("behaviour", "failure", "retry_after_s"),
    [
        pytest.param(answer(204), None, None, id="taken"),
        pytest.param(answer(429, headers=[("Retry-After", "30")]), SendFailure.THROTTLED, 30.0, id="throttled"),
        pytest.param(answer(500, b"oops"), SendFailure.UNKNOWN, None, id="500"),
        pytest.param(answer(302, headers=[("Location", "/")]), SendFailure.REJECTED, None, id="redirect"),
        pytest.param(answer(404), SendFailure.REJECTED, None, id="404"),
        pytest.param(answer(401), SendFailure.MISCONFIGURED, None, id="401"),
        pytest.param(misbehave.hang(), SendFailure.UNKNOWN, None, id="time-out after the request was taken"),
        pytest.param(misbehave.reset(), SendFailure.UNKNOWN, None, id="reset"),
        pytest.param(misbehave.close_silently(), SendFailure.UNKNOWN, None, id="closed"),
        pytest.param(misbehave.garbage(), SendFailure.UNKNOWN, None, id="not HTTP"),
        pytest.param(misbehave.half_body(), None, None, id="200 with half a body"),
        pytest.param(misbehave.half_body(500), SendFailure.UNKNOWN, None, id="500 with half a body"),
        pytest.param(misbehave.drip(), None, None, id="200 with a slow drip"),
        pytest.param(misbehave.drip_head(), SendFailure.UNKNOWN, None, id="a slow drip before the status"),
    ],
)
async def test_each_fault_of_a_provider_is_in_its_class(
    behaviour: Behaviour, failure: SendFailure | None, retry_after_s: float | None, endpoint: Endpoint
) -> None:
    """Trial R10, small."""
    endpoint.always(behaviour)
    outcome = await deliver(webhook(endpoint), endpoint)
    assert (outcome.failure, outcome.retry_after_s) == (failure, retry_after_s)
    assert len(endpoint.requests) == 1


async def test_an_echo_of_the_token_is_blacked_out(endpoint: Endpoint) -> None:
    endpoint.always(answer(401, f"bad token {TOKEN}".encode()))
    outcome = await deliver(webhook(endpoint), endpoint)
    assert outcome.detail == "HTTP 401: bad token ***"
