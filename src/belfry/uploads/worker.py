"""Runs submitted uploads through their processors, one after another, in the engine.

A claim has a lease: if the worker dies, the upload is claimed again and processed from its beginning, which has the
same result, because a processor writes under a version number that was given out when the upload was submitted.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from typing import Protocol

import sqlalchemy as sa
import structlog

from belfry.clock import Clock
from belfry.errors import BelfryError
from belfry.storage.relational import Database
from belfry.uploads import store
from belfry.uploads.files import UploadFiles
from belfry.uploads.model import Json, Purpose, Unusable, Upload, UploadState

log = structlog.get_logger(__name__)

LEASE_MS = 60_000
POLL_S = 0.5
FAILED_WAIT_S = 5.0
AGAIN_AFTER_MS = 10_000
ATTEMPTS_MAX = 8
SWEEP_EVERY_MS = 3_600_000
LEFT_FOR_MS = 24 * 3_600_000
"""How long an upload that nobody completed stays after its URL expired."""
RESULT_KEPT_MS = 30 * 24 * 3_600_000
SWEEP_COUNT = 500


class ClaimLost(BelfryError):
    """Another worker took the upload over: whatever this one still does would be done twice."""


class Job:
    """One upload as its processor sees it."""

    def __init__(self, upload: Upload, database: Database, files: UploadFiles, clock: Clock) -> None:
        self.upload = upload
        self._database = database
        self._files = files
        self._clock = clock

    def open(self) -> io.BufferedReader:
        """The bytes of all parts, from the beginning."""
        with self._database.read() as connection:
            parts = store.parts(connection, self.upload.account_id, self.upload.upload_id)
        return self._files.read(self.upload.upload_id, parts)

    def is_alive(self) -> None:
        """Say that the work goes on; to be called at least every half minute. Raises ClaimLost."""
        with self._database.begin() as connection:
            if not store.extend(connection, self.upload, self._clock.now_ms() + LEASE_MS):
                raise ClaimLost(f"upload {self.upload.upload_id} was taken over")


class Processor(Protocol):
    """What makes something of one kind of upload."""

    def process(self, job: Job) -> Mapping[str, Json]:
        """Do it whole; the figures for whoever asks. Raises Unusable if the file can never be taken."""
        ...


class UploadWorker:
    """The loop. Several may run; an upload has one at a time."""

    def __init__(
        self, database: Database, files: UploadFiles, clock: Clock, processors: Mapping[Purpose, Processor]
    ) -> None:
        self._database = database
        self._files = files
        self._clock = clock
        self._processors = processors
        self._swept_at_ms = 0

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; failing stores are waited for."""
        while not stop.is_set():
            try:
                has_worked = self.step()
                self.sweep()
            except (BelfryError, sa.exc.SQLAlchemyError, OSError):
                log.exception("uploads cannot be processed now")
                stop.wait(FAILED_WAIT_S)
                continue
            if not has_worked:
                stop.wait(POLL_S)

    def step(self) -> bool:
        """Process one upload; False if none waits."""
        now_ms = self._clock.now_ms()
        with self._database.read() as connection:
            waiting = store.waiting(connection, now_ms)
        if waiting is None:
            return False
        with self._database.begin() as connection:
            upload = store.claim(connection, waiting, now_ms + LEASE_MS)
        if upload is not None:
            self._process(upload)
        return True

    def _process(self, upload: Upload) -> None:
        try:
            result = self._processors[upload.purpose].process(Job(upload, self._database, self._files, self._clock))
        except Unusable as error:
            self._finish(upload, UploadState.FAILED, {"error": str(error)})
        except ClaimLost:
            log.warning("upload taken over by another worker", upload_id=upload.upload_id)
        except (BelfryError, sa.exc.SQLAlchemyError, OSError) as error:
            self._try_again(upload, error)
        except Exception as error:  # the task's edge: one upload must not stop the others
            log.exception("upload cannot be processed", upload_id=upload.upload_id)
            self._finish(upload, UploadState.FAILED, {"error": f"An unknown error occurred ({type(error).__name__})"})
        else:
            self._finish(upload, UploadState.DONE, result)

    def sweep(self) -> None:
        """Forget uploads that were left open and results that are old; once an hour."""
        now_ms = self._clock.now_ms()
        if now_ms - self._swept_at_ms < SWEEP_EVERY_MS:
            return
        self._swept_at_ms = now_ms
        with self._database.begin() as connection:
            old = store.forgettable(
                connection,
                expired_before_ms=now_ms - LEFT_FOR_MS,
                ended_before_ms=now_ms - RESULT_KEPT_MS,
                limit=SWEEP_COUNT,
            )
            for account_id, upload_id in old:
                store.delete(connection, account_id, upload_id)
        for _, upload_id in old:
            self._files.remove(upload_id)

    def _finish(self, upload: Upload, state: UploadState, result: Mapping[str, Json]) -> None:
        with self._database.begin() as connection:
            store.finish(connection, upload, state, result, self._clock.now_ms())
        self._files.remove(upload.upload_id)
        log.info("upload processed", upload_id=upload.upload_id, purpose=str(upload.purpose), state=str(state))

    def _try_again(self, upload: Upload, error: Exception) -> None:
        if upload.attempts_count >= ATTEMPTS_MAX:
            self._finish(upload, UploadState.FAILED, {"error": f"given up after {ATTEMPTS_MAX} attempts"})
            return
        log.warning("upload will be tried again", upload_id=upload.upload_id, error=str(error))
        with self._database.begin() as connection:
            store.release(connection, upload, self._clock.now_ms() + AGAIN_AFTER_MS)
