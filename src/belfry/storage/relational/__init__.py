"""The relational store: accounts, identities, profiles, campaigns, outbox; SQLite or PostgreSQL.

`Database` opens a DSN and gives transactions; `bulk` runs one Core statement for many rows at the driver's
speed; `metadata` collects the tables, each declared by the folder that owns it; `migrations` brings a store up.
Start at `database.py`. No table is declared here.
"""

from belfry.storage.relational.database import Database, JsonBytes, bulk, chunks, metadata, upsert

__all__ = ["Database", "JsonBytes", "bulk", "chunks", "metadata", "upsert"]
