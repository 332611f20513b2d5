"""What an answer to a webhook, or its absence, means (partner integrations 4.4; trial R10). Pure.

| answer                                   | failure       | then                          |
|------------------------------------------|---------------|-------------------------------|
| 2xx                                      | none          | sent                          |
| 408, 425, 429; 503 with Retry-After      | throttled     | again, not before Retry-After |
| other 5xx                                | unknown       | again under the same id       |
| 401, 403, 407                            | misconfigured | final                         |
| 3xx (not followed), other 4xx, the rest  | rejected      | final                         |
| no connection                            | unreachable   | again                         |
| sent, no readable answer                 | unknown       | again under the same id       |
| may not be called                        | misconfigured | final                         |
| request too large                        | rejected      | final                         |
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime

from belfry.connectors.model import Outcome, SendFailure
from belfry.connectors.secret import redact
from belfry.outbound import AddressRefused, NoAnswer, OutboundError, OutboundResponse, TooLarge, Unreachable

DETAIL_BYTES_MAX = 1024
_READ_BYTES_MAX = 64 * 1024
"""Of a body, for the detail: enough that no secret is cut in half before it is blacked out."""
_RETRY_AFTER_DIGITS_MAX = 9
_COME_BACK = frozenset({408, 425, 429})
_CREDENTIALS = frozenset({401, 403, 407})


def classify(answer: OutboundResponse | OutboundError, *, now_ms: int, secrets: Iterable[str] = ()) -> Outcome:
    """The outcome of one call. secrets: what must not stand in the detail, see `webhook.secrets_of`."""
    if isinstance(answer, OutboundResponse):
        failure = _failure_of_status(answer)
        return Outcome(failure, answer.status, _detail(answer, secrets), _retry_after_s(answer, now_ms))
    return Outcome(_failure_of_error(answer), detail=redact(str(answer), secrets)[:DETAIL_BYTES_MAX])


def _failure_of_status(answer: OutboundResponse) -> SendFailure | None:
    status = answer.status
    if 200 <= status < 300:
        return None
    if status in _COME_BACK or (status == 503 and "retry-after" in answer.headers):
        return SendFailure.THROTTLED
    if 500 <= status < 600:
        return SendFailure.UNKNOWN
    return SendFailure.MISCONFIGURED if status in _CREDENTIALS else SendFailure.REJECTED


def _failure_of_error(error: OutboundError) -> SendFailure:
    match error:
        case Unreachable():
            return SendFailure.UNREACHABLE
        case AddressRefused():
            return SendFailure.MISCONFIGURED
        case TooLarge():
            return SendFailure.REJECTED
        case NoAnswer():
            return SendFailure.UNKNOWN
        case _:
            return SendFailure.UNKNOWN


def _detail(answer: OutboundResponse, secrets: Iterable[str]) -> str:
    """`HTTP 503: ` and the first KiB of the body as text; of a body in a content coding only which one."""
    coding = answer.headers.get("content-encoding", "identity").lower()
    if coding not in {"", "identity"}:
        return f"HTTP {answer.status}: (a body in {redact(coding, secrets)[:40]})"
    text = redact(answer.body[:_READ_BYTES_MAX].decode("utf-8", "replace"), secrets)
    shown = "".join(character if character.isprintable() else " " for character in text[:DETAIL_BYTES_MAX])
    shown = shown.encode()[:DETAIL_BYTES_MAX].decode("utf-8", "ignore").strip()
    return f"HTTP {answer.status}: {shown}" if shown else f"HTTP {answer.status}"


def _retry_after_s(answer: OutboundResponse, now_ms: int) -> float | None:
    """Seconds to wait: a number, or an HTTP date. What is neither is ignored; a date that has passed is 0."""
    text = answer.headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:_RETRY_AFTER_DIGITS_MAX])
    try:
        moment = parsedate_to_datetime(text)
        # An HTTP date is in GMT, also when it does not say so.
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now_ms / 1000)
    except (ValueError, TypeError, OverflowError):
        return None
