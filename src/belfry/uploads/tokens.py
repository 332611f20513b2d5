"""The credential inside a signed URL: `<account>.<upload>.<part>.<expiry>.<mac>`. It needs no account headers."""

from __future__ import annotations

import hashlib
import hmac

from belfry.errors import Forbidden
from belfry.ids import AccountId
from belfry.uploads.model import Grant

TOKEN_LENGTH_MAX = 300
NOT_VALID = "The upload URL is not valid"
EXPIRED = "The upload URL has expired"


class Signer:
    """Signs and verifies grants with a key made of the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, digest_size=64, person=b"belfry.upload").digest()

    def sign(self, grant: Grant) -> str:
        """The token of a grant, safe inside a path."""
        text = f"{grant.account_id}.{grant.upload_id}.{grant.part}.{grant.expires_at_s}"
        return f"{text}.{self._mac(text)}"

    def verify(self, token: str, now_ms: int) -> Grant:
        """The grant of a token. Raises Forbidden for one that we did not make, and for one that has expired."""
        grant = self.read(token)
        if grant is None:
            raise Forbidden(NOT_VALID)
        if now_ms >= grant.expires_at_s * 1000:
            raise Forbidden(EXPIRED)
        return grant

    def read(self, token: str) -> Grant | None:
        """The grant of a token, also of one that has expired; None if we did not make it.

        The signature is compared in constant time, before anything else is looked at.
        """
        text, _, mac = token[:TOKEN_LENGTH_MAX].rpartition(".")
        if not hmac.compare_digest(self._mac(text).encode(), mac.encode("utf-8", "replace")):
            return None
        account_id, upload_id, part, expires_at_s = text.split(".")
        return Grant(AccountId(account_id), upload_id, int(part), int(expires_at_s))

    def _mac(self, text: str) -> str:
        return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=32, key=self._key).hexdigest()
