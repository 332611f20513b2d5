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
    sa.Column("status", sa.Integer),
    sa.Column("attempts_count", sa.Integer, nullable=False),
    sa.Column("due_at_ms", sa.BigInteger, nullable=False),
    sa.Column("claimed_by", sa.String(32)),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("updated_at_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_outbox_run", "account_id", "campaign_id", "run_id", "state", "due_at_ms", "call_id"),
    sa.Index(
        "ix_outbox_claimed",
        "claimed_by",
        sqlite_where=sa.text("claimed_by IS NOT NULL"),
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    ),
)
"""message_id  a pure function of (campaign, run, user): a second row for the same message is refused
call_id     messages that leave together in one request; fixed when the run is prepared. They change state and
            due time together
state       `model.MessageState`
reason      why it was skipped, failed or put off: a code of engagement 5.9
detail      the same in words, at most 1 KiB
status      HTTP status of the latest answer, if there was one
claimed_by  the worker that is sending it; set in state `sending` and in no other
"""

attempts = sa.Table(
    "delivery_attempts",
    metadata,
    sa.Column("account_id", sa.String(40), primary_key=True),
    sa.Column("message_id", sa.String(64), primary_key=True),
    sa.Column("at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("status", sa.Integer),
    sa.Column("failure", sa.String(20), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)
"""Attempts that were not taken. The one that was is the outbox row itself (`status`, `updated_at_ms`): a message
that is sent at the first try, as nearly all are, costs no row here. attempt: counts from 1, again after a replay.
"""

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("worker_id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False),
)
"""Processes that may hold claims; see `liveness.py`. Belongs to the installation, holds nothing of an account.

worker_id  fresh for each start of a process
name       the same after a restart of the same process on the same machine
beat       grows while the process lives; holds no time, because clocks differ
"""
