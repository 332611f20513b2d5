"""The page of the API reference: whole, readable without scripts, and nothing from elsewhere."""

from __future__ import annotations

import re
from typing import Any

from belfry.edge.reference_page import render

DOCUMENT: dict[str, Any] = {
    "info": {"title": "Belfry", "version": "1 < 2", "description": "An <b>API</b>"},
    "paths": {
        "/1/upload": {
            "post": {
                "tags": ["server API"],
                "summary": "Upload & more",
                "description": "Needs `d`.",
                "x-scopes": ["events:write"],
                "parameters": [{"name": "dryRun", "in": "query", "description": "1: keep nothing"}],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Body"}, "example": {"d": []}}
                    }
                },
                "responses": {"200": {"description": "Done", "content": {"application/json": {"schema": {}}}}},
            }
        },
        "/livez": {"get": {"tags": ["operations"], "security": [], "responses": {"204": {"description": "Lives"}}}},
    },
    "components": {
        "schemas": {
            "Body": {
                "required": ["d"],
                "properties": {
                    "d": {"type": "array", "items": {"$ref": "#/components/schemas/Kind"}, "description": "records"},
                    "limit": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
                },
            },
            "Kind": {"enum": ["<script>", "event"]},
        },
        "securitySchemes": {"account": {"name": "X-Account", "description": "Whose"}},
    },
}
PAGE = render(DOCUMENT, "/api/v1/openapi.json").decode()


def test_texts_are_escaped_and_nothing_runs_or_comes_from_elsewhere() -> None:
    assert "<script" not in PAGE
    assert "&lt;script&gt;" in PAGE
    assert "An &lt;b&gt;API&lt;/b&gt;" in PAGE
    assert "://" not in PAGE


def test_every_link_inside_the_page_leads_somewhere_and_no_anchor_is_there_twice() -> None:
    anchors = re.findall(r'id="([^"]+)"', PAGE)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', PAGE)) <= set(anchors)


def test_an_operation_shows_who_may_call_it_its_parameters_body_and_answers() -> None:
    for shown in (
        "Upload &amp; more",
        "Needs <code>d</code>.",
        "Scope: events:write",
        "<code>dryRun</code>",
        '<a href="#Body">Body</a>',
        "<td>200</td>",
        "Scope: none, public",
    ):
        assert shown in PAGE, shown


def test_a_type_shows_its_fields_which_are_needed_and_their_limits() -> None:
    assert "<code>d</code> (needed)" in PAGE
    assert 'array of <a href="#Kind">Kind</a>' in PAGE
    assert "integer (≥ 1) or null" in PAGE


def test_the_server_api_comes_first() -> None:
    assert PAGE.index('id="server-API"') < PAGE.index('id="operations"')


def test_the_page_is_for_light_and_dark_and_for_readers_of_screens() -> None:
    for needed in (
        '<html lang="en">',
        "prefers-color-scheme: dark",
        "<main>",
        '<nav aria-label="Contents">',
        'scope="col"',
    ):
        assert needed in PAGE, needed
