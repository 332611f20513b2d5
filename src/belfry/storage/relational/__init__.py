"""The relational store: accounts, identities, profiles, campaigns, outbox; SQLite or PostgreSQL.

`Database` opens a DSN and gives transactions; `bulk` and `bulk_insert` run one Core statement for many rows at
the driver's speed; `metadata` collects the tables, each declared by the folder that owns it; `migrations` brings a
store up; `turns.py` orders those who write one SQLite file. Start at `database.py`. No table is declared here.
"""

from belfry.storage.relational.database import Database, JsonBytes, bulk, bulk_insert, chunks, metadata, upsert
from belfry.storage.relational.errors import StoreBusy, StoreUnavailable

__all__ = [
    "Database",
    "JsonBytes",
    "StoreBusy",
    "StoreUnavailable",
    "bulk",
    "bulk_insert",
    "chunks",
    "metadata",
    "upsert",
]
