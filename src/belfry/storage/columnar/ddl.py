"""Tables of the columnar store as data, so that one declaration gives every engine's DDL."""

from __future__ import annotations

import msgspec

DEDUPLICATION_WINDOW_BLOCKS = 10_000
"""How many blocks a table remembers by token: far more than the one that can be in flight at a crash."""

REGISTRY: list[Table] = []
"""Every declared table, in order of declaration."""


class Table(msgspec.Struct, frozen=True):
    """One columnar table.

    columns    the column list of CREATE TABLE, without comments
    order_by   the sort key; always begins with account_id
    engine     of the MergeTree family
    """

    name: str
    columns: str
    order_by: str
    engine: str = "MergeTree"
    partition_by: str | None = None
    ttl: str | None = None

    def __post_init__(self) -> None:
        if not self.order_by.startswith("account_id"):
            raise ValueError(f"{self.name}: the sort key must begin with account_id")
        REGISTRY.append(self)

    def create_sql(self) -> str:
        """CREATE TABLE IF NOT EXISTS for one server or the embedded engine.

        Parts are fsynced: the relational position is durable, so what it stands for must be too.
        """
        return self._sql(
            self.engine,
            name=self.name,
            cluster="",
            settings=f"non_replicated_deduplication_window = {DEDUPLICATION_WINDOW_BLOCKS}, "
            "fsync_after_insert = 1, fsync_part_directory = 1",
        )

    def create_replicated_sql(self, cluster: str) -> tuple[str, str]:
        """The same table on a cluster: (replicated local table, distributed table over it).

        Sharded by account and profile where there is a profile, so that one user's rows meet on one shard.
        """
        family, _, arguments = self.engine.rstrip(")").partition("(")
        keeper = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
        engine = f"Replicated{family}({keeper}{', ' + arguments if arguments else ''})"
        local = self._sql(
            engine,
            name=f"{self.name}_local",
            cluster=f" ON CLUSTER {cluster}",
            settings=f"replicated_deduplication_window = {DEDUPLICATION_WINDOW_BLOCKS}",
        )
        key = "cityHash64(account_id, profile_id)" if "profile_id" in self.columns else "cityHash64(account_id)"
        distributed = (
            f"CREATE TABLE IF NOT EXISTS {self.name} ON CLUSTER {cluster} AS {self.name}_local\n"
            f"ENGINE = Distributed({cluster}, currentDatabase(), {self.name}_local, {key})"
        )
        return local, distributed

    def _sql(self, engine: str, *, name: str, cluster: str, settings: str) -> str:
        parts = [f"CREATE TABLE IF NOT EXISTS {name}{cluster} ({self.columns})", f"ENGINE = {engine}"]
        if self.partition_by:
            parts.append(f"PARTITION BY {self.partition_by}")
        parts.append(f"ORDER BY ({self.order_by})")
        if self.ttl:
            parts.append(f"TTL {self.ttl}")
        parts.append(f"SETTINGS {settings}")
        return "\n".join(parts)
