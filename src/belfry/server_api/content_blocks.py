"""`/v1/contentBlock/*`: content blocks and their translations (server-api 10.2)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from belfry.accounts.model import Scope
from belfry.edge.exchange import Answer, Request, json_answer
from belfry.edge.routes import Access, Document, Handler, Route
from belfry.edge.services import Services
from belfry.errors import BadRequest, Forbidden
from belfry.library import rules
from belfry.library.model import BlockDraft, BlockFilter, ContentBlock
from belfry.server_api.fields import (
    Json,
    author_in,
    iso_ms,
    mandatory_number,
    mandatory_text,
    object_in,
    object_of,
    page_in,
    span_in,
    text_in,
)

NOT_ENABLED = "Content Blocks isn't enabled on your account. Contact Support"
PAGE_SIZE = 100
PARTNER_LENGTH_MAX = 64
READ = Access((Scope.CONTENT_READ,))
WRITE = Access((Scope.CONTENT_WRITE,))

Time = Callable[[int], str | int]


class ContentBlockEndpoint:
    """Makes, changes, shows and translates content blocks."""

    def __init__(self, services: Services) -> None:
        self._blocks = services.content_blocks
        self._threads = services.lookups

    async def create(self, request: Request) -> Answer:
        """A new block."""
        _check_enabled(request)
        fields = object_of(request)
        draft = BlockDraft(
            name=mandatory_text(fields, "name").strip(),
            kind=rules.kind_of(mandatory_text(fields, "type")),
            content=_content(fields),
            partner=text_in(fields, "partner", length_max=PARTNER_LENGTH_MAX),
        )
        by = author_in(fields, "createdBy", request)
        block = await self._threads.run(self._blocks.create, request.account_id, draft, by=by)
        return _done(block.block_id, "Content Block created")

    async def update(self, request: Request) -> Answer:
        """New content for a block."""
        _check_enabled(request)
        fields = object_of(request)
        block_id, content = mandatory_number(fields, "id"), _content(fields)
        by = author_in(fields, "updatedBy", request)
        await self._threads.run(self._blocks.update, request.account_id, block_id, content, by=by)
        return _done(block_id, "Content Block updated")

    async def info(self, request: Request) -> Answer:
        """One block."""
        block = await self._found(request)
        return json_answer(_shown(block, iso_ms))

    async def list_blocks(self, request: Request) -> Answer:
        """One page of blocks, times as text."""
        return await self._page(request, iso_ms)

    async def localise_list(self, request: Request) -> Answer:
        """One page of blocks, times as numbers."""
        return await self._page(request, _as_number)

    async def localise_info(self, request: Request) -> Answer:
        """One block with its locale and partner; `locale` asks for its translation."""
        block = await self._found(request)
        return json_answer({**_shown(block, _as_number), "locale": block.locale, "partner": block.partner})

    async def localise_upsert(self, request: Request) -> Answer:
        """Keep a translation: the texts of the block that are replaced, and by what."""
        _check_enabled(request)
        fields = object_of(request)
        block_id, locale = mandatory_number(fields, "pid"), mandatory_text(fields, "locale")
        replacements = _replacements(fields)
        await self._threads.run(self._blocks.translate, request.account_id, block_id, locale, replacements)
        return json_answer({"msg": "Content Block translation saved"})

    async def _page(self, request: Request, time: Time) -> Answer:
        _check_enabled(request)
        parameters = request.parameters()
        page = page_in(parameters, size=PAGE_SIZE)
        wanted = BlockFilter(
            created=span_in(parameters, "createdAtFrom", "createdAtTo"),
            updated=span_in(parameters, "updatedFrom", "updatedTo"),
        )
        listed = await self._threads.run(self._blocks.list_blocks, request.account_id, wanted, page)
        return json_answer(
            {
                "contentBlocks": [_shown(block, time) for block in listed.items],
                "total": listed.total,
                "pageNumber": page.number,
                "pageSize": page.size,
            }
        )

    async def _found(self, request: Request) -> ContentBlock:
        _check_enabled(request)
        parameters = request.parameters()
        block_id = mandatory_number(parameters, "id")
        asked = text_in(parameters, "locale")
        locale = rules.check_locale(asked) if asked else None
        return await self._threads.run(self._blocks.get, request.account_id, block_id, locale)


def _check_enabled(request: Request) -> None:
    if not request.account.settings.content_blocks:
        raise Forbidden(NOT_ENABLED)


def _content(fields: dict[str, Json]) -> str:
    content = text_in(fields, "content")
    if content is None:
        raise BadRequest("content is mandatory", field="content")
    return content


def _replacements(fields: dict[str, Json]) -> dict[str, str]:
    if fields.get("replacements") is None:
        raise BadRequest("replacements is mandatory", field="replacements")
    given = object_in(fields["replacements"], "replacements")
    return {original: text_in(given, original) or "" for original in given}


def _as_number(at_ms: int) -> int:
    return at_ms


def _shown(block: ContentBlock, time: Time) -> dict[str, Json]:
    stamp = block.stamp
    return {
        "id": block.block_id,
        "name": block.name,
        "type": block.kind.value,
        "content": block.content,
        "createdAt": time(stamp.created_at_ms),
        "createdBy": stamp.created_by,
        "updatedAt": time(stamp.updated_at_ms),
        "updatedBy": stamp.updated_by,
    }


def _done(block_id: int, message: str) -> Answer:
    return json_answer({"status": "success", "id": block_id, "message": message})


def routes(services: Services) -> tuple[Route, ...]:
    """All routes of content blocks."""
    endpoint = ContentBlockEndpoint(services)
    paging = {"pageNumber": "from 1", "pageSize": "1 to 100, default 100", **_DATES}
    one = {"id": "the block's number", "locale": "its translation for a locale, such as pt (ours)"}
    gone = {"404": "There is no such content block, or no such translation"}
    return (
        _route(
            "create",
            endpoint.create,
            Document(summary="Make a content block", body=NewBlock, answer=BlockDone, example=_NEW, tag="content"),
        ),
        _route(
            "update",
            endpoint.update,
            Document(
                summary="Replace a content block's content",
                body=BlockChange,
                answer=BlockDone,
                example={"id": 31, "content": "Have a good ride", "updatedBy": "ines@example.org"},
                failures=gone,
                tag="content",
            ),
        ),
        _route(
            "info",
            endpoint.info,
            Document(summary="One content block", parameters=one, answer=Block, failures=gone, tag="content"),
        ),
        _route(
            "list",
            endpoint.list_blocks,
            Document(summary="Content blocks", parameters=paging, answer=BlockPage, tag="content"),
        ),
        _route(
            "localise/list",
            endpoint.localise_list,
            Document(
                summary="Content blocks, for translation services", parameters=paging, answer=BlockPage, tag="content"
            ),
        ),
        _route(
            "localise/info",
            endpoint.localise_info,
            Document(
                summary="One content block, for translation services",
                parameters=one,
                answer=LocalBlock,
                failures=gone,
                tag="content",
            ),
        ),
        _route(
            "localise/upsert",
            endpoint.localise_upsert,
            Document(
                summary="Keep a translation of a content block",
                description="`replacements`: a text of the block → what stands in its place in this language.",
                body=BlockTranslation,
                answer=BlockTranslated,
                example={"pid": 31, "replacements": {"Have a good ride": "Boa viagem"}, "locale": "pt"},
                failures=gone,
                tag="content",
            ),
        ),
    )


_DATES = {
    name: f"{what}, ISO 8601 with milliseconds: 2026-11-04T08:00:00.000Z"
    for name, what in {
        "createdAtFrom": "made at or after",
        "createdAtTo": "made at or before",
        "updatedFrom": "changed at or after",
        "updatedTo": "changed at or before",
    }.items()
}
_NEW = {"type": "Text", "name": "Footer 2", "content": "Have a good ride", "createdBy": "ines@example.org"}


def _route(name: str, handler: Handler, document: Document) -> Route:
    writes = document.body is not None
    return Route(
        path=f"/v1/contentBlock/{name}",
        method="POST" if writes else "GET",
        access=WRITE if writes else READ,
        handler=handler,
        document=document,
        failure_keys=("msg",),
    )


class NewBlock(msgspec.Struct, omit_defaults=True):
    """For the reference: a content block to make. type: Text or HTML."""

    type: str
    name: str
    content: str
    createdBy: str | None = None  # noqa: N815 - the wire's name
    partner: str | None = None


class BlockChange(msgspec.Struct, omit_defaults=True):
    """For the reference: new content for a block."""

    id: int
    content: str
    updatedBy: str | None = None  # noqa: N815


class BlockDone(msgspec.Struct):
    """For the reference: the number of the block that was made or changed."""

    status: str
    id: int
    message: str


class Block(msgspec.Struct):
    """For the reference: a content block. Times are ISO 8601, under `localise` epoch milliseconds."""

    id: int
    name: str
    type: str
    content: str
    createdAt: str | int  # noqa: N815
    createdBy: str  # noqa: N815
    updatedAt: str | int  # noqa: N815
    updatedBy: str  # noqa: N815


class LocalBlock(Block):
    """For the reference: a content block with the locale it was asked for in."""

    locale: str | None
    partner: str | None


class BlockPage(msgspec.Struct):
    """For the reference: one page of blocks. total: of all pages."""

    contentBlocks: list[Block]  # noqa: N815
    total: int
    pageNumber: int  # noqa: N815
    pageSize: int  # noqa: N815


class BlockTranslation(msgspec.Struct):
    """For the reference: a translation of a block. pid: the block's number."""

    pid: int
    replacements: dict[str, str]
    locale: str


class BlockTranslated(msgspec.Struct):
    """For the reference: that the translation was kept."""

    msg: str
