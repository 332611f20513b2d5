"""`belfry export`: all users, or events of some days, of a running Belfry as one file."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Annotated

import typer

from belfry.cli.imports import FORMATS
from belfry.cli.remote import DEFAULT_URL, AccountId, PasscodeText, Remote, RemoteFailed, Url

app = typer.Typer(help="Write users or events to a file: JSON lines, CSV or Parquet.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(help="The file to write: .jsonl, .csv or .parquet.", dir_okay=False)]
FormatOption = Annotated[str | None, typer.Option("--format", help="jsonl, csv or parquet. Default: by the name.")]
FirstDay = Annotated[
    dt.datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, in the account's time zone.")
]
LastDay = Annotated[dt.datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, included.")]


@app.command()
def users(
    file: FileArgument, account: AccountId, passcode: PasscodeText, url: Url = DEFAULT_URL, form: FormatOption = None
) -> None:
    """Export all users as they are now. `belfry import users` reads the file again."""
    _export(Remote(url, account, passcode), "/api/v1/exports/users", file, [("format", _format(file, form))])


@app.command()
def events(
    file: FileArgument,
    account: AccountId,
    passcode: PasscodeText,
    from_: FirstDay,
    to: LastDay,
    event: Annotated[list[str] | None, typer.Option(help="Event name; repeat for several. Default: all.")] = None,
    url: Url = DEFAULT_URL,
    form: FormatOption = None,
) -> None:
    """Export events with their users. One event alone has its properties as columns of CSV and Parquet."""
    parameters = [("format", _format(file, form)), ("from", f"{from_:%Y%m%d}"), ("to", f"{to:%Y%m%d}")]
    parameters += [("event", name) for name in event or ()]
    _export(Remote(url, account, passcode), "/api/v1/exports/events", file, parameters)


def _format(file: Path, form: str | None) -> str:
    found = form or FORMATS.get(file.suffix.lower())
    if found is None:
        raise RemoteFailed(f"{file.name}: say with --format whether it is to be jsonl, csv or parquet")
    return found


def _export(remote: Remote, path: str, file: Path, parameters: list[tuple[str, str]]) -> None:
    """Write the file under its name only when it is whole."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}.new")
    size = 0
    try:
        with fresh.open("wb") as target:
            for piece in remote.download(path, parameters):
                target.write(piece)
                size += len(piece)
        fresh.replace(file)
    except OSError as error:
        raise RemoteFailed(f"cannot write {file}: {error.strerror}") from error
    finally:
        fresh.unlink(missing_ok=True)
        remote.close()
    typer.echo(f"{file}: {size:,} bytes")
