"""Who is calling: what the credentials prove and allow."""

from __future__ import annotations

import msgspec
from litestar import Controller, get

from belfry.edge.routes import Access
from belfry.management_api.bridge import Accepted, declared


class AccountView(msgspec.Struct, frozen=True):
    """The account of the credentials."""

    account_id: str
    name: str
    timezone: str
    region: str


class PasscodeView(msgspec.Struct, frozen=True):
    """The passcode, without its secret."""

    passcode_id: str
    name: str
    scopes: list[str]
    partner: str | None
    expires_at_ms: int | None


class Whoami(msgspec.Struct, frozen=True):
    """Account and passcode of this request."""

    account: AccountView
    passcode: PasscodeView


class WhoamiController(Controller):
    """`/api/v1/whoami`"""

    path = "/api/v1/whoami"
    tags = ("accounts",)

    @get(opt=declared(Access()), summary="Account and passcode of these credentials")
    async def show(self, accepted: Accepted) -> Whoami:
        account, passcode = accepted.known_caller.account, accepted.known_caller.passcode
        return Whoami(
            AccountView(account.account_id, account.name, account.timezone, account.region),
            PasscodeView(
                passcode.passcode_id,
                passcode.name,
                sorted(passcode.scopes),
                passcode.partner,
                passcode.expires_at_ms,
            ),
        )
