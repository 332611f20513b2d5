"""Content blocks and email templates in the relational store, on each engine."""

from __future__ import annotations

import msgspec
import pytest

from belfry.clock import ManualClock
from belfry.errors import BadRequest, Conflict, NotFound
from belfry.ids import AccountId
from belfry.library import rules
from belfry.library.actions import ContentBlocks, EmailTemplates
from belfry.library.model import (
    BlockDraft,
    BlockFilter,
    BlockKind,
    EmailContent,
    PageWanted,
    Sender,
    Span,
    TemplateDraft,
)
from belfry.storage.relational import Database

SHOP, OTHER = AccountId("SHO-P00-0001"), AccountId("OTH-ER0-0002")
ALL, FIRST = BlockFilter(), PageWanted(1, 100)
RECEIPT = TemplateDraft(
    name="Receipt",
    labels=("rides",),
    content=EmailContent(
        sub_type="html",
        body="<p>Thank you</p>",
        sender=Sender(subject="Your ride", cc_emails=("a@x.org",), annotation_meta={"deal": ["x"]}),
    ),
)


def footer(name: str = "Footer", content: str = "Good ride") -> BlockDraft:
    return BlockDraft(name=name, kind=BlockKind.TEXT, content=content)


@pytest.fixture
def blocks(database: Database, clock: ManualClock) -> ContentBlocks:
    return ContentBlocks(database, clock)


@pytest.fixture
def templates(database: Database, clock: ManualClock) -> EmailTemplates:
    return EmailTemplates(database, clock)


def test_a_block_is_found_as_it_was_made(blocks: ContentBlocks) -> None:
    made = blocks.create(SHOP, footer(), by="ines")
    assert blocks.get(SHOP, made.block_id) == made
    assert made.block_id == 1


def test_an_update_replaces_the_content_and_says_who_did_it(blocks: ContentBlocks, clock: ManualClock) -> None:
    made = blocks.create(SHOP, footer(), by="ines")
    clock.advance_ms(5)
    blocks.update(SHOP, 1, "Bad ride", by="rui")
    changed = blocks.get(SHOP, 1)
    assert (changed.content, changed.stamp.created_by, changed.stamp.updated_by) == ("Bad ride", "ines", "rui")
    assert changed.stamp.updated_at_ms == made.stamp.updated_at_ms + 5


def test_a_name_belongs_to_one_block_of_an_account(blocks: ContentBlocks) -> None:
    blocks.create(SHOP, footer(), by="ines")
    with pytest.raises(Conflict, match="A content block named Footer exists already"):
        blocks.create(SHOP, footer(content="x"), by="ines")
    assert blocks.create(OTHER, footer(), by="rui").block_id == 1


def test_lists_are_filtered_by_time_both_ends_included(blocks: ContentBlocks, clock: ManualClock) -> None:
    start = clock.now_ms()
    for name in ("a", "b", "c"):
        blocks.create(SHOP, footer(name), by="ines")
        clock.advance_ms(10)
    blocks.update(SHOP, 1, "new", by="ines")

    def names(wanted: BlockFilter) -> list[str]:
        return [block.name for block in blocks.list_blocks(SHOP, wanted, FIRST).items]

    assert names(ALL) == ["a", "b", "c"]
    assert names(BlockFilter(created=Span(start + 10, None))) == ["b", "c"]
    assert names(BlockFilter(created=Span(None, start + 10))) == ["a", "b"]
    assert names(BlockFilter(updated=Span(start + 21, None))) == ["a"]
    assert names(BlockFilter(created=Span(start + 1, start + 9))) == []


def test_pages_hold_each_block_once_and_know_the_total(blocks: ContentBlocks) -> None:
    for number in range(5):
        blocks.create(SHOP, footer(f"block {number}"), by="ines")
    blocks.create(OTHER, footer(), by="rui")
    pages = [blocks.list_blocks(SHOP, ALL, PageWanted(number, 2)) for number in (1, 2, 3, 4)]
    assert [[block.block_id for block in page.items] for page in pages] == [[1, 2], [3, 4], [5], []]
    assert {page.total for page in pages} == {5}


