"""`/1/message/report.json`: messages by start date, filtered, with their figures (server-api 6.5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from belfry.accounts.model import Account
from belfry.campaigns.message_report import MessageFigures, Started
from belfry.campaigns.model import CampaignState
from belfry.edge.exchange import Answer, Request, json_answer, warnings_header
from belfry.edge.services import Services
from belfry.errors import BadRequest
from belfry.segments.cql import RANGE_CODE, unwrap
from belfry.segments.cql_conditions import Warnings, known_keys
from belfry.segments.reading import as_list, as_text, refusal, shown
from belfry.server_api.queries import Json, body_of, truth_of

MESSAGE_REPORT_PATH = "/1/message/report.json"
VALUES_MAX = 100
LABEL_LENGTH_MAX = 200
CHANNELS = {
    "push": "Push",
    "email": "Email",
    "sms": "SMS",
    "browser": "Web Push",
    "audiences": "Audiences",
    "inapp": "In-App",
    "webhooks": "Webhooks",
    "web_pop_up": "Web Pop-up",
    "web_exit_intent": "Web Exit Intent",
    "web_native_display": "Web Native Display",
    "nativedisplay": "Native Display",
    "web_inbox": "Web Inbox",
    "whatsapp": "WhatsApp",
    "tiktok": "TikTok",
}
"""Word of the filter → as a row shows it."""
ONE_TIME, SINGLE = "one_time", "single"
DELIVERIES = (ONE_TIME, "inaction", "action", "recurring", "property_time", "api", "multiple_dates")
STATUSES = ("scheduled", "running", "stopped", "completed")
MESSAGE_TYPES = (SINGLE, "ab", "message_on_user_property")
_WIRE_CHANNELS = {"webhook": "webhooks", "webpush": "browser"}
_WIRE_STATES = {
    CampaignState.DRAFT: "scheduled",
    CampaignState.RUNNING: "running",
    CampaignState.STOPPED: "stopped",
    CampaignState.COMPLETED: "completed",
}
_KEYS = frozenset({"from", "to", "channel", "delivery", "status", "message_type", "label", "daily"})


class DayFigures(msgspec.Struct, frozen=True):
    """What happened on one day, `YYYYMMDD`."""

    date: str
    sent: int
    viewed: int = 0
    clicked: int = 0


class MessageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One message as clients know it; the key of its id has a space."""

    message_id: int = msgspec.field(name="message id")
    message_name: str
    channel: str
    delivery: str = "One Time"
    start_date: str
    status: str
    sent: int
    viewed: int = 0
    clicked: int = 0
    conversion_event: str = ""
    labels: tuple[str, ...] = ()
    device: str = "All"
    delivered: int
    failed: int
    bounced: int = 0
    unsubscribed: int = 0
    spam: int = 0
    control_group: int = 0
    conversions: int = 0
    revenue: float = 0
    currency: str = ""
    variants: tuple[str, ...] = ()
    daily_stats: list[DayFigures] | UnsetType = UNSET


class MessageReportAnswer(msgspec.Struct, frozen=True):
    """All messages that were asked for, the newest first."""

    status: str
    total_results: int
    messages: list[MessageRow]


class Wanted(msgspec.Struct, frozen=True):
    """Which messages a report is about. None: any."""

    first: dt.date
    last: dt.date
    channels: frozenset[str] | None
    deliveries: frozenset[str] | None
    statuses: frozenset[str] | None
    message_types: frozenset[str] | None
    labels: frozenset[str] | None
    daily: bool
    warnings: list[str]

    def takes(self, message: Started) -> bool:
        """Whether a message passes every filter. All messages are sent once, in one variant, without labels."""
        return (
            _passes(self.channels, channel_of(message))
            and _passes(self.statuses, _WIRE_STATES[message.state])
            and _passes(self.deliveries, ONE_TIME)
            and _passes(self.message_types, SINGLE)
            and not self.labels
        )


