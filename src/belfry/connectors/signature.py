"""Standard Webhooks signatures (standardwebhooks.com; partner integrations 4.4).

A receiver recomputes HMAC-SHA256 over `id.timestamp.body`, compares, and refuses timestamps older than five minutes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

from belfry.connectors.secret import Secret
from belfry.ids import Ids

SECRETS_MAX = 2
"""The current one, and during a rotation the one before."""
_PREFIX = "whsec_"
_KEY_BYTES = 24


def new_signing_secret(ids: Ids) -> Secret:
    """A fresh secret in the form that receivers' libraries expect."""
    return Secret(_PREFIX + base64.b64encode(bytes.fromhex(ids.token_hex(_KEY_BYTES))).decode())


def signature(secrets: Iterable[Secret], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of `webhook-signature`: one `v1,…` for each secret, so that a receiver may know either."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digests = (hmac.digest(_key(secret), signed, hashlib.sha256) for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(secret: Secret) -> bytes:
    """The bytes that sign: what `whsec_` encodes, or the text itself if it is a secret of the account's own making."""
    text = secret.reveal()
    if text.startswith(_PREFIX):
        try:
            return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            return text.encode()
    return text.encode()
