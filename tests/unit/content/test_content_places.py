"""Where Liquid stands decides how values are escaped: JSON, URL, header, a whole message (integrations 0.7, 10)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belfry.content.errors import MissingValue, OutputTooLarge, RenderError, RenderTimeout, TemplateSyntaxError
from belfry.content.header import compile_header
from belfry.content.json_body import compile_json
from belfry.content.message import MessageSource, compile_message
from belfry.content.model import MissingPolicy, RenderScope
from belfry.content.url import compile_url

SCOPE = RenderScope(now_ms=1_795_608_000_000)
EVIL = 'A"\\\n\t\x00\r😀</script>{{ x }}\u2028","admin":true'
VALUES = {
    "Profile": {
        "name": EVIL,
        "score": 308,
        "price": 1.5,
        "active": False,
        "tags": ["a", "b"],
        "address": {"City": "Madrid"},
        "joined": "$D_1767225600",
        "surrogate": "\ud800",
    }
}


def json_of(template: str, missing: MissingPolicy = MissingPolicy.FAIL) -> Any:
    return json.loads(compile_json(template, missing).render(VALUES, SCOPE))


class TestJson:
    @pytest.mark.parametrize(
        ("template", "expected"),
        [
            pytest.param('{"a": [1, null, true, "x"]}', {"a": [1, None, True, "x"]}, id="no Liquid"),
            pytest.param('{"a":"{{ Profile.name }}"}', {"a": EVIL}, id="a value that is all quotes and escapes"),
            pytest.param('{"a":"<{{ Profile.score }}>"}', {"a": "<308>"}, id="inside a text"),
            pytest.param('{"a":"{{ Profile.score }}"}', {"a": "308"}, id="in quotes it is a text"),
            pytest.param('{"a":{{ Profile.score }}}', {"a": 308}, id="without quotes it has its type: number"),
            pytest.param('{"a":{{ Profile.active }}}', {"a": False}, id="boolean"),
            pytest.param('{"a":{{ Profile.tags }}}', {"a": ["a", "b"]}, id="list"),
            pytest.param('{"a":{{ Profile.address }}}', {"a": {"City": "Madrid"}}, id="object"),
            pytest.param('{"a":{{ Profile.name }}}', {"a": EVIL}, id="text"),
            pytest.param('{"a":{{ Profile.joined }}}', {"a": "2026-01-01 00:00:00"}, id="date"),
            pytest.param('{"a":{{ Profile.score | plus: 1 }}}', {"a": 309}, id="filtered"),
            pytest.param("[{{ Profile.score }},{{ Profile.price }}]", [308, 1.5], id="in a list"),
            pytest.param("{{ Profile.address }}", {"City": "Madrid"}, id="the whole document"),
            pytest.param('{"{{ Profile.name }}":1}', {EVIL: 1}, id="in a key"),
            pytest.param('{"a":"{{ Profile.x | default: "d" }}"}', {"a": "d"}, id="plain quotes inside Liquid"),
            pytest.param('{"a":"{{ Profile.x | default: \\"d\\" }}"}', {"a": "d"}, id="escaped quotes inside Liquid"),
            pytest.param(
                '{"a":"{% if Profile.score > 1 %}y{% else %}n{% endif %}"}', {"a": "y"}, id="a block in a string"
            ),
            pytest.param(
                '{% assign n = Profile.score | times: 2 %}\n {"a":{{ n }},"b":"{{ n }}"}',
                {"a": 616, "b": "616"},
                id="assigned before the document",
            ),
            pytest.param('{"a":"{{ Profile.surrogate }}"}', {"a": "?"}, id="a lone surrogate"),
            pytest.param('{"a":"\\"{{ Profile.score }}\\\\"}', {"a": '"308\\'}, id="escapes beside Liquid"),
        ],
    )
    def test_values_are_put_into_the_parsed_document(self, template: str, expected: object) -> None:
        assert json_of(template) == expected

    def test_numbers_stay_as_they_were_written(self) -> None:
        template = '{"a":1.10,"b":12345678901234567890123,"c":-0.0,"d":1e2}'
        assert compile_json(template).render({}, SCOPE).decode() == template

    def test_a_missing_value_fails_or_is_null(self) -> None:
        with pytest.raises(MissingValue):
            json_of('{"a":{{ Profile.nope }}}')
        assert json_of('{"a":{{ Profile.nope }},"b":"{{ Profile.nope }}"}', MissingPolicy.BLANK) == {"a": None, "b": ""}

    @pytest.mark.parametrize(
        ("template", "line", "words"),
        [
            pytest.param('{"a": 1,\n "b": }', 2, "Expecting value", id="broken JSON"),
            pytest.param("", 1, "Expecting value", id="nothing"),
            pytest.param('{"a":1,"a":2}', 1, "twice", id="a key twice"),
            pytest.param('{"a":NaN}', 1, "NaN", id="not a JSON number"),
            pytest.param(
                '{"a":1{% if x %},"b":2{% endif %}}', 1, "around JSON structure", id="Liquid around structure"
            ),
            pytest.param('{"a":"{{ x | nope }}"}', 1, "no filter 'nope'", id="unknown filter"),
            pytest.param('\n\n{"a":"{{ x "}', 3, "not closed", id="not closed"),
            pytest.param("{ {{ Profile.name }}:1}", 1, "quotes", id="a key without quotes"),
            pytest.param("[" * 100 + "]" * 100, 1, "deep", id="deep nesting"),
            pytest.param("[" * 100_000, 1, "deep", id="very deep nesting"),
            pytest.param('{"a":' + "9" * 5000 + "}", 1, "not JSON", id="a number of 5 000 digits"),
            pytest.param('{% if x %}{"a":1}{% else %}{"a":2}{% endif %}', 1, "", id="alternatives as documents"),
        ],
    )
    def test_what_is_wrong_is_said_when_saving(self, template: str, line: int, words: str) -> None:
        with pytest.raises(TemplateSyntaxError) as caught:
            compile_json(template)
        assert caught.value.line == line
        assert words in str(caught.value)

    def test_a_document_over_the_limit_is_not_sent(self) -> None:
        template = compile_json('{"a":"{{ Profile.score }}"}')
        assert len(template.render(VALUES, SCOPE, bytes_max=11)) == 11
        with pytest.raises(OutputTooLarge):
            template.render(VALUES, SCOPE, bytes_max=10)

    def test_the_names_read_from_exclude_what_is_assigned(self) -> None:
        assert compile_json('{% assign n = Profile.a %}{"b":"{{ n }}{{ Event.c }}"}').roots == {"Profile", "Event"}

    @given(st.text(), st.text())
    def test_any_value_arrives_unchanged(self, key: str, value: str) -> None:
        values = {"Profile": {"k": key, "v": value}}
        body = compile_json('{"{{ Profile.k }}":["{{ Profile.v }}",{{ Profile.v }}]}').render(values, SCOPE)
        assert json.loads(body) == {key: [value, value]}

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=10,
        )
    )
    def test_a_document_without_liquid_is_the_same_document(self, document: object) -> None:
        text = json.dumps(document)
        if "{{" not in text and "{%" not in text and "\\u" not in text:
            assert json.loads(compile_json(text).render({}, SCOPE)) == document


class TestUrl:
    @pytest.mark.parametrize(
        ("template", "expected"),
        [
            ("https://x.example/a?b=c", "https://x.example/a?b=c"),
            ("https://x.example/u/{{ Profile.score }}", "https://x.example/u/308"),
            (
                "https://x.example/?q={{ Profile.address.City }}&t={{ Profile.tags }}",
                "https://x.example/?q=Madrid&t=ab",
            ),
            ("https://x.example:8443/{{ 'a/b?c#d&e=f' }}", "https://x.example:8443/a%2Fb%3Fc%23d%26e%3Df"),
            ("https://x.example/{% echo 'a b' %}/{% cycle 'c d' %}", "https://x.example/a%20b/c%20d"),
            ("https://x.example/{% capture c %}a/b{% endcapture %}{{ c }}", "https://x.example/a%2Fb"),
        ],
    )
    def test_values_are_data_in_a_url(self, template: str, expected: str) -> None:
        assert compile_url(template).render(VALUES, SCOPE) == expected

    @given(st.text(min_size=1).filter(lambda text: text not in {".", ".."} and "\ud800" not in text))
    def test_any_value_arrives_unchanged_and_changes_nothing_else(self, value: str) -> None:
        values = {"Profile": {"v": value}}
        url = compile_url("https://x.example/a/{{ Profile.v }}/b?c={{ Profile.v }}&d=1").render(values, SCOPE)
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc) == ("https", "x.example")
        assert [unquote(part) for part in parts.path.split("/")] == ["", "a", value, "b"]
        assert parse_qsl(parts.query, keep_blank_values=True) == [("c", value), ("d", "1")]

    @pytest.mark.parametrize(
        "template",
        [
            "{{ Profile.url }}",
            "{{ Profile.scheme }}://x.example/",
            "https://{{ Profile.host }}/",
            "https://x.{{ Profile.host }}/",
            "https://x.example{{ Profile.host }}/",
            "https://x.example{% if a %}.evil{% endif %}/",
            "https://x.example:{{ Profile.port }}/",
            "ftp://x.example/",
            "x.example",
            "https:///a",
            "https://x.example/a b",
            "https://x.example/\n",
            "https://x.example\\@y/",
            "https://x.example/{{ Profile.a }} b",
            "https://x.example/{{ Profile.a }}\\",
        ],
    )
    def test_a_value_never_chooses_where_a_call_goes(self, template: str) -> None:
        with pytest.raises(TemplateSyntaxError):
            compile_url(template)

    @pytest.mark.parametrize("dots", [".", ".."])
    def test_a_value_cannot_climb_out_of_its_path(self, dots: str) -> None:
        template = compile_url("https://x.example/a/{{ Profile.v }}/b")
        with pytest.raises(RenderError, match="dots"):
            template.render({"Profile": {"v": dots}}, SCOPE)
        assert template.render({"Profile": {"v": "%2e%2e"}}, SCOPE) == "https://x.example/a/%252e%252e/b"


class TestHeader:
    def test_an_ordinary_value_is_written_as_it_is(self) -> None:
        assert compile_header("Bearer {{ Profile.score }}").render(VALUES, SCOPE) == "Bearer 308"

    @pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\rb", "a\x00b", "a\x7fb", "\x1b[0m"])
    def test_a_value_that_would_begin_another_header_fails_the_message(self, value: str) -> None:
        with pytest.raises(RenderError, match="line breaks"):
            compile_header("{{ Profile.v }}").render({"Profile": {"v": value}}, SCOPE)

    def test_the_templates_own_line_break_is_found_when_saving(self) -> None:
        with pytest.raises(TemplateSyntaxError):
            compile_header("a\nb {{ Profile.v }}")

    def test_other_scripts_are_written_in_the_extended_notation(self) -> None:
        assert compile_header("{{ Profile.v }}").render({"Profile": {"v": "é€"}}, SCOPE) == "UTF-8''%C3%A9%E2%82%AC"


class TestMessage:
    SOURCE = MessageSource(
        url="https://x.example/{{ Profile.score }}",
        headers=(("X-A", "{{ Profile.tags[0] }}"),),
        query=(("q", "{{ Profile.price }}"),),
        key_values=(("k", "{{ Profile.address.City }}"),),
        body='{"n":"{{ Profile.name }}"}',
    )

    def test_all_texts_are_rendered_for_one_user(self) -> None:
        rendered = compile_message(self.SOURCE).render(VALUES, SCOPE)
        assert rendered.url == "https://x.example/308"
        assert rendered.headers == (("X-A", "a"),)
        assert rendered.query == (("q", "1.5"),)
        assert rendered.key_values == (("k", "Madrid"),)
        assert json.loads(rendered.body or b"") == {"n": EVIL}

    def test_a_text_body_is_text(self) -> None:
        source = MessageSource(url="https://x.example/", body="Hi {{ Profile.score }} é", is_json=False)
        assert compile_message(source).render(VALUES, SCOPE).body == "Hi 308 é".encode()

    @pytest.mark.parametrize(
        ("changed", "part"),
        [
            ({"url": "https://{{ x }}/"}, "url"),
            ({"headers": (("X", "{{ x"),)}, "headers.X"),
            ({"query": (("q", "{{ x | nope }}"),)}, "query.q"),
            ({"key_values": (("k", "{% if %}"),)}, "key_values.k"),
            ({"body": "{"}, "body"),
        ],
    )
    def test_a_syntax_error_names_the_part(self, changed: dict[str, Any], part: str) -> None:
        with pytest.raises(TemplateSyntaxError, match=part):
            compile_message(MessageSource(**{"url": "https://x.example/", **changed}))

    def test_it_knows_whether_it_is_the_same_for_everyone(self) -> None:
        assert compile_message(MessageSource(url="https://x.example/", body="{}")).is_static
        assert not compile_message(self.SOURCE).is_static
        assert compile_message(self.SOURCE).roots == {"Profile"}

    def test_all_parts_share_one_deadline(self) -> None:
        loop = "{% for i in (1..50000) %}{% assign x = i %}{% endfor %}"
        source = MessageSource(url="https://x.example/", key_values=tuple((f"k{n}", loop) for n in range(40)))
        with pytest.raises(RenderTimeout):
            compile_message(source).render(VALUES, SCOPE)
