"""The roles as processes: all under one parent, or one alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from belfry import faults
from belfry.config import Settings
from belfry.main.administration import bootstrap_account
from belfry.main.stores import open_migrated, secret_of
from belfry.observability import logs
from belfry.supervisor import Role, Supervisor, lock_folder

EDGE, ENGINE, COLUMNAR = "edge", "engine", "columnar"


def serve_all(settings: Settings) -> None:
    """Run everything until SIGTERM or Ctrl-C. Raises AlreadyRunning if the data folder is taken."""
    logs.configure(settings.log_level, settings.log_format)
    run_dir = settings.path("run")
    run_dir.mkdir(parents=True, exist_ok=True)
    with lock_folder(run_dir):
        _prepare(settings)
        names = [ENGINE, EDGE] if settings.columnar_dsn else [COLUMNAR, ENGINE, EDGE]
        roles = [Role(name, partial(run_role, settings, name)) for name in names]
        # The edge goes first: nothing new comes in while the engine finishes what it has begun.
        Supervisor(
            roles, run_dir=run_dir, stop_order=[EDGE, ENGINE, COLUMNAR], stop_within_s=settings.stop_within_s
        ).run()


def serve_role(settings: Settings, name: str) -> None:
    """Run one role alone, in this process."""
    logs.configure(settings.log_level, settings.log_format)
    settings.path("run").mkdir(parents=True, exist_ok=True)
    if name != COLUMNAR:
        _prepare(settings)
    run_role(settings, name)


def run_role(settings: Settings, name: str) -> None:
    """One role's whole life. Heavy libraries are imported by the role that needs them."""
    logs.configure(settings.log_level, settings.log_format)
    if settings.fault_point:
        faults.arm(settings.fault_point)
    _runner(name)(settings)


def _runner(name: str) -> Callable[[Settings], None]:
    if name == EDGE:
        from belfry.main.edge import run_edge

        return run_edge
    if name == ENGINE:
        from belfry.main.engine import run_engine

        return run_engine
    return _run_columnar


def _run_columnar(settings: Settings) -> None:
    from belfry.storage.columnar.embedded import run_embedded

    run_embedded(settings, settings.columnar_port, lambda: None)


def _prepare(settings: Settings) -> None:
    """What every start does once, before any role: secret, tables, the first account."""
    secret_of(settings)
    open_migrated(settings).close()
    bootstrap_account(settings)
