"""How far the pipeline has come, for those who only look."""

from __future__ import annotations

import sqlalchemy as sa

from belfry.pipeline.tables import positions
from belfry.storage.relational import Database


def committed_position(database: Database, stream: int) -> int:
    """The last entry of a stream whose effects are committed; 0 if none is."""
    with database.read() as connection:
        value = connection.execute(sa.select(positions.c.position).where(positions.c.stream == stream)).scalar()
    return 0 if value is None else int(value)
