"""The verbs of campaigns: create, launch, stop, report, replay. Every call names the account; calls block."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from belfry.accounts.model import Account
from belfry.campaigns.model import RUN_MOVES, Campaign, CampaignState, Run, RunState, WebhookCampaign, run_id_at
from belfry.campaigns.plans import compile_texts
from belfry.campaigns.report import CampaignReport, campaign_report
from belfry.campaigns.store import CampaignStore
from belfry.campaigns.who import Who
from belfry.clock import Clock
from belfry.connectors.webhook_check import check
from belfry.content.errors import TemplateSyntaxError
from belfry.delivery.history import REPLAY_DAYS, REPLAY_MS, History, MessageView
from belfry.delivery.model import RunKey
from belfry.delivery.store import Outbox
from belfry.errors import BadRequest, Conflict, NotFound
from belfry.ids import AccountId, CampaignId, MessageId
from belfry.storage.relational import Database

LIST_MAX = 500
DEAD_LETTERS_MAX = 500
"""Dead letters on one page, and those that one transaction queues again."""


class Campaigns:
    """Campaigns of every account.

    allow  `host:port` pairs that this installation may call whatever their address is
    """

    def __init__(
        self,
        *,
        database: Database,
        store: CampaignStore,
        outbox: Outbox,
        history: History,
        who: Who,
        clock: Clock,
        allow: Collection[str],
    ) -> None:
        self._database = database
        self._store = store
        self._outbox = outbox
        self._history = history
        self._who = who
        self._clock = clock
        self._allow = frozenset(allow)

    def create(self, account: Account, definition: WebhookCampaign) -> Campaign:
        """Add a draft. Raises BadRequest, naming the field, for what could not be sent."""
        self._check(account, definition)
        with self._database.begin() as connection:
            campaign_id = self._store.insert(connection, account.account_id, definition)
            return self._existing(connection, account.account_id, campaign_id)

    def get(self, account_id: AccountId, campaign_id: CampaignId) -> Campaign:
        """One campaign. Raises NotFound."""
        with self._database.read() as connection:
            return self._existing(connection, account_id, campaign_id)

    def list_newest(
        self, account_id: AccountId, *, before: CampaignId | None = None, limit: int = 100
    ) -> list[Campaign]:
        """Campaigns, the newest first, those with ids below `before`; at most `LIST_MAX`."""
        with self._database.read() as connection:
            return self._store.list_newest(connection, account_id, before=before, limit=min(limit, LIST_MAX))

    def launch(self, account: Account, campaign_id: CampaignId) -> Run:
        """Start sending: makes the run, which the launcher then prepares. Raises NotFound, Conflict, BadRequest.

        A campaign runs once. Whoever launches second, at the same moment or later, gets the Conflict.
        """
        account_id = account.account_id
        campaign = self.get(account_id, campaign_id)
        if campaign.state is CampaignState.DRAFT:
            # Time has passed since it was saved: the segment may be gone, the allow-list shorter.
            self._check(account, campaign.definition)
        key = RunKey(account_id, campaign_id, run_id_at(self._clock.now_ms(), account.timezone))
        with self._database.begin() as connection:
            if not self._store.move(connection, account_id, campaign_id, CampaignState.DRAFT, CampaignState.RUNNING):
                state = self._existing(connection, account_id, campaign_id).state
                raise Conflict(f"campaign {campaign_id} is {state}; only a draft can be launched. Create a new one.")
            self._store.insert_run(connection, key)
            return self._store.runs_of(connection, account_id, campaign_id)[0]

    def stop(self, account_id: AccountId, campaign_id: CampaignId) -> int:
        """Stop for good: what waits will not leave; returns how many messages that are. Raises NotFound, Conflict.

        Calls that are in flight end, and what they were answered is noted.
        """
        with self._database.begin() as connection:
            campaign = self._existing(connection, account_id, campaign_id)
            # Runs before their campaign, as everywhere: two that lock both never wait for each other.
            locked = [
                self._store.lock_run(connection, run.key)
                for run in self._store.runs_of(connection, account_id, campaign_id)
            ]
            if not self._store.move(connection, account_id, campaign_id, CampaignState.RUNNING, CampaignState.STOPPED):
                raise Conflict(f"campaign {campaign_id} is {campaign.state}; only a running one can be stopped")
            open_runs = [run for run in locked if run is not None and RunState.STOPPED in RUN_MOVES[run.state]]
            for run in open_runs:
                self._store.move_run(connection, run.key, run.state, RunState.STOPPED)
        return sum(self._cancel(run.key) for run in open_runs)

    def report(self, account_id: AccountId, campaign_id: CampaignId) -> CampaignReport:
        """The figures as they stand. Raises NotFound."""
        with self._database.read() as connection:
            campaign = self._existing(connection, account_id, campaign_id)
            runs = self._store.runs_of(connection, account_id, campaign_id)
        return campaign_report(campaign, [(run, self._history.counts(run.key)) for run in runs])

    def runs(self, account_id: AccountId, campaign_id: CampaignId) -> list[Run]:
        """The runs of a campaign, the latest first. Raises NotFound."""
        with self._database.read() as connection:
            self._existing(connection, account_id, campaign_id)
            return self._store.runs_of(connection, account_id, campaign_id)

    def dead_letters(
        self, account_id: AccountId, campaign_id: CampaignId, *, after: str = "", limit: int = 100
    ) -> list[MessageView]:
        """Messages of the latest run that failed for good, by id, following the id `after`. Raises NotFound."""
        runs = self.runs(account_id, campaign_id)
        if not runs:
            return []
        return self._history.dead_letters(runs[0].key, after=after, limit=min(limit, DEAD_LETTERS_MAX))

    def replay(
        self, account_id: AccountId, campaign_id: CampaignId, message_ids: Sequence[MessageId] | None = None
    ) -> int:
        """Queue dead letters of the last seven days again, these or all; returns how many. Raises NotFound, Conflict.

        They keep their ids, so an endpoint that took one after all recognises it.
        """
        campaign = self.get(account_id, campaign_id)
        if campaign.state not in (CampaignState.RUNNING, CampaignState.COMPLETED):
            raise Conflict(
                f"campaign {campaign_id} is {campaign.state}; dead letters of a running or completed one can be "
                f"replayed, for {REPLAY_DAYS} days"
            )
        if message_ids is not None:
            return self._replay_some(campaign, message_ids)
        total, after = 0, ""
        while letters := self.dead_letters(account_id, campaign_id, after=after, limit=DEAD_LETTERS_MAX):
            after = letters[-1].message_id
            total += self._replay_some(campaign, [letter.message_id for letter in letters])
        return total

    def _replay_some(self, campaign: Campaign, message_ids: Sequence[MessageId]) -> int:
        account_id, campaign_id = campaign.account_id, campaign.campaign_id
        with self._database.begin() as connection:
            latest = self._store.runs_of(connection, account_id, campaign_id)[0]
            # The launcher closes runs under this lock: it cannot miss what is queued here.
            run = self._store.lock_run(connection, latest.key)
            if run is None or run.state not in (RunState.SENDING, RunState.COMPLETED):
                return 0
            count = self._outbox.replay(
                connection, run.key, message_ids, failed_since_ms=self._clock.now_ms() - REPLAY_MS
            )
            if count and run.state is RunState.COMPLETED:
                self._store.move_run(connection, run.key, RunState.COMPLETED, RunState.SENDING, finished_at_ms=None)
                self._store.move(connection, account_id, campaign_id, CampaignState.COMPLETED, CampaignState.RUNNING)
            return count

    def _cancel(self, key: RunKey) -> int:
        count = self._outbox.cancel(key)
        with self._database.begin() as connection:
            self._store.note_cancelled(connection, key, count)
        return count

    def _existing(self, connection: sa.Connection, account_id: AccountId, campaign_id: CampaignId) -> Campaign:
        campaign = self._store.find(connection, account_id, campaign_id)
        if campaign is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        return campaign

    def _check(self, account: Account, definition: WebhookCampaign) -> None:
        if not definition.name.strip():
            raise BadRequest("name is mandatory", field="name")
        problems = check(definition.webhook, self._allow)
        if problems:
            raise BadRequest(
                "; ".join(f"webhook.{problem.field}: {problem.text}" for problem in problems),
                field=f"webhook.{problems[0].field}",
            )
        try:
            compile_texts(definition)
        except TemplateSyntaxError as error:
            raise BadRequest(f"webhook: {error}", field="webhook") from None
        self._who.check(account, definition)
