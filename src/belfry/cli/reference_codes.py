"""The reference page of codes: why a record was refused or changed, why a message did not leave."""

from __future__ import annotations

from collections.abc import Iterable

from belfry.campaigns.explain import SENTENCES
from belfry.connectors.model import SendFailure
from belfry.delivery.model import MessageState, Reason
from belfry.error_stream.model import ErrorKind
from belfry.intake.codes import TEXTS, Code

CODE_MEANINGS: dict[Code, str] = {
    Code.NAME_MISSING: "`evtName` is missing, empty, or of no text once forbidden characters are taken out",
    Code.STRUCTURE: "`evtData` or `profileData` is no object, or `$source` cannot be a Partner ID",
    Code.RESTRICTED: "the name is a system event's, which only Belfry raises",
    Code.GENDER: "`Gender` is none of M, F, O, U or their English words",
    Code.EMAIL: "`Email` is no address",
    Code.PHONE: "`Phone` is no number with `+` and country code (the account may have a default country)",
    Code.EMPLOYED: "`Employed` is neither Y nor N",
    Code.EDUCATION: "`Education` is none of School, College, Graduate",
    Code.MARRIED: "`Married` is neither Y nor N",
    Code.AGE: "`Age` is no number",
    Code.TOO_MANY_PROPERTIES: "`evtData` has more keys than the account allows (256)",
    Code.IDENTITY_MISSING: "no identity, FBID, GPID or objectId of 1 to 1024 characters; or a constant that clients "
    "send for everyone",
    Code.TYPE: "`type` is none of event, profile, token; or the record is no object",
    Code.TIMESTAMP: "`ts` is no moment, is not positive, or lies more than 10 minutes ahead",
    Code.OBJECT_ID: "a lone `objectId` has no form of a device id, and no device of the account has used it",
    Code.DISCARDED: "the account has discarded this event name",
    Code.TOKEN_OBJECT_ID: "a token needs the `objectId` of its device",
    Code.TOKEN: "`tokenData` is no object, its token has not 1 to 4096 characters, or its type is unknown",
    Code.TOKEN_ID_MISSING: "`tokenData.id` is missing",
    Code.TOKEN_TYPE_MISSING: "`tokenData.type` is missing",
    Code.TOKEN_TYPE_UNFIT: "the device's prefix says another system than the token: `apns` on Android, `fcm` on iOS",
    Code.TOKEN_KEYS: "a `chrome` token needs both keys, `p256dh` and `auth`",
    Code.INTERNAL: "a fault of ours",
}
KIND_MEANINGS: dict[ErrorKind, str] = {
    ErrorKind.REFUSED: "not accepted at the edge; the answer said so, with a code of the table above",
    ErrorKind.FUTURE_TIMESTAMP: "the event's time lies too far ahead",
    ErrorKind.BEYOND_RETENTION: "the event is older than the account keeps events",
    ErrorKind.DUPLICATE: "the same event was stored before, by its id or by everything that it says",
    ErrorKind.IDENTITY_CONFLICT: "an identity belongs to another user; both stayed as they were",
    ErrorKind.IDENTITY_LIMIT: "the user has as many identities or devices as one can have",
    ErrorKind.OBJECT_ID_IGNORED: "an `objectId` beside an identity names no device",
    ErrorKind.CHARACTERS_REMOVED: "a name held characters that names may not hold",
    ErrorKind.NAME_CUT: "a name was longer than allowed",
    ErrorKind.VALUE_CUT: "a value, list or object was longer than allowed",
    ErrorKind.TOO_MANY_PROPERTIES: "more properties than allowed; the further ones were left out",
    ErrorKind.TOO_MANY_EVENT_NAMES: "more event names than the account may have; the event was not stored",
    ErrorKind.UNKNOWN_OPERATOR: "a key beginning with `$` that is no operator; the property was left out",
    ErrorKind.NOT_A_NUMBER: "`$incr` or `$decr` by, or of, something that is no number",
    ErrorKind.TYPE_MISMATCH: "a value of another kind than its key or its operator needs",
    ErrorKind.NESTED_LIMIT: "an object or list stands where, or deeper than, none may stand",
    ErrorKind.RESERVED_KEY_CASE: "`name`, `email` or `phone` in lower case is a custom property, not the reserved key",
    ErrorKind.UNKNOWN_VALUE: "a reserved key has a value that it does not know; the key was left out",
    ErrorKind.MILLISECONDS: "`ts` came in milliseconds and was divided by 1000",
    ErrorKind.DUPLICATE_KEYS: "an object held a key twice; the last one counts",
    ErrorKind.SURROGATES_REPLACED: "characters that no store can hold were replaced by U+FFFD",
    ErrorKind.PARTNER_UNKNOWN: "no such Partner ID; stored as API data, the id in `Partner Raw`",
    ErrorKind.UNKNOWN_GROUP: "no such subscription group; ignored",
    ErrorKind.INTERNAL: "a fault of ours while the record was applied",
}
STATE_MEANINGS: dict[MessageState, str] = {
    MessageState.QUEUED: "waits for its turn",
    MessageState.SENDING: "is being checked, rendered or sent",
    MessageState.RETRYING: "was not taken; waits for the next try",
    MessageState.SENT: "the endpoint took it",
    MessageState.FAILED: "failed for good: a dead letter, which can be replayed for seven days",
    MessageState.SKIPPED: "a check said no, or it could not be rendered; the reason says which",
    MessageState.CANCELLED: "the campaign was stopped before it left",
}
FAILURE_MEANINGS: dict[SendFailure, str] = {
    SendFailure.UNREACHABLE: "no connection: surely not taken; tried again",
    SendFailure.THROTTLED: "told to come back later (408, 425, 429, 503 with `Retry-After`); tried again",
    SendFailure.REJECTED: "understood and declined (3xx, other 4xx); final",
    SendFailure.RECIPIENT_GONE: "the recipient is gone; final",
    SendFailure.MISCONFIGURED: "credentials not accepted (401, 403, 407), or the address may not be called; final",
    SendFailure.UNKNOWN: "other 5xx or no readable answer: perhaps taken; tried again under the same id",
}


def codes_page() -> str:
    """`codes.md`."""
    return (
        "\n\n".join(
            (
                "# Codes\n\nMade from the code by `make docs`.",
                "## Upload: `code` in `unprocessed`\n\nThe first rule that a record breaks decides. To every text is"
                " appended `Skipped record number : ` and the record's number, from 1. `{reason}` is filled in.",
                _table(
                    ("code", "text", "when"), [(str(c.value), f"`{TEXTS[c].strip()}`", CODE_MEANINGS[c]) for c in Code]
                ),
                "## Error stream: `kind`\n\nSeverity *high*: the record was not stored. *low*: it was, with the change"
                " that the kind tells.",
                _table(("kind", "what happened"), [(f"`{kind}`", KIND_MEANINGS[kind]) for kind in ErrorKind]),
                "## Messages: `state`",
                _table(("state", "the message …"), [(f"`{state}`", STATE_MEANINGS[state]) for state in MessageState]),
                "## Messages: `reason`\n\nIn reports, dead letters and `explain`.",
                _table(("reason", "why"), [(f"`{reason}`", SENTENCES[reason]) for reason in Reason]),
                "## Attempts: `attempt_<failure>` in `explain`",
                _table(
                    ("failure", "what it means"), [(f"`{one.value}`", FAILURE_MEANINGS[one]) for one in SendFailure]
                ),
            )
        )
        + "\n"
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
