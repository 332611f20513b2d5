"""`belfry accounts`: create, list, show."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from belfry.accounts.model import Account
from belfry.accounts.rules import changed_settings
from belfry.cli.options import Config, DataDir, Json, settings_from
from belfry.errors import BadRequest
from belfry.ids import AccountId
from belfry.main import administration

app = typer.Typer(
    help="Accounts: one for each project (an app, its test copy), with data of its own.", no_args_is_help=True
)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call it, for example 'Shop EU'.")],
    account_id: Annotated[
        str | None, typer.Option("--id", help="3-40 characters A-Z 0-9 -; default: a random one.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="IANA name; days in queries and reports are days there.")] = "UTC",
    *,
    as_json: Json = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Create an account and its first passcode. The passcode is shown once, here."""
    with administration(settings_from(config, data_dir=data_dir)) as admin:
        account = admin.accounts.create(name, account_id=account_id, timezone=timezone)
        issued = admin.passcodes.create(account.account_id, "first", creator="belfry accounts create")
    if as_json:
        typer.echo(msgspec.json.encode({**_plain(account), "passcode": issued.secret}).decode())
        return
    typer.echo(f"Account   {account.account_id}  ({account.name}, {account.timezone}, region {account.region})")
    typer.echo(f"Passcode  {issued.secret}  (shown once; `belfry passcodes rotate` gives a new one)")


@app.command("list")
def list_(*, as_json: Json = False, data_dir: DataDir = None, config: Config = None) -> None:
    """List all accounts."""
    with administration(settings_from(config, data_dir=data_dir)) as admin:
        found = admin.accounts.list_accounts()
    if as_json:
        typer.echo(msgspec.json.encode([_plain(account) for account in found]).decode())
        return
    for account in found:
        typer.echo(f"{account.account_id:<16} {account.state:<10} {account.timezone:<20} {account.name}")
    if not found:
        typer.echo("no accounts yet; make one with `belfry accounts create NAME`")


@app.command()
def show(
    account_id: Annotated[str, typer.Argument(help="The account's id.")],
    *,
    as_json: Json = False,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Show one account with its settings and passcodes (without their secrets)."""
    with administration(settings_from(config, data_dir=data_dir)) as admin:
        account = admin.accounts.show(AccountId(account_id))
        codes = admin.passcodes.list_passcodes(account.account_id)
    plain = {**_plain(account), "settings": account.settings, "passcodes": codes}
    encoded = msgspec.json.encode(plain)
    typer.echo((encoded if as_json else msgspec.json.format(encoded, indent=2)).decode())


@app.command()
def configure(
    account_id: Annotated[str, typer.Argument(help="The account's id.")],
    changes: Annotated[list[str], typer.Argument(help="Settings as NAME=VALUE; see `belfry accounts show`.")],
    *,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Change settings of an account, for example default_country=PT or duplicate_comparison=false.

    VALUE is JSON, or plain text. Takes effect within a second.
    """
    with administration(settings_from(config, data_dir=data_dir)) as admin:
        account = admin.accounts.show(AccountId(account_id))
        changed = changed_settings(account.settings, dict(_split(change) for change in changes))
        admin.accounts.configure(account.account_id, changed)
    for change in changes:
        typer.echo(change)


def _split(change: str) -> tuple[str, object]:
    name, equals, text = change.partition("=")
    if not equals:
        raise BadRequest(f"{change!r} has not the form NAME=VALUE", field=change)
    try:
        return name.strip(), msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        return name.strip(), text


def _plain(account: Account) -> dict[str, str]:
    return {
        "account_id": account.account_id,
        "name": account.name,
        "timezone": account.timezone,
        "region": account.region,
        "state": account.state.value,
    }
