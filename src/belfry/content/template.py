"""Compiling and rendering one text.

    template = compile_template("Hi {{ Profile.name | default: 'there' }}")
    template.render({"Profile": {"Name": "Ana"}}, RenderScope(now_ms=clock.now_ms()))

A compiled template is immutable, cached by its text and may be used by several threads.
"""

from __future__ import annotations

import functools

from liquid import BoundTemplate, RenderContext
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import LiquidError, LiquidInterrupt, StopRender

from belfry.content.buffers import Buffer, UrlBuffer
from belfry.content.environment import Context, Dialect
from belfry.content.errors import RenderError, TemplateSyntaxError
from belfry.content.guards import OUTPUT_BYTES_MAX, Deadline
from belfry.content.model import MissingPolicy, Mode, RenderScope, Values
from belfry.content.nodes import BoundedRange, ValueNode, expressions_in, filters_of
from belfry.content.scan import check_lexable, error_at, has_liquid, spans

_COMPILED_MAX = 512
_LIBRARY_FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What the library lets through for values that it did not expect. Content must fail one message, never a process."""


class Template:
    """A compiled text. roots: the names it reads values from, such as `Profile`; assigned: those it sets itself."""

    __slots__ = ("_bound", "_mode", "assigned", "roots", "text")

    def __init__(self, text: str, mode: Mode, bound: BoundTemplate | None) -> None:
        self.text = text
        self._mode = mode
        self._bound = bound
        analysis = bound.analyze(include_partials=False) if bound is not None else None
        self.roots = frozenset(analysis.globals) if analysis is not None else frozenset()
        self.assigned = frozenset(analysis.locals) if analysis is not None else frozenset()

    @property
    def is_static(self) -> bool:
        """Whether the text is the same for everyone."""
        return self._bound is None

    @property
    def own_text(self) -> str:
        """The text without its Liquid: what stands in every rendering."""
        pieces, position = [], 0
        for span in spans(self.text):
            pieces.append(self.text[position : span.start])
            position = span.end
        return "".join(pieces) + self.text[position:]

    @property
    def is_one_value(self) -> bool:
        """Whether the text is a single `{{ … }}` and nothing else."""
        return self._bound is not None and len(self._bound.nodes) == 1 and type(self._bound.nodes[0]) is ValueNode

    def render(
        self,
        values: Values,
        scope: RenderScope,
        *,
        bytes_max: int = OUTPUT_BYTES_MAX,
        deadline: Deadline | None = None,
    ) -> str:
        """The text for one user.

        deadline  of the whole message, if this is one part of it; by default its own, `RENDER_MS_MAX` from now
        raises    RenderFailure and its kinds; nothing else
        """
        if self._bound is None:
            return self.text
        buffer = UrlBuffer(bytes_max) if self._mode is Mode.URL else Buffer(bytes_max)
        self.render_into(buffer, Context(self._bound, values, scope, deadline or Deadline()))
        return buffer.getvalue()

    def render_into(self, buffer: Buffer, context: Context) -> None:
        """Render in a context that others may have assigned variables in. Raises RenderFailure."""
        if self._bound is None:
            buffer.write_own(self.text)
            return
        try:
            for node in self._bound.nodes:
                node.render(context, buffer)
        except StopRender:
            return
        except (LiquidError, LiquidInterrupt, *_LIBRARY_FAULTS) as error:
            raise _render_error(error) from None

    def value(self, context: Context) -> object:
        """What a template that `is_one_value` comes to, with its type. Raises RenderFailure."""
        node = self._bound.nodes[0] if self._bound is not None else None
        if not isinstance(node, ValueNode):
            raise TypeError("only a single output has a value")
        try:
            return node.value(context)
        except (LiquidError, *_LIBRARY_FAULTS) as error:
            raise _render_error(error) from None


def compile_template(text: str, mode: Mode = Mode.TEXT, missing: MissingPolicy = MissingPolicy.FAIL) -> Template:
    """Check a text and make it ready to render.

    text     Liquid of engagement 7.1, at most `guards.SOURCE_CHARS_MAX` characters
    mode     how values are escaped
    missing  what becomes of a value that is not there and has no default
    raises   TemplateSyntaxError, with position, also for filters and tags that do not exist
    """
    return _compile(text, mode, missing)


def shared_context(missing: MissingPolicy, values: Values, scope: RenderScope, deadline: Deadline) -> Context:
    """A context for several templates of one place, which see each other's variables: for `Template.render_into`."""
    return Context(_empty(missing), values, scope, deadline)


@functools.lru_cache(maxsize=_COMPILED_MAX)
def _compile(text: str, mode: Mode, missing: MissingPolicy) -> Template:
    if not has_liquid(text):
        return Template(text, mode, None)
    check_lexable(text)
    dialect = _dialect(mode, missing)
    try:
        bound = dialect.from_string(text)
        _settle(bound, dialect, text)
        return Template(text, mode, bound)
    except LiquidError as error:
        raise _syntax_error(text, error) from None
    except RecursionError:
        raise TemplateSyntaxError("the template is nested too deeply") from None


@functools.cache
def _dialect(mode: Mode, missing: MissingPolicy) -> Dialect:
    return Dialect(mode, missing)


@functools.cache
def _empty(missing: MissingPolicy) -> BoundTemplate:
    return BoundTemplate(_dialect(Mode.TEXT, missing), [])


def _settle(bound: BoundTemplate, dialect: Dialect, text: str) -> None:
    """Refuse unknown filters now instead of at the first send, and bound the ranges."""
    static = RenderContext(bound)
    for node in bound.nodes:
        for expression in expressions_in(node, static):
            for name, token in filters_of(expression):
                if name not in dialect.filters:
                    raise error_at(text, token.start_index, f"there is no filter {name!r}")
            if type(expression) is RangeLiteral:
                # The parser makes these itself; a subclass without fields of its own takes their place.
                expression.__class__ = BoundedRange


def _syntax_error(text: str, error: LiquidError) -> TemplateSyntaxError:
    index = error.token.start_index if error.token is not None else 0
    if index < 0:
        # The parser met the end of the text.
        index = len(text)
    cause = error.__cause__
    if isinstance(cause, RecursionError):
        return TemplateSyntaxError("the template is nested too deeply")
    return error_at(text, index, str(error.message))


def _render_error(error: BaseException) -> RenderError:
    if isinstance(error, LiquidError):
        where = f" in {error.token.value!r}" if error.token is not None else ""
        return RenderError(f"{error.message}{where}")
    if isinstance(error, LiquidInterrupt):
        return RenderError(f"{error} outside a loop")
    return RenderError(f"a filter or operator failed: {type(error).__name__}")