def test_a_translation_is_applied_to_the_content_of_the_moment(blocks: ContentBlocks) -> None:
    blocks.create(SHOP, footer(), by="ines")
    blocks.translate(SHOP, 1, " pt ", {"Good ride": "Boa viagem"})
    assert blocks.get(SHOP, 1, "pt").content == "Boa viagem"
    assert blocks.get(SHOP, 1, "pt").locale == "pt"
    blocks.update(SHOP, 1, "Good ride!", by="ines")
    assert blocks.get(SHOP, 1, "pt").content == "Boa viagem!"
    blocks.translate(SHOP, 1, "pt", {"Good ride": "Viagem boa"})
    assert blocks.get(SHOP, 1, "pt").content == "Viagem boa!"
    assert blocks.get(SHOP, 1).content == "Good ride!"


def test_what_is_not_there_is_said_not_to_be(blocks: ContentBlocks, templates: EmailTemplates) -> None:
    blocks.create(OTHER, footer(), by="rui")
    templates.create(OTHER, RECEIPT, by="rui")
    with pytest.raises(NotFound, match="There is no content block 1"):
        blocks.get(SHOP, 1)
    with pytest.raises(NotFound):
        blocks.update(SHOP, 1, "x", by="ines")
    with pytest.raises(NotFound):
        blocks.translate(SHOP, 1, "pt", {"a": "b"})
    with pytest.raises(NotFound, match="Content block 1 has no translation for pt"):
        blocks.get(OTHER, 1, "pt")
    with pytest.raises(NotFound, match="There is no email template 1"):
        templates.get(SHOP, 1)
    with pytest.raises(NotFound):
        templates.update(SHOP, 1, lambda draft: draft, by="ines")
    with pytest.raises(NotFound):
        templates.translate(SHOP, 1, "pt", lambda draft: draft, by="ines")
    with pytest.raises(NotFound, match="Email template 1 has no translation for pt"):
        templates.get(OTHER, 1, "pt")


def test_limits_of_an_account_are_kept(
    blocks: ContentBlocks, templates: EmailTemplates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "ITEMS_MAX", 2)
    monkeypatch.setattr(rules, "LOCALES_MAX", 1)
    for name in ("a", "b"):
        blocks.create(SHOP, footer(name), by="ines")
        templates.create(SHOP, RECEIPT, by="ines")
    with pytest.raises(Conflict, match="The account has 2 content blocks, the maximum"):
        blocks.create(SHOP, footer("c"), by="ines")
    with pytest.raises(Conflict, match="The account has 2 email templates, the maximum"):
        templates.create(SHOP, RECEIPT, by="ines")
    blocks.translate(SHOP, 1, "pt", {"a": "b"})
    blocks.translate(SHOP, 1, "pt", {"a": "c"})
    with pytest.raises(BadRequest, match="There are 1 translations, the maximum"):
        blocks.translate(SHOP, 1, "fr", {"a": "b"})


def test_a_template_keeps_everything_that_it_was_given(templates: EmailTemplates) -> None:
    made = templates.create(SHOP, RECEIPT, by="ines")
    assert templates.get(SHOP, made.template_id) == made
    assert templates.list_templates(SHOP, FIRST).items == [made]
    assert templates.list_templates(OTHER, FIRST).total == 0


def test_a_translation_is_kept_beside_its_template(templates: EmailTemplates, clock: ManualClock) -> None:
    base = templates.create(SHOP, RECEIPT, by="ines")

    def in_portuguese(draft: TemplateDraft) -> TemplateDraft:
        return msgspec.structs.replace(draft, content=EmailContent(body="<p>Obrigado</p>"))

    templates.translate(SHOP, 1, "pt", in_portuguese, by="lokalise")
    clock.advance_ms(5)
    templates.translate(SHOP, 1, "pt", in_portuguese, by="rui")
    translated = templates.get(SHOP, 1, "pt")
    assert (translated.locale, translated.draft.name) == ("pt", "Receipt")
    assert translated.draft.content.body == "<p>Obrigado</p>"
    assert (translated.stamp.created_by, translated.stamp.updated_by) == ("lokalise", "rui")
    assert templates.get(SHOP, 1) == base
    assert templates.list_templates(SHOP, FIRST).total == 1
