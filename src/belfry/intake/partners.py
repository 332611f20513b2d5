"""`$source`: which partner sent a record (partner-integrations 7.1, 7.2)."""

from __future__ import annotations

import re

import msgspec

from belfry.accounts.model import AccountSettings
from belfry.error_stream.model import ErrorKind, Remark
from belfry.errors import BadRequest
from belfry.intake.codes import Code, Refused, kind_of
from belfry.intake.model import PartnerPolicy
from belfry.intake.rules import Rules
from belfry.intake.wire import WireRecord, given

PARTNER_RAW = "Partner Raw"
"""Event property that keeps an unknown Partner ID."""

_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._&-]{1,63}")
_FOLDED = str.maketrans("", "", " .-")
_NEEDED = "2 to 64 characters of A-Z a-z 0-9 space . _ & -, the first a letter or digit"


class Source(msgspec.Struct, frozen=True):
    """Who sent a record. canonical: a known partner's id; raw: an unknown one, as sent. Both None: no partner."""

    canonical: str | None = None
    raw: str | None = None
    remarks: tuple[Remark, ...] = ()


NO_PARTNER = Source()


class Sources(dict[str, Source | None]):
    """Partner IDs of one upload → who that is, None if such a record is refused. The few that occur come often."""

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self._rules = rules

    def __missing__(self, partner_id: str) -> Source | None:
        try:
            source = _resolve(partner_id, self._rules)
        except Refused:
            source = None
        self[partner_id] = source
        return source

    def default(self) -> Source | None:
        """What a record without a Partner ID of its own gets."""
        partner_id = self._rules.default_partner
        return NO_PARTNER if partner_id is None else self[partner_id]


def fold(partner_id: str) -> str:
    """The form in which Partner IDs compare: without case, spaces, dots, hyphens."""
    return partner_id.translate(_FOLDED).casefold()


def default_partner(header: str | None) -> str | None:
    """The Partner ID of the header `X-Partner-Id`. Raises BadRequest if it is none."""
    if header is None or not header.strip():
        return None
    if not _FORM.fullmatch(header.strip()):
        raise BadRequest(f"X-Partner-Id needs {_NEEDED}", field="X-Partner-Id")
    return header.strip()


def source_of(record: WireRecord, rules: Rules, remarks: list[Remark]) -> Source:
    """The partner that a record names, else the call's. Raises Refused 512 with the reason."""
    value = given(record.partner_id)
    if value is None:
        # The alias is a word that other senders use for their own ends: only what can be an id is taken as one.
        alias = record.source
        value = alias if isinstance(alias, str) and _FORM.fullmatch(alias) else rules.default_partner
    if value is None:
        return NO_PARTNER
    if not isinstance(value, str):
        raise Refused(Code.STRUCTURE, f"$source needs to be text, got {kind_of(value)}")
    source = _resolve(value, rules)
    remarks.extend(source.remarks)
    return source


def _resolve(sent: str, rules: Rules) -> Source:
    partner_id = sent.strip()
    if not _FORM.fullmatch(partner_id):
        raise Refused(Code.STRUCTURE, f"$source needs {_NEEDED}")
    folded = fold(partner_id)
    partners = rules.partners
    if folded in partners.enabled and folded not in partners.suspended:
        return Source(canonical=partners.enabled[folded])
    if not rules.is_reading:
        _refuse_by_policy(partner_id, folded, partners, rules.settings)
    if folded in partners.known:
        return Source(canonical=partners.known[folded])
    remark = Remark(ErrorKind.PARTNER_UNKNOWN, partner_id, "no such Partner ID; stored as API data")
    return Source(raw=partner_id, remarks=(remark,))


def _refuse_by_policy(partner_id: str, folded: str, partners: PartnerPolicy, settings: AccountSettings) -> None:
    if folded in partners.suspended:
        raise Refused(Code.STRUCTURE, f"$source: partner {partner_id} is suspended")
    if folded in partners.known:
        if settings.partner_policy == "reject":
            raise Refused(Code.STRUCTURE, f"$source: partner {partner_id} is not enabled for this account")
    elif settings.unknown_partner_policy == "reject":
        raise Refused(Code.STRUCTURE, f"$source: partner {partner_id} is not known")
