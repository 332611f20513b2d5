"""The outbox: every message that is to leave, leaves or did not leave, with its reason."""

import sqlalchemy as sa

from belfry.storage.relational import metadata

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("message_id", sa.String(64), primary_key=True),
    sa.Column("campaign_id", sa.BigInteger, nullable=False),
    sa.Column("run_id", sa.BigInteger, nullable=False),
    sa.Column("profile_id", sa.BigInteger, nullable=False),
    sa.Column("call_id", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("reason", sa.String(40)),
    sa.Column("detail", sa.Text),
    sa.Column("attempts_count", sa.Integer, nullable=False),
    sa.Column("due_at_ms", sa.BigInteger, nullable=False),
    sa.Column("claimed_by", sa.String(32)),
    sa.Column("claimed_until_ms", sa.BigInteger),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_outbox_due", "state", "due_at_ms"),
    sa.Index("ix_outbox_campaign", "account_id", "campaign_id", "run_id", "profile_id"),
)
"""message_id  a pure function of (campaign, run, user): a second row for the same message is refused
call_id     messages that leave together in one request; fixed when the run is prepared
state       `model.MessageState`: queued, sending, retrying, sent, failed, skipped, cancelled
reason      why it was skipped, failed or retried: a code of engagement 5.9
"""
