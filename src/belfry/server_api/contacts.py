"""`/1/subscribe` and `/1/disassociate`: opt-outs by address, numbers taken from users (server-api 7.3, 7.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from belfry.accounts.model import Account, Scope
from belfry.edge.exchange import Answer, Request
from belfry.edge.routes import Access, Document, Route
from belfry.edge.services import Services
from belfry.errors import BadRequest
from belfry.intake import Refusal, UploadLimits, Verdict, answer
from belfry.intake.codes import Code
from belfry.intake.contacts import email_of, phone_of
from belfry.intake.identifiers import number_text
from belfry.intake.wire import repair
from belfry.profiles.model import Identity, IdentityKind
from belfry.server_api.upload import UploadAnswer

ENTRIES_MAX = 1000
SUBSCRIBES = {"unsubscribe": False, "resubscribe": True}
_KINDS = {"email": IdentityKind.EMAIL, "phone": IdentityKind.PHONE, "whatsapp": IdentityKind.PHONE}
_CODES = {IdentityKind.EMAIL: Code.EMAIL, IdentityKind.PHONE: Code.PHONE}
_NOT_ASSOCIATED = {
    IdentityKind.EMAIL: "Email is not associated with a profile.",
    IdentityKind.PHONE: "Phone number is not associated with a profile.",
}

T = TypeVar("T")


class Wrong(Exception):
    """An entry that is not processed; caught where entries are read. `text` without the entry's number."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


class ContactEndpoint:
    """Checks entries, keeps those that are right as one command, answers for the others one by one."""

    def __init__(self, services: Services) -> None:
        self._acceptance = services.acceptance
        self._profiles = services.profiles
        self._lookups = services.lookups
        self._limits = services.upload_limits

    async def subscribe(self, request: Request) -> Answer:
        """Opt addresses out or in again, for every user who has them, now or later.

        Raises BadRequest for a body that cannot be read, or over 1000 entries: nothing was done.
        """
        entries = entries_of(request.body)
        wishes, refusals = _read(entries, lambda entry: wish_of(entry, request.account))
        if wishes:
            await self._acceptance.keep_command(request, "subscribe", {"wishes": [wish for _, wish in wishes]})
        return _answer(request, len(entries), refusals, self._limits)

    async def disassociate(self, request: Request) -> Answer:
        """Take numbers and addresses from the users whose identities they are.

        Whether an entry is one is looked up now: what was uploaded a moment ago may not be known yet.
        Raises BadRequest for a body that cannot be read, or over 1000 entries: nothing was done.
        """
        entries = entries_of(request.body)
        named, refusals = _read(entries, lambda entry: identity_of(entry, request.account))
        owned = await self._lookups.run(self._profiles.owned, request.account_id, {one for _, one in named})
        for index, identity in named:
            if identity not in owned:
                refusals.append(_refusal(index, Wrong(_CODES[identity.kind], _NOT_ASSOCIATED[identity.kind])))
        if owned:
            identities = [msgspec.to_builtins(identity) for identity in sorted(owned)]
            await self._acceptance.keep_command(request, "disassociate", {"identities": identities})
        refusals.sort(key=lambda refusal: refusal.index)
        return _answer(request, len(entries), refusals, self._limits)


def object_of(body: bytes) -> dict[str, object]:
    """A body that is a JSON object. Raises BadRequest."""
    try:
        value = msgspec.json.decode(repair(body))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise BadRequest("Malformed request") from None
    if not isinstance(value, dict):
        raise BadRequest("The body needs to be an object", field="body")
    return value


def entries_of(body: bytes) -> list[object]:
    """The entries under `d`; a single object is taken as one. Raises BadRequest."""
    entries = object_of(body).get("d")
    if entries is None:
        raise BadRequest("d is mandatory", field="d")
    if isinstance(entries, dict):
        return [entries]
    if not isinstance(entries, list):
        raise BadRequest("d needs to be an array", field="d")
    if len(entries) > ENTRIES_MAX:
        raise BadRequest(f"Too many records: {len(entries)}, maximum {ENTRIES_MAX}", field="d", limit=ENTRIES_MAX)
    return entries


