"""`ts`: when a record happened (server-api 3.4)."""

from __future__ import annotations

import datetime as dt
import re

from belfry.error_stream.model import ErrorKind, Remark
from belfry.intake.codes import Code, Refused

_SECONDS = re.compile(r"[0-9]{1,16}(?:\.[0-9]*)?")
_MILLISECONDS_MIN, _MILLISECONDS_MAX = 10**12, 10**13 - 1
ISO_LENGTH_MAX = 40


def ts_ms_of(value: object, ts_s_max: int, remarks: list[Remark]) -> int | None:
    """Epoch milliseconds of a `ts`, in whole seconds; None if there is none: then the time of receipt counts.

    value    epoch seconds as number or digits, 13 digits of milliseconds (with a remark), or ISO 8601
    raises   Refused 525: anything else, not positive, or later than `ts_s_max`
    """
    if value is None:
        return None
    seconds = _seconds_of(value)
    if seconds is not None and _MILLISECONDS_MIN <= seconds <= _MILLISECONDS_MAX:
        remarks.append(Remark(ErrorKind.MILLISECONDS, "ts", f"{seconds} was taken as milliseconds"))
        seconds //= 1000
    if seconds is None or not 0 < seconds <= ts_s_max:
        raise Refused(Code.TIMESTAMP)
    return seconds * 1000


def _seconds_of(value: object) -> int | None:
    """The number that `ts` stands for, fraction cut off; None if it stands for none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value)
    return _seconds_of_text(value.strip()) if isinstance(value, str) else None


def _seconds_of_text(text: str) -> int | None:
    if _SECONDS.fullmatch(text):
        return int(text.partition(".")[0])
    if len(text) > ISO_LENGTH_MAX:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    # A time without offset is read as UTC: the account's time zone would move data between its servers.
    return int((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp())
