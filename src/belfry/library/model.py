"""Content blocks and email templates."""

from __future__ import annotations

import enum
from typing import Any

import msgspec


class BlockKind(enum.StrEnum):
    """What a content block holds."""

    TEXT = "Text"
    HTML = "HTML"


class Stamp(msgspec.Struct, frozen=True):
    """Who made a thing and who changed it last. Times in epoch milliseconds."""

    created_by: str
    created_at_ms: int
    updated_by: str
    updated_at_ms: int


class BlockDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A content block to be. partner: the Partner ID that brings it, if one does."""

    name: str
    kind: BlockKind
    content: str
    partner: str | None = None


class ContentBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of content with a name. `locale` is set where it was translated for one."""

    block_id: int
    name: str
    kind: BlockKind
    content: str
    partner: str | None
    stamp: Stamp
    locale: str | None = None


class Sender(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who an email is from, and what stands in its head. None: not set.

    annotation_meta   JSON of the mailbox provider's annotations, kept as it came
    """

    from_name: str | None = None
    from_email: str | None = None
    reply_to_name: str | None = None
    reply_to_email: str | None = None
    subject: str | None = None
    plain_text: str | None = None
    preheader: str | None = None
    cc_emails: tuple[str, ...] = ()
    bcc_emails: tuple[str, ...] = ()
    annotation_meta: Any = None  # JSON


class EmailContent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an email says. sub_type: the editor that made it, as its maker calls it."""

    sub_type: str = ""
    body: str = ""
    amp_body: str | None = None
    sender: Sender = Sender()


class TemplateDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An email template to be, or a translation of one. path: the folder that people see it in."""

    name: str
    description: str = ""
    path: str = ""
    labels: tuple[str, ...] = ()
    partner: str | None = None
    content: EmailContent = EmailContent()


class EmailTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """An email that can be sent again and again. `locale` is set where it was translated for one."""

    template_id: int
    draft: TemplateDraft
    stamp: Stamp
    locale: str | None = None


class PageWanted(msgspec.Struct, frozen=True):
    """Which page of a list. number: from 1."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


class Span(msgspec.Struct, frozen=True):
    """From when to when, epoch milliseconds, both included; None: open."""

    from_ms: int | None = None
    to_ms: int | None = None


class BlockFilter(msgspec.Struct, frozen=True):
    """Which content blocks a list holds."""

    created: Span = Span()
    updated: Span = Span()
