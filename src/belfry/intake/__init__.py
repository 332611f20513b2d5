"""Intake: the wire format of `POST /1/upload`, from body bytes to clean records, and the answer to it.

The edge calls `check_upload` and `answer`; the pipeline calls `read_upload` on what was accepted. Both go through
`records.read_record`, so they cannot disagree. `wire.py` decodes; `identifiers.py`, `timestamps.py`, `partners.py`,
`events.py`, `profiles.py` and `tokens.py` hold the rules, one subject each; `codes.py` the texts.
No store, no clock, no HTTP here. Start at `check.py`. Source: server-api 3.
"""

from belfry.intake.answer import answer
from belfry.intake.check import check_upload
from belfry.intake.model import (
    EventRecord,
    PartnerPolicy,
    ProfileRecord,
    Record,
    Refusal,
    TokenRecord,
    UploadLimits,
    Verdict,
    Who,
)
from belfry.intake.originals import original_records
from belfry.intake.read import read_upload

__all__ = [
    "EventRecord",
    "PartnerPolicy",
    "ProfileRecord",
    "Record",
    "Refusal",
    "TokenRecord",
    "UploadLimits",
    "Verdict",
    "Who",
    "answer",
    "check_upload",
    "original_records",
    "read_upload",
]
