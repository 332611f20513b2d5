"""The pipeline's reading of an accepted upload: clean records, in order.

The result depends on the arguments alone, so a replay of the log reads the same. A plain event whose name, keys and
values need no cleaning is taken over as it was decoded; every other record goes through `read_record`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from msgspec import UNSET

from belfry.accounts.model import AccountSettings
from belfry.intake import partners as partner_rules
from belfry.intake.events import event_key
from belfry.intake.identifiers import IDENTIFIER_LENGTH_MAX
from belfry.intake.model import EventRecord, PartnerPolicy, Record, Refusal, UploadLimits, Who
from belfry.intake.originals import byte_remarks, original_records
from belfry.intake.partners import PARTNER_RAW, Sources
from belfry.intake.records import read_record
from belfry.intake.rules import Rules, knows_no_device
from belfry.intake.values import INTEGER_MAX, INTEGER_MIN
from belfry.intake.vocabulary import EVENT_KEYS
from belfry.intake.wire import Upload, WireRecord, decode, record_keys_count
from belfry.profiles.model import Identity, IdentityKind

_TS_S_MAX = 10**12 - 1
"""The edge judged the future by its clock already; here only what is no epoch second is none."""
_PLAIN_TS_MAX = 10**11
_NO_LIMITS = UploadLimits(records_max=2**31, keys_max=2**62, values_max=2**62)


def read_upload(
    body: bytes,
    settings: AccountSettings,
    refused: Collection[int],
    received_at_ms: int,
    partners: PartnerPolicy,
    *,
    partner_header: str | None = None,
    known_device: Callable[[str], bool] = knows_no_device,
    is_history: bool = False,
) -> list[Record | Refusal]:
    """Read the records that the edge accepted, cleaned, in the order of the body.

    refused         places (from 0) of the records that `check_upload` refused; they are left out
    received_at_ms  not looked at: a record without a time keeps None, and its reader decides
    known_device    as for `check_upload`, here for objectIds that come beside an identity
    is_history      as for `check_upload`
    returns         one item for each accepted record. A Refusal among them is a record that the account's settings
                    of today do not accept any more; whoever reads puts it into the error stream
    raises          BadRequest: the body is none that `check_upload` accepts
    """
    del received_at_ms  # part of the contract, so that a rule that needs it cannot reach for a clock
    rules = Rules(
        settings=settings,
        partners=partners,
        default_partner=partner_rules.default_partner(partner_header),
        discarded=frozenset(),
        known_device=known_device,
        ts_s_max=_TS_S_MAX,
        is_reading=True,
        is_history=is_history,
    )
    upload = decode(body, _NO_LIMITS)
    left_out = frozenset(refused)
    plain_event = _plain_event_reader(rules)
    results: list[Record | Refusal] = []
    keys_count = 1  # `d`
    for index, record in enumerate(upload.records):
        event = plain_event(record, index)
        if event is None:
            keys_count += record_keys_count(record)
        else:
            keys_count += _plain_keys_count(record)
        if index not in left_out:
            results.append(event or read_record(record, index, rules))
    if upload.is_repaired or not upload.is_plain or _has_more_keys(upload, keys_count):
        _add_byte_remarks(results, body)
    return results


def _has_more_keys(upload: Upload, keys_count: int) -> bool:
    """Whether the body may hold more keys than were decoded: repeated ones, or ones that no rule knows.

    Counting colons after quotes is cheap and may be wrong one way or the other; then a look at the bytes decides,
    or, if unusual spacing makes up for a repeated key exactly, that repetition goes unremarked.
    """
    text = upload.text
    written = text.count(b'":')
    return written != keys_count and written - text.count(b'\\":') != keys_count


def _add_byte_remarks(results: list[Record | Refusal], body: bytes) -> None:
    originals = original_records(body)
    for result in results:
        if not isinstance(result, Refusal) and result.index < len(originals):
            result.remarks += byte_remarks(originals[result.index])


def _plain_event_reader(rules: Rules) -> Callable[[WireRecord, int], EventRecord | None]:
    """A reader of events that need no cleaning, None for all other records. Equal to `read_record` on those.

    It costs a fifth of the full way; what it looks up stands in local names for the same reason.
    """
    names = rules.vocabulary.names
    unchanged = EVENT_KEYS.unchanged
    text_length_max = rules.settings.value_length_max
    properties_count_max = rules.settings.event_properties_max
    sources = Sources(rules)
    default_source = sources.default()

    def plain_event(record: WireRecord, index: int) -> EventRecord | None:
        identity, name, data, ts = record.identity, record.event_name, record.event_data, record.ts
        sent = record.partner_id
        if (
            record.type != "event"
            or type(identity) is not str
            or type(name) is not str
            or type(data) is not dict
            or record.object_id is not UNSET
            or record.source is not UNSET
        ):
            return None
        source = default_source if sent is UNSET else sources[sent] if type(sent) is str else None
        if source is None:
            return None
        if ts is UNSET:
            ts_ms = None
        elif type(ts) is int and 0 < ts <= _PLAIN_TS_MAX:
            ts_ms = ts * 1000
        else:
            return None
        clean = names[name]
        if (
            clean.code is not None
            or clean.remarks
            or not 0 < len(identity) <= IDENTIFIER_LENGTH_MAX
            or identity.strip() != identity
            or not data.keys() <= unchanged
            or len(data) > properties_count_max
        ):
            return None
        if not _are_plain(data.values(), text_length_max):
            return None
        key = event_key(clean.folded, data)
        who = Who(Identity(IdentityKind.IDENTITY, identity), None)
        props = data if source.raw is None else data | {PARTNER_RAW: source.raw}
        return EventRecord(index, who, ts_ms, clean.name, clean.folded, props, source.canonical, key, source.remarks)

    return plain_event


def _are_plain(values: Iterable[object], text_length_max: int) -> bool:
    """Whether all values are flat and kept as they are."""
    for value in values:
        kind = type(value)
        if kind is str:
            if len(value) > text_length_max:  # type: ignore[arg-type]  # its type was compared, not narrowed
                return False
        elif kind is int:
            if not INTEGER_MIN <= value <= INTEGER_MAX:  # type: ignore[operator]
                return False
        elif kind is not float and kind is not bool:
            return False
    return True


def _plain_keys_count(record: WireRecord) -> int:
    """`record_keys_count` of a plain event, at a tenth of its cost."""
    data = record.event_data
    properties_count = len(data) if isinstance(data, dict) else 0
    return 4 + properties_count + (record.ts is not UNSET) + (record.partner_id is not UNSET)
