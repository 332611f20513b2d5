"""`belfry serve`: the roles under one parent, or one role alone."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from belfry.cli.options import Config, DataDir, settings_from
from belfry.main import serve_all, serve_role


class RoleName(enum.StrEnum):
    """Roles that can run alone."""

    EDGE = "edge"
    ENGINE = "engine"
    COLUMNAR = "columnar"


def serve(
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. Default: 8080")] = None,
    config: Config = None,
    role: Annotated[
        RoleName | None, typer.Option(help="Run this role alone, on as many machines as needed. Default: all.")
    ] = None,
) -> None:
    """Start Belfry and serve until SIGTERM or Ctrl-C.

    Without --role, one parent runs edge (HTTP), engine (pipeline, launcher, dispatcher) and, with the embedded engine,
    columnar. A second start on the same folder is refused. After a crash just start again.
    """
    settings = settings_from(config, data_dir=data_dir, host=host, port=port)
    if role is None:
        serve_all(settings)
    else:
        serve_role(settings, role.value)
