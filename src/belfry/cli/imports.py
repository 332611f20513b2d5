"""`belfry import`: a file of users or events into a running Belfry."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from belfry.cells import text_cell
from belfry.cli.remote import DEFAULT_URL, AccountId, PasscodeText, Remote, RemoteFailed, Url

PART_BYTES = 4 * 1024 * 1024
LOOK_EVERY_S = 0.3
UNREACHABLE_MAX = 100
"""Looks that may fail one after another while Belfry restarts; the import goes on by itself."""
BAR_WIDTH = 30
PROBLEMS_SHOWN = 15
WORKING = ("checking", "running")
FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}

app = typer.Typer(
    help="Bring a file of users or events in: CSV, JSON lines or Parquet, up to 1 GB.", no_args_is_help=True
)

FileArgument = Annotated[Path, typer.Argument(help="The file: .csv, .jsonl or .parquet.", exists=True, dir_okay=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check every row and say what would happen; keep nothing.")]
MappingFile = Annotated[
    Path | None, typer.Option("--mapping", help="JSON file with the meaning of the columns.", exists=True)
]
RefusedFile = Annotated[Path | None, typer.Option("--refused", help="Write refused rows, with reasons, to this CSV.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Show the progress until the import has ended.")]
FormatOption = Annotated[str | None, typer.Option("--format", help="csv, jsonl or parquet. Default: by the name.")]


@app.command()
def users(
    file: FileArgument,
    account: AccountId,
    passcode: PasscodeText,
    url: Url = DEFAULT_URL,
    dry_run: DryRun = False,
    mapping: MappingFile = None,
    refused: RefusedFile = None,
    wait: Wait = True,
    form: FormatOption = None,
) -> None:
    """Import users: a column `identity`, every other column a property.

    A date column says so in its header, for example `Joined<dd/MM/yyyy>`. Exit code 1 if any row was refused.
    """
    body = _new("users", file, form, mapping)
    _import(Remote(url, account, passcode), file, body, dry_run=dry_run, wait=wait, refused=refused)


@app.command()
def events(
    file: FileArgument,
    account: AccountId,
    passcode: PasscodeText,
    url: Url = DEFAULT_URL,
    event: Annotated[str | None, typer.Option(help="Name of the events, for rows without a column evtName.")] = None,
    history: Annotated[
        bool, typer.Option("--history", help="They were recorded before: trigger nothing, take system events too.")
    ] = False,
    dry_run: DryRun = False,
    mapping: MappingFile = None,
    refused: RefusedFile = None,
    wait: Wait = True,
    form: FormatOption = None,
) -> None:
    """Import events: columns `identity`, `evtName`, `ts`, every other column a property.

    Exit code 1 if any row was refused.
    """
    body = _new("events", file, form, mapping)
    if event is not None:
        body["mapping"]["event_name"] = event
    body["is_history"] = history
    _import(Remote(url, account, passcode), file, body, dry_run=dry_run, wait=wait, refused=refused)


def _new(kind: str, file: Path, form: str | None, mapping: Path | None) -> dict[str, Any]:
    form = form or FORMATS.get(file.suffix.lower())
    if form is None:
        raise RemoteFailed(f"{file.name}: say with --format whether it is csv, jsonl or parquet")
    try:
        columns = {} if mapping is None else json.loads(mapping.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RemoteFailed(f"{mapping} is not JSON: {error}") from None
    return {"kind": kind, "format": form, "name": file.name[:200], "mapping": columns}


def _import(
    remote: Remote, file: Path, body: dict[str, Any], *, dry_run: bool, wait: bool, refused: Path | None
) -> None:
    job = remote.call("POST", "/api/v1/imports", body)
    path = f"/api/v1/imports/{job['id']}"
    _send(remote, path, file)
    job = remote.call("POST", f"{path}/start", {"dry_run": dry_run})
    if not wait:
        typer.echo(job["id"])
        return
    job = _watch(remote, path, job)
    for line in _summary(job):
        typer.echo(line)
    if refused is not None and job["counts"]["refused"]:
        _write_refused(remote, path, refused)
        typer.echo(f"refused rows are in {refused}")
    if dry_run and job["state"] == "checked":
        remote.call("DELETE", path)
    if job["state"] not in ("done", "checked") or job["counts"]["refused"]:
        raise typer.Exit(1)


def _send(remote: Remote, path: str, file: Path) -> None:
    size = file.stat().st_size
    sent = 0
    with file.open("rb") as source:
        for number, part in enumerate(iter(lambda: source.read(PART_BYTES), b"")):
            remote.call("PUT", f"{path}/parts/{number}", part)
            sent += len(part)
            _bar("sending", sent / max(size, 1), "")
    _end_bar()


def _watch(remote: Remote, path: str, job: Any) -> Any:
    """The import when it has ended. A restart of Belfry meanwhile is waited for: the import goes on after it."""
    failures = 0
    while job["state"] in WORKING:
        _bar(job["state"], job["progress"], f"{job['counts']['read']:,} rows")
        time.sleep(LOOK_EVERY_S)
        try:
            job = remote.call("GET", path)
            failures = 0
        except RemoteFailed:
            failures += 1
            if failures > UNREACHABLE_MAX:
                raise
    _bar(job["state"], job["progress"], f"{job['counts']['read']:,} rows")
    _end_bar()
    return job


def _summary(job: Any) -> Iterator[str]:
    counts = job["counts"]
    if job["error"]:
        yield f"failed: {job['error']}"
    verb = "would be accepted" if job["state"] == "checked" else "accepted"
    yield f"{counts['read']:,} rows: {counts['accepted']:,} {verb}, {counts['refused']:,} refused"
    if job["state"] == "checked":
        yield (
            f"users: {counts['new']:,} new, {counts['updated']:,} updated, {counts['merged']:,} merged with a device; "
            f"{counts['conflicts']:,} rows name an identity of somebody else"
        )
    for problem in job["problems"][:PROBLEMS_SHOWN]:
        column = f", column {problem['column']}" if problem["column"] else ""
        yield f"  row {problem['row']}{column}: {problem['reason']}"
    if len(job["problems"]) > PROBLEMS_SHOWN:
        yield f"  … {counts['refused'] + counts['noted'] - PROBLEMS_SHOWN:,} more"


def _write_refused(remote: Remote, path: str, target: Path) -> None:
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "column", "code", "reason", "values"])
        offset: int | None = 0
        while offset is not None:
            page = remote.call("GET", f"{path}/refused?offset={offset}")
            writer.writerows(_refused_cells(item) for item in page["items"])
            offset = page["next_offset"]


def _refused_cells(item: Any) -> list[str]:
    values = item["values"]
    shown = values if isinstance(values, list) else [] if values is None else [str(values)]
    head = [item["row"], item["column"] or "", item["code"] or "", item["reason"]]
    return [text_cell(str(cell)) for cell in [*head, *shown]]


def _bar(what: str, share: float, text: str) -> None:
    if sys.stderr.isatty():
        full = round(BAR_WIDTH * min(share, 1.0))
        sys.stderr.write(f"\r{what:<10} [{'#' * full}{'.' * (BAR_WIDTH - full)}] {share:6.1%}  {text:<20}")
        sys.stderr.flush()


def _end_bar() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\n")
