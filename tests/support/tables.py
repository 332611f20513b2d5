"""Every module that declares tables, so that a store made by the tests is complete."""

from __future__ import annotations

import importlib

TABLE_MODULES = (
    "belfry.accounts.tables",
    "belfry.profiles.tables",
    "belfry.events.tables",
    "belfry.error_stream.tables",
    "belfry.pipeline.tables",
    "belfry.segments.tables",
    "belfry.campaigns.tables",
    "belfry.delivery.tables",
)


def declare_tables() -> None:
    """Fill the relational `metadata` and the columnar `REGISTRY`."""
    for name in TABLE_MODULES:
        importlib.import_module(name)
