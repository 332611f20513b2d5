"""The dialect of engagement 7.1: roots, defaults, missing values, abort, dates, filters."""

from __future__ import annotations

from typing import Any

import pytest

from belfry.content.errors import (
    Aborted,
    ContentError,
    MissingValue,
    OutputTooLarge,
    RenderError,
    RenderTimeout,
    TemplateSyntaxError,
)
from belfry.content.guards import Deadline
from belfry.content.model import MissingPolicy, Mode, RenderScope
from belfry.content.template import compile_template

SCOPE = RenderScope(now_ms=1_795_608_000_000, zone="Europe/Madrid", user_zone="Asia/Tokyo", locale="de")
PROFILE: dict[str, Any] = {
    "Name": "Ana",
    "Customer Type": "Gold",
    "score": 308,
    "price": 1234.5,
    "active": True,
    "hollow": "",
    "nothing": None,
    "joined": "$D_1767225600",
    "tags": ["a", "b"],
    "address": {"City": "Madrid"},
    "html": "<b>&",
}
VALUES = {"Profile": PROFILE, "Campaign": {"campaignId": 1790001111}, "ExternalTrigger": {"key": "k"}}


def render(
    text: str, missing: MissingPolicy = MissingPolicy.FAIL, mode: Mode = Mode.TEXT, scope: RenderScope = SCOPE
) -> str:
    return compile_template(text, mode, missing).render(VALUES, scope)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("no Liquid { } % }}", "no Liquid { } % }}", id="plain text as it is"),
        pytest.param("{{ Profile.Name }}", "Ana", id="property"),
        pytest.param("{{ Profile.name }} {{ Profile.NAME }}", "Ana Ana", id="case does not matter"),
        pytest.param('{{ Profile["customer type"] }}', "Gold", id="key with a blank"),
        pytest.param("{{ Profile.address.city }}", "Madrid", id="nested, case does not matter"),
        pytest.param('{{ Profile.nope | default: "there" }}', "there", id="default of a missing value"),
        pytest.param('{{ Profile.nothing | default: "there" }}', "there", id="default of null"),
        pytest.param('{{ Profile.hollow | default: "there" }}', "there", id="default of nothing"),
        pytest.param("[{{ Profile.hollow }}]", "[]", id="an empty text is a value"),
        pytest.param("{{ Profile.nope | upcase | default: 'x' }}", "x", id="default at the end of the chain"),
        pytest.param("{{ Profile.nope | default: Profile.Name }}", "Ana", id="default is another property"),
        pytest.param("{{ Campaign.campaignId }}{{ ExternalTrigger.key }}", "1790001111k", id="other roots"),
        pytest.param("{% if Profile.nope %}a{% else %}b{% endif %}", "b", id="a missing value may be tested"),
        pytest.param("{% if Profile.nope > 3 %}a{% else %}b{% endif %}", "b", id="and compared"),
        pytest.param("{% for x in Profile.nope %}a{% else %}b{% endfor %}", "b", id="and looped over"),
        pytest.param("{{ Profile.tags[1] }}{{ Profile.tags.size }}{{ Profile.tags | first }}", "b2a", id="lists"),
        pytest.param("{% for t in Profile.tags reversed %}{{ t }}{% endfor %}", "ba", id="loop"),
        pytest.param("{{ Profile.active }}", "true", id="boolean"),
        pytest.param("{{ Profile.joined }}", "2026-01-01 01:00:00", id="date in the account's zone"),
        pytest.param("{{ Profile.joined | date: '%d %b %Y' }}", "01 Jan 2026", id="date by format"),
        pytest.param("{{ Profile.joined | tz: 'Asia/Tokyo' }}", "2026-01-01 09:00:00", id="date in a zone"),
        pytest.param("{{ Profile.joined | tz: 'UTC' | date: '%H' }}", "00", id="zone, then format"),
        pytest.param("{{ Profile.joined | local }}", "2026-01-01 09:00:00", id="date in the user's zone"),
        pytest.param("{{ 1767225600 | date: '%Y-%m-%d %H' }}", "2026-01-01 01", id="epoch seconds"),
        pytest.param("{{ 1767225600000 | date: '%Y' }}", "2026", id="epoch milliseconds"),
        pytest.param("{{ 'May 29, 2023' | date: '%Y-%m-%d' }}", "2023-05-29", id="a date in words"),
        pytest.param("{{ 'no date' | date: '%Y' }}", "no date", id="no date"),
        pytest.param("{{ 'now' | date: '%Y-%m-%d %H:%M' }}", "2026-11-25 13:00", id="now"),
        pytest.param("{% now %}", "2026-11-25 13:00:00", id="the tag now"),
        pytest.param("{{ Profile.price | money: 'EUR' }}", "1.234,50\u00a0€", id="money"),
        pytest.param("{{ Profile.price | number }} {{ 2 | number: 2 }}", "1.234,5 2,00", id="number"),
        pytest.param("{{ 1 | pluralize: 'item' }} {{ 2 | pluralize: 'item', 'items' }}", "item items", id="plural"),
        pytest.param("{{ 'a' | hash }}", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", id="hash"),
        pytest.param("{{ 'a' | hash: 'md5' }}", "0cc175b9c0f1b6a831c399e269772661", id="another hash"),
        pytest.param("{{ Profile.tags | json }}", '["a","b"]', id="json"),
        pytest.param("{{ Profile.joined | json }}", '"2026-01-01 01:00:00"', id="json of a date"),
        pytest.param("{{ 'greeting' | t }}", "greeting", id="no translation"),
        pytest.param("{% raw %}{{ x }}{% endraw %}", "{{ x }}", id="raw"),
        pytest.param("{% assign x = Profile.Name | upcase %}{{ x }}", "ANA", id="assign"),
        pytest.param("{% if Profile.score > 300 and Profile.Name == 'Ana' %}y{% endif %}", "y", id="condition"),
    ],
)
def test_the_dialect(text: str, expected: str) -> None:
    assert render(text) == expected


