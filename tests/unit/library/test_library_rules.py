"""What content may look like, and what a translation makes of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.errors import BadRequest
from belfry.library import rules
from belfry.library.model import BlockDraft, BlockKind, EmailContent, Sender, TemplateDraft


@pytest.mark.parametrize("name", ["Footer", "Footer 2", "a_b.c (d) - e", "9", "x" * 120])
def test_a_name_of_the_documented_characters_is_taken(name: str) -> None:
    rules.check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param(" Footer", id="begins with a space"),
        pytest.param("_footer", id="begins with a special character"),
        pytest.param("(footer)", id="begins with a bracket"),
        pytest.param("foot/er", id="slash"),
        pytest.param("Fußzeile", id="letters beyond ASCII"),
        pytest.param("a\nb", id="line break"),
        pytest.param("a\n", id="line break at the end"),
        pytest.param("x" * 121, id="too long"),
    ],
)
def test_any_other_name_is_refused_and_named(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        rules.check_name(name)
    assert caught.value.field == "name"


@pytest.mark.parametrize(
    ("text", "kind"),
    [("Text", BlockKind.TEXT), ("text", BlockKind.TEXT), (" HTML ", BlockKind.HTML), ("html", BlockKind.HTML)],
)
def test_the_type_is_compared_without_case(text: str, kind: BlockKind) -> None:
    assert rules.kind_of(text) is kind


def test_another_type_is_refused_with_what_came() -> None:
    with pytest.raises(BadRequest, match=re.escape("type needs to be Text or HTML, got 'markdown'")):
        rules.kind_of("markdown")


def test_content_at_the_limit_is_taken_and_one_more_character_refused() -> None:
    def draft(length: int) -> BlockDraft:
        return BlockDraft(name="a", kind=BlockKind.TEXT, content="x" * length)

    rules.check_block(draft(rules.CONTENT_LENGTH_MAX))
    with pytest.raises(BadRequest) as caught:
        rules.check_block(draft(rules.CONTENT_LENGTH_MAX + 1))
    assert (caught.value.field, caught.value.limit) == ("content", rules.CONTENT_LENGTH_MAX)


@pytest.mark.parametrize("locale", ["pt", "pt-BR", "zh_Hant_TW", " en ", "fil"])
def test_a_locale_is_trimmed(locale: str) -> None:
    assert rules.check_locale(locale) == locale.strip()


@pytest.mark.parametrize("locale", ["", "p", "portuguese", "pt/BR", "pt-", "../x", "pt-" + "a" * 9])
def test_what_is_no_locale_is_refused(locale: str) -> None:
    with pytest.raises(BadRequest, match="locale needs a form such as pt or pt-BR"):
        rules.check_locale(locale)


@pytest.mark.parametrize(
    ("content", "replacements", "expected"),
    [
        pytest.param("Good ride", {"Good ride": "Boa viagem"}, "Boa viagem", id="whole"),
        pytest.param("<b>Hi</b> Hi", {"Hi": "Ola"}, "<b>Ola</b> Ola", id="everywhere"),
        pytest.param("Good ride", {"Good": "Boa", "Good ride": "Boa viagem"}, "Boa viagem", id="the longest counts"),
        pytest.param("a b", {"a": "b", "b": "a"}, "b a", id="what was put in is not replaced again"),
        pytest.param("a.b axb", {"a.b": "c"}, "c axb", id="no pattern"),
        pytest.param("x", {"x": r"\1"}, r"\1", id="no back reference"),
        pytest.param("x", {}, "x", id="nothing to replace"),
    ],
)
def test_a_translation_replaces_texts(content: str, replacements: dict[str, str], expected: str) -> None:
    assert rules.translated(content, replacements) == expected


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text(), max_size=5))
def test_a_translation_of_content_that_holds_none_of_its_texts_changes_nothing(
    content: str, replacements: dict[str, str]
) -> None:
    absent = {text: by for text, by in replacements.items() if text not in content}
    assert rules.translated(content, absent) == content


@pytest.mark.parametrize(
    ("replacements", "text"),
    [
        ({"": "x"}, "replacements cannot replace empty text"),
        ({str(n): "" for n in range(1001)}, "replacements has 1001 entries, at most 1000"),
        ({"a": "x" * (rules.CONTENT_LENGTH_MAX + 1)}, "replacements has 524289 characters, at most 524288"),
    ],
    ids=["empty text", "too many", "too long"],
)
def test_replacements_beyond_the_limits_are_refused(replacements: dict[str, str], text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        rules.check_replacements(replacements)


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (TemplateDraft(name=" "), "templateName"),
        (TemplateDraft(name="x" * 121), "templateName"),
        (TemplateDraft(name="a", labels=("l",) * 51), "labels"),
        (TemplateDraft(name="a", content=EmailContent(body="x" * (rules.CONTENT_LENGTH_MAX + 1))), "body"),
        (TemplateDraft(name="a", content=EmailContent(amp_body="x" * (rules.CONTENT_LENGTH_MAX + 1))), "ampBody"),
        (TemplateDraft(name="a", content=EmailContent(sender=Sender(cc_emails=("a@x.org",) * 21))), "ccEmails"),
        (TemplateDraft(name="a", content=EmailContent(sender=Sender(bcc_emails=("a@x.org",) * 21))), "bccEmails"),
    ],
)
def test_a_template_beyond_a_limit_is_refused_by_the_wires_name(draft: TemplateDraft, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        rules.check_template(draft)
    assert caught.value.field == field
