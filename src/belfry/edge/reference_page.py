"""The OpenAPI document as a page that people can read: plain HTML of our own, no script, nothing from elsewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

Json = Mapping[str, Any]  # a part of the OpenAPI document

FIRST_TAG = "server API"
REF = "#/components/schemas/"


def render(doc: Json, document_path: str) -> bytes:
    """The document as one HTML page: contents, operations by tag, types."""
    by_tag: dict[str, list[str]] = {}
    for path, item in doc["paths"].items():
        for method, operation in item.items():
            tag = (operation.get("tags") or ["management API"])[0]
            by_tag.setdefault(tag, []).append(_operation_html(path, method, operation))
    tags = sorted(by_tag, key=lambda tag: (tag != FIRST_TAG, tag))
    schemas = sorted(doc["components"]["schemas"].items())
    schemes = doc["components"]["securitySchemes"].values()
    info = doc["info"]
    return _PAGE.format(
        title=html.escape(f"{info['title']} {info['version']}"),
        description=html.escape(info["description"]),
        contents="".join(f'<li><a href="#{_anchor(tag)}">{html.escape(tag)}</a></li>' for tag in tags),
        credentials=_table(
            ("Header", "Meaning"), ((_code(one["name"]), _prose(one["description"])) for one in schemes)
        ),
        sections="".join(
            f'<section><h2 id="{_anchor(tag)}">{html.escape(tag)}</h2>{"".join(by_tag[tag])}</section>' for tag in tags
        ),
        schemas="".join(_schema_html(name, schema) for name, schema in schemas),
        document=html.escape(document_path),
    ).encode("utf-8")


def _operation_html(path: str, method: str, operation: Json) -> str:
    parts = [
        _paragraph(operation.get("description", "")),
        _paragraph(f"Scope: {_who(operation)}"),
        _parameters_html(operation.get("parameters", [])),
        _body_html(operation.get("requestBody", {}).get("content", {})),
        _answers_html(operation["responses"]),
    ]
    return (
        f'<details id="{_anchor(f"{method} {path}")}"><summary><b class="method">{method.upper()}</b>'
        f"<code>{html.escape(path)}</code> <span>{html.escape(operation.get('summary', ''))}</span></summary>"
        f"{''.join(parts)}</details>"
    )


def _who(operation: Json) -> str:
    if operation.get("security") == []:
        return "none, public"
    return " or ".join(operation.get("x-scopes", [])) or "any passcode"


def _parameters_html(parameters: Iterable[Json]) -> str:
    rows = [
        (
            f"{_code(one['name'])}{' (needed)' if one.get('required') else ''}",
            html.escape(one["in"]),
            _prose(one.get("description", "")),
        )
        for one in parameters
    ]
    return _table(("Parameter", "In", "Meaning"), rows) if rows else ""


def _body_html(content: Json) -> str:
    media = next(iter(content.values()), None)
    if media is None:
        return ""
    example = media.get("example")
    shown = f"<pre>{html.escape(_json(example))}</pre>" if example is not None else ""
    return f"<p>Body: {_type_html(media.get('schema', {}))}</p>{shown}"


def _answers_html(responses: Json) -> str:
    rows = [
        (html.escape(status), _answer_type(response), _prose(response.get("description", "")))
        for status, response in sorted(responses.items())
    ]
    return _table(("Status", "Answer", "Meaning"), rows)


def _answer_type(response: Json) -> str:
    media = next(iter(response.get("content", {}).values()), None)
    return _type_html(media["schema"]) if media is not None and "schema" in media else ""


def _schema_html(name: str, schema: Json) -> str:
    needed = set(schema.get("required", []))
    rows = [
        (
            f"{_code(field)}{' (needed)' if field in needed else ''}",
            _type_html(kind),
            _prose(kind.get("description", "")),
        )
        for field, kind in schema.get("properties", {}).items()
    ]
    fields = _table(("Field", "Type", "Meaning"), rows) if rows else f"<p>{_type_html(schema)}</p>"
    return f'<h3 id="{_anchor(name)}">{html.escape(name)}</h3>{_paragraph(schema.get("description", ""))}{fields}'


def _type_html(schema: Json) -> str:
    """A schema in a few words, with links to the types that it names."""
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(REF)
        return f'<a href="#{_anchor(name)}">{html.escape(name)}</a>'
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            return " or ".join(_type_html(one) for one in schema[key])
    if "enum" in schema:
        return " or ".join(_code(_json(value)) for value in schema["enum"])
    if "const" in schema:
        return _code(_json(schema["const"]))
    if schema.get("type") == "array":
        return f"array of {_type_html(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    limits = _limits(schema)
    return html.escape(" or ".join(kind) if isinstance(kind, list) else kind) + (f" ({limits})" if limits else "")


def _limits(schema: Json) -> str:
    names = {"minimum": "≥", "maximum": "≤", "minLength": "length ≥", "maxLength": "length ≤", "pattern": "form"}
    return html.escape(", ".join(f"{sign} {schema[name]}" for name, sign in names.items() if name in schema))


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Column names, then rows of cells that are HTML already; a last column without any text is left out."""
    lines = list(rows)
    columns = len(names) if any(line[-1] for line in lines) else len(names) - 1
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names[:columns])
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line[:columns])}</tr>" for line in lines)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _paragraph(text: str) -> str:
    return f'<p class="text">{_prose(text)}</p>' if text else ""


