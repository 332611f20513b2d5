"""The root of the command line: settings that every command takes, and errors as one clear line."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from belfry import __version__
from belfry.cli import accounts, doctor, exports, imports, passcodes, reference, serve
from belfry.config import ConfigError
from belfry.errors import BelfryError

app = typer.Typer(
    name="belfry",
    help="Self-hosted customer engagement: users and events in, segments, campaigns out.\n\n"
    "Begin with `belfry demo`. To run it yourself: `belfry serve`, then `belfry accounts create`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(accounts.app, name="accounts")
app.add_typer(passcodes.app, name="passcodes")
app.add_typer(imports.app, name="import")
app.add_typer(exports.app, name="export")
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.command("docs", hidden=True)(reference.write_reference)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def demo(
    *,
    exit_: Annotated[
        bool, typer.Option("--exit", help="End after the summary; without a terminal that is so.")
    ] = False,
    data_dir: Annotated[
        str, typer.Option(help="Folder to start in; emptied first. Default: a new temporary one.")
    ] = "",
) -> None:
    """Start Belfry on a fresh folder, play a small shop's day through the public API, and show what came of it.

    Ends with exit code 0 only if every figure adds up.
    """
    from belfry.demo.play import play

    stay = not exit_ and sys.stdout.isatty()
    raise typer.Exit(play(data_dir or None, stay=stay))


def main(arguments: list[str] | None = None) -> Any:
    """Run a command. An error of ours is one line on stderr and exit code 2 (settings) or 1."""
    try:
        return app(args=arguments)
    except ConfigError as error:
        typer.echo(f"belfry: {error}", err=True)
        sys.exit(2)
    except BelfryError as error:
        typer.echo(f"belfry: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        os.close(sys.stdout.fileno())
        sys.exit(0)
