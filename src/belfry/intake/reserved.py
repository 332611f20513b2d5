"""Reserved profile keys: which values they take, and the form in which those are kept (server-api 3.5, 3.6)."""

from __future__ import annotations

import functools
import re
import zoneinfo
from collections.abc import Callable

from belfry.accounts.model import AccountSettings
from belfry.intake.codes import Code, Refused
from belfry.intake.contacts import email_of, phone_of
from belfry.intake.identifiers import number_text
from belfry.intake.values import number_of

EMAIL, PHONE, AGE, DOB, TZ = "Email", "Phone", "Age", "DOB", "Tz"

_GENDERS = {
    "m": "M",
    "male": "M",
    "f": "F",
    "female": "F",
    "o": "O",
    "other": "O",
    "others": "O",
    "u": "U",
    "unknown": "U",
}
_EDUCATIONS = frozenset({"School", "College", "Graduate"})
_YES_NO = frozenset({"Y", "N"})

_FLAGS = {"1": True, "true": True, "y": True, "0": False, "false": False, "n": False}
_DATE = re.compile(r"\$D_-?[0-9]{1,12}")
_GMT = re.compile(r"(?:GMT|UTC)[+-][0-9]{1,2}(?::?[0-9]{2})?")
# fmt: off
_ABBREVIATIONS = frozenset({
    "ACST", "ADT", "AEDT", "AEST", "AKDT", "AKST", "ART", "AST", "AWST", "BDT", "BRT", "BST", "CAT", "CDT", "CEST",
    "CET", "CLT", "COT", "CST", "EAT", "EDT", "EEST", "EET", "EST", "GMT", "GST", "HKT", "HST", "ICT", "IDT", "IRST",
    "IST", "JST", "KST", "MDT", "MSK", "MST", "MYT", "NPT", "NZDT", "NZST", "PDT", "PET", "PHT", "PKT", "PST", "PYT",
    "SAST", "SGT", "SST", "THA", "TRT", "UTC", "UYT", "UZT", "WAT", "WEST", "WET", "WIB", "WIT", "WITA",
})
# fmt: on

PLAIN = frozenset({"Name", "Photo"})
"""Reserved keys that take any text."""


def _gender(value: object, _settings: AccountSettings) -> object:
    text = _GENDERS.get(value.strip().lower()) if isinstance(value, str) else None
    if text is None:
        raise Refused(Code.GENDER)
    return text


def _email(value: object, _settings: AccountSettings) -> object:
    address = email_of(value) if isinstance(value, str) else None
    if address is None:
        raise Refused(Code.EMAIL)
    return address


def _phone(value: object, settings: AccountSettings) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = number_text(value)
    number = phone_of(value, settings.default_country) if isinstance(value, str) else None
    if number is None:
        raise Refused(Code.PHONE)
    return number


def _one_of(choices: frozenset[str], code: Code) -> Callable[[object, AccountSettings], object]:
    def check(value: object, _settings: AccountSettings) -> object:
        if not isinstance(value, str) or value.strip() not in choices:
            raise Refused(code)
        return value.strip()

    return check


def _age(value: object, _settings: AccountSettings) -> object:
    number = number_of(value)
    if number is None:
        raise Refused(Code.AGE)
    return number


CHECKED: dict[str, Callable[[object, AccountSettings], object]] = {
    "Gender": _gender,
    EMAIL: _email,
    PHONE: _phone,
    "Employed": _one_of(_YES_NO, Code.EMPLOYED),
    "Education": _one_of(_EDUCATIONS, Code.EDUCATION),
    "Married": _one_of(_YES_NO, Code.MARRIED),
    AGE: _age,
}
"""Keys whose wrong value refuses the record, in the order in which they are checked (server-api 3.11)."""

HINTED = frozenset({"name", "email", "phone"})
"""Custom keys that are probably meant to be reserved ones."""


def flag_of(value: object) -> bool | None:
    """The yes or no of a subscription flag; None if the value says neither."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        value = number_text(value)
    return _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None


def is_date(text: str) -> bool:
    """Whether this is `$D_<epoch seconds>`."""
    return _DATE.fullmatch(text) is not None


def is_time_zone(text: str) -> bool:
    """An IANA name, a usual abbreviation, or `GMT-8:00`."""
    return text in _iana_names() or text.upper() in _ABBREVIATIONS or _GMT.fullmatch(text.upper()) is not None


@functools.cache
def _iana_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