def _prose(text: str) -> str:
    """A text of ours, with what stands in backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _code(text: str) -> str:
    return f"<code>{html.escape(text)}</code>"


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode("utf-8")


def _anchor(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
:root {{ color-scheme: light dark; --text: #1b1b1b; --page: #fff; --soft: #f3f4f6; --line: #c8ccd2; --link: #0a5ca8 }}
@media (prefers-color-scheme: dark) {{
  :root {{ --text: #e6e6e6; --page: #16181c; --soft: #23262c; --line: #454b55; --link: #7db8f0 }}
}}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--text); background: var(--page) }}
a {{ color: var(--link) }} code, pre {{ font: .9em/1.5 ui-monospace, monospace; overflow-wrap: anywhere }}
pre {{ background: var(--soft); padding: .8rem 1rem; overflow-x: auto; border-radius: .3rem }}
nav ul {{ display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; list-style: none; padding: 0 }}
h2 {{ margin: 2.2rem 0 .6rem; font-size: 1.35rem }} h3 {{ margin: 1.8rem 0 .4rem; font-size: 1.05rem }}
details {{ border-bottom: 1px solid var(--line) }} details[open] {{ padding-bottom: 1rem }}
summary {{ cursor: pointer; padding: .45rem 0 }} summary:focus-visible {{ outline: 2px solid var(--link) }}
.method {{ display: inline-block; min-width: 4.2rem; font: bold .85em ui-monospace, monospace }}
summary span {{ margin-left: .6rem }} .text {{ white-space: pre-line; margin: .4rem 0 }}
.table {{ overflow-x: auto }} table {{ border-collapse: collapse; margin: .5rem 0; min-width: 50% }}
th, td {{ border: 1px solid var(--line); padding: .25rem .6rem; text-align: left; vertical-align: top }}
td:first-child code {{ white-space: nowrap }} th {{ background: var(--soft); font-weight: 600 }}
</style></head><body>
<header><h1>{title}</h1><p>{description} For programs: <a href="{document}">OpenAPI document</a>.</p>
<nav aria-label="Contents"><ul>{contents}<li><a href="#types">types</a></li></ul></nav></header>
<main><section><h2>Credentials</h2><p>Every call that is not public carries both headers.</p>{credentials}</section>
{sections}<section><h2 id="types">types</h2>{schemas}</section></main>
</body></html>
"""
