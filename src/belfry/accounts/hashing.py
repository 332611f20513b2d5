"""Keyed hashes of passcodes: what is stored and compared instead of the passcodes."""

from __future__ import annotations

import hashlib

from belfry.ids import AccountId


class PasscodeHasher:
    """Makes the digest of an account's passcode. Without the installation's secret it cannot be made or guessed at.

    The account is part of what is hashed: the digest of one account's passcode never fits another account.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, digest_size=64, person=b"belfry.passcode").digest()

    def digest(self, account_id: AccountId | str, passcode: str) -> bytes:
        """32 bytes; any text is taken, also one that no passcode can have."""
        text = f"{account_id}\x00{passcode}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=32, key=self._key).digest()
