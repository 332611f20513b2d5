"""The filters that the dialect adds to the standard set, and the ones it replaces (engagement 7.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, cast

import msgspec
from babel import Locale, UnknownLocaleError, numbers
from liquid.exceptions import FilterArgumentError
from liquid.filter import liquid_filter, with_context
from liquid.undefined import is_undefined

from belfry.content.dates import LiquidDate, to_date, zone_of

if TYPE_CHECKING:
    from belfry.content.environment import Context
    from belfry.content.guards import Filter

_FORMAT_CHARS_MAX = 200
_DECIMALS_MAX = 20
_HASHES: dict[str, Callable[[bytes], str]] = {
    "sha256": lambda data: hashlib.sha256(data).hexdigest(),
    "sha512": lambda data: hashlib.sha512(data).hexdigest(),
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).hexdigest(),
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
_encoder = msgspec.json.Encoder(enc_hook=str)


@with_context
@liquid_filter
def date(value: object, text_format: object, *, context: Context) -> str:
    """A date by a strftime format, in the zone that it carries; what is no date is written unchanged."""
    if is_undefined(value) or value is None:
        return ""
    if is_undefined(text_format):
        return str(value)
    moment = _moment(value, context)
    if moment is None:
        return str(value)
    wanted = str(text_format)
    if len(wanted) > _FORMAT_CHARS_MAX:
        raise FilterArgumentError(f"date: the format is longer than {_FORMAT_CHARS_MAX} characters", token=None)
    return moment.strftime(wanted)


@with_context
@liquid_filter
def tz(value: object, name: object, *, context: Context) -> object:
    """The same moment in the time zone of that IANA name."""
    moment = _moment(value, context)
    if moment is None:
        return value
    zone = zone_of(str(name), "")
    if str(zone) != str(name) and str(name) != "UTC":
        raise FilterArgumentError(f"tz: there is no time zone {str(name)[:64]!r}", token=None)
    return LiquidDate.fromtimestamp(moment.timestamp(), zone)


@with_context
@liquid_filter
def local(value: object, *, context: Context) -> object:
    """The same moment in the user's time zone, the account's if it is not known."""
    moment = _moment(value, context)
    if moment is None:
        return value
    scope = context.render_scope
    return LiquidDate.fromtimestamp(moment.timestamp(), zone_of(scope.user_zone, scope.zone))


@with_context
@liquid_filter
def money(value: object, currency: object, *, context: Context) -> str:
    """An amount in a currency (ISO 4217), written as the locale does."""
    code = str(currency).upper()
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise FilterArgumentError("money: name a currency by its three letters", token=None)
    return str(numbers.format_currency(_decimal("money", value), code, locale=_locale(context)))


@with_context
@liquid_filter
def number(value: object, decimals: object = None, *, context: Context) -> str:
    """A number with the locale's separators; `decimals` fixes how many places follow the point."""
    amount = _decimal("number", value)
    if decimals is None:
        return str(numbers.format_decimal(amount, locale=_locale(context)))
    if not isinstance(decimals, int) or not 0 <= decimals <= _DECIMALS_MAX:
        raise FilterArgumentError(f"number: decimals are 0 to {_DECIMALS_MAX}", token=None)
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    return str(numbers.format_decimal(amount, format=pattern, locale=_locale(context)))


@liquid_filter
def pluralize(value: object, singular: object, plural: object = None) -> str:
    """`singular` for exactly one, else `plural` (by default with an s)."""
    many = str(plural) if plural is not None and not is_undefined(plural) else f"{singular}s"
    return str(singular) if _decimal("pluralize", value) == 1 else many


@liquid_filter
def hash_(value: object, algorithm: object = "sha256") -> str:
    """The hexadecimal digest of a text: sha256 (default), sha512, sha1, md5."""
    digest = _HASHES.get(str(algorithm))
    if digest is None:
        raise FilterArgumentError(f"hash: choose one of {', '.join(_HASHES)}", token=None)
    return digest(str(value).encode("utf-8", "replace"))


@liquid_filter
def json(value: object) -> str:
    """The value as JSON."""
    return to_json(value).decode()


@with_context
@liquid_filter
def translate(key: object, *, context: Context) -> str:
    """The translation of a key in the message's language; the key itself if there is none."""
    return context.render_scope.translations.get(str(key), str(key))


def to_json(value: object) -> bytes:
    """A value as JSON: dates as they are written, what is missing as null.

    Raises FilterArgumentError for a number that JSON readers cannot take.
    """
    if is_undefined(value):
        return b"null"
    if isinstance(value, range):
        value = list(value)
    try:
        return _encoder.encode(_plain(value))
    except (OverflowError, RecursionError) as error:
        raise FilterArgumentError(f"json: {error}", token=None) from None


def _plain(value: object) -> object:
    """Texts and dates as exact `str`: the encoder writes its own dates and refuses subclasses."""
    if isinstance(value, str | datetime):
        return str(value)
    return value


def _moment(value: object, context: Context) -> LiquidDate | None:
    if isinstance(value, LiquidDate):
        return value
    if value in ("now", "today"):
        return cast("LiquidDate", context.scope["now"])
    return to_date(value, context.zone)


def _decimal(name: str, value: object) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise FilterArgumentError(f"{name}: {str(value)[:40]!r} is not a number", token=None) from None
    if not amount.is_finite() or abs(amount.adjusted()) > 308:
        raise FilterArgumentError(f"{name}: the number is too large", token=None)
    return amount


def _locale(context: Context) -> Locale:
    try:
        return Locale.parse(context.render_scope.locale, sep="_" if "_" in context.render_scope.locale else "-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


FILTERS: dict[str, Filter] = {
    "date": date,
    "tz": tz,
    "local": local,
    "money": money,
    "number": number,
    "pluralize": pluralize,
    "hash": hash_,
    "json": json,
    "t": translate,
}
