"""Writes a migration step from the declared tables: `python -m belfry.storage.relational.migrations.generate NAME`.

What differs between the steps so far and `metadata` becomes the next step; with `--initial` all steps so far are
replaced by one that makes everything (before the first release only). Read the result before committing it.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations.ops import DowngradeOps, MigrationScript, UpgradeOps

import belfry
from belfry.storage.relational.database import Database, JsonBytes, metadata
from belfry.storage.relational.migrations.run import migrate

VERSIONS = Path(__file__).parent / "versions"

_TEMPLATE = '''"""{subject}

Made by `belfry.storage.relational.migrations.generate`.
"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {previous!r}


def upgrade() -> None:
    """Apply this step."""
{upgrade}


def downgrade() -> None:
    """Take this step back."""
{downgrade}
'''


def main() -> None:
    """Write the file and say which; exit code 1 if there is nothing to write."""
    parser = argparse.ArgumentParser(prog="generate", description=__doc__)
    parser.add_argument("name", help="a few words, as in the file's name: add_suppression_lists")
    parser.add_argument("--initial", action="store_true", help="replace all steps by one")
    arguments = parser.parse_args()
    declare_tables()
    written = generate(arguments.name, is_initial=arguments.initial)
    if written is None:
        parser.exit(1, "the steps so far make all declared tables; nothing written\n")
    subprocess.run([sys.executable, "-m", "ruff", "format", str(written)], check=True)
    parser.exit(0, f"{written}\n")


def declare_tables() -> None:
    """Import every `tables.py` of the package, whichever folder owns it."""
    root = Path(belfry.__file__).parent
    for file in sorted(root.rglob("tables.py")):
        importlib.import_module(".".join(("belfry", *file.relative_to(root).with_suffix("").parts)))


def generate(name: str, *, is_initial: bool) -> Path | None:
    """Write the next step; None if nothing differs."""
    previous = sorted(VERSIONS.glob("[0-9]*.py"))
    if is_initial:
        for file in previous:
            file.unlink()
        previous = []
    script = _difference()
    code = partial(_code, is_batch=bool(previous))
    if script.upgrade_ops is None or script.upgrade_ops.is_empty():
        return None
    file = VERSIONS / f"{len(previous) + 1:04d}_{name}.py"
    file.write_text(
        _TEMPLATE.format(
            subject=name.replace("_", " ").capitalize() + ".",
            revision=file.stem[:4],
            previous=previous[-1].stem[:4] if previous else None,
            upgrade=code(script.upgrade_ops),
            downgrade=code(script.downgrade_ops),
        ),
        encoding="utf-8",
    )
    return file


def _difference() -> MigrationScript:
    """What is missing in a store that has seen all steps so far."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/generate.db")
        migrate(database)
        with database.read() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            script = produce_migrations(context, metadata)
        database.close()
    return script


def _code(operations: UpgradeOps | DowngradeOps | None, *, is_batch: bool) -> str:
    """The body of a step. A change of a table that exists is a batch: SQLite makes the table anew for it."""
    if operations is None:
        return "    pass"
    code = render_python_code(operations, render_as_batch=is_batch, render_item=_render_item)
    return "\n".join(line for line in code.splitlines() if not line.lstrip().startswith("# ###"))


def _render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Steps must not change when our own types do: they name SQLAlchemy's."""
    return "sa.LargeBinary()" if kind == "type" and isinstance(item, JsonBytes) else False


if __name__ == "__main__":
    main()
