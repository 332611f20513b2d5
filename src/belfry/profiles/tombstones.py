"""Tombstones: what named an erased user, as keyed hashes, so that an old record does not bring them back.

A hash tells nothing without the installation's secret; with it, a name can be looked for and not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from belfry.ids import AccountId, ProfileId
from belfry.profiles.erase import Name
from belfry.profiles.tables import tombstones
from belfry.storage.relational import bulk, chunks, upsert

HASH_BYTES = 16


class ErasureHasher:
    """Keyed hashes of erased users. Pure functions of the installation's secret: a replay makes the same ones."""

    def __init__(self, secret: bytes) -> None:
        self._name_key = hashlib.blake2b(secret, digest_size=64, person=b"belfry.tombston").digest()
        self._profile_key = hashlib.blake2b(secret, digest_size=64, person=b"belfry.anonymou").digest()

    def name(self, account_id: AccountId, name: Name) -> bytes:
        """What stands in the tombstones for a name."""
        text = f"{account_id}\x00{name[0]}\x00{name[1]}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=HASH_BYTES, key=self._name_key).digest()

    def stranger(self, account_id: AccountId, profile_id: ProfileId) -> ProfileId:
        """Under which id an erased user's events stay: negative, so that it is nobody's, and the same every time."""
        text = f"{account_id}\x00{profile_id}".encode()
        digest = hashlib.blake2b(text, digest_size=8, key=self._profile_key).digest()
        return ProfileId(-1 - (int.from_bytes(digest, "big") >> 1))


class Raised(msgspec.Struct, frozen=True):
    """Tombstones of one erasure.

    clears_before_ms   older ones block nothing any more and are taken down
    """

    hashes: tuple[bytes, ...]
    at_ms: int
    clears_before_ms: int


def write(connection: sa.Connection, account_id: AccountId, raised: Raised) -> None:
    """Put tombstones up. Writing them again changes nothing; a later erasure moves them to its own time."""
    connection.execute(
        sa.delete(tombstones).where(
            tombstones.c.account_id == account_id, tombstones.c.erased_at_ms < raised.clears_before_ms
        )
    )
    hashes = sorted(set(raised.hashes))
    rows = [{"account_id": account_id, "hash": one, "erased_at_ms": raised.at_ms} for one in hashes]
    bulk(connection, upsert(tombstones, connection), rows)


def has_any(connection: sa.Connection, account_id: AccountId) -> bool:
    statement = sa.select(tombstones.c.hash).where(tombstones.c.account_id == account_id).limit(1)
    return connection.execute(statement).first() is not None


def read(connection: sa.Connection, account_id: AccountId, hashes: Sequence[bytes]) -> dict[bytes, int]:
    """Which of these have a tombstone, and since when."""
    found: dict[bytes, int] = {}
    for part in chunks(hashes):
        statement = sa.select(tombstones.c.hash, tombstones.c.erased_at_ms).where(
            tombstones.c.account_id == account_id, tombstones.c.hash.in_(part)
        )
        found.update((bytes(row.hash), row.erased_at_ms) for row in connection.execute(statement))
    return found
