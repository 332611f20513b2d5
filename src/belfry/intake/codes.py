"""Why a record is refused: codes and texts of server-api 3.12. Clients match the texts, so they stay verbatim."""

from __future__ import annotations

import enum

from belfry.intake.model import Refusal


class Code(enum.IntEnum):
    """The codes that occur in `unprocessed`."""

    NAME_MISSING = 509
    STRUCTURE = 512
    RESTRICTED = 513
    GENDER = 514
    EMAIL = 515
    PHONE = 516
    EMPLOYED = 517
    EDUCATION = 518
    MARRIED = 519
    AGE = 520
    TOO_MANY_PROPERTIES = 522
    IDENTITY_MISSING = 523
    TYPE = 524
    TIMESTAMP = 525
    OBJECT_ID = 526
    DISCARDED = 528
    TOKEN_OBJECT_ID = 530
    TOKEN = 531
    TOKEN_ID_MISSING = 532
    TOKEN_TYPE_MISSING = 533
    TOKEN_TYPE_UNFIT = 534
    TOKEN_KEYS = 535
    INTERNAL = 555


_EVENT_NAME = "Event Name is incorrect. ErrorCode: "
_PROFILE = "Profile data is incorrect. "
_TOKEN = "Token data is incorrect."  # noqa: S105 - a text, not a secret
_SKIPPED = "Skipped record number : "

# The missing spaces and the two dots of 518 are the recorded service's; people parse these texts.
TEXTS: dict[Code, str] = {
    Code.NAME_MISSING: f"{_EVENT_NAME}509 - Event name is mandatory. ",
    Code.STRUCTURE: "Event structure is incorrect. ErrorCode: 512 - {reason}. ",
    Code.RESTRICTED: f"{_EVENT_NAME}513 - Trying to raise a restricted system event. ",
    Code.GENDER: f"{_PROFILE}Gender needs to be M/F.",
    Code.EMAIL: f"{_PROFILE}Email is not valid.",
    Code.PHONE: f"{_PROFILE}Phone number is not valid.",
    Code.EMPLOYED: f"{_PROFILE}Employed needs to be Y/N.",
    Code.EDUCATION: f"{_PROFILE}Education needs to be School/College/Graduate..",
    Code.MARRIED: f"{_PROFILE}Married needs to be Y/N.",
    Code.AGE: f"{_PROFILE}Age is invalid.",
    Code.TOO_MANY_PROPERTIES: "Event properties exceed the limit of {reason}. ErrorCode: 522. ",
    Code.IDENTITY_MISSING: "Identity is missing. ErrorCode: 523. ",
    Code.TYPE: "Record type needs to be event/profile/token. ErrorCode: 524. ",
    Code.TIMESTAMP: "Timestamp should be present in the Unix Epoch format. ",
    Code.OBJECT_ID: "ObjectId is not valid. ErrorCode: 526. ",
    Code.DISCARDED: f"{_EVENT_NAME}528 - Event is discarded. ",
    Code.TOKEN_OBJECT_ID: f"{_TOKEN} ObjectId is not valid.",
    Code.TOKEN: _TOKEN,
    Code.TOKEN_ID_MISSING: f"{_TOKEN} Id is missing.",
    Code.TOKEN_TYPE_MISSING: f"{_TOKEN} Type is missing.",
    Code.TOKEN_TYPE_UNFIT: f"{_TOKEN} Type is not valid for objectId.",
    Code.TOKEN_KEYS: _TOKEN,
    Code.INTERNAL: "Miscellaneous server error.",
}


class Refused(Exception):
    """A rule refuses the record at hand; caught where records are read, never leaves the folder.

    reason    fills the text: the cause of 512, the limit of 522
    """

    def __init__(self, code: Code, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


def refusal(index: int, code: Code, reason: str = "") -> Refusal:
    """The refusal of the record at `index` (0-based; the text counts from 1)."""
    return Refusal(index, int(code), f"{TEXTS[code].replace('{reason}', reason)}{_SKIPPED}{index + 1}")


def kind_of(value: object) -> str:
    """What kind of JSON value this is, in the words of our error texts."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "array" if isinstance(value, list) else "object"
