"""One declaration of a table gives the DDL of every engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from belfry.storage.columnar import Table
from belfry.storage.columnar.ddl import REGISTRY


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    """Tables of these tests are not the product's."""
    before = list(REGISTRY)
    yield
    REGISTRY[:] = before


def test_a_table_without_the_account_first_in_its_key_is_refused() -> None:
    with pytest.raises(ValueError, match="must begin with account_id"):
        Table("visits", "account_id String, at DateTime", order_by="at, account_id")


def test_one_servers_table_remembers_tokens_and_syncs_its_parts() -> None:
    table = Table("visits", "account_id String, at DateTime", order_by="account_id, at", partition_by="toYYYYMM(at)")
    assert table.create_sql() == (
        "CREATE TABLE IF NOT EXISTS visits (account_id String, at DateTime)\n"
        "ENGINE = MergeTree\n"
        "PARTITION BY toYYYYMM(at)\n"
        "ORDER BY (account_id, at)\n"
        "SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1"
    )


@pytest.mark.parametrize(
    ("engine", "replicated"),
    [
        pytest.param(
            "MergeTree",
            "ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')",
            id="without arguments",
        ),
        pytest.param(
            "ReplacingMergeTree(version)",
            "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)",
            id="the engine's own arguments follow the keeper's",
        ),
    ],
)
def test_a_clusters_table_is_replicated_and_distributed(engine: str, replicated: str) -> None:
    table = Table(
        "visits", "account_id String, profile_id Int64", order_by="account_id, profile_id", engine=engine, ttl="day"
    )
    local, distributed = table.create_replicated_sql("main")
    assert local == (
        "CREATE TABLE IF NOT EXISTS visits_local ON CLUSTER main (account_id String, profile_id Int64)\n"
        f"ENGINE = {replicated}\n"
        "ORDER BY (account_id, profile_id)\n"
        "TTL day\n"
        "SETTINGS replicated_deduplication_window = 10000"
    )
    assert distributed == (
        "CREATE TABLE IF NOT EXISTS visits ON CLUSTER main AS visits_local\n"
        "ENGINE = Distributed(main, currentDatabase(), visits_local, cityHash64(account_id, profile_id))"
    )


def test_rows_without_a_profile_are_sharded_by_account() -> None:
    table = Table("notes", "account_id String", order_by="account_id")
    assert table.create_replicated_sql("main")[1].endswith("cityHash64(account_id))")
