"""Brings a relational store to the tables of this version of Belfry, on every engine.

`migrate` is all that others call. `versions/` holds the steps, in Alembic's form; `generate.py` writes a new one
from the declared tables (`python -m belfry.storage.relational.migrations.generate NAME`). A test compares what
the steps make with what is declared.
"""

from belfry.storage.relational.migrations.run import StoreTooNew, migrate, pending

__all__ = ["StoreTooNew", "migrate", "pending"]