def test_translations_come_from_the_scope() -> None:
    scope = RenderScope(now_ms=0, translations={"greeting": "hola"})
    assert compile_template("{{ 'greeting' | t }}").render({}, scope) == "hola"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{{ Profile.nope }}", "Profile.nope"),
        ("{{ Profile.nothing }}", "Profile.nothing"),
        ("{{ Profile.tags[7] }}", "Profile.tags[7]"),
        ("{{ Profile.nope | upcase }}", "Profile.nope"),
        ("{{ Profile.nope | date: '%Y' }}", "Profile.nope"),
        ("{{ 5 | plus: Profile.nope }}", "Profile.nope"),
        ("{{ 'x' | append: Profile.nope }}", "Profile.nope"),
        ("{{ Profile.nope | default: Profile.also }}", "Profile.also"),
        ("{% assign x = Profile.nope %}{{ x }}", "Profile.nope"),
        ("{% echo Profile.nope %}", "Profile.nope"),
        ("{{ Event.price }}", "Event.price"),
        ("{{ profile.Name }}", "profile.Name"),
    ],
)
def test_a_missing_value_fails_the_message_and_is_named(text: str, name: str) -> None:
    with pytest.raises(MissingValue) as caught:
        render(text)
    assert caught.value.name == name
    assert caught.value.reason == "missing_value"
    assert render(text, MissingPolicy.BLANK) is not None


