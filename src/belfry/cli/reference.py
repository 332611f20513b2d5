"""`belfry docs`: reference pages that are made from the code. `make docs` writes them, a test checks them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from typer._click import core as click
from typer.core import TyperGroup

from belfry import config
from belfry.cli.reference_codes import codes_page


def write_reference(
    context: typer.Context, folder: Annotated[Path, typer.Argument(help="Where the pages go.")]
) -> None:
    """Write the generated reference pages."""
    for name, text in pages(context.find_root().command).items():
        (folder / name).write_text(text, encoding="utf-8")
        typer.echo(folder / name)


def pages(root: click.Command) -> dict[str, str]:
    """File name → text of every generated page. root: the command `belfry`."""
    return {"settings.md": _settings_page(), "commands.md": _commands_page(root), "codes.md": codes_page()}


def _settings_page() -> str:
    rows = [f"| `{name}` | {kind} | `{default}` | {sentence} |" for name, kind, default, sentence in config.describe()]
    head = (
        "# Settings\n\nMade from the code by `make docs`. A setting comes from the file given with `--config` (TOML),"
        "\nis overridden by the variable `BELFRY_<NAME>` (or `BELFRY_<NAME>_FILE`, a file that holds it), and that by a"
        "\ncommand's flag. A wrong value stops the start and is named. Lists in variables are comma-separated.\n\n"
        "| setting | type | default | meaning |\n|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def _commands_page(root: click.Command) -> str:
    parts = ["# Commands\n\nMade from the code by `make docs`. `belfry COMMAND --help` says the same.\n"]
    for path, command in _walk(root, "belfry"):
        parts.append(f"## {path}\n\n{(command.help or '').strip()}\n")
        rows = [_option_row(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            parts.append("| argument | default | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, TyperGroup):
        if not command.hidden:
            yield path, command
        return
    for name, child in sorted(command.commands.items()):
        yield from _walk(child, f"{path} {name}")


def _option_row(parameter: click.Parameter) -> str:
    shown = ", ".join(f"`{text}`" for text in parameter.opts)
    default = "" if parameter.default in (None, False) or callable(parameter.default) else f"`{parameter.default}`"
    return f"| {shown} | {default} | {getattr(parameter, 'help', None) or ''} |"
