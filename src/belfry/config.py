"""The settings of one installation: read once at start from file, then environment, then flags.

`load` is the only place that reads the environment. A wrong value stops the start and names the setting and
what would do. `docs/reference/settings.md` is made from the fields here (`belfry doctor --settings`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

from belfry.errors import BelfryError

PREFIX = "BELFRY_"
MIB = 1024 * 1024


class ConfigError(BelfryError):
    """A setting has a value that cannot be used; the text names it and what would do."""


def _doc(text: str, **limits: Any) -> Meta:
    return Meta(description=text, **limits)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be set. Units are part of the names."""

    data_dir: Annotated[str, _doc("Folder of the embedded engines, the installation's secret and the log.")] = "data"
    host: Annotated[str, _doc("Address that the edge listens on.")] = "127.0.0.1"
    port: Annotated[int, _doc("Port that the edge listens on; 0 takes a free one.", ge=0, le=65535)] = 8080
    region: Annotated[str, _doc("Code of the region that this installation serves.", pattern="^[a-z0-9]{2,8}$")] = "eu1"

    relational_dsn: Annotated[
        str, _doc("Relational store: `sqlite:///…` or `postgresql://…`. Empty: SQLite in the data folder.")
    ] = ""
    columnar_dsn: Annotated[
        str,
        _doc("Columnar store: `clickhouse://user:password@host:8123/database`. Empty: the embedded engine."),
    ] = ""
    columnar_port: Annotated[
        int, _doc("Loopback port of the embedded columnar engine; 0 takes a free one.", ge=0, le=65535)
    ] = 0
    columnar_memory_bytes_max: Annotated[
        int, _doc("Memory that the embedded columnar engine may use for queries.", ge=256 * MIB)
    ] = 4096 * MIB

    body_bytes_max: Annotated[int, _doc("Largest request body, after decoding.", ge=1024)] = 16 * MIB
    records_max: Annotated[int, _doc("Records in one upload.", ge=1, le=1000)] = 1000
    upload_requests_max: Annotated[int, _doc("Uploads in flight at once, an account; above: 429.", ge=15)] = 64
    read_requests_max: Annotated[int, _doc("Other requests in flight at once, an account; above: 429.", ge=3)] = 16
    slot_wait_ms: Annotated[int, _doc("How long a request over the limit waits for a slot.", ge=0, le=10_000)] = 200
    idempotency_hours: Annotated[int, _doc("How long an Idempotency-Key is remembered.", ge=1, le=168)] = 24

    public_url: Annotated[
        str, _doc("Address under which clients reach the edge, for URLs that it hands out. Empty: as they called it.")
    ] = ""
    file_bytes_max: Annotated[int, _doc("Largest file that a signed upload URL takes.", ge=1024)] = 5 * 1024 * MIB
    file_free_bytes_min: Annotated[int, _doc("Free disk space that signed uploads leave alone; below: 503.", ge=0)] = (
        1024 * MIB
    )

    log_queue_bytes_max: Annotated[int, _doc("Bodies that may wait in memory for the disk; above: 503.", ge=MIB)] = (
        256 * MIB
    )
    log_segment_bytes: Annotated[int, _doc("Size at which the log starts a new file.", ge=64 * 1024)] = 128 * MIB
    log_retention_hours: Annotated[
        int, _doc("How long applied log entries are kept, for replay; not below idempotency_hours.", ge=1)
    ] = 72
    log_free_bytes_min: Annotated[int, _doc("Free disk space below which uploads are answered with 503.", ge=0)] = (
        64 * MIB
    )

    batch_records_max: Annotated[int, _doc("Records that the pipeline applies together.", ge=1, le=200_000)] = 20_000
    batch_pause_ms: Annotated[
        int,
        _doc("Shortest time between two small pipeline batches: fewer, larger columnar parts.", ge=0, le=5_000),
    ] = 150
    profiles_cached_max: Annotated[int, _doc("Profiles that the pipeline keeps in memory.", ge=1_000)] = 250_000

    dispatch_requests_max: Annotated[int, _doc("Outbound requests in flight at once.", ge=1, le=4096)] = 128
    webhook_timeout_ms: Annotated[int, _doc("Time that a webhook endpoint has to answer.", ge=100, le=60_000)] = 5_000
    webhook_retry_delays_s: Annotated[
        list[float], _doc("Waits before each retry of a webhook call, in seconds; jittered by 20 %.")
    ] = msgspec.field(default_factory=lambda: [15.0, 60.0, 300.0])
    outbound_allow: Annotated[
        list[str],
        _doc("`host:port` pairs that outbound calls may reach although the address is private or loopback."),
    ] = msgspec.field(default_factory=list)

    bootstrap_account: Annotated[
        str, _doc("`ID:PASSCODE` of an account to create at the first start (time zone UTC).")
    ] = ""
    log_level: Annotated[str, _doc("debug, info, warning or error.", pattern="^(debug|info|warning|error)$")] = "info"
    log_format: Annotated[str, _doc("json, or console for people.", pattern="^(json|console)$")] = "json"
    stop_within_s: Annotated[float, _doc("Time to drain after SIGTERM.", ge=0.1, le=300)] = 10.0
    fault_point: Annotated[str, _doc("For tests: `name:n` ends the process there (see `belfry.faults`).")] = ""

    def relational_url(self) -> str:
        return self.relational_dsn or f"sqlite:///{Path(self.data_dir).absolute()}/belfry.db"

    def path(self, *parts: str) -> Path:
        """A place inside the data folder."""
        return Path(self.data_dir).absolute().joinpath(*parts)


