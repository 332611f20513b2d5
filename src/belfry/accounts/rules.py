"""What account ids, passcodes and their settings must look like. Pure functions."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Mapping

import msgspec

from belfry.accounts.model import AccountSettings, Passcode
from belfry.errors import BadRequest

ACCOUNT_ID = re.compile(r"[A-Z0-9-]{3,40}")
PASSCODE = re.compile(r"[!-~]{8,64}")
"""8 to 64 printable ASCII characters without spaces; issued ones are 32 hex digits (server-api 1.4)."""
NAME_LENGTH_MAX = 200
PASSCODES_MAX = 100
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def account_id_from(random_hex: str) -> str:
    """An account id in the usual form, three dash-separated groups (3-3-4), made from random hex digits."""
    number, digits = int(random_hex, 16), ""
    for _ in range(10):
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"


def check_account_id(text: str) -> None:
    if not ACCOUNT_ID.fullmatch(text):
        raise BadRequest(
            f"account id {text!r} is not 3 to 40 characters of A-Z, 0-9 and -", field="account_id", limit="3..40"
        )


def check_name(text: str) -> None:
    length = len(text.strip())
    if not 1 <= length <= NAME_LENGTH_MAX:
        raise BadRequest(
            f"name has {length} characters, needs 1 to {NAME_LENGTH_MAX}", field="name", limit=NAME_LENGTH_MAX
        )


def check_timezone(text: str) -> None:
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise BadRequest(f"time zone {text!r} is not an IANA name such as Europe/Lisbon", field="timezone") from None


def check_passcode(text: str) -> None:
    if not PASSCODE.fullmatch(text):
        raise BadRequest(
            f"the passcode has {len(text)} characters; it needs 8 to 64 printable ones without spaces",
            field="passcode",
            limit="8..64",
        )


def checked_networks(texts: list[str]) -> tuple[str, ...]:
    """Addresses and networks in canonical CIDR form."""
    try:
        return tuple(str(ipaddress.ip_network(text.strip(), strict=False)) for text in texts)
    except ValueError as error:
        raise BadRequest(f"networks: {error}", field="networks") from None


def may_come_from(passcode: Passcode, address: str) -> bool:
    """Whether a passcode may be used from this client address."""
    if not passcode.networks:
        return True
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped is not None:
        client = client.ipv4_mapped
    return any(client in ipaddress.ip_network(network) for network in passcode.networks)


def changed_settings(settings: AccountSettings, changes: Mapping[str, object]) -> AccountSettings:
    """The settings with some of them changed. Raises BadRequest for a name that there is not, or a wrong value."""
    known = msgspec.structs.asdict(settings)
    for name in changes:
        if name not in known:
            raise BadRequest(f"there is no account setting {name}; known: {', '.join(sorted(known))}", field=name)
    try:
        return msgspec.convert({**known, **changes}, AccountSettings)
    except msgspec.ValidationError as error:
        raise BadRequest(f"account setting {str(error).rpartition('$.')[2].strip('`')}: {error}") from None
