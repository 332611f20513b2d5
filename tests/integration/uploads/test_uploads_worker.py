"""The worker: one upload at a time, again after a crash, never twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from belfry.clock import ManualClock
from belfry.ids import AccountId, SequentialIds
from belfry.storage.relational import Database, StoreBusy
from belfry.uploads import store, worker
from belfry.uploads.actions import Uploads
from belfry.uploads.files import UploadFiles
from belfry.uploads.model import Json, Purpose, Unusable, Upload, UploadState
from belfry.uploads.tokens import Signer
from belfry.uploads.worker import ClaimLost, Job, UploadWorker

ACCOUNT = AccountId("SHO-P00-0001")


class Processing:
    """A processor that does what the test says."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.raises: list[Exception] = []

    def process(self, job: Job) -> Mapping[str, Json]:
        with job.open() as file:
            self.seen.append(file.read())
        job.is_alive()
        if self.raises:
            raise self.raises.pop(0)
        return {"bytes": len(self.seen[-1])}


class World:
    def __init__(self, database: Database, clock: ManualClock, folder: Path) -> None:
        self.database, self.clock, self.folder = database, clock, folder
        self.files = UploadFiles(folder, bytes_max=1000, free_bytes_min=0)
        self.uploads = Uploads(database, self.files, Signer(b"s" * 32), clock, SequentialIds())
        self.processing = Processing()
        self.worker = UploadWorker(database, self.files, clock, {Purpose.CATALOG: self.processing})

    def submitted(self, body: bytes = b"abc", subject_id: int = 7) -> Upload:
        issued = self.uploads.issue(ACCOUNT, Purpose.CATALOG)
        receiving = self.uploads.begin(issued.tokens[0], content_range=None, content_length=len(body))
        assert receiving.incoming is not None
        receiving.incoming.write(body)
        self.uploads.end(receiving)
        upload = self.uploads.whole(ACCOUNT, issued.upload_id, Purpose.CATALOG)
        with self.database.begin() as connection:
            self.uploads.submit(connection, upload, subject_id, {})
        self.clock.advance_ms(1)
        return upload

    def state(self, upload: Upload) -> tuple[UploadState, Mapping[str, Json]]:
        with self.database.read() as connection:
            found = store.read(connection, ACCOUNT, upload.upload_id)
        assert found is not None
        return found.state, found.result


@pytest.fixture
def world(database: Database, clock: ManualClock, tmp_path: Path) -> World:
    return World(database, clock, tmp_path / "uploads")


def test_uploads_are_processed_in_order_and_their_files_go(world: World) -> None:
    first, second = world.submitted(b"abc"), world.submitted(b"de")
    assert [world.worker.step(), world.worker.step(), world.worker.step()] == [True, True, False]
    assert world.processing.seen == [b"abc", b"de"]
    assert world.state(first) == (UploadState.DONE, {"bytes": 3})
    assert world.state(second) == (UploadState.DONE, {"bytes": 2})
    assert not [path for path in world.folder.rglob("*") if path.is_file()]


def test_a_file_that_can_never_be_taken_fails_with_its_reason(world: World) -> None:
    upload = world.submitted()
    world.processing.raises = [Unusable("no header")]
    world.worker.step()
    assert world.state(upload) == (UploadState.FAILED, {"error": "no header"})


def test_a_fault_of_ours_fails_one_upload_and_not_the_next(world: World) -> None:
    first, second = world.submitted(), world.submitted()
    world.processing.raises = [RuntimeError("secret")]
    while world.worker.step():
        pass
    assert world.state(first) == (UploadState.FAILED, {"error": "An unknown error occurred (RuntimeError)"})
    assert world.state(second)[0] is UploadState.DONE


def test_a_store_that_is_away_is_waited_for(world: World) -> None:
    upload = world.submitted()
    world.processing.raises = [StoreBusy("busy")]
    world.worker.step()
    assert world.state(upload)[0] is UploadState.PENDING
    assert world.worker.step() is False
    world.clock.advance_ms(worker.AGAIN_AFTER_MS + 1)
    assert world.worker.step() is True
    assert world.state(upload)[0] is UploadState.DONE


def test_a_store_that_stays_away_ends_in_a_failure(world: World) -> None:
    upload = world.submitted()
    world.processing.raises = [StoreBusy("busy")] * worker.ATTEMPTS_MAX
    for _ in range(worker.ATTEMPTS_MAX):
        world.worker.step()
        world.clock.advance_ms(worker.AGAIN_AFTER_MS + 1)
    assert world.state(upload)[0] is UploadState.FAILED


def test_a_dead_workers_upload_is_taken_over_and_the_dead_cannot_go_on(world: World) -> None:
    upload = world.submitted()
    now_ms = world.clock.now_ms()
    with world.database.begin() as connection:
        waiting = store.waiting(connection, now_ms)
        assert waiting is not None
        claimed = store.claim(connection, waiting, now_ms + worker.LEASE_MS)
        assert claimed is not None
        assert store.claim(connection, waiting, now_ms + worker.LEASE_MS) is None
    assert world.worker.step() is False
    world.clock.advance_ms(worker.LEASE_MS + 1)
    assert world.worker.step() is True
    assert world.state(upload)[0] is UploadState.DONE
    with pytest.raises(ClaimLost):
        Job(claimed, world.database, world.files, world.clock).is_alive()


def test_what_nobody_completed_is_swept_a_day_after_its_url_expired(world: World) -> None:
    issued = world.uploads.issue(ACCOUNT, Purpose.CATALOG)
    receiving = world.uploads.begin(issued.tokens[0], content_range=None, content_length=1)
    assert receiving.incoming is not None
    receiving.incoming.write(b"x")
    world.uploads.end(receiving)
    world.worker.sweep()
    assert [path for path in world.folder.rglob("*") if path.is_file()]
    world.clock.advance_ms(49 * 3_600_000)
    world.worker.sweep()
    assert not [path for path in world.folder.rglob("*") if path.is_file()]
    with world.database.read() as connection:
        assert store.read(connection, ACCOUNT, issued.upload_id) is None