def wish_of(entry: object, account: Account) -> dict[str, object]:
    """One entry of `/1/subscribe` as the command has it. Raises Wrong: 512 before 515 and 516."""
    kind = _word(entry, "type")
    if kind not in _KINDS:
        raise Wrong(Code.STRUCTURE, "Invalid type.")
    status = _word(entry, "status")
    if status not in SUBSCRIBES:
        raise Wrong(Code.STRUCTURE, "Invalid status.")
    return {"type": kind, "value": _address(entry, _KINDS[kind], account), "subscribes": SUBSCRIBES[status]}


def identity_of(entry: object, account: Account) -> Identity:
    """One entry of `/1/disassociate`. Raises Wrong."""
    kind = _word(entry, "type")
    if kind not in ("phone", "email"):
        raise Wrong(Code.STRUCTURE, "Invalid type.")
    return Identity(_KINDS[kind], _address(entry, _KINDS[kind], account))


def _word(entry: object, key: str) -> str:
    if not isinstance(entry, dict):
        raise Wrong(Code.STRUCTURE, "Invalid record.")
    value = entry.get(key)
    return value.strip().lower() if isinstance(value, str) else ""


def _address(entry: object, kind: IdentityKind, account: Account) -> str:
    """The entry's value as it is stored."""
    value = entry.get("value") if isinstance(entry, dict) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = number_text(value)
    found = None
    if isinstance(value, str):
        is_email = kind is IdentityKind.EMAIL
        found = email_of(value) if is_email else phone_of(value, account.settings.default_country)
    if found is None:
        raise Wrong(_CODES[kind], f"Invalid {kind}.")
    return found


def _read(entries: list[object], read: Callable[[object], T]) -> tuple[list[tuple[int, T]], list[Refusal]]:
    """What each entry says, with its place; and the refusals of those that are wrong."""
    found: list[tuple[int, T]] = []
    refusals = []
    for index, entry in enumerate(entries):
        try:
            found.append((index, read(entry)))
        except Wrong as wrong:
            refusals.append(_refusal(index, wrong))
    return found, refusals


def _refusal(index: int, wrong: Wrong) -> Refusal:
    # Where the protocol gives a text it has no space before "Skipped"; where it gives none, ours has one.
    gap = "" if wrong.text in _NOT_ASSOCIATED.values() else " "
    return Refusal(index, int(wrong.code), f"{wrong.text}{gap}Skipped record number : {index + 1}")


def _answer(request: Request, total: int, refusals: list[Refusal], limits: UploadLimits) -> Answer:
    return Answer(200, answer(Verdict(total, tuple(refusals)), request.body, limits))


class SubscribeBody(msgspec.Struct):
    """For the reference: up to 1000 entries.

    d   each with `type` (email, phone, whatsapp), `value`, `status` (Unsubscribe, Resubscribe)
    """

    d: list[dict[str, Any]]


class DisassociateBody(msgspec.Struct):
    """For the reference: up to 1000 of `type` (phone, email) and `value`."""

    d: list[dict[str, Any]]


def contact_routes(endpoint: ContactEndpoint) -> tuple[Route, ...]:
    """`POST /1/subscribe` and `POST /1/disassociate`."""
    access = Access((Scope.PROFILES_WRITE,))
    subscribe = Document(
        summary="Opt addresses out, or in again",
        description="Holds for the address: for every user who has it, now or later.",
        body=SubscribeBody,
        answer=UploadAnswer,
        example={"d": [{"type": "phone", "value": "+351912345678", "status": "Unsubscribe"}]},
    )
    disassociate = Document(
        summary="Take a phone number or an email from the user whose identity it is",
        body=DisassociateBody,
        answer=UploadAnswer,
        example={"d": [{"type": "phone", "value": "+351912345678"}]},
    )
    return (
        Route(path="/1/subscribe", method="POST", access=access, handler=endpoint.subscribe, document=subscribe),
        Route(
            path="/1/disassociate", method="POST", access=access, handler=endpoint.disassociate, document=disassociate
        ),
    )
