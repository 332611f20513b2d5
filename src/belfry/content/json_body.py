"""Liquid inside a JSON document: the document is parsed first, values are put in afterwards (integrations 0.7).

So a quote in a name cannot break it. A piece of Liquid may stand

    "inside a {{ string }}"   written as text, also when it is the whole string
    {"score": {{ value }}}    in place of a value: takes the value's type (number, list, …; missing is null)
    {"{{ name }}": 1}         in a key
    before the document       tags that write nothing: assign, capture, abort in an if

Liquid around structure (`{% if … %}, "a": 1{% endif %}`) cannot be checked and is refused when saving. Quotes inside
Liquid need no backslash: partners' pages show `"{{ Profile.Email | default: "x" }}"`.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from liquid.exceptions import FilterArgumentError

from belfry.content.buffers import Buffer
from belfry.content.environment import Context
from belfry.content.errors import OutputTooLarge, RenderError, TemplateSyntaxError
from belfry.content.filters import to_json
from belfry.content.guards import OUTPUT_BYTES_MAX, Deadline
from belfry.content.model import MissingPolicy, RenderScope, Values
from belfry.content.scan import Span, error_at, has_liquid, spans
from belfry.content.template import Template, compile_template, shared_context

_VALUE_MARK = "\ue000value:"
"""Begins the string that stands in for Liquid in the place of a value while the document is parsed."""
_DEPTH_MAX = 64
_encoder = msgspec.json.Encoder()


class _Slot(NamedTuple):
    """Where a value goes. is_value: it stands for itself, not inside a string."""

    template: Template
    is_value: bool


_Piece = bytes | _Slot


class JsonTemplate:
    """A JSON document with Liquid in it, ready to render."""

    __slots__ = ("_missing", "_pieces", "_prelude", "roots")

    def __init__(self, prelude: Template | None, pieces: list[_Piece], missing: MissingPolicy) -> None:
        self._missing = missing
        self._prelude = prelude
        self._pieces = pieces
        parts = [*([prelude] if prelude is not None else []), *(p.template for p in pieces if isinstance(p, _Slot))]
        assigned = frozenset[str]().union(*(part.assigned for part in parts))
        self.roots = frozenset[str]().union(*(part.roots for part in parts)) - assigned

    @property
    def is_static(self) -> bool:
        """Whether the document is the same for everyone."""
        return self._prelude is None and all(isinstance(piece, bytes) for piece in self._pieces)

    def render(
        self,
        values: Values,
        scope: RenderScope,
        *,
        bytes_max: int = OUTPUT_BYTES_MAX,
        deadline: Deadline | None = None,
    ) -> bytes:
        """The document for one user: always valid JSON. Raises RenderFailure and its kinds."""
        context = shared_context(self._missing, values, scope, deadline or Deadline())
        if self._prelude is not None:
            self._prelude.render_into(Buffer(bytes_max), context)
        written = b"".join([piece if isinstance(piece, bytes) else _write(piece, context) for piece in self._pieces])
        if len(written) > bytes_max:
            raise OutputTooLarge(f"the body is larger than {bytes_max} bytes")
        return written


def compile_json(text: str, missing: MissingPolicy = MissingPolicy.FAIL) -> JsonTemplate:
    """Check a JSON document and make it ready to render. Raises TemplateSyntaxError with the position."""
    prelude, start = _split_prelude(text)
    document, offsets = _as_plain_json(text, start)
    tree = _parse(text, document, offsets)
    pieces = _joined(_pieces(tree, missing))
    return JsonTemplate(compile_template(prelude, missing=missing) if prelude.strip() else None, pieces, missing)


def _write(slot: _Slot, context: Context) -> bytes:
    if slot.is_value:
        try:
            return to_json(slot.template.value(context))
        except FilterArgumentError as error:
            raise RenderError(str(error.message)) from None
    buffer = Buffer(OUTPUT_BYTES_MAX)
    slot.template.render_into(buffer, context)
    return _encode_text(buffer.getvalue())


def _encode_text(text: str) -> bytes:
    try:
        return _encoder.encode(text)
    except UnicodeEncodeError:
        # A lone surrogate out of stored data has no UTF-8 form.
        return _encoder.encode(text.encode("utf-8", "replace").decode())


def _split_prelude(text: str) -> tuple[str, int]:
    """What stands before the document, and where the document begins."""
    position, comments = 0, 0
    for span in spans(text):
        if not comments and text[position : span.start].strip():
            break
        if span.is_output and not comments:
            break
        comments += {"comment": 1, "endcomment": -1}.get(span.name, 0)
        position = span.end
    return text[:position], position


def _as_plain_json(text: str, start: int) -> tuple[str, list[tuple[int, int]]]:
    """The document as JSON that any parser reads, and where its pieces come from: (index there, index here)."""
    pieces: list[str] = []
    offsets: list[tuple[int, int]] = []
    written, position, in_string = 0, start, False
    liquid = [span for span in spans(text) if span.start >= start]
    for span in [*liquid, Span(len(text), len(text), "end")]:
        plain = text[position : span.start]
        in_string = _ends_in_string(plain, in_string)
        inserted = "" if span.start == len(text) else _stand_in(text, span, in_string)
        for piece, at in ((plain, position), (inserted, span.start)):
            offsets.append((written, at))
            pieces.append(piece)
            written += len(piece)
        position = span.end
    return "".join(pieces), offsets


def _ends_in_string(plain: str, in_string: bool) -> bool:
    index = 0
    while index < len(plain):
        if plain[index] == "\\" and in_string:
            index += 1
        elif plain[index] == '"':
            in_string = not in_string
        index += 1
    return in_string


def _stand_in(text: str, span: Span, in_string: bool) -> str:
    liquid = text[span.start : span.end]
    if in_string:
        return _escaped(liquid)
    if not span.is_output:
        raise error_at(
            text, span.start, f"{span.name}: Liquid cannot stand around JSON structure; put it inside a string"
        )
    return f'"{_VALUE_MARK}{_escaped(liquid)}"'


def _escaped(liquid: str) -> str:
    """Liquid as the inside of a JSON string; escapes that the author wrote already are kept."""
    out: list[str] = []
    is_escaped = False
    for character in liquid:
        if character == '"' and not is_escaped:
            out.append('\\"')
        elif character < " ":
            out.append(f"\\u{ord(character):04x}")
        else:
            out.append(character)
        is_escaped = character == "\\" and not is_escaped
    return "".join(out)


class _NotAllowed(ValueError):
    """JSON that Python would read and others would not."""


def _parse(text: str, document: str, offsets: list[tuple[int, int]]) -> object:
    try:
        return json.loads(document, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_Literal)
    except json.JSONDecodeError as error:
        raise error_at(text, _origin(error.pos, offsets), f"the body is not JSON: {error.msg}") from None
    except ValueError as error:
        # _NotAllowed, or an integer of more digits than Python reads.
        raise TemplateSyntaxError(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise TemplateSyntaxError("the body is nested too deeply") from None


class _Literal(str):
    """A number as it was written, so that 1.10 stays 1.10."""

    __slots__ = ()


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _NotAllowed(f"the key {twice!r} stands twice in one object")
    return made


def _no_constant(name: str) -> object:
    raise _NotAllowed(f"{name} is not a JSON value")


def _origin(index: int, offsets: list[tuple[int, int]]) -> int:
    written, source = offsets[max(bisect.bisect_right(offsets, (index, len(offsets) * 2**32)) - 1, 0)]
    return source + index - written


def _pieces(tree: object, missing: MissingPolicy, depth: int = 0) -> Iterator[_Piece]:
    if depth > _DEPTH_MAX:
        raise TemplateSyntaxError(f"the body is nested deeper than {_DEPTH_MAX} levels")
    if isinstance(tree, _Literal):
        yield str(tree).encode()
    elif isinstance(tree, str):
        yield _text_piece(tree, missing)
    elif isinstance(tree, dict):
        yield from _object_pieces(tree, missing, depth)
    elif isinstance(tree, list):
        yield b"["
        for index, item in enumerate(tree):
            yield b"," if index else b""
            yield from _pieces(item, missing, depth + 1)
        yield b"]"
    else:
        yield json.dumps(tree).encode()


def _object_pieces(tree: dict[str, object], missing: MissingPolicy, depth: int) -> Iterator[_Piece]:
    yield b"{"
    for index, (key, item) in enumerate(tree.items()):
        if key.startswith(_VALUE_MARK):
            raise TemplateSyntaxError("a key of an object has to stand in quotes")
        yield b"," if index else b""
        yield _text_piece(key, missing)
        yield b":"
        yield from _pieces(item, missing, depth + 1)
    yield b"}"


def _text_piece(text: str, missing: MissingPolicy) -> _Piece:
    if not has_liquid(text):
        return _encode_text(text)
    compiled = _compile_inside(text.removeprefix(_VALUE_MARK), missing)
    if text.startswith(_VALUE_MARK) and compiled.is_one_value:
        return _Slot(compiled, is_value=True)
    return _Slot(compiled, is_value=False)


def _compile_inside(text: str, missing: MissingPolicy) -> Template:
    try:
        return compile_template(text, missing=missing)
    except TemplateSyntaxError as error:
        # The position counts from the start of this text, so the text has to be named.
        raise TemplateSyntaxError(f"in {text[:80]!r}: {error.text}", error.line, error.column) from None


def _joined(pieces: Iterator[_Piece]) -> list[_Piece]:
    """The same, with constant neighbours made one."""
    joined: list[_Piece] = []
    for piece in pieces:
        if isinstance(piece, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined
