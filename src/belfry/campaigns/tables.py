"""Campaigns, and each time they were sent."""

import sqlalchemy as sa

from belfry.storage.relational import metadata

campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("campaign_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("definition", sa.LargeBinary, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
)
"""state: `model.CampaignState`. definition: `model.WebhookCampaign` as JSON, sealed (`seal.py`).
campaign_id: ten digits."""

runs = sa.Table(
    "campaign_runs",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("campaign_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("detail", sa.Text),
    sa.Column("as_of_ms", sa.BigInteger, nullable=False),
    sa.Column("prepared_by", sa.String(32)),
    sa.Column("qualified_count", sa.BigInteger),
    sa.Column("cancelled_count", sa.BigInteger),
    sa.Column("started_at_ms", sa.BigInteger, nullable=False),
    sa.Column("finished_at_ms", sa.BigInteger),
    sa.Index("ix_campaign_runs_state", "state", "finished_at_ms"),
)
"""One sending of a campaign.

run_id          the day of the launch in the account's time zone, as YYYYMMDD
state           `model.RunState`; detail says why it was refused
as_of_ms        the moment for which the segment is computed
prepared_by     the worker that writes its outbox rows; nobody else may while that worker lives
finished_at_ms  when nothing of it was left to come; of a stopped run too
"""
