"""What the edge asks for every upload: which event names did this account discard? Answered from memory."""

from __future__ import annotations

import threading

import structlog
from sqlalchemy.exc import SQLAlchemyError

from belfry.errors import BelfryError
from belfry.events.discards import all_discarded
from belfry.ids import AccountId
from belfry.storage.relational import Database

log = structlog.get_logger(__name__)

REFRESH_S = 0.4
"""Pause between two looks at the store: a discard is known everywhere in less than a second."""


class DiscardedNames:
    """An in-memory copy of all accounts' discarded names that follows the store.

    When the store cannot be read the last good copy stays: the edge goes on accepting, and the pipeline drops what was
    accepted too late.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names: dict[AccountId, frozenset[str]] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def of(self, account_id: AccountId) -> frozenset[str]:
        """The account's discarded names, folded."""
        return self._names.get(account_id, frozenset())

    def refresh(self) -> None:
        """Read them again. Raises what the store raises; the copy stays as it was."""
        with self._database.read() as connection:
            self._names = all_discarded(connection)

    def start(self) -> None:
        """Read them, and keep doing so until `close`."""
        self._try_refresh()
        self._thread = threading.Thread(target=self._follow, name="discarded-names", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        while not self._stopping.wait(REFRESH_S):
            self._try_refresh()

    def _try_refresh(self) -> None:
        try:
            self.refresh()
        except (SQLAlchemyError, BelfryError, OSError) as error:
            log.warning("discarded event names were not read", error=str(error))
