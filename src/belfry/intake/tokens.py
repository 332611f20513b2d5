"""Push tokens of devices (server-api 3.8)."""

from __future__ import annotations

from belfry.error_stream.model import Remark
from belfry.intake.codes import Code, Refused
from belfry.intake.identifiers import identifier_text, is_object_id
from belfry.intake.model import TokenRecord, Who
from belfry.intake.rules import Rules
from belfry.intake.wire import WireRecord, given

KINDS = frozenset({"apns", "fcm", "gcm", "wns", "mpns", "chrome", "hms", "safari", "firefox", "web"})
TOKEN_LENGTH_MAX = 4096
KEY_LENGTH_MAX = 512

_ANDROID, _IOS = "__", "-"
_KEYS = ("p256dh", "auth")


def read_token(record: WireRecord, index: int, ts_ms: int | None, rules: Rules, remarks: list[Remark]) -> TokenRecord:
    """A device's push token. Raises Refused 532, 533, 534, 530, 531, 535, in this order.

    The device may be unknown: migrations send tokens first. An objectId is needed, an identity does not help.
    """
    data = given(record.token_data)
    fields = data if isinstance(data, dict) else {}
    if data is not None and not isinstance(data, dict):
        raise Refused(Code.TOKEN)
    token, kind = fields.get("id"), fields.get("type")
    if token is None or token == "":
        raise Refused(Code.TOKEN_ID_MISSING)
    if kind is None or kind == "":
        raise Refused(Code.TOKEN_TYPE_MISSING)
    object_id = _object_id_of(given(record.object_id))
    folded = kind.strip().lower() if isinstance(kind, str) else ""
    if object_id is not None and _is_unfit(object_id, folded):
        raise Refused(Code.TOKEN_TYPE_UNFIT)
    if object_id is None or not _names_device(object_id, rules):
        raise Refused(Code.TOKEN_OBJECT_ID)
    text = token.strip() if isinstance(token, str) else ""
    if not 0 < len(text) <= TOKEN_LENGTH_MAX or folded not in KINDS:
        raise Refused(Code.TOKEN)
    keys = _keys_of(fields.get("keys"), folded)
    return TokenRecord(index, Who(None, object_id), ts_ms, text, folded, keys, tuple(remarks))


def _object_id_of(value: object) -> str | None:
    try:
        return identifier_text(value)
    except Refused:
        return None


def _is_unfit(object_id: str, kind: str) -> bool:
    """Whether the prefix surely belongs to another system than the token."""
    return (kind == "apns" and object_id.startswith(_ANDROID)) or (kind == "fcm" and object_id.startswith(_IOS))


def _names_device(object_id: str, rules: Rules) -> bool:
    if object_id in rules.settings.constant_object_ids:
        return False
    return is_object_id(object_id, rules) or rules.is_reading


def _keys_of(value: object, kind: str) -> dict[str, str] | None:
    """Both keys of web push, which `chrome` needs and no other kind has."""
    keys = value if isinstance(value, dict) else {}
    texts = {name: key for name in _KEYS if isinstance(key := keys.get(name), str) and 0 < len(key) <= KEY_LENGTH_MAX}
    if len(texts) == len(_KEYS):
        return texts
    if kind == "chrome":
        raise Refused(Code.TOKEN_KEYS)
    return None