class MessageReportEndpoint:
    """Lists messages with their figures."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def handle(self, request: Request) -> Answer:
        """The messages that started in a range of days."""
        wanted = wanted_of(unwrap(body_of(request, {})))
        messages = await self._services.lookups.run(self._messages, request.account, wanted)
        answer = MessageReportAnswer("success", len(messages), [_row(one) for one in messages])
        return json_answer(answer, headers=warnings_header(wanted.warnings))

    def _messages(self, account: Account, wanted: Wanted) -> list[MessageFigures]:
        reports = self._services.message_reports
        started = reports.between(account, wanted.first, wanted.last)
        return reports.figures(account, filter(wanted.takes, started), daily=wanted.daily)


def wanted_of(body: dict[str, Json]) -> Wanted:
    """Read a body. Raises BadRequest with the field: a bad day or range, a word that a filter does not know."""
    warnings = Warnings()
    given = known_keys(body, _KEYS, {}, warnings)
    first, last = (_day(given.get(key), key) for key in ("from", "to"))
    if first > last:
        raise BadRequest(
            f"Invalid date range: from is {first:%Y%m%d}, later than to, {last:%Y%m%d}", code=RANGE_CODE, field="from"
        )
    return Wanted(
        first,
        last,
        channels=_words(given.get("channel"), "channel", tuple(CHANNELS)),
        deliveries=_words(given.get("delivery"), "delivery", DELIVERIES),
        statuses=_words(given.get("status"), "status", STATUSES),
        message_types=_words(given.get("message_type"), "message_type", MESSAGE_TYPES),
        labels=_labels(given.get("label")),
        daily=truth_of(given.get("daily"), "daily"),
        warnings=warnings.texts,
    )


def channel_of(message: Started) -> str:
    """A message's channel in the words of the filter."""
    return _WIRE_CHANNELS.get(message.channel, message.channel)


def _passes(filter_: frozenset[str] | None, word: str) -> bool:
    return filter_ is None or word in filter_


def _day(value: Json, at: str) -> dt.date:
    """`YYYYMMDD` as text, or as number as some clients send it."""
    if value is None:
        raise refusal(at, "is required")
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    try:
        if len(text) == 8 and text.isascii() and text.isdecimal():
            return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        pass
    raise refusal(at, f"must be a date as YYYYMMDD, got {shown(value)}")


def _words(value: Json, at: str, known: Sequence[str]) -> frozenset[str] | None:
    """A filter's words, in any case; a single one may stand without its list. None and an empty list: any."""
    words = _texts(value, at)
    for word in words:
        if word.lower() not in known:
            raise BadRequest(f"Invalid {at} {shown(word)}: must be one of {', '.join(known)}", field=at)
    return frozenset(word.lower() for word in words) or None


def _labels(value: Json) -> frozenset[str] | None:
    return frozenset(_texts(value, "label")) or None


def _texts(value: Json, at: str) -> list[str]:
    if value is None:
        return []
    values = as_list(value, at, VALUES_MAX, 0) if isinstance(value, list) else [value]
    return [as_text(one, f"{at}[{index}]", LABEL_LENGTH_MAX) for index, one in enumerate(values)]


def _row(figures: MessageFigures) -> MessageRow:
    """One message. A webhook whose endpoint answered 2xx is delivered; nobody opens one."""
    message = figures.message
    days = figures.sent_by_day
    return MessageRow(
        message_id=message.campaign_id,
        message_name=message.name,
        channel=CHANNELS.get(channel_of(message), message.channel),
        start_date=f"{message.start:%Y%m%d}",
        status=_WIRE_STATES[message.state],
        sent=figures.sent_count,
        delivered=figures.sent_count,
        failed=figures.failed_count,
        daily_stats=UNSET if days is None else [DayFigures(f"{day:%Y%m%d}", count) for day, count in days.items()],
    )


class MessageReportBody(msgspec.Struct, omit_defaults=True):
    """For the reference: days of the start date, `YYYYMMDD`, and filters; a filter that is left out takes any."""

    from_: str = msgspec.field(name="from")
    to: str
    channel: list[str] = []
    delivery: list[str] = []
    status: list[str] = []
    message_type: list[str] = []
    label: list[str] = []
    daily: bool = False
