"""Campaigns, and each time they were sent."""

import sqlalchemy as sa

from belfry.storage.relational import JsonBytes, metadata

campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("campaign_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("definition", JsonBytes, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
)
"""state: `model.CampaignState`. definition: `model.WebhookCampaign` as JSON. campaign_id: ten digits."""

runs = sa.Table(
    "campaign_runs",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("campaign_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("as_of_ms", sa.BigInteger, nullable=False),
    sa.Column("qualified_count", sa.BigInteger),
    sa.Column("stopped_count", sa.BigInteger),
    sa.Column("started_at_ms", sa.BigInteger, nullable=False),
    sa.Column("finished_at_ms", sa.BigInteger),
)
"""One sending of a campaign. state: preparing, sending, completed, stopped, refused (safety limit)."""
