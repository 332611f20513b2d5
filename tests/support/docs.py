"""The project's documents as tests see them: pages, links, snippets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def documents() -> list[Path]:
    """Every page that people read, the README first."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.rglob("*.md"))]


def links(page: Path) -> list[str]:
    """Targets of a page's links to files of the project."""
    found = _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return [target for target in found if "://" not in target]


def snippets(page: Path, kind: str) -> list[str]:
    """A page's fenced blocks of one kind (`sh`, `json rule`), in order, without their indent."""
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [
        "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))
        for indent, info, text in found
        if info.strip() == kind
    ]


def rules() -> list[dict[str, Any]]:
    """Every example of a segment rule: the blocks, and those in the table of operators."""
    page = DOCS / "reference" / "segment-rules.md"
    blocks = snippets(page, "json rule")
    cells = re.findall(r"\| `(\{.*\})` \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [json.loads(text) for text in [*blocks, *cells]]
