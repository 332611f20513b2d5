"""The Liquid dialect against golden-liquid: 200 cases and six templates of partners' pages, output or refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from belfry.content.errors import ContentError
from belfry.content.json_body import compile_json
from belfry.content.model import MissingPolicy, RenderScope
from belfry.content.template import compile_template

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "liquid_200.json").read_text())["cases"]
SCOPE = RenderScope(now_ms=1_795_608_000_000)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']} {case['name']}")
def test_a_template_gives_the_reference_output_or_is_refused(case: dict[str, Any]) -> None:
    if case.get("invalid"):
        with pytest.raises(ContentError):
            render(case)
    else:
        assert render(case) in case.get("results", [case.get("result")])


def test_the_partners_webhook_body_gives_the_same_as_json_and_as_text() -> None:
    for case in CASES:
        if "webhook custom body" in case["name"] or "everything absent" in case["name"]:
            assert json.loads(compile_json(case["template"]).render(case["data"], SCOPE)) == json.loads(case["result"])


def render(case: dict[str, Any]) -> str:
    return compile_template(case["template"], missing=MissingPolicy.BLANK).render(case["data"], SCOPE)