def load(
    file: str | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings from a TOML file, overridden by `BELFRY_*` variables, overridden by flags that are not None.

    `BELFRY_X_FILE` names a file that holds the value of x (for secrets). Lists in variables are comma-separated.
    Raises ConfigError with the setting's name, what it was and what would do.
    """
    values: dict[str, Any] = {}
    if file is not None:
        values.update(_read_file(file))
    values.update(_read_environment(environment or {}))
    values.update({name: value for name, value in (flags or {}).items() if value is not None})
    known = {field.name for field in msgspec.structs.fields(Settings)}
    for name in values:
        if name not in known:
            raise ConfigError(f"unknown setting {name!r}; see docs/reference/settings.md")
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"setting {_setting_of(str(error))}: {error}") from None
    if settings.log_retention_hours < settings.idempotency_hours:
        raise ConfigError(
            f"setting log_retention_hours: {settings.log_retention_hours} is below idempotency_hours "
            f"({settings.idempotency_hours}); answers that an Idempotency-Key repeats are found in the log"
        )
    return settings


def describe() -> list[tuple[str, str, str, str]]:
    """Each setting as (name, type, default, sentence), for the reference page."""
    rows = []
    hints = get_type_hints(Settings, include_extras=True)
    defaults = Settings()
    for field in msgspec.structs.fields(Settings):
        hint = hints[field.name]
        kind = getattr(hint, "__origin__", hint)
        sentence = next(m.description for m in hint.__metadata__ if isinstance(m, Meta))
        name = getattr(kind, "__name__", str(kind))
        rows.append((field.name, name, repr(getattr(defaults, field.name)), sentence or ""))
    return rows


def _read_file(file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}") from None


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    lists = {"outbound_allow", "webhook_retry_delays_s"}
    known = {field.name for field in msgspec.structs.fields(Settings)}
    for variable, raw in environment.items():
        if not variable.startswith(PREFIX):
            continue
        name, text = variable[len(PREFIX) :].lower(), raw
        if name.endswith("_file") and name not in known:
            name = name[: -len("_file")]
            try:
                text = Path(raw).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise ConfigError(f"{variable}: cannot read {raw}: {error.strerror}") from None
        if name not in known:
            # Variables of the tests and of container set-ups share the prefix; only settings are ours to refuse.
            continue
        values[name] = [part.strip() for part in text.split(",") if part.strip()] if name in lists else text
    return values


def _setting_of(text: str) -> str:
    _, _, path = text.rpartition("$.")
    return path.strip("`").split("[")[0] or "?"
