"""The whole path of one user in one campaign, in words and codes (engagement 10.14).

`Explain` reads; `steps_of_message` and the sentences are pure.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from belfry.campaigns.audience import ProfileAudience
from belfry.campaigns.model import Campaign, Run, RunState
from belfry.campaigns.store import CampaignStore
from belfry.campaigns.who import Who
from belfry.delivery.history import REPLAY_MS, History, MessageView
from belfry.delivery.model import Attempt, MessageState, Reason
from belfry.errors import BadRequest, NotFound
from belfry.ids import AccountId, CampaignId, ProfileId, message_id
from belfry.profiles.actions import Profiles
from belfry.profiles.cards import ProfileCard
from belfry.storage.relational import Database


class Step(msgspec.Struct, frozen=True):
    """One thing that happened, or did not. at_ms: when, if that is known."""

    code: str
    text: str
    at_ms: int | None = None


class Explanation(msgspec.Struct, frozen=True):
    """What became of one user in one campaign.

    outcome     the code of the last word: a message state, a reason of engagement 5.9, or why there is no message
    text        the same as a sentence
    steps       how it came to that, in order
    message_id  of the message, if there is one
    """

    campaign_id: CampaignId
    profile_id: ProfileId | None
    message_id: str | None
    outcome: str
    text: str
    steps: list[Step]


SENTENCES = {
    Reason.CAMPAIGN_STOPPED: "the campaign was stopped before the message left",
    Reason.SAFETY_LIMIT: "more users qualified than the campaign's safety limit allows, so nobody was sent to",
    Reason.PROFILE_GONE: "the profile was deleted before the message left",
    Reason.OPTED_OUT: "the user has opted out",
    Reason.NOT_QUALIFIED: "the user had left the segment when the message was to leave, more than an hour later",
    Reason.DUPLICATE_ADDRESS: "another message of this run is for the same user: two profiles were merged",
    Reason.RENDER_ERROR: "the template could not be rendered for this user",
    Reason.RENDER_TIMEOUT: "rendering the template took too long for this user",
    Reason.MISSING_VALUE: "the template needs a value that this user does not have, and gives no default",
    Reason.ABORTED: "the template stopped the message ({% abort %})",
    Reason.TOO_LARGE: "the rendered message is too large",
    Reason.RATE_LIMITED: "the endpoint asked to slow down",
    Reason.PROVIDER_DOWN: "the endpoint could not be reached or failed",
    Reason.REJECTED: "the endpoint declined the message",
    Reason.CREDENTIALS: "the endpoint did not accept the webhook's credentials",
    Reason.ADDRESS_REFUSED: "the endpoint's address may not be called from here",
}


class Explain:
    """Explanations for every account; each call names one.

    message_key  the installation's key that message ids are made with
    """

    def __init__(
        self,
        *,
        database: Database,
        store: CampaignStore,
        history: History,
        profiles: Profiles,
        audience: ProfileAudience,
        who: Who,
        message_key: bytes,
    ) -> None:
        self._database = database
        self._store = store
        self._history = history
        self._profiles = profiles
        self._audience = audience
        self._who = who
        self._message_key = message_key

    def explain(
        self,
        account_id: AccountId,
        campaign_id: CampaignId,
        *,
        identity: str | None = None,
        profile_id: ProfileId | None = None,
    ) -> Explanation:
        """Tell what became of a user, named by an identity or by the profile's id. Raises NotFound, BadRequest."""
        with self._database.read() as connection:
            campaign = self._store.find(connection, account_id, campaign_id)
            runs = self._store.runs_of(connection, account_id, campaign_id)
        if campaign is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        user = self._user(account_id, identity, profile_id)
        if user is None:
            return _without_user(campaign_id)
        found = Step("user_found", f"the user is profile {user.profile_id}")
        if not runs:
            text = f"the campaign has not been launched: it is {campaign.state}"
            return Explanation(campaign_id, user.profile_id, None, "not_launched", text, [found])
        return self._in_run(campaign, runs[0], user, found)

    def _user(self, account_id: AccountId, identity: str | None, profile_id: ProfileId | None) -> ProfileCard | None:
        if (identity is None) == (profile_id is None):
            raise BadRequest("name the user by identity or by profile id", field="identity")
        if profile_id is None:
            return self._profiles.find(account_id, identity=identity)
        person = self._profiles.resolve(account_id, profile_id)
        return next(iter(self._profiles.cards(account_id, [person])), None) if person is not None else None

    def _in_run(self, campaign: Campaign, run: Run, user: ProfileCard, found: Step) -> Explanation:
        steps = [found, Step("launched", "the campaign was launched", run.started_at_ms)]
        messages = self._messages(run, user.profile_id)
        if not messages:
            last = self._why_no_message(campaign, run, user)
            return Explanation(campaign.campaign_id, user.profile_id, None, last.code, last.text, [*steps, last])
        for message in messages:
            if message.profile_id != user.profile_id:
                steps.append(_merged_step(message))
            attempts = self._history.failed_attempts(run.account_id, message.message_id)
            steps += steps_of_message(message, attempts)
        told, last = messages[-1], steps[-1]
        return Explanation(campaign.campaign_id, user.profile_id, told.message_id, last.code, last.text, steps)

    def _messages(self, run: Run, profile_id: ProfileId) -> list[MessageView]:
        """The run's messages to this user, the one that got furthest last; several only after a merge."""
        merged = self._audience.merged_into(run.account_id, [profile_id])
        ids = [
            message_id(self._message_key, run.account_id, run.campaign_id, run.run_id, one)
            for one in (profile_id, *merged.get(profile_id, ()))
        ]
        found = [self._history.message(run.account_id, one) for one in ids]
        return sorted((m for m in found if m is not None), key=lambda m: _FURTHEST.index(m.state))

    def _why_no_message(self, campaign: Campaign, run: Run, user: ProfileCard) -> Step:
        if run.state is RunState.PREPARING:
            return Step("preparing", "the run is being prepared; this user's message may still come")
        if run.state is RunState.REFUSED:
            return Step("run_refused", f"the run was not sent: {run.detail}", run.finished_at_ms)
        if run.state is RunState.STOPPED and run.qualified_count is None:
            return Step(Reason.CAMPAIGN_STOPPED, "the campaign was stopped before everybody was selected")
        if self._who.qualified(campaign, [user.profile_id]):
            text = "the user was not in the segment when the run was prepared, but is now"
        else:
            text = "the user was not in the segment when the run was prepared, and is not now"
        return Step("not_in_segment", text, run.as_of_ms)


