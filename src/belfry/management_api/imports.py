"""Imports for people: a file in parts, a preview, a dry run, the run, its progress and its refused rows."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Controller, delete, get, post, put
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from belfry.accounts.model import Scope
from belfry.edge.acceptance import partner_of
from belfry.edge.routes import Access
from belfry.edge.slots import SlotClass
from belfry.imports.actions import Draft, PreviewRow, require
from belfry.imports.chunks import RefusedRow
from belfry.imports.model import Counts, FileFormat, ImportJob, ImportKind, Mapping, RowProblem
from belfry.management_api.bridge import Accepted, Uses, declared
from belfry.management_api.wire import Page

SCOPES = (Scope.PROFILES_WRITE, Scope.EVENTS_WRITE, Scope.HISTORY_WRITE)
"""Any of these opens the endpoints; which one an import needs depends on its kind."""
CALL = declared(Access(SCOPES))
PART = declared(Access(SCOPES, SlotClass.UPLOAD))

Offset = Annotated[int, QueryParameter(ge=0, le=2**62, description="`next_offset` of the page before")]


class NewImport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An import to be made. `is_history`: events that were recorded before; system events are accepted."""

    kind: ImportKind
    format: FileFormat
    name: Annotated[str, Meta(max_length=200)] = ""
    mapping: Mapping | None = None
    is_history: bool = False


class StartImport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`dry_run`: read and check every row, count what would become of it, keep nothing."""

    dry_run: bool = False


class ImportView(msgspec.Struct, frozen=True, kw_only=True):
    """An import. `progress`: share of the file that was read, 0 to 1; `problems`: the first refused or noted rows."""

    id: str
    name: str
    kind: str
    format: str
    mapping: Mapping
    is_history: bool
    state: str
    bytes_count: int
    progress: float
    counts: Counts
    problems: list[RowProblem]
    error: str | None
    created_at_ms: int
    changed_at_ms: int


class RefusedPage(msgspec.Struct, frozen=True):
    """Refused rows in the order of the file; `next_offset` null: these were the last so far."""

    items: list[RefusedRow]
    next_offset: int | None


class ImportsController(Controller):
    """`/api/v1/imports`"""

    path = "/api/v1/imports"
    tags = ("imports",)

    @post(
        opt=declared(Access(SCOPES, repeats=True)),
        status_code=201,
        summary="Make an import; its file follows in parts",
        description="CSV (UTF-8, header first), JSON lines or Parquet, up to 1 GiB. Then: parts, preview, start.",
    )
    async def create(self, accepted: Accepted, services: Uses, data: JSONBody[NewImport]) -> ImportView:
        caller = accepted.known_caller
        draft = Draft(
            name=data.name,
            kind=data.kind,
            format=data.format,
            mapping=data.mapping or Mapping(),
            is_history=data.is_history,
        )
        partner = partner_of(accepted)
        return _view(
            await services.lookups.run(services.imports.create, caller.account, caller.passcode, partner, draft)
        )

    @get(opt=CALL, summary="The newest 100 imports")
    async def list_newest(self, accepted: Accepted, services: Uses) -> Page[ImportView]:
        return Page(
            [_view(job) for job in await services.lookups.run(services.imports.list_newest, accepted.account_id)]
        )

    @get("/{import_id:str}", opt=CALL, summary="An import: state, progress, counts, the first problems")
    async def show(self, accepted: Accepted, services: Uses, import_id: FromPath[str]) -> ImportView:
        return _view(await services.lookups.run(services.imports.show, accepted.account_id, import_id))

    @put(
        "/{import_id:str}/parts/{part:int}",
        opt=PART,
        summary="One part of the file: up to 8 MiB of it as they are",
        description="Parts are numbered from 0 in the order of the file, and may come in any order and again.",
    )
    async def put_part(
        self, accepted: Accepted, services: Uses, import_id: FromPath[str], part: FromPath[int]
    ) -> ImportView:
        await self._authorised(accepted, services, import_id)
        return _view(
            await services.queries.run(services.imports.put_part, accepted.account_id, import_id, part, accepted.body)
        )

    @put("/{import_id:str}/mapping", opt=CALL, summary="Another mapping of the columns, before the start")
    async def set_mapping(
        self, accepted: Accepted, services: Uses, import_id: FromPath[str], data: JSONBody[Mapping]
    ) -> ImportView:
        await self._authorised(accepted, services, import_id)
        return _view(await services.lookups.run(services.imports.set_mapping, accepted.account_id, import_id, data))

    @get("/{import_id:str}/preview", opt=CALL, summary="The first 15 rows as they would be uploaded")
    async def preview(self, accepted: Accepted, services: Uses, import_id: FromPath[str]) -> Page[PreviewRow]:
        await self._authorised(accepted, services, import_id)
        return Page(await services.queries.run(services.imports.preview, accepted.account, import_id))

    @post("/{import_id:str}/start", opt=CALL, status_code=200, summary="Start the import, or a dry run of it")
    async def start(
        self, accepted: Accepted, services: Uses, import_id: FromPath[str], data: JSONBody[StartImport]
    ) -> ImportView:
        await self._authorised(accepted, services, import_id)
        return _view(
            await services.queries.run(services.imports.start, accepted.account_id, import_id, dry_run=data.dry_run)
        )

    @get("/{import_id:str}/refused", opt=CALL, summary="Rows that were refused, each with column, reason and values")
    async def refused(
        self, accepted: Accepted, services: Uses, import_id: FromPath[str], offset: Offset = 0
    ) -> RefusedPage:
        await self._authorised(accepted, services, import_id)
        lines, following = await services.queries.run(services.imports.refused, accepted.account_id, import_id, offset)
        return RefusedPage(_decoded(lines), following)

    @delete("/{import_id:str}", opt=CALL, status_code=200, summary="Stop an import and delete its file")
    async def delete(self, accepted: Accepted, services: Uses, import_id: FromPath[str]) -> ImportView:
        await self._authorised(accepted, services, import_id)
        return _view(await services.queries.run(services.imports.delete, accepted.account_id, import_id))

    async def _authorised(self, accepted: Accepted, services: Uses, import_id: str) -> None:
        """Raises NotFound, or Forbidden if the passcode may not bring in rows of this import's kind."""
        job = await services.lookups.run(services.imports.show, accepted.account_id, import_id)
        require(accepted.known_caller.passcode, job.kind, is_history=job.is_history)


def _decoded(lines: list[bytes]) -> list[RefusedRow]:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(RefusedRow)
    return [decoder.decode(line) for line in lines]


def _view(job: ImportJob) -> ImportView:
    return ImportView(
        id=job.import_id,
        name=job.name,
        kind=job.kind,
        format=job.format,
        mapping=job.mapping,
        is_history=job.is_history,
        state=job.state,
        bytes_count=job.bytes_count,
        progress=round(job.bytes_read / job.bytes_count, 4) if job.bytes_count else 0.0,
        counts=job.counts,
        problems=job.problems,
        error=job.error,
        created_at_ms=job.created_at_ms,
        changed_at_ms=job.changed_at_ms,
    )
