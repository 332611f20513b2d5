"""What others call: complete the upload of a custom list, make API segments, find the ones that a call names."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from belfry.clock import Clock
from belfry.errors import Conflict, NotFound
from belfry.ids import AccountId
from belfry.lists import store
from belfry.lists.model import ListForm, ListKind, StoredList
from belfry.segments.members import add_listed_segment, exists
from belfry.storage.relational import Database
from belfry.uploads.actions import Uploads
from belfry.uploads.model import Purpose, Upload

DUPLICATE = "duplicate_name"
"""Clients match this word (server-api 9.1)."""


class ApiSegment(msgspec.Struct, frozen=True):
    """An API segment to make: its name, and what the customer calls it."""

    name: str
    external_id: str


class Lists:
    """Lists of every account."""

    def __init__(self, database: Database, uploads: Uploads, clock: Clock) -> None:
        self._database = database
        self._uploads = uploads
        self._clock = clock

    def complete(self, account_id: AccountId, form: ListForm, upload_id: str) -> StoredList:
        """Submit an upload as the members of a list, new or (with `replace`) of that name.

        raises  Conflict with `duplicate_name`; BadRequest, Conflict: the upload is not whole, or not open any more
        The id of a list stays when its members are replaced; until they are processed, the ones before hold.
        """
        upload = self._uploads.whole(account_id, upload_id, Purpose.CUSTOM_LIST)
        try:
            with self._database.begin() as connection:
                return self._complete(connection, form, upload)
        except IntegrityError as error:
            raise _duplicate(form.name) from error

    def _complete(self, connection: sa.Connection, form: ListForm, upload: Upload) -> StoredList:
        account_id, now_ms = upload.account_id, self._clock.now_ms()
        stored = self._live(connection, account_id, form.name)
        if stored is not None and (not form.replace or stored.kind is not ListKind.CUSTOM):
            raise _duplicate(form.name)
        if stored is None:
            segment_id = add_listed_segment(connection, account_id, form.name, 0, now_ms)
            stored = StoredList(
                account_id=account_id,
                segment_id=segment_id,
                kind=ListKind.CUSTOM,
                name=form.name,
                external_id=None,
                version=0,
                version_issued=now_ms,  # never a version that a deleted list of the same number had
                members_count=0,
                creator=form.creator,
                email=form.email,
                created_at_ms=now_ms,
                updated_at_ms=now_ms,
            )
            store.insert(connection, stored)
        version = store.issue_version(connection, stored, now_ms)
        self._uploads.submit(connection, upload, stored.segment_id, {"version": version})
        return stored

    def create_api_segment(self, account_id: AccountId, asked: ApiSegment) -> StoredList:
        """A new, empty API segment. Raises Conflict: the name or the customer's id is taken, or there are too many."""
        now_ms = self._clock.now_ms()
        try:
            with self._database.begin() as connection:
                if self._live(connection, account_id, asked.name) is not None:
                    raise _duplicate(asked.name)
                self._forget_deleted(connection, store.by_external_ids(connection, account_id, [asked.external_id]))
                segment_id = add_listed_segment(connection, account_id, asked.name, now_ms, now_ms)
                stored = StoredList(
                    account_id=account_id,
                    segment_id=segment_id,
                    kind=ListKind.API,
                    name=asked.name,
                    external_id=asked.external_id,
                    version=now_ms,  # the only one: its members are changed in place
                    version_issued=now_ms,
                    members_count=0,
                    creator="",
                    email="",
                    created_at_ms=now_ms,
                    updated_at_ms=now_ms,
                )
                store.insert(connection, stored)
        except IntegrityError as error:
            raise Conflict(
                f"{DUPLICATE}: customer_segment_id {asked.external_id} exists", field="customer_segment_id"
            ) from error
        return stored

    def api_segments(
        self, account_id: AccountId, segment_ids: Sequence[int], external_ids: Sequence[str]
    ) -> tuple[dict[int, StoredList], dict[str, StoredList]]:
        """API segments by our ids and by the customer's; what does not exist is left out."""
        with self._database.read() as connection:
            found = store.by_ids(connection, account_id, segment_ids)
            found += store.by_external_ids(connection, account_id, external_ids)
            live = [one for one in found if one.kind is ListKind.API and exists(connection, account_id, one.segment_id)]
        return {one.segment_id: one for one in live}, {str(one.external_id): one for one in live}

    def get(self, account_id: AccountId, segment_id: int) -> StoredList:
        """One list. Raises NotFound."""
        with self._database.read() as connection:
            stored = store.by_id(connection, account_id, segment_id)
        if stored is None:
            raise NotFound(f"there is no list {segment_id}")
        return stored

    def _live(self, connection: sa.Connection, account_id: AccountId, name: str) -> StoredList | None:
        """The list of a name. One whose segment was deleted is forgotten here, so that its name is free again."""
        stored = store.by_name(connection, account_id, name)
        return stored if stored is not None and not self._forget_deleted(connection, [stored]) else None

    def _forget_deleted(self, connection: sa.Connection, found: Sequence[StoredList]) -> bool:
        gone = [one for one in found if not exists(connection, one.account_id, one.segment_id)]
        for one in gone:
            store.delete(connection, one.account_id, one.segment_id)
        return bool(gone)


def _duplicate(name: str) -> Conflict:
    return Conflict(
        f"{DUPLICATE}: a list named {name} exists; send replace true to give it other members", field="name"
    )