def test_under_the_policy_blank_a_missing_value_is_written_as_nothing() -> None:
    assert render("[{{ Profile.nope }}{{ Profile.nothing }}]", MissingPolicy.BLANK) == "[]"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{% abort %}", ""),
        ('{% abort("no stock") %}', "no stock"),
        ("{% abort 'no stock' %}", "no stock"),
        ("{% if Profile.score > 1 %}{% abort %}{% endif %}", ""),
        ("{%- abort -%}", ""),
    ],
)
def test_abort_stops_this_message(text: str, why: str) -> None:
    with pytest.raises(Aborted) as caught:
        render(text)
    assert caught.value.why == why
    assert caught.value.reason == "aborted"


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        pytest.param("a\nb {{ Profile.name", 2, 3, id="output not closed"),
        pytest.param("\n{% if x %}", 2, 11, id="block not closed"),
        pytest.param("a\n\n{{ x | nope }}", 3, 8, id="unknown filter"),
        pytest.param("{% nope %}", 1, 4, id="unknown tag"),
        pytest.param("{% include 'x' %}", 1, 4, id="no partials"),
        pytest.param("{% render 'x' %}", 1, 4, id="no partials either"),
        pytest.param("{% abort(x) %}", 1, 4, id="abort takes a text"),
        pytest.param("{% %}", 1, 1, id="tag without a name"),
        pytest.param("{% raw %}", 1, 1, id="raw not closed"),
    ],
)
def test_a_syntax_error_has_its_position(text: str, line: int, column: int) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        compile_template(text)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_the_names_that_a_template_reads_from_are_known() -> None:
    template = compile_template("{% assign x = Profile.a %}{{ x }}{% if Event.b %}{{ Linked.c }}{% endif %}")
    assert template.roots == {"Profile", "Event", "Linked"}
    assert template.assigned == {"x"}


def test_html_escapes_values_and_not_the_templates_own_text() -> None:
    assert render("<i>{{ Profile.html }}</i>", mode=Mode.HTML) == "<i>&lt;b&gt;&amp;</i>"


def test_a_template_is_compiled_once() -> None:
    assert compile_template("{{ Profile.Name }}!") is compile_template("{{ Profile.Name }}!")


def test_rendering_beyond_the_deadline_stops() -> None:
    ticks = iter([0.0, 0.1, 0.3])
    deadline = Deadline(200, stopwatch=lambda: next(ticks))
    with pytest.raises(RenderTimeout):
        compile_template("{{ Profile.Name }}{{ Profile.Name }}").render(VALUES, SCOPE, deadline=deadline)


def test_output_is_bounded_in_bytes_on_both_sides_of_the_limit() -> None:
    template = compile_template("{{ Profile.Name }}é")
    assert template.render(VALUES, SCOPE, bytes_max=5) == "Anaé"
    with pytest.raises(OutputTooLarge):
        template.render(VALUES, SCOPE, bytes_max=4)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 1 | divided_by: 0 }}",
        "{{ 'x' | hash: 'nope' }}",
        "{{ 'x' | money: 'EUR' }}",
        "{{ 1 | money: 'EURO' }}",
        "{{ Profile.joined | tz: 'Mars/Phobos' }}",
        "{{ Profile.joined | tz: '../../etc/passwd' }}",
        "{{ '/////w==' | base64_decode }}",
        "{% if Profile.Name > 3 %}{% endif %}",
        "{% break %}",
        "{{ 'now' | date: Profile.tags }}{{ 'a' | slice: 'b' }}",
    ],
)
def test_what_a_filter_cannot_do_fails_this_message_alone(text: str) -> None:
    with pytest.raises(RenderError):
        render(text)


def test_an_unknown_user_zone_falls_back_to_the_accounts() -> None:
    scope = RenderScope(now_ms=0, zone="Europe/Madrid", user_zone="Nowhere/At all")
    assert compile_template("{{ 0 | local }}").render({}, scope) == "1970-01-01 01:00:00"


def test_stored_text_is_never_run_as_liquid() -> None:
    values = {"Profile": {"Name": "{{ Profile.secret }}{% abort %}"}}
    assert compile_template("{{ Profile.Name }}").render(values, SCOPE) == "{{ Profile.secret }}{% abort %}"


def test_every_failure_has_a_reason_of_its_own() -> None:
    kinds = [RenderError, RenderTimeout, MissingValue, Aborted, OutputTooLarge]
    assert len({kind.reason for kind in kinds}) == len(kinds)
    assert all(issubclass(kind, ContentError) for kind in kinds)
