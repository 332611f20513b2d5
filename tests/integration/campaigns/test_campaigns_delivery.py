"""From outbox rows to the endpoint: what arrives, what the report says, what explain tells."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from belfry.accounts.model import Account
from belfry.campaigns.explain import Explanation
from belfry.campaigns.model import Campaign, CampaignState, RunState
from belfry.campaigns.report import RunReport
from belfry.clock import ManualClock
from belfry.connectors.secret import Secret
from belfry.connectors.webhook import BearerAuth
from belfry.content.model import MissingPolicy
from belfry.delivery.dispatcher import Dispatcher
from belfry.delivery.model import MessageState, OutboundRequest, OutboundResponse, Reason
from belfry.errors import BadRequest, Conflict, NotFound
from belfry.ids import CampaignId, MessageId, ProfileId
from belfry.outbound import NoAnswer
from belfry.storage.relational import Database
from support.campaigns import CampaignWorld, account_id, identities_in, message_ids_in
from support.delivery import OK

S = MessageState
BUSY = OutboundResponse(503, {}, b"busy")
BAD = OutboundResponse(400, {}, b"no such customer")


class Engine(CampaignWorld):
    """A campaign world with a dispatcher that is stepped."""

    sending: Dispatcher

    async def deliver(self) -> None:
        """Prepare what is launched, send what is due, close what is over."""
        self.prepare()
        await self.sending.step()
        self.prepare()

    async def after(self, seconds: float) -> None:
        assert isinstance(self.clock, ManualClock)
        self.clock.advance_ms(round(seconds * 1000))
        await self.deliver()

    def figures(self, campaign: Campaign) -> RunReport:
        (report,) = self.campaigns.report(account_id(), campaign.campaign_id).runs
        return report

    def told(self, campaign: Campaign, identity: str) -> Explanation:
        return self.explain.explain(account_id(), campaign.campaign_id, identity=identity)


@pytest_asyncio.fixture
async def world(database: Database, clock: ManualClock) -> AsyncIterator[Engine]:
    engine = Engine(database, clock)
    engine.sending = engine.dispatcher()
    yield engine
    await engine.sending.close()
    engine.launcher.leave()


@pytest.fixture
def shop(world: Engine) -> Account:
    return world.account()


def answering(world: Engine, answers: dict[str, list[OutboundResponse]]) -> None:
    """Let the endpoint answer users in turn with what is listed for them, then with 200."""

    def answer(request: OutboundRequest) -> OutboundResponse:
        waiting = answers.get(identities_in(request)[0])
        return waiting.pop(0) if waiting else OK

    world.endpoint.answer = answer


async def test_the_default_body_arrives_with_key_and_signature_headers(world: Engine, shop: Account) -> None:
    world.add_users(shop, [1], Tier="gold")
    webhook = {"key_values": (("offer", "A1"),), "auth": BearerAuth(Secret("token-123"))}
    campaign = world.launched(shop, webhook=webhook)
    await world.deliver()
    (request,) = world.endpoint.requests
    headers = dict(request.headers)
    body = json.loads(request.body or b"")
    (message_id,) = body["message_id"]
    assert (request.method, request.url) == ("POST", "https://hook.example/users")
    assert headers["Idempotency-Key"] == message_id
    assert headers["Authorization"] == "Bearer token-123"
    assert (body["targetId"], body["account_id"], body["attempt"]) == (campaign.campaign_id, shop.account_id, 1)
    assert body["key_values"] == {"offer": "A1"}
    assert body["profiles"][0]["identity"] == "u-1"
    assert body["profiles"][0]["profileData"]["Tier"] == "gold"


async def test_liquid_is_rendered_for_each_user_in_url_headers_and_body(world: Engine, shop: Account) -> None:
    world.add_users(shop, [1], Name="Ana", Tier="gold")
    world.add_users(shop, [2], Name="Bo", Tier="silver")
    webhook = {
        "url": "https://hook.example/u/{{ Profile.Identity }}",
        "headers": (("X-Tier", "{{ Profile.tier }}"),),
        "body": '{"hello": "{{ Profile.name }}", "campaign": {{ Campaign.campaignId }}}',
    }
    campaign = world.launched(shop, webhook=webhook)
    await world.deliver()
    seen = {r.url: (dict(r.headers)["X-Tier"], json.loads(r.body or b"")) for r in world.endpoint.requests}
    assert seen == {
        "https://hook.example/u/u-1": ("gold", {"hello": "Ana", "campaign": campaign.campaign_id}),
        "https://hook.example/u/u-2": ("silver", {"hello": "Bo", "campaign": campaign.campaign_id}),
    }


async def test_users_who_lack_a_value_are_skipped_alone_and_explain_names_it(world: Engine, shop: Account) -> None:
    world.add_users(shop, [1], Name="Ana")
    world.add_users(shop, [2])
    campaign = world.launched(shop, webhook={"body": '{"hello": "{{ Profile.name }}"}'})
    await world.deliver()
    report = world.figures(campaign)
    assert (report.sent_count, report.skipped) == (1, {Reason.MISSING_VALUE: 1})
    told = world.told(campaign, "u-2")
    assert told.outcome == "missing_value"
    assert "Profile.name" in told.text


async def test_the_policy_blank_sends_nothing_in_place_of_a_missing_value(world: Engine, shop: Account) -> None:
    world.add_users(shop, [2])
    body = '{"hello": "{{ Profile.name }}"}'
    world.launched(shop, webhook={"body": body}, missing_value_policy=MissingPolicy.BLANK)
    await world.deliver()
    assert [json.loads(r.body or b"") for r in world.endpoint.requests] == [{"hello": ""}]


async def test_users_share_calls_as_the_campaign_says(world: Engine, shop: Account) -> None:
    world.add_users(shop, range(1, 26))
    campaign = world.launched(shop, webhook={"messages_per_call_max": 10})
    await world.deliver()
    assert sorted(len(identities_in(r)) for r in world.endpoint.requests) == [5, 10, 10]
    assert len({dict(r.headers)["Idempotency-Key"] for r in world.endpoint.requests}) == 3
    assert world.figures(campaign).sent_count == 25


async def test_the_figures_of_a_run_add_up(world: Engine, shop: Account) -> None:
    world.add_users(shop, range(1, 101))
    answering(world, {"u-1": [BUSY], "u-2": [BUSY, BUSY], "u-3": [BAD], "u-4": [BUSY] * 9})
    campaign = world.launched(shop)
    world.prepare()
    world.delete(shop, 5)
    await world.deliver()
    early = world.figures(campaign)
    assert (early.sent_count, early.waiting_count, early.state) == (95, 3, RunState.SENDING)
    for wait_s in (20, 75, 370):
        await world.after(wait_s)
    report = world.figures(campaign)
    assert report.state is RunState.COMPLETED
    assert (report.qualified_count, report.sent_count, report.retried_count) == (100, 97, 3)
    assert report.attempts_count == 95 + 2 + 3 + 1 + 4
    assert report.failed == {Reason.REJECTED: 1, Reason.PROVIDER_DOWN: 1}
    assert report.skipped == {Reason.PROFILE_GONE: 1}
    assert sum(report.states.values()) == 100
    assert world.campaigns.get(account_id(), campaign.campaign_id).state is CampaignState.COMPLETED
    assert all(count == 1 for count in world.endpoint.taken.values())


async def test_explain_tells_every_try_of_a_message(world: Engine, shop: Account, clock: ManualClock) -> None:
    world.add_users(shop, [1])
    answering(world, {"u-1": [BUSY]})
    campaign = world.launched(shop)
    await world.deliver()
    told = world.told(campaign, "u-1")
    assert [step.code for step in told.steps] == ["user_found", "launched", "qualified", "attempt_unknown", "retrying"]
    assert told.outcome == "retrying"
    assert told.steps[-1].at_ms is not None
    assert 12_000 <= told.steps[-1].at_ms - clock.now_ms() <= 18_000
    await world.after(20)
    told = world.told(campaign, "u-1")
    assert [step.code for step in told.steps][-2:] == ["attempt_unknown", "sent"]
    assert "HTTP 503: busy" in told.steps[-2].text
    assert told.message_id in world.endpoint.taken


@pytest.mark.parametrize(
    ("identity", "outcome"),
    [
        pytest.param("nobody", "user_unknown", id="no such user"),
        pytest.param("u-3", "not_in_segment", id="not in the segment"),
        pytest.param("u-1", "sent", id="sent"),
        pytest.param("u-2", "profile_gone", id="deleted meanwhile"),
    ],
)
async def test_explain_has_an_answer_for_everyone(world: Engine, shop: Account, identity: str, outcome: str) -> None:
    world.add_users(shop, [1, 2, 3])
    world.segments.everybody[shop.account_id] = [1, 2]
    campaign = world.launched(shop)
    world.prepare()
    world.delete(shop, 2)
    await world.deliver()
    if outcome == "profile_gone":
        # A deleted user is not found by anything but the report.
        assert world.figures(campaign).skipped == {Reason.PROFILE_GONE: 1}
        assert world.told(campaign, identity).outcome == "user_unknown"
        return
    assert world.told(campaign, identity).outcome == outcome


async def test_explain_knows_drafts_preparation_and_refusal(world: Engine, shop: Account) -> None:
    world.add_users(shop, range(1, 102))
    draft = world.draft(shop)
    assert world.told(draft, "u-1").outcome == "not_launched"
    world.campaigns.launch(shop, draft.campaign_id)
    assert world.told(draft, "u-1").outcome == "preparing"
    refused = world.launched(shop, upper_cap_for_target_segment=100)
    world.prepare()
    assert world.told(refused, "u-1").outcome == "safety_limit"
    world.add_users(shop, [500])
    assert world.told(refused, "u-500").outcome == "run_refused"


async def test_explain_takes_a_profile_id_and_wants_exactly_one_name(world: Engine, shop: Account) -> None:
    world.add_users(shop, [1])
    campaign = world.launched(shop)
    await world.deliver()
    told = world.explain.explain(account_id(), campaign.campaign_id, profile_id=ProfileId(1))
    assert (told.outcome, told.profile_id) == ("sent", 1)
    for names in ({}, {"identity": "u-1", "profile_id": ProfileId(1)}):
        with pytest.raises(BadRequest):
            world.explain.explain(account_id(), campaign.campaign_id, **names)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        world.explain.explain(account_id(), CampaignId(1), identity="u-1")


async def test_two_profiles_that_were_merged_meanwhile_get_one_message(world: Engine, shop: Account) -> None:
    world.add_users(shop, [1, 2, 3])
    campaign = world.launched(shop)
    world.prepare()
    world.merge(shop, keep=3, absorb=1)
    world.merge(shop, keep=2, absorb=3)
    await world.deliver()
    assert [identities_in(r) for r in world.endpoint.requests] == [["u-2"]]
    assert world.figures(campaign).skipped == {Reason.DUPLICATE_ADDRESS: 2}
    told = world.explain.explain(account_id(), campaign.campaign_id, profile_id=ProfileId(1))
    assert (told.profile_id, told.outcome) == (2, "sent")
    assert [step.code for step in told.steps].count("duplicate_address") == 2
    assert "merged_profile" in [step.code for step in told.steps]


async def test_a_user_who_got_it_under_a_profile_that_is_merged_later_gets_no_second_one(
    world: Engine, shop: Account
) -> None:
    world.add_users(shop, [1, 2])
    answering(world, {"u-2": [BUSY]})
    campaign = world.launched(shop)
    await world.deliver()
    world.merge(shop, keep=2, absorb=1)
    await world.after(20)
    assert [identities_in(r) for r in world.endpoint.requests].count(["u-2"]) == 1
    assert world.figures(campaign).skipped == {Reason.DUPLICATE_ADDRESS: 1}


async def test_an_opted_out_user_gets_nothing(world: Engine, shop: Account) -> None:
    world.add_users(shop, [1, 2])
    campaign = world.launched(shop)
    world.prepare()

    def opt_out(graph: object) -> None:
        graph.attach_device("d-1", ProfileId(1), 0)  # type: ignore[attr-defined]
        graph.set_device_fields("d-1", {"optout": True})  # type: ignore[attr-defined]

    world.change(shop, 1, opt_out)
    await world.deliver()
    assert world.told(campaign, "u-1").outcome == "opted_out"
    assert world.told(campaign, "u-2").outcome == "sent"


@pytest.mark.parametrize("users_count", [3, 30])
async def test_who_left_the_segment_while_waiting_is_not_sent_to(
    world: Engine, shop: Account, clock: ManualClock, users_count: int
) -> None:
    users = world.add_users(shop, range(1, users_count + 1))
    campaign = world.launched(shop)
    world.prepare()
    world.segments.everybody[shop.account_id] = [*users[:-1], 10_000]
    await world.after(3_601)
    assert world.figures(campaign).skipped == {Reason.NOT_QUALIFIED: 1}
    assert world.figures(campaign).sent_count == users_count - 1
    assert world.told(campaign, f"u-{users[-1]}").outcome == "not_qualified"


async def test_a_campaign_may_do_without_the_recheck(world: Engine, shop: Account) -> None:
    world.add_users(shop, [1])
    campaign = world.launched(shop, recheck_segment=False)
    world.prepare()
    world.segments.everybody[shop.account_id] = []
    await world.after(3_601)
    assert world.figures(campaign).sent_count == 1


async def test_stopping_in_the_middle_says_how_many_and_nothing_more_leaves(world: Engine, shop: Account) -> None:
    world.add_users(shop, range(1, 101))
    answering(world, {f"u-{i}": [BUSY] for i in range(1, 6)})
    campaign = world.launched(shop)
    await world.deliver()
    requests_count = len(world.endpoint.requests)
    assert world.campaigns.stop(account_id(), campaign.campaign_id) == 5
    await world.after(1000)
    assert len(world.endpoint.requests) == requests_count
    report = world.figures(campaign)
    assert (report.state, report.sent_count, report.cancelled_count) == (RunState.STOPPED, 95, 5)
    assert report.finished_at_ms is not None
    assert world.told(campaign, "u-1").outcome == "campaign_stopped"


async def test_dead_letters_are_replayed_with_the_same_id_and_the_run_completes_again(
    world: Engine, shop: Account
) -> None:
    world.add_users(shop, range(1, 21))
    answering(world, {f"u-{i}": [BAD] for i in range(1, 6)})
    campaign = world.launched(shop)
    await world.deliver()
    assert world.figures(campaign).state is RunState.COMPLETED
    letters = world.campaigns.dead_letters(account_id(), campaign.campaign_id)
    assert len(letters) == 5
    assert {letter.detail for letter in letters} == {"HTTP 400: no such customer"}
    assert world.campaigns.replay(account_id(), campaign.campaign_id, [letters[0].message_id]) == 1
    assert world.campaigns.replay(account_id(), campaign.campaign_id) == 4
    assert world.campaigns.replay(account_id(), campaign.campaign_id) == 0
    assert world.figures(campaign).state is RunState.SENDING
    await world.deliver()
    report = world.figures(campaign)
    assert (report.state, report.sent_count, report.failed) == (RunState.COMPLETED, 20, {})
    assert {letter.message_id for letter in letters} < set(world.endpoint.taken)
    assert set(world.endpoint.taken.values()) == {1}


async def test_dead_letters_of_another_campaign_or_account_are_not_replayed(world: Engine, shop: Account) -> None:
    world.add_users(shop, [1])
    answering(world, {"u-1": [BAD, BAD]})
    first, second = world.launched(shop), world.launched(shop)
    await world.deliver()
    (letter,) = world.campaigns.dead_letters(account_id(), first.campaign_id)
    assert world.campaigns.replay(account_id(), second.campaign_id, [letter.message_id]) == 0
    other = world.account("ACC-002-BBB")
    with pytest.raises(NotFound):
        world.campaigns.replay(other.account_id, first.campaign_id, [letter.message_id])
    assert world.campaigns.replay(account_id(), first.campaign_id, [MessageId("nonsense")]) == 0


async def test_a_draft_has_nothing_to_replay(world: Engine, shop: Account) -> None:
    with pytest.raises(Conflict):
        world.campaigns.replay(account_id(), world.draft(shop).campaign_id)
    assert world.campaigns.dead_letters(account_id(), world.draft(shop).campaign_id) == []


async def test_a_message_that_may_have_been_taken_is_sent_again_under_the_same_id(world: Engine, shop: Account) -> None:
    world.add_users(shop, [1])
    world.endpoint.answer = lambda _: NoAnswer("the answer did not come in time")
    world.launched(shop)
    await world.deliver()
    world.endpoint.answer = lambda _: OK
    await world.after(20)
    first, second = world.endpoint.requests
    assert message_ids_in(first) == message_ids_in(second)
    assert dict(first.headers)["Idempotency-Key"] == dict(second.headers)["Idempotency-Key"]
    assert [json.loads(r.body or b"")["attempt"] for r in (first, second)] == [1, 2]


async def test_credentials_never_show_in_report_explain_or_dead_letters(world: Engine, shop: Account) -> None:
    canary = "canary-51f7"
    world.add_users(shop, [1])
    world.endpoint.answer = lambda _: OutboundResponse(401, {}, f"bad token {canary}".encode())
    campaign = world.launched(shop, webhook={"auth": BearerAuth(Secret(canary))})
    await world.deliver()
    shown = [
        world.campaigns.report(account_id(), campaign.campaign_id),
        world.campaigns.dead_letters(account_id(), campaign.campaign_id),
        world.told(campaign, "u-1"),
        world.campaigns.get(account_id(), campaign.campaign_id),
    ]
    assert canary not in repr(shown)
    assert world.figures(campaign).failed == {Reason.CREDENTIALS: 1}
