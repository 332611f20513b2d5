"""`belfry doctor`: is this installation well, and what to do if not."""

from __future__ import annotations

import typer

from belfry.cli.options import Config, DataDir, Json, settings_from
from belfry.main.checkup import Finding, check_up


def doctor(*, as_json: Json = False, data_dir: DataDir = None, config: Config = None) -> None:
    """Check configuration, stores, disk and clock; say what is wrong and what to do. Exit code 1 if anything is.

    Works while Belfry runs and while it does not.
    """
    findings = check_up(settings_from(config, data_dir=data_dir))
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(findings).decode())
    else:
        for finding in findings:
            typer.echo(_line(finding))
    raise typer.Exit(0 if all(finding.is_well for finding in findings) else 1)


def _line(finding: Finding) -> str:
    mark = "ok  " if finding.is_well else "BAD "
    advice = "" if finding.is_well or not finding.advice else f"\n     -> {finding.advice}"
    return f"{mark} {finding.subject:<14} {finding.text}{advice}"
