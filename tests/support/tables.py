"""Every module that declares tables, so that a store made by the tests is complete."""

from belfry.storage.relational.migrations.generate import declare_tables

__all__ = ["declare_tables"]
