"""Initial.

Made by `belfry.storage.relational.migrations.generate`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply this step."""
    op.create_table(
        "account_revisions",
        sa.Column("only", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("only", name=op.f("pk_account_revisions")),
    )
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("settings", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "addresses",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("address", sa.String(length=1024), nullable=False),
        sa.Column("flag", sa.String(length=24), nullable=False),
        sa.Column("value", sa.Boolean(), nullable=False),
        sa.Column("written_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "kind", "address", "flag", name=op.f("pk_addresses")),
    )
    op.create_table(
        "audit_log",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("audit_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("passcode_id", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.String(length=200), nullable=False),
        sa.Column("asked_count", sa.BigInteger(), nullable=False),
        sa.Column("done_count", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "audit_id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "campaign_runs",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("as_of_ms", sa.BigInteger(), nullable=False),
        sa.Column("prepared_by", sa.String(length=32), nullable=True),
        sa.Column("qualified_count", sa.BigInteger(), nullable=True),
        sa.Column("cancelled_count", sa.BigInteger(), nullable=True),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("finished_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "campaign_id", "run_id", name=op.f("pk_campaign_runs")),
    )
    op.create_index("ix_campaign_runs_state", "campaign_runs", ["state", "finished_at_ms"], unique=False)
    op.create_table(
        "campaigns",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("definition", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "campaign_id", name=op.f("pk_campaigns")),
    )
    op.create_table(
        "catalog_products",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("catalog_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("identity", sa.String(length=500), nullable=False),
        sa.Column("name", sa.String(length=1000), nullable=False),
        sa.Column("image_url", sa.String(length=2000), nullable=False),
        sa.Column("attributes", sa.LargeBinary(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "catalog_id", "version", "identity", name=op.f("pk_catalog_products")),
    )
    op.create_table(
        "catalogs",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("catalog_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("live_name", sa.String(length=200), nullable=True),
        sa.Column("description", sa.String(length=1000), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("schema", sa.LargeBinary(), nullable=False),
        sa.Column("sync", sa.LargeBinary(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("version_issued", sa.BigInteger(), nullable=False),
        sa.Column("creator", sa.String(length=320), nullable=False),
        sa.Column("updated_by", sa.String(length=320), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "catalog_id", name=op.f("pk_catalogs")),
        sa.UniqueConstraint("account_id", "live_name", name=op.f("uq_catalogs_account_id_live_name")),
    )
    op.create_table(
        "content_block_translations",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("block_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("locale", sa.String(length=40), nullable=False),
        sa.Column("replacements", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "block_id", "locale", name=op.f("pk_content_block_translations")),
    )
    op.create_table(
        "content_blocks",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("block_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("partner", sa.String(length=64), nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.String(length=200), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "block_id", name=op.f("pk_content_blocks")),
        sa.UniqueConstraint("account_id", "name", name="uq_content_blocks_name"),
    )
    op.create_table(
        "delivery_attempts",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("failure", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "message_id", "at_ms", "attempt", name=op.f("pk_delivery_attempts")),
    )
    op.create_table(
        "devices",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("device_id", sa.String(length=1024), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("fields", sa.LargeBinary(), nullable=False),
        sa.Column("added_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "device_id", name=op.f("pk_devices")),
    )
    op.create_index("ix_devices_profile", "devices", ["account_id", "profile_id"], unique=False)
    op.create_table(
        "email_template_translations",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("template_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("locale", sa.String(length=40), nullable=False),
        sa.Column("draft", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.String(length=200), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "template_id", "locale", name=op.f("pk_email_template_translations")),
    )
    op.create_table(
        "email_templates",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("template_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("draft", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.String(length=200), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "template_id", name=op.f("pk_email_templates")),
    )
    op.create_table(
        "erasures",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("erasure_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("profile_ids", sa.LargeBinary(), nullable=False),
        sa.Column("absorbed_ids", sa.LargeBinary(), nullable=False),
        sa.Column("personal", sa.LargeBinary(), nullable=False),
        sa.Column("erases_events", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("purged_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "erasure_id", name=op.f("pk_erasures")),
    )
    op.create_index(
        "ix_erasures_unpurged",
        "erasures",
        ["account_id", "erasure_id"],
        unique=False,
        sqlite_where=sa.text("purged_at_ms IS NULL"),
        postgresql_where=sa.text("purged_at_ms IS NULL"),
    )
    op.create_table(
        "error_replays",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("replay_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=1024), nullable=False),
        sa.Column("up_to_seq", sa.BigInteger(), nullable=False),
        sa.Column("records_count", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "replay_id", name=op.f("pk_error_replays")),
    )
    op.create_table(
        "event_discards",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("discarded_at_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("restored_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "name", "discarded_at_ms", name=op.f("pk_event_discards")),
    )
    op.create_table(
        "event_keys",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "profile_id", "key_hash", name=op.f("pk_event_keys")),
    )
    op.create_index("ix_event_keys_seen", "event_keys", ["account_id", "seen_at_ms"], unique=False)
    op.create_table(
        "event_moves",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("move_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("from_id", sa.BigInteger(), nullable=False),
        sa.Column("to_id", sa.BigInteger(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("undoes", sa.BigInteger(), nullable=False),
        sa.Column("done_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "move_id", name=op.f("pk_event_moves")),
    )
    op.create_index(
        "ix_event_moves_waiting",
        "event_moves",
        ["account_id", "move_id"],
        unique=False,
        sqlite_where=sa.text("done_at_ms IS NULL"),
        postgresql_where=sa.text("done_at_ms IS NULL"),
    )
    op.create_table(
        "event_schema",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("shown_as", sa.String(length=512), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("is_system", sa.Boolean(), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "name", name=op.f("pk_event_schema")),
    )
    op.create_table(
        "export_queries",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("export_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("query", sa.LargeBinary(), nullable=False),
        sa.Column("up_to_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "export_id", name=op.f("pk_export_queries")),
    )
    op.create_table(
        "heartbeats",
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("instance", sa.String(length=32), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("role", "instance", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "idempotent_answers",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "key", name=op.f("pk_idempotent_answers")),
    )
    op.create_index("ix_idempotent_answers_age", "idempotent_answers", ["account_id", "at_ms"], unique=False)
    op.create_table(
        "identities",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("value", sa.String(length=1024), nullable=False),
        sa.Column("whole", sa.LargeBinary(), nullable=True),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("added_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "kind", "value", name=op.f("pk_identities")),
    )
    op.create_index("ix_identities_profile", "identities", ["account_id", "profile_id"], unique=False)
    op.create_table(
        "identity_log",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("log_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("other_id", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=False),
        sa.Column("after", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("undone_by", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "log_id", name=op.f("pk_identity_log")),
    )
    op.create_index("ix_identity_log_other", "identity_log", ["account_id", "other_id"], unique=False)
    op.create_index("ix_identity_log_profile", "identity_log", ["account_id", "profile_id"], unique=False)
    op.create_table(
        "import_jobs",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("format", sa.String(length=8), nullable=False),
        sa.Column("mapping", sa.LargeBinary(), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("is_history", sa.Boolean(), nullable=False),
        sa.Column("passcode_id", sa.String(length=64), nullable=False),
        sa.Column("partner", sa.String(length=200), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("bytes_count", sa.BigInteger(), nullable=False),
        sa.Column("bytes_read", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.Column("problems", sa.LargeBinary(), nullable=False),
        sa.Column("refused_bytes", sa.BigInteger(), nullable=False),
        sa.Column("log_position", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.String(length=1000), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "import_id", name=op.f("pk_import_jobs")),
    )
    op.create_index("ix_import_jobs_state", "import_jobs", ["state", "created_at_ms"], unique=False)
    op.create_table(
        "lists",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("segment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("version_issued", sa.BigInteger(), nullable=False),
        sa.Column("members_count", sa.BigInteger(), nullable=False),
        sa.Column("creator", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "segment_id", name=op.f("pk_lists")),
        sa.UniqueConstraint("account_id", "external_id", name=op.f("uq_lists_account_id_external_id")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_lists_account_id_name")),
    )
    op.create_table(
        "operations",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("operation_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "operation_id", name=op.f("pk_operations")),
    )
    op.create_table(
        "outbox",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("call_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("attempts_count", sa.Integer(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("claimed_by", sa.String(length=32), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "message_id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_claimed",
        "outbox",
        ["claimed_by"],
        unique=False,
        sqlite_where=sa.text("claimed_by IS NOT NULL"),
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_run",
        "outbox",
        ["account_id", "campaign_id", "run_id", "state", "due_at_ms", "call_id"],
        unique=False,
    )
    op.create_table(
        "passcodes",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("passcode_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("creator", sa.String(length=200), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("previous_expires_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("scopes", sa.LargeBinary(), nullable=False),
        sa.Column("networks", sa.LargeBinary(), nullable=False),
        sa.Column("partner", sa.String(length=64), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "passcode_id", name=op.f("pk_passcodes")),
    )
    op.create_table(
        "pipeline_positions",
        sa.Column("stream", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("inflight_to", sa.BigInteger(), nullable=False),
        sa.Column("inflight_now_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_pipeline_positions")),
    )
    op.create_table(
        "profile_activity",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("events", sa.LargeBinary(), nullable=False),
        sa.Column("recent", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "profile_id", name=op.f("pk_profile_activity")),
    )
    op.create_table(
        "profiles",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=True),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("properties", sa.LargeBinary(), nullable=False),
        sa.Column("written_at", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "profile_id", name=op.f("pk_profiles")),
    )
    op.create_index(
        "ix_profiles_target",
        "profiles",
        ["account_id", "target_id"],
        unique=False,
        sqlite_where=sa.text("target_id IS NOT NULL"),
        postgresql_where=sa.text("target_id IS NOT NULL"),
    )
    op.create_table(
        "property_schema",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("property", sa.String(length=512), nullable=False),
        sa.Column("type", sa.String(length=12), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "owner", "property", "type", name=op.f("pk_property_schema")),
    )
    op.create_table(
        "remote_config_variables",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("draft", sa.LargeBinary(), nullable=True),
        sa.Column("published", sa.LargeBinary(), nullable=True),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "name", name=op.f("pk_remote_config_variables")),
    )
    op.create_table(
        "segments",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("segment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("rule", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "segment_id", name=op.f("pk_segments")),
    )
    op.create_table(
        "subscription_groups",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=False),
        sa.Column("channels", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("archived_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "key", name=op.f("pk_subscription_groups")),
        sa.UniqueConstraint("account_id", "name", name="uq_subscription_groups_name"),
    )
    op.create_table(
        "tokens",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("token", sa.String(length=1824), nullable=False),
        sa.Column("whole", sa.LargeBinary(), nullable=True),
        sa.Column("device_id", sa.String(length=1024), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("keys", sa.LargeBinary(), nullable=True),
        sa.Column("added_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "token", name=op.f("pk_tokens")),
    )
    op.create_index("ix_tokens_device", "tokens", ["account_id", "device_id"], unique=False)
    op.create_table(
        "tombstones",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("erased_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "hash", name=op.f("pk_tombstones")),
    )
    op.create_index("ix_tombstones_erased", "tombstones", ["account_id", "erased_at_ms"], unique=False)
    op.create_table(
        "upload_parts",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("upload_id", sa.String(length=32), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bytes_count", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "upload_id", "part", name=op.f("pk_upload_parts")),
    )
    op.create_table(
        "uploads",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("upload_id", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("parts_count", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("options", sa.LargeBinary(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=False),
        sa.Column("attempts_count", sa.Integer(), nullable=False),
        sa.Column("lease_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "upload_id", name=op.f("pk_uploads")),
    )
    op.create_index("ix_uploads_state", "uploads", ["state", "changed_at_ms"], unique=False)
    op.create_index("ix_uploads_subject", "uploads", ["account_id", "subject_id"], unique=False)
    op.create_table(
        "workers",
        sa.Column("worker_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_workers")),
    )


def downgrade() -> None:
    """Take this step back."""
    op.drop_table("workers")
    op.drop_index("ix_uploads_subject", table_name="uploads")
    op.drop_index("ix_uploads_state", table_name="uploads")
    op.drop_table("uploads")
    op.drop_table("upload_parts")
    op.drop_index("ix_tombstones_erased", table_name="tombstones")
    op.drop_table("tombstones")
    op.drop_index("ix_tokens_device", table_name="tokens")
    op.drop_table("tokens")
    op.drop_table("subscription_groups")
    op.drop_table("segments")
    op.drop_table("remote_config_variables")
    op.drop_table("property_schema")
    op.drop_index(
        "ix_profiles_target",
        table_name="profiles",
        sqlite_where=sa.text("target_id IS NOT NULL"),
        postgresql_where=sa.text("target_id IS NOT NULL"),
    )
    op.drop_table("profiles")
    op.drop_table("profile_activity")
    op.drop_table("pipeline_positions")
    op.drop_table("passcodes")
    op.drop_index("ix_outbox_run", table_name="outbox")
    op.drop_index(
        "ix_outbox_claimed",
        table_name="outbox",
        sqlite_where=sa.text("claimed_by IS NOT NULL"),
        postgresql_where=sa.text("claimed_by IS NOT NULL"),
    )
    op.drop_table("outbox")
    op.drop_table("operations")
    op.drop_table("lists")
    op.drop_index("ix_import_jobs_state", table_name="import_jobs")
    op.drop_table("import_jobs")
    op.drop_index("ix_identity_log_profile", table_name="identity_log")
    op.drop_index("ix_identity_log_other", table_name="identity_log")
    op.drop_table("identity_log")
    op.drop_index("ix_identities_profile", table_name="identities")
    op.drop_table("identities")
    op.drop_index("ix_idempotent_answers_age", table_name="idempotent_answers")
    op.drop_table("idempotent_answers")
    op.drop_table("heartbeats")
    op.drop_table("export_queries")
    op.drop_table("event_schema")
    op.drop_index(
        "ix_event_moves_waiting",
        table_name="event_moves",
        sqlite_where=sa.text("done_at_ms IS NULL"),
        postgresql_where=sa.text("done_at_ms IS NULL"),
    )
    op.drop_table("event_moves")
    op.drop_index("ix_event_keys_seen", table_name="event_keys")
    op.drop_table("event_keys")
    op.drop_table("event_discards")
    op.drop_table("error_replays")
    op.drop_index(
        "ix_erasures_unpurged",
        table_name="erasures",
        sqlite_where=sa.text("purged_at_ms IS NULL"),
        postgresql_where=sa.text("purged_at_ms IS NULL"),
    )
    op.drop_table("erasures")
    op.drop_table("email_templates")
    op.drop_table("email_template_translations")
    op.drop_index("ix_devices_profile", table_name="devices")
    op.drop_table("devices")
    op.drop_table("delivery_attempts")
    op.drop_table("content_blocks")
    op.drop_table("content_block_translations")
    op.drop_table("catalogs")
    op.drop_table("catalog_products")
    op.drop_table("campaigns")
    op.drop_index("ix_campaign_runs_state", table_name="campaign_runs")
    op.drop_table("campaign_runs")
    op.drop_table("audit_log")
    op.drop_table("addresses")
    op.drop_table("accounts")
    op.drop_table("account_revisions")
