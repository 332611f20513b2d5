"""What others call: issue signed URLs, receive parts, submit a whole upload, look what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

import msgspec
import sqlalchemy as sa

from belfry.clock import Clock
from belfry.errors import BadRequest, Conflict, Forbidden
from belfry.ids import AccountId, Ids
from belfry.storage.relational import Database
from belfry.uploads import store
from belfry.uploads.files import Incoming, UploadFiles
from belfry.uploads.model import LIFETIME_MS, PARTS_MAX, Grant, Json, Part, Purpose, Upload, UploadState
from belfry.uploads.rules import Piece, Question, read_range
from belfry.uploads.tokens import NOT_VALID, Signer

COMPLETED = "this upload was completed before"
URL_LENGTH_MAX = 2000
PATH = "/ul/"
"""Where signed URLs lead."""


class Issued(msgspec.Struct, frozen=True):
    """A new upload: one token for each part."""

    upload_id: str
    tokens: tuple[str, ...]
    expires_at_ms: int


class Receiving(msgspec.Struct, frozen=True):
    """A request that a signed URL allowed. incoming: None if it only asks how much is there."""

    grant: Grant
    incoming: Incoming | None


class Received(msgspec.Struct, frozen=True):
    """What came of a request: the part if it is whole now, and how many bytes of it are there."""

    part: Part | None
    held: int


class SentPart(msgspec.Struct, frozen=True):
    """A part as the completing call names it; etag without quotes."""

    part: int
    etag: str


class Uploads:
    """Uploads of every account; a signed URL names its own."""

    def __init__(self, database: Database, files: UploadFiles, signer: Signer, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._files = files
        self._signer = signer
        self._clock = clock
        self._ids = ids

    def issue(
        self, account_id: AccountId, purpose: Purpose, *, parts_count: int = 1, subject_id: int | None = None
    ) -> Issued:
        """A new upload of 1 to 4 parts, open for 24 hours."""
        if not 1 <= parts_count <= PARTS_MAX:
            raise BadRequest(f"an upload has 1 to {PARTS_MAX} parts, got {parts_count}", limit=PARTS_MAX)
        now_ms = self._clock.now_ms()
        upload = Upload(
            account_id=account_id,
            upload_id=self._ids.token_hex(16),
            purpose=purpose,
            parts_count=parts_count,
            state=UploadState.OPEN,
            subject_id=subject_id,
            options={},
            result={},
            attempts_count=0,
            lease_ms=0,
            created_at_ms=now_ms,
            changed_at_ms=now_ms,
            expires_at_ms=now_ms + LIFETIME_MS,
        )
        with self._database.begin() as connection:
            store.insert(connection, upload)
        grants = [
            Grant(account_id, upload.upload_id, part, upload.expires_at_ms // 1000)
            for part in range(1, parts_count + 1)
        ]
        return Issued(upload.upload_id, tuple(self._signer.sign(grant) for grant in grants), upload.expires_at_ms)

    # ---- bytes

    def begin(self, token: str, *, content_range: str | None, content_length: int | None) -> Receiving:
        """Begin to take what a signed URL allows.

        raises  Forbidden: unknown, expired or completed; TooLarge, Unavailable: no room; Conflict: a piece that
                does not follow what is there
        """
        grant = self._signer.verify(token, self._clock.now_ms())
        with self._database.read() as connection:
            upload = store.read(connection, grant.account_id, grant.upload_id)
        if upload is None:
            raise Forbidden(NOT_VALID)
        if upload.state is not UploadState.OPEN:
            raise Forbidden("The upload was completed before")
        asked = read_range(content_range)
        if isinstance(asked, Question):
            return Receiving(grant, None)
        self._check_room(asked, content_length)
        return Receiving(grant, self._files.receive(grant.upload_id, grant.part, self._ids.token_hex(8), asked))

    def end(self, receiving: Receiving) -> Received:
        """All bytes of a request have come: they are on disk when this returns."""
        grant, incoming = receiving.grant, receiving.incoming
        if incoming is None:
            return Received(None, self._files.held(grant.upload_id, grant.part))
        part = incoming.finish(grant.part)
        if part is not None:
            with self._database.begin() as connection:
                store.put_part(connection, grant.account_id, grant.upload_id, part)
        return Received(part, incoming.size)

    def _check_room(self, piece: Piece | None, content_length: int | None) -> None:
        self._files.check_size(piece.total if piece is not None else content_length or 0)
        self._files.check_space(content_length or 0)

    # ---- completion

    def of_url(self, account_id: AccountId, url: str) -> str:
        """The upload of a URL that this account was given. Raises BadRequest for any other URL."""
        if len(url) > URL_LENGTH_MAX or PATH not in url:
            raise BadRequest(f"url is not an upload URL: it needs {PATH} in its path", field="url")
        token = unquote(urlsplit(url).path.rpartition("/")[2])
        grant = self._signer.read(token)
        if grant is None or grant.account_id != account_id:
            raise BadRequest("url is not an upload URL of this account", field="url")
        return grant.upload_id

    def whole(
        self, account_id: AccountId, upload_id: str, purpose: Purpose, *, sent: Sequence[SentPart] | None = None
    ) -> Upload:
        """An upload that can be submitted. Raises BadRequest, Conflict with what is missing.

        sent  the parts as the caller believes to have sent them; None: not said
        """
        with self._database.read() as connection:
            upload = store.read(connection, account_id, upload_id)
            parts = store.parts(connection, account_id, upload_id)
        if upload is None or upload.purpose is not purpose:
            raise BadRequest("this account was given no such upload", field="url")
        if upload.state is not UploadState.OPEN:
            raise Conflict(COMPLETED, field="url")
        there = {part.part: part for part in parts}
        missing = [number for number in range(1, upload.parts_count + 1) if number not in there]
        if missing:
            raise BadRequest(f"nothing was uploaded yet of part {missing[0]} of {upload.parts_count}", field="url")
        self._files.check_size(sum(part.bytes_count for part in parts))
        for one in sent or ():
            if one.part not in there or there[one.part].etag != one.etag:
                raise BadRequest(f"eTags: part {one.part} was not received with this eTag", field="eTags")
        return upload

    def bytes_count(self, account_id: AccountId, upload_id: str) -> int:
        """Bytes of all whole parts."""
        with self._database.read() as connection:
            return sum(part.bytes_count for part in store.parts(connection, account_id, upload_id))

    def submit(self, connection: sa.Connection, upload: Upload, subject_id: int, options: Mapping[str, Json]) -> None:
        """Hand an upload to the worker, in the transaction that makes its subject ready for it."""
        submitted = msgspec.structs.replace(upload, subject_id=subject_id, options=options)
        if not store.submit(connection, submitted, self._clock.now_ms()):
            raise Conflict(COMPLETED, field="url")

    def newest_of(self, account_id: AccountId, purposes: Sequence[Purpose], subject_id: int) -> Upload | None:
        """What was submitted last for a segment or catalog."""
        with self._database.read() as connection:
            return store.newest_of(connection, account_id, purposes, subject_id)
