"""All SQL of the library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from belfry.ids import AccountId
from belfry.library.model import (
    BlockDraft,
    BlockFilter,
    BlockKind,
    ContentBlock,
    EmailTemplate,
    PageWanted,
    Span,
    Stamp,
    TemplateDraft,
)
from belfry.library.tables import (
    content_block_translations,
    content_blocks,
    email_template_translations,
    email_templates,
)
from belfry.storage.relational import upsert


def insert_block(connection: sa.Connection, account_id: AccountId, draft: BlockDraft, stamp: Stamp) -> int:
    """Store a new block; its number. Raises sqlalchemy's IntegrityError if name or number was taken meanwhile."""
    block_id = _next(connection, content_blocks, content_blocks.c.block_id, account_id)
    connection.execute(
        content_blocks.insert().values(
            account_id=account_id,
            block_id=block_id,
            name=draft.name,
            kind=draft.kind.value,
            content=draft.content,
            partner=draft.partner,
            **msgspec.structs.asdict(stamp),
        )
    )
    return block_id


def is_block_name_taken(connection: sa.Connection, account_id: AccountId, name: str) -> bool:
    statement = sa.select(content_blocks.c.block_id).where(
        content_blocks.c.account_id == account_id, content_blocks.c.name == name
    )
    return connection.execute(statement).first() is not None


def blocks_count(connection: sa.Connection, account_id: AccountId, wanted: BlockFilter = BlockFilter()) -> int:  # noqa: B008 - frozen
    statement = sa.select(sa.func.count()).select_from(content_blocks).where(*_wanted(account_id, wanted))
    return int(connection.execute(statement).scalar_one())


def read_blocks(
    connection: sa.Connection, account_id: AccountId, wanted: BlockFilter, page: PageWanted
) -> list[ContentBlock]:
    """One page of blocks, by number."""
    statement = (
        sa.select(content_blocks)
        .where(*_wanted(account_id, wanted))
        .order_by(content_blocks.c.block_id)
        .limit(page.size)
        .offset(page.offset)
    )
    return [_block(row) for row in connection.execute(statement)]


def read_block(connection: sa.Connection, account_id: AccountId, block_id: int) -> ContentBlock | None:
    row = connection.execute(sa.select(content_blocks).where(*_block_key(account_id, block_id))).one_or_none()
    return None if row is None else _block(row)


def update_block(
    connection: sa.Connection, account_id: AccountId, block_id: int, content: str, *, by: str, at_ms: int
) -> bool:
    """Replace a block's content; False if there is no such block."""
    changed = connection.execute(
        content_blocks.update()
        .where(*_block_key(account_id, block_id))
        .values(content=content, updated_by=by, updated_at_ms=at_ms)
    )
    return changed.rowcount > 0


def put_replacements(
    connection: sa.Connection,
    account_id: AccountId,
    block_id: int,
    locale: str,
    *,
    replacements: Mapping[str, str],
    at_ms: int,
) -> None:
    connection.execute(
        upsert(content_block_translations, connection).values(
            account_id=account_id,
            block_id=block_id,
            locale=locale,
            replacements=dict(replacements),
            updated_at_ms=at_ms,
        )
    )


def read_replacements(
    connection: sa.Connection, account_id: AccountId, block_id: int, locale: str
) -> dict[str, str] | None:
    table = content_block_translations
    statement = sa.select(table.c.replacements).where(
        table.c.account_id == account_id, table.c.block_id == block_id, table.c.locale == locale
    )
    found: dict[str, str] | None = connection.execute(statement).scalar_one_or_none()
    return found


def locales_count(connection: sa.Connection, table: sa.Table, account_id: AccountId, number: int) -> int:
    """How many translations a block or template has. table: of the translations; its second column is the number."""
    key = list(table.primary_key.columns)
    statement = sa.select(sa.func.count()).select_from(table).where(key[0] == account_id, key[1] == number)
    return int(connection.execute(statement).scalar_one())