_FURTHEST = (
    MessageState.SKIPPED,
    MessageState.CANCELLED,
    MessageState.FAILED,
    MessageState.QUEUED,
    MessageState.RETRYING,
    MessageState.SENDING,
    MessageState.SENT,
)


def steps_of_message(message: MessageView, attempts: list[Attempt]) -> list[Step]:
    """The way of one message, from being selected to where it is now."""
    selected = Step(
        "qualified", "the user was in the segment; a message was put into the outbox", message.created_at_ms
    )
    tried = [_attempt_step(attempt) for attempt in attempts]
    return [selected, *tried, _state_step(message)]


def _state_step(message: MessageView) -> Step:
    why = _why(message)
    at_ms = message.updated_at_ms
    match message.state:
        case MessageState.SENT:
            text = f"the endpoint took the message with HTTP {message.status}, at attempt {message.attempts_count}"
            return Step("sent", text, at_ms)
        case MessageState.SKIPPED:
            return Step(message.reason or "skipped", f"the message did not leave: {why}", at_ms)
        case MessageState.CANCELLED:
            return Step(message.reason or "cancelled", f"the message did not leave: {why}", at_ms)
        case MessageState.FAILED:
            until = _time(at_ms + REPLAY_MS)
            text = f"failed for good after {message.attempts_count} attempts: {why}. It can be replayed until {until}"
            return Step("failed", text, at_ms)
        case MessageState.RETRYING:
            return Step("retrying", f"the next try is at {_time(message.due_at_ms)}: {why}", message.due_at_ms)
        case MessageState.SENDING:
            return Step("sending", "the message is being sent now", at_ms)
        case MessageState.QUEUED if message.reason is not None:
            return Step("queued", f"the message waits until {_time(message.due_at_ms)}: {why}", message.due_at_ms)
        case MessageState.QUEUED:
            return Step("queued", "the message waits for its turn", message.due_at_ms)


def _attempt_step(attempt: Attempt) -> Step:
    answer = attempt.detail or (f"HTTP {attempt.status}" if attempt.status else "no answer")
    return Step(f"attempt_{attempt.failure}", f"attempt {attempt.attempt} was not taken: {answer}", attempt.at_ms)


def _why(message: MessageView) -> str:
    sentence = "no reason was noted" if message.reason is None else SENTENCES[message.reason]
    return f"{sentence} ({message.detail})" if message.detail else sentence


def _merged_step(message: MessageView) -> Step:
    return Step("merged_profile", f"profile {message.profile_id} was selected; it has been merged into this user since")


def _without_user(campaign_id: CampaignId) -> Explanation:
    text = "there is no such user in this account: never seen, or deleted"
    return Explanation(campaign_id, None, None, "user_unknown", text, [Step("user_unknown", text)])


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
