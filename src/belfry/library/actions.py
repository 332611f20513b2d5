"""What others ask of the library: keep content, change it, translate it, list it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from belfry.clock import Clock
from belfry.errors import BadRequest, Conflict, NotFound
from belfry.ids import AccountId
from belfry.library import rules, store
from belfry.library.model import (
    BlockDraft,
    BlockFilter,
    ContentBlock,
    EmailTemplate,
    PageWanted,
    Stamp,
    TemplateDraft,
)
from belfry.library.tables import content_block_translations, email_template_translations
from belfry.storage.relational import Database

T = TypeVar("T")

NUMBER_TRIES = 20
"""Two writers may pick the same number; the later one picks again."""


class Listed(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list, and how many items all pages hold."""

    items: list[T]
    total: int


class ContentBlocks:
    """Content blocks of every account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, account_id: AccountId, draft: BlockDraft, *, by: str) -> ContentBlock:
        """Keep a new block. Raises BadRequest, Conflict: the name is taken, or there are 5 000."""
        rules.check_block(draft)
        stamp = _new_stamp(by, self._clock.now_ms())

        def insert(connection: sa.Connection) -> int:
            _refuse_too_many(store.blocks_count(connection, account_id), "content blocks")
            if store.is_block_name_taken(connection, account_id, draft.name):
                raise Conflict(f"A content block named {draft.name} exists already", field="name")
            return store.insert_block(connection, account_id, draft, stamp)

        block_id = _inserted(self._database, insert)
        return ContentBlock(
            block_id=block_id,
            name=draft.name,
            kind=draft.kind,
            content=draft.content,
            partner=draft.partner,
            stamp=stamp,
        )

    def update(self, account_id: AccountId, block_id: int, content: str, *, by: str) -> None:
        """Replace a block's content. Raises BadRequest, NotFound."""
        rules.check_content(content, "content")
        with self._database.begin() as connection:
            now_ms = self._clock.now_ms()
            if not store.update_block(connection, account_id, block_id, content, by=by, at_ms=now_ms):
                raise _no_block(block_id)

    def get(self, account_id: AccountId, block_id: int, locale: str | None = None) -> ContentBlock:
        """One block; with a locale as translated. Raises NotFound also for a translation that is not there."""
        with self._database.read() as connection:
            block = store.read_block(connection, account_id, block_id)
            if block is None:
                raise _no_block(block_id)
            if locale is None:
                return block
            replacements = store.read_replacements(connection, account_id, block_id, locale)
        if replacements is None:
            raise NotFound(f"Content block {block_id} has no translation for {locale}", field="locale")
        return msgspec.structs.replace(block, content=rules.translated(block.content, replacements), locale=locale)

    def list_blocks(self, account_id: AccountId, wanted: BlockFilter, page: PageWanted) -> Listed[ContentBlock]:
        """One page of the account's blocks, by number."""
        with self._database.read() as connection:
            total = store.blocks_count(connection, account_id, wanted)
            return Listed(store.read_blocks(connection, account_id, wanted, page), total)

    def translate(self, account_id: AccountId, block_id: int, locale: str, replacements: Mapping[str, str]) -> None:
        """Keep a translation of a block, in place of the one that is there. Raises BadRequest, NotFound."""
        locale = rules.check_locale(locale)
        rules.check_replacements(replacements)
        with self._database.begin() as connection:
            if store.read_block(connection, account_id, block_id) is None:
                raise _no_block(block_id)
            if store.read_replacements(connection, account_id, block_id, locale) is None:
                _refuse_too_many_locales(connection, content_block_translations, account_id, block_id)
            now_ms = self._clock.now_ms()
            store.put_replacements(connection, account_id, block_id, locale, replacements=replacements, at_ms=now_ms)