def insert_template(connection: sa.Connection, account_id: AccountId, draft: TemplateDraft, stamp: Stamp) -> int:
    """Store a new template; its number. Raises sqlalchemy's IntegrityError if the number was taken meanwhile."""
    template_id = _next(connection, email_templates, email_templates.c.template_id, account_id)
    connection.execute(
        email_templates.insert().values(
            account_id=account_id, template_id=template_id, draft=draft, **msgspec.structs.asdict(stamp)
        )
    )
    return template_id


def update_template(connection: sa.Connection, account_id: AccountId, template: EmailTemplate) -> None:
    connection.execute(
        email_templates.update()
        .where(email_templates.c.account_id == account_id, email_templates.c.template_id == template.template_id)
        .values(draft=template.draft, **msgspec.structs.asdict(template.stamp))
    )


def templates_count(connection: sa.Connection, account_id: AccountId) -> int:
    statement = (
        sa.select(sa.func.count()).select_from(email_templates).where(email_templates.c.account_id == account_id)
    )
    return int(connection.execute(statement).scalar_one())


def read_templates(connection: sa.Connection, account_id: AccountId, page: PageWanted) -> list[EmailTemplate]:
    """One page of templates, by number."""
    statement = (
        sa.select(email_templates)
        .where(email_templates.c.account_id == account_id)
        .order_by(email_templates.c.template_id)
        .limit(page.size)
        .offset(page.offset)
    )
    return [_template(row) for row in connection.execute(statement)]


def read_template(
    connection: sa.Connection, account_id: AccountId, template_id: int, locale: str | None = None
) -> EmailTemplate | None:
    """A template, or its translation."""
    table = email_templates if locale is None else email_template_translations
    conditions = [table.c.account_id == account_id, table.c.template_id == template_id]
    if locale is not None:
        conditions.append(table.c.locale == locale)
    row = connection.execute(sa.select(table).where(*conditions)).one_or_none()
    return None if row is None else _template(row, locale)


def put_translation(connection: sa.Connection, account_id: AccountId, template: EmailTemplate) -> None:
    """Store a translation in place of the one that is there; who made it first stays."""
    table = email_template_translations
    statement = upsert(table, connection, update=("draft", "updated_by", "updated_at_ms"))
    connection.execute(
        statement.values(
            account_id=account_id,
            template_id=template.template_id,
            locale=template.locale,
            draft=template.draft,
            **msgspec.structs.asdict(template.stamp),
        )
    )


def _next(connection: sa.Connection, table: sa.Table, number: sa.Column[int], account_id: AccountId) -> int:
    highest = sa.select(sa.func.max(number)).where(table.c.account_id == account_id)
    return int(connection.execute(highest).scalar() or 0) + 1


def _block_key(account_id: AccountId, block_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return content_blocks.c.account_id == account_id, content_blocks.c.block_id == block_id


def _wanted(account_id: AccountId, wanted: BlockFilter) -> list[sa.ColumnElement[bool]]:
    columns = content_blocks.c
    return [
        columns.account_id == account_id,
        *_within(columns.created_at_ms, wanted.created),
        *_within(columns.updated_at_ms, wanted.updated),
    ]


def _within(column: sa.ColumnElement[int], span: Span) -> list[sa.ColumnElement[bool]]:
    bounds = []
    if span.from_ms is not None:
        bounds.append(column >= span.from_ms)
    if span.to_ms is not None:
        bounds.append(column <= span.to_ms)
    return bounds


def _block(row: sa.Row[Any]) -> ContentBlock:
    return ContentBlock(
        block_id=row.block_id,
        name=row.name,
        kind=BlockKind(row.kind),
        content=row.content,
        partner=row.partner,
        stamp=_stamp(row),
    )


def _template(row: sa.Row[Any], locale: str | None = None) -> EmailTemplate:
    draft = msgspec.convert(row.draft, TemplateDraft)
    return EmailTemplate(template_id=row.template_id, draft=draft, stamp=_stamp(row), locale=locale)


def _stamp(row: sa.Row[Any]) -> Stamp:
    return Stamp(row.created_by, row.created_at_ms, row.updated_by, row.updated_at_ms)
