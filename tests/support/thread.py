"""The data thread in one process: a real log, real stores, the pipeline, driven by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from belfry.accounts.model import Account, AccountSettings, AccountState
from belfry.clock import Clock, ManualClock
from belfry.config import Settings
from belfry.ids import AccountId, SequentialIds
from belfry.intake import PartnerPolicy, UploadLimits, check_upload
from belfry.pipeline.apply import BlockApplier
from belfry.pipeline.loop import Pipeline
from belfry.profiles.graph import MemoryGraph, ProfileNode, Wanted
from belfry.profiles.model import Identity, IdentityKind
from belfry.profiles.store import load
from belfry.storage.columnar import Columnar
from belfry.storage.log import Entry, FileLog, open_reader
from belfry.storage.relational import Database

ACCOUNT = AccountId("AAA-BBB-CCCC")


class DataThread:
    """Uploads go into the log; `apply` brings them into the stores. `account` may be replaced at any time."""

    def __init__(self, folder: Path, database: Database, columnar: Columnar, clock: ManualClock) -> None:
        self.folder, self.database, self.columnar, self.clock = folder, database, columnar, clock
        self.accounts = {ACCOUNT: _account(ACCOUNT)}
        self.settings = Settings(data_dir=str(folder))
        self.log = FileLog(
            folder / "log",
            clock=clock,
            ids=SequentialIds(),
            queue_bytes_max=1 << 28,
            segment_bytes=1 << 24,
            free_bytes_min=0,
        )
        self.pipeline = self.new_pipeline()

    def new_pipeline(self, database: Database | None = None, columnar: Columnar | None = None) -> Pipeline:
        """A pipeline as after a restart: nothing in memory. Other stores: for replays into empty ones."""
        database, columnar = database or self.database, columnar or self.columnar
        return open_pipeline(self.settings, database, columnar, self.clock, self.accounts)

    def configure(self, account_id: AccountId = ACCOUNT, **settings: Any) -> None:
        self.accounts[account_id] = _account(account_id, **settings)

    def upload(self, *records: dict[str, Any], account: AccountId = ACCOUNT) -> None:
        """What the edge does with an upload: check, then keep the body with what was refused."""
        body = json.dumps({"d": records}).encode()
        verdict = check_upload(
            body, self.accounts[account].settings, UploadLimits(), self.clock.now_ms(), PartnerPolicy()
        )
        refused = [[refusal.index, refusal.code, refusal.text] for refusal in verdict.refusals]
        self.append("upload", body, {"refused": refused}, account)

    def command(self, account: AccountId = ACCOUNT, **fields: Any) -> None:
        self.append("command", json.dumps(fields).encode(), {}, account)

    def append(self, kind: str, body: bytes, meta: dict[str, Any], account: AccountId = ACCOUNT) -> None:
        entry = Entry(account, kind, self.clock.now_ms(), f"request-{self.log.end()}", meta, body)

        async def keep() -> None:
            await self.log.append(entry)

        asyncio.run(keep())

    def apply(self, pipeline: Pipeline | None = None) -> None:
        """Apply everything that is in the log."""
        pipeline = pipeline or self.pipeline
        while pipeline.step() is not None:
            pass

    def node(
        self, identity: str, kind: IdentityKind = IdentityKind.IDENTITY, account: AccountId = ACCOUNT
    ) -> ProfileNode:
        """The profile of an identity as it is stored."""
        graph = MemoryGraph(account)
        with self.database.read() as connection:
            load(connection, graph, Wanted(identities={Identity(kind, identity)}))
        owner = graph.owner_of_identity(Identity(kind, identity))
        assert owner is not None, f"nobody is {identity}"
        return graph.profiles[owner]

    def events(
        self, columns: str = "name, profile_id, ts, props", where: str = "1", account: str = ACCOUNT
    ) -> list[Any]:
        """Rows of events in the order of acceptance."""
        return self.columnar.rows(
            f"SELECT {columns} FROM events WHERE account_id = {{account:String}} AND {where} ORDER BY seq",
            {"account": account},
        )

    def errors(self, account: str = ACCOUNT) -> list[tuple[str, str]]:
        """(kind, subject) of the error stream, in the order of acceptance."""
        return [
            (row[0], row[1])
            for row in self.columnar.rows(
                "SELECT kind, subject FROM error_records WHERE account_id = {account:String} ORDER BY seq, kind",
                {"account": account},
            )
        ]

    def close(self) -> None:
        self.log.close()


def open_pipeline(
    settings: Settings,
    database: Database,
    columnar: Columnar,
    clock: Clock,
    accounts: Mapping[AccountId, Account] | None = None,
) -> Pipeline:
    """A pipeline over the log in the settings' folder; may be in another process than the log's writer."""
    known = {ACCOUNT: _account(ACCOUNT)} if accounts is None else accounts
    return Pipeline(
        reader=open_reader(settings.path("log")),
        stream=0,
        database=database,
        columnar=columnar,
        applier=BlockApplier(
            database=database,
            columnar=columnar,
            accounts=known.get,
            partners=lambda _: PartnerPolicy(),
            clock=clock,
            profiles_cached_max=settings.profiles_cached_max,
            secret=b"s" * 32,
        ),
        clock=clock,
        settings=settings,
    )


def _account(account_id: AccountId, **settings: Any) -> Account:
    return Account(account_id, "Test", "UTC", "eu1", AccountState.ACTIVE, AccountSettings(**settings), 0)


def event(identity: str | None, name: str, props: dict[str, Any] | None = None, **root: Any) -> dict[str, Any]:
    record = {"type": "event", "evtName": name, "evtData": props or {}, **root}
    return record if identity is None else {"identity": identity, **record}


def profile(identity: str | None, data: dict[str, Any], **root: Any) -> dict[str, Any]:
    record = {"type": "profile", "profileData": data, **root}
    return record if identity is None else {"identity": identity, **record}
