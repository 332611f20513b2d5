"""Email addresses and phone numbers in the one form that is stored."""

from __future__ import annotations

import functools
import re

import phonenumbers
from email_validator import EmailNotValidError, validate_email

# Nearly every address has this form, which the library accepts unchanged (a test compares them); asking it costs
# 18 µs each. Everything else is the library's to decide.
_COMMON_EMAIL = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@[a-z0-9]+(?:[.-][a-z0-9]+)*\.[a-z]{2,}")
_COMMON_EMAIL_LENGTH_MAX = 60
EMAIL_LENGTH_MAX = 254

_SEPARATORS = str.maketrans("", "", " \u00a0-‐‑‒–.()\t")
_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{7,14}")
_DIGITS = re.compile(r"\+?[0-9]{4,17}")


@functools.lru_cache(maxsize=16_384)
def email_of(text: str) -> str | None:
    """The address in lower case, or None if it is none. Syntax only: nothing is looked up."""
    address = text.strip().lower()
    if len(address) <= _COMMON_EMAIL_LENGTH_MAX and _COMMON_EMAIL.fullmatch(address):
        return address
    local, at, domain = address.rpartition("@")
    if not at or "." not in domain or len(address) > EMAIL_LENGTH_MAX:
        return None
    # Reserved names (`.test`, `.local`) are addresses by syntax; under another name the library judges only that.
    suffix = ".example"
    try:
        valid = validate_email(f"{local}@{domain}{suffix}", check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return None
    return valid.normalized.removesuffix(suffix).lower()


@functools.lru_cache(maxsize=16_384)
def phone_of(text: str, default_country: str | None) -> str | None:
    """The number as E.164 with `+`, or None if it is none.

    A number with `+` needs a country code that exists and 8 to 15 digits; whether the country has given it out is
    not asked, as senders of test data rely on that. One without `+` needs `default_country` and must be valid there.
    """
    digits = text.translate(_SEPARATORS)
    if digits.startswith("+"):
        return _parsed(digits, None) if _INTERNATIONAL.fullmatch(digits) else None
    if default_country is None or not _DIGITS.fullmatch(digits):
        return None
    return _parsed(digits, default_country)


def _parsed(digits: str, country: str | None) -> str | None:
    try:
        number = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return None
    if country is not None and not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