class EmailTemplates:
    """Email templates of every account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, account_id: AccountId, draft: TemplateDraft, *, by: str) -> EmailTemplate:
        """Keep a new template. Raises BadRequest, Conflict: there are 5 000."""
        rules.check_template(draft)
        stamp = _new_stamp(by, self._clock.now_ms())

        def insert(connection: sa.Connection) -> int:
            _refuse_too_many(store.templates_count(connection, account_id), "email templates")
            return store.insert_template(connection, account_id, draft, stamp)

        return EmailTemplate(template_id=_inserted(self._database, insert), draft=draft, stamp=stamp)

    def update(
        self, account_id: AccountId, template_id: int, change: Callable[[TemplateDraft], TemplateDraft], *, by: str
    ) -> EmailTemplate:
        """Replace a template by what `change` makes of it. Raises NotFound, BadRequest."""
        with self._database.begin() as connection:
            template = store.read_template(connection, account_id, template_id)
            if template is None:
                raise _no_template(template_id)
            draft = change(template.draft)
            rules.check_template(draft)
            stamp = msgspec.structs.replace(template.stamp, updated_by=by, updated_at_ms=self._clock.now_ms())
            changed = msgspec.structs.replace(template, draft=draft, stamp=stamp)
            store.update_template(connection, account_id, changed)
        return changed

    def get(self, account_id: AccountId, template_id: int, locale: str | None = None) -> EmailTemplate:
        """One template, or its translation for a locale. Raises NotFound."""
        with self._database.read() as connection:
            template = store.read_template(connection, account_id, template_id, locale)
        if template is None:
            raise (
                _no_template(template_id)
                if locale is None
                else NotFound(f"Email template {template_id} has no translation for {locale}", field="locale")
            )
        return template

    def list_templates(self, account_id: AccountId, page: PageWanted) -> Listed[EmailTemplate]:
        """One page of the account's templates, by number."""
        with self._database.read() as connection:
            return Listed(
                store.read_templates(connection, account_id, page), store.templates_count(connection, account_id)
            )

    def translate(
        self,
        account_id: AccountId,
        template_id: int,
        locale: str,
        change: Callable[[TemplateDraft], TemplateDraft],
        *,
        by: str,
    ) -> EmailTemplate:
        """Keep a translation: what `change` makes of the template. Raises NotFound, BadRequest."""
        locale = rules.check_locale(locale)
        with self._database.begin() as connection:
            base = store.read_template(connection, account_id, template_id)
            if base is None:
                raise _no_template(template_id)
            if store.read_template(connection, account_id, template_id, locale) is None:
                _refuse_too_many_locales(connection, email_template_translations, account_id, template_id)
            draft = change(base.draft)
            rules.check_template(draft)
            stamp = _new_stamp(by, self._clock.now_ms())
            template = EmailTemplate(template_id=template_id, draft=draft, stamp=stamp, locale=locale)
            store.put_translation(connection, account_id, template)
        return template


def _inserted(database: Database, insert: Callable[[sa.Connection], int]) -> int:
    """The number of what was inserted, after as many tries as it takes to get one of its own."""
    for _ in range(NUMBER_TRIES):
        with contextlib.suppress(IntegrityError), database.begin() as connection:
            return insert(connection)
    raise Conflict("Another one is being created at the same time; try again")


def _refuse_too_many(count: int, what: str) -> None:
    if count >= rules.ITEMS_MAX:
        raise Conflict(f"The account has {count} {what}, the maximum", limit=rules.ITEMS_MAX)


def _refuse_too_many_locales(connection: sa.Connection, table: sa.Table, account_id: AccountId, number: int) -> None:
    if store.locales_count(connection, table, account_id, number) >= rules.LOCALES_MAX:
        raise BadRequest(
            f"There are {rules.LOCALES_MAX} translations, the maximum", field="locale", limit=rules.LOCALES_MAX
        )


def _new_stamp(by: str, at_ms: int) -> Stamp:
    return Stamp(by, at_ms, by, at_ms)


def _no_block(block_id: int) -> NotFound:
    return NotFound(f"There is no content block {block_id}", field="id")


def _no_template(template_id: int) -> NotFound:
    return NotFound(f"There is no email template {template_id}", field="templateId")
