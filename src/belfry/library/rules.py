"""What content may look like, and what a translation makes of it. Pure; errors are the caller's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from belfry.errors import BadRequest
from belfry.library.model import BlockDraft, BlockKind, TemplateDraft

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.() -]*")
NAME_LENGTH_MAX = 120
CONTENT_LENGTH_MAX = 512 * 1024
"""Characters of a block or of an email's body: twice the size at which mailbox providers stop showing an email."""
REPLACEMENTS_MAX = 1000
LABELS_MAX = 50
ADDRESSES_MAX = 20
ITEMS_MAX = 5000
"""Content blocks of an account, and as many email templates."""
LOCALES_MAX = 200
"""Translations of one block or template."""
LOCALE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{1,8}){0,3}")


def check_block(draft: BlockDraft) -> None:
    """Raises BadRequest for a name or content that cannot be kept."""
    check_name(draft.name)
    check_content(draft.content, "content")


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise BadRequest(
            "name may have letters, digits, spaces and _ . ( ) - and needs to begin with a letter or digit",
            field="name",
        )
    if len(name) > NAME_LENGTH_MAX:
        raise BadRequest(
            f"name has {len(name)} characters, at most {NAME_LENGTH_MAX}", field="name", limit=NAME_LENGTH_MAX
        )


def check_content(text: str, field: str) -> None:
    if len(text) > CONTENT_LENGTH_MAX:
        raise BadRequest(
            f"{field} has {len(text)} characters, at most {CONTENT_LENGTH_MAX}", field=field, limit=CONTENT_LENGTH_MAX
        )


def kind_of(text: str) -> BlockKind:
    """The kind that a word names, compared without case."""
    for kind in BlockKind:
        if text.strip().casefold() == kind.casefold():
            return kind
    raise BadRequest(f"type needs to be Text or HTML, got {text[:40]!r}", field="type")


def check_locale(text: str) -> str:
    """The locale, trimmed: `pt`, `pt-BR`, `zh_Hant_TW`."""
    locale = text.strip()
    if not LOCALE.fullmatch(locale):
        raise BadRequest(f"locale needs a form such as pt or pt-BR, got {text[:40]!r}", field="locale")
    return locale


def check_template(draft: TemplateDraft) -> None:
    """Raises BadRequest for a template that cannot be kept."""
    if not draft.name.strip():
        raise BadRequest("templateName is mandatory", field="templateName")
    content, sender = draft.content, draft.content.sender
    _check_length(draft.name, "templateName", NAME_LENGTH_MAX)
    for text, field in ((content.body, "body"), (content.amp_body, "ampBody"), (sender.plain_text, "plainText")):
        check_content(text or "", field)
    for items, field, most in (
        (draft.labels, "labels", LABELS_MAX),
        (sender.cc_emails, "ccEmails", ADDRESSES_MAX),
        (sender.bcc_emails, "bccEmails", ADDRESSES_MAX),
    ):
        if len(items) > most:
            raise BadRequest(f"{field} has {len(items)} items, at most {most}", field=field, limit=most)


def check_replacements(replacements: Mapping[str, str]) -> None:
    """Raises BadRequest for a translation of a block that is too large, or that replaces empty text."""
    if len(replacements) > REPLACEMENTS_MAX:
        raise BadRequest(
            f"replacements has {len(replacements)} entries, at most {REPLACEMENTS_MAX}",
            field="replacements",
            limit=REPLACEMENTS_MAX,
        )
    if "" in replacements:
        raise BadRequest("replacements cannot replace empty text", field="replacements")
    check_content("".join(replacements.values()), "replacements")


def translated(content: str, replacements: Mapping[str, str]) -> str:
    """Content with each text replaced by its translation, in one pass: what was put in is not replaced again.

    Of texts that begin at the same place the longest counts.
    """
    if not replacements:
        return content
    longest_first = sorted(replacements, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda found: replacements[found[0]], content)


def _check_length(text: str, field: str, most: int) -> None:
    if len(text) > most:
        raise BadRequest(f"{field} has {len(text)} characters, at most {most}", field=field, limit=most)
