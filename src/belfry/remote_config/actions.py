"""What one can do with remote config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from belfry.clock import Clock
from belfry.errors import BadRequest
from belfry.ids import AccountId
from belfry.remote_config import rules, store
from belfry.remote_config.model import Definition, Value, Variable
from belfry.storage.relational import Database


class RemoteConfig:
    """Variables of every account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def define(self, account_id: AccountId, definitions: Mapping[str, Definition]) -> None:
        """Keep definitions as drafts, all or none. Raises BadRequest: a name, a clash of folders, too many."""
        for name in definitions:
            rules.check_name(name)
        now_ms = self._clock.now_ms()
        with self._database.begin() as connection:
            names = {variable.name for variable in store.read_variables(connection, account_id)} | set(definitions)
            if len(names) > rules.VARIABLES_MAX:
                raise BadRequest(
                    f"The account would have {len(names)} variables, at most {rules.VARIABLES_MAX}",
                    field="variableDefinitions",
                    limit=rules.VARIABLES_MAX,
                )
            rules.check_folders(names)
            for name, definition in definitions.items():
                store.put_draft(connection, account_id, name, definition, now_ms)

    def publish(self, account_id: AccountId) -> int:
        """Make all drafts take effect; how many there were."""
        with self._database.begin() as connection:
            return store.publish(connection, account_id, self._clock.now_ms())

    def delete(self, account_id: AccountId, names: Sequence[str] | None) -> None:
        """Remove variables, drafts and published ones, at once; None: all. Unknown names do no harm."""
        with self._database.begin() as connection:
            store.delete_variables(connection, account_id, names)

    def list_variables(self, account_id: AccountId) -> list[Variable]:
        """All variables, by name."""
        with self._database.read() as connection:
            return store.read_variables(connection, account_id)

    def defaults(self, account_id: AccountId) -> dict[str, Value]:
        """What a user gets who has no value of their own: name → default, of published variables."""
        variables = self.list_variables(account_id)
        return {one.name: one.published.default for one in variables if one.published is not None}
