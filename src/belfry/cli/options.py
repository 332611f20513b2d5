"""Options that several commands share, and the settings that they lead to."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from belfry.config import Settings, load

DataDir = Annotated[
    str | None, typer.Option(help="Folder of the embedded engines, the secret and the log. Default: ./data")
]
Config = Annotated[
    str | None, typer.Option("--config", help="TOML file with settings; `BELFRY_*` variables win over it.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def settings_from(config: str | None, **flags: Any) -> Settings:
    """Settings from file, environment and flags, in this order; the later ones win."""
    return load(config, os.environ, flags)
