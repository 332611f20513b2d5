"""The OpenAPI document as a page that people can read: plain HTML of our own, no script, nothing from elsewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import msgspec


def render(doc: Mapping[str, Any], document_path: str) -> bytes:
    """The document as one HTML page without scripts and without anything from elsewhere."""
    by_tag: dict[str, list[str]] = {}
    for path, item in doc["paths"].items():
        for method, operation in item.items():
            tag = (operation.get("tags") or ["management API"])[0]
            by_tag.setdefault(tag, []).append(_operation_html(path, method, operation))
    sections = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(parts)}" for tag, parts in sorted(by_tag.items()))
    schemas = "".join(_schema_html(name, schema) for name, schema in sorted(doc["components"]["schemas"].items()))
    info = doc["info"]
    return _PAGE.format(
        title=html.escape(f"{info['title']} {info['version']}"),
        description=html.escape(info["description"]),
        sections=sections,
        schemas=schemas,
        document=html.escape(document_path),
    ).encode("utf-8")


def _operation_html(path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(p['name'])}</code></td><td>{html.escape(p['in'])}</td>"
        f"<td>{html.escape(p.get('description', ''))}</td></tr>"
        for p in operation.get("parameters", [])
    )
    answers = "".join(
        f"<tr><td>{html.escape(status)}</td><td>{_links(response.get('content', {}))}</td>"
        f"<td>{html.escape(response.get('description', ''))}</td></tr>"
        for status, response in sorted(operation["responses"].items())
    )
    body = _links(operation.get("requestBody", {}).get("content", {}))
    scopes = ", ".join(operation.get("x-scopes", [])) or "any passcode"
    who = "no credentials" if operation.get("security") == [] else scopes
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{html.escape(path)}</code> "
        f"{html.escape(operation.get('summary', ''))}</summary>"
        f"<p>{html.escape(operation.get('description', ''))}</p><p>Who: {html.escape(who)}</p>"
        + (f"<table>{rows}</table>" if rows else "")
        + (f"<p>Body: {body}</p>" if body else "")
        + f"<table>{answers}</table></details>"
    )


def _links(content: Mapping[str, Any]) -> str:
    names = sorted(set(re.findall(r"#/components/schemas/([\w.-]+)", str(dict(content)))))
    return " ".join(f'<a href="#{html.escape(name)}">{html.escape(name)}</a>' for name in names)


def _schema_html(name: str, schema: Mapping[str, Any]) -> str:
    text = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode("utf-8")
    return f'<h3 id="{html.escape(name)}">{html.escape(name)}</h3><pre>{html.escape(text)}</pre>'


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b }}
details {{ border-bottom: 1px solid #ccc; padding: .4rem 0 }} summary {{ cursor: pointer }}
table {{ border-collapse: collapse; margin: .5rem 0 }} td {{ border: 1px solid #ccc; padding: .2rem .6rem }}
pre {{ background: #f4f4f4; padding: 1rem; overflow-x: auto; font-size: 14px }} a {{ color: #0a5ca8 }}
</style></head><body>
<h1>{title}</h1><p>{description} <a href="{document}">OpenAPI document</a></p>
{sections}<h2>Types</h2>{schemas}
</body></html>
"""
