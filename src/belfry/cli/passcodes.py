"""`belfry passcodes`: create, list, rotate, revoke."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec
import typer

from belfry.accounts.model import Issued, Passcode, Scope
from belfry.cli.options import Config, DataDir, Json, settings_from
from belfry.errors import BadRequest
from belfry.ids import AccountId
from belfry.main import administration

app = typer.Typer(help="Passcodes: secrets for the server API, one for each integration.", no_args_is_help=True)

AccountArgument = Annotated[str, typer.Argument(help="The account's id.")]
PasscodeArgument = Annotated[str, typer.Argument(help="The passcode's id, see `belfry passcodes list`.")]


@app.command()
def create(
    account_id: AccountArgument,
    name: Annotated[str, typer.Argument(help="What it is for, for example 'warehouse export'.")],
    scope: Annotated[list[str] | None, typer.Option(help="What it may do; repeat for several. Default: all.")] = None,
    days: Annotated[int | None, typer.Option(help="Days until it expires. Default: never.", min=1)] = None,
    partner: Annotated[str | None, typer.Option(help="Partner ID that it is issued to.")] = None,
    network: Annotated[
        list[str] | None, typer.Option(help="Network (CIDR) that may use it; repeat for several.")
    ] = None,
    *,
    as_json: Json = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Create a passcode. Its secret is shown once, here."""
    scopes = [_scope(text) for text in scope or [Scope.ALL.value]]
    with administration(settings_from(config, data_dir=data_dir)) as admin:
        expires = None if days is None else admin.clock.now_ms() + days * 86_400_000
        issued = admin.passcodes.create(
            AccountId(account_id),
            name,
            scopes=scopes,
            partner=partner,
            expires_at_ms=expires,
            networks=network or (),
            creator="belfry passcodes create",
        )
    _show_secret(issued, as_json=as_json)


@app.command("list")
def list_(
    account_id: AccountArgument, *, as_json: Json = False, data_dir: DataDir = None, config: Config = None
) -> None:
    """List an account's passcodes, without their secrets."""
    with administration(settings_from(config, data_dir=data_dir)) as admin:
        found = admin.passcodes.list_passcodes(AccountId(account_id))
        now_ms = admin.clock.now_ms()
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    for code in found:
        state = "live" if code.is_live(now_ms) else "dead"
        scopes = ",".join(sorted(code.scopes))
        typer.echo(f"{code.passcode_id:<14} {state:<5} expires {_day(code.expires_at_ms):<11} {scopes:<20} {code.name}")


@app.command()
def rotate(
    account_id: AccountArgument,
    passcode_id: PasscodeArgument,
    overlap_hours: Annotated[int, typer.Option(help="How long the old secret stays good.", min=0)] = 24,
    *,
    as_json: Json = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Give a passcode a new secret; the old one stays good for a while."""
    with administration(settings_from(config, data_dir=data_dir)) as admin:
        issued = admin.passcodes.rotate(AccountId(account_id), passcode_id, overlap_ms=overlap_hours * 3_600_000)
    _show_secret(issued, as_json=as_json)


@app.command()
def revoke(
    account_id: AccountArgument, passcode_id: PasscodeArgument, data_dir: DataDir = None, config: Config = None
) -> None:
    """Make a passcode worthless, everywhere within a second."""
    with administration(settings_from(config, data_dir=data_dir)) as admin:
        code = admin.passcodes.revoke(AccountId(account_id), passcode_id)
    typer.echo(f"{code.passcode_id} ({code.name}) is revoked")


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        known = ", ".join(scope.value for scope in Scope)
        raise BadRequest(f"unknown scope {text!r}; known: {known}", field="scope") from None


def _show_secret(issued: Issued, *, as_json: bool) -> None:
    code: Passcode = issued.passcode
    if as_json:
        typer.echo(msgspec.json.encode({"passcode_id": code.passcode_id, "passcode": issued.secret}).decode())
        return
    typer.echo(f"Passcode  {issued.secret}  (shown once)")
    typer.echo(f"Id        {code.passcode_id}  ({code.name}, expires {_day(code.expires_at_ms)})")


def _day(at_ms: int | None) -> str:
    return "never" if at_ms is None else dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).date().isoformat()
