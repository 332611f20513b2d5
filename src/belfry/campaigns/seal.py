"""Definitions at rest: sealed, because they hold the account's credentials (partner integrations 0.5)."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from belfry.errors import InternalError
from belfry.ids import AccountId, CampaignId, Ids

NONCE_BYTES = 12


class Seal:
    """AES-256-GCM with a key made from the installation's secret.

    Account and campaign are part of what is authenticated: a row that was copied elsewhere does not open.
    """

    def __init__(self, secret: bytes, ids: Ids) -> None:
        self._cipher = AESGCM(hashlib.blake2b(secret, digest_size=32, person=b"belfry.seal").digest())
        self._ids = ids

    def close(self, data: bytes, account_id: AccountId, campaign_id: CampaignId) -> bytes:
        """The sealed bytes: nonce, then what it hides."""
        nonce = bytes.fromhex(self._ids.token_hex(NONCE_BYTES))
        return nonce + self._cipher.encrypt(nonce, data, _place(account_id, campaign_id))

    def open(self, sealed: bytes, account_id: AccountId, campaign_id: CampaignId) -> bytes:
        """What was sealed. Raises InternalError if it was sealed elsewhere, with another secret, or was changed."""
        nonce, hidden = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, hidden, _place(account_id, campaign_id))
        except InvalidTag:
            raise InternalError(
                f"the definition of campaign {campaign_id} cannot be opened: it was written with another secret"
            ) from None


def _place(account_id: AccountId, campaign_id: CampaignId) -> bytes:
    return f"{account_id}\x00{campaign_id}".encode()
