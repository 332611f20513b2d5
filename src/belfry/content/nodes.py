"""Our own tags and the nodes that stand behind the built-in ones (engagement 7.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from liquid.ast import Node
from liquid.builtin.content import ContentNode, Literal
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.echo_tag import EchoTag
from liquid.exceptions import FilterArgumentError, LiquidSyntaxError
from liquid.stringify import to_liquid_string
from liquid.tag import Tag
from liquid.token import TOKEN_EXPRESSION, TOKEN_TAG
from liquid.undefined import Undefined, is_undefined

from belfry.content.buffers import Buffer
from belfry.content.errors import Aborted, MissingValue
from belfry.content.guards import RANGE_MAX

if TYPE_CHECKING:
    from liquid import RenderContext
    from liquid.expression import Expression
    from liquid.stream import TokenStream
    from liquid.token import Token

_REASON = re.compile(r"""\(?\s*(?:"([^"]*)"|'([^']*)')?\s*\)?""")


class TextNode(ContentNode):
    """The template's own text: written as it is, whatever the place."""

    def render_to_output(self, _: RenderContext, buffer: TextIO) -> int:
        if isinstance(buffer, Buffer):
            return buffer.write_own(self.text)
        return buffer.write(self.text)


class Text(Literal):
    """The pseudo tag of `TextNode`."""

    node_class = TextNode


class ValueNode(OutputNode):
    """`{{ … }}`: a value, checked against the missing value policy."""

    __slots__ = ("_has_default",)

    def __init__(self, token: Token, expression: Expression) -> None:
        super().__init__(token, expression)
        self._has_default = any(name == "default" for name, _ in filters_of(expression))

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(to_liquid_string(self.value(context), context.autoescape))

    def value(self, context: RenderContext) -> object:
        """What the expression comes to. Raises MissingValue under the policy `fail`."""
        expression = self.expression
        if not isinstance(expression, FilteredExpression):
            return expression.evaluate(context)
        value = expression.left.evaluate(context)
        if _is_missing(value) and isinstance(expression.left, Path):
            value = self._missing(context, value, expression.left)
        for step in expression.filters or ():
            value = step.evaluate(value, context)
        return value

    def _missing(self, context: RenderContext, value: object, path: Path) -> object:
        """What stands for a value that is not there. Raises MissingValue if nothing does."""
        if not getattr(context.env, "is_strict", False):
            return value
        # A variable that was assigned a missing value knows better than its path what is missing.
        name = getattr(value, "name", None) or str(path)
        if not self._has_default:
            raise MissingValue(name)
        # The default may stand at the end of the chain: the filters before it work on nothing.
        return Undefined(name)


class Value(Output):
    """The pseudo tag of `ValueNode`."""

    node_class = ValueNode


class EchoNode(ValueNode):
    """`{% echo … %}`: the same as an output."""

    __slots__ = ()


class Echo(EchoTag):
    """The tag of `EchoNode`."""

    node_class = EchoNode  # type: ignore[assignment]  # a sibling of the library's node, with the same constructor


class AbortNode(Node):
    """`{% abort %}`: stops this user's message."""

    __slots__ = ("_why",)

    def __init__(self, token: Token, why: str) -> None:
        super().__init__(token)
        self._why = why
        self.blank = False

    def render_to_output(self, _: RenderContext, __: TextIO) -> int:
        raise Aborted(self._why)


class AbortTag(Tag):
    """`{% abort %}` or `{% abort("reason") %}`."""

    name = "abort"
    block = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.expect(TOKEN_TAG)
        why = ""
        if stream.peek.kind == TOKEN_EXPRESSION:
            next(stream)
            match = _REASON.fullmatch(stream.current.value)
            if match is None:
                raise LiquidSyntaxError('abort takes nothing or one quoted reason: abort("reason")', token=token)
            why = match.group(1) or match.group(2) or ""
        return AbortNode(token, why)


class NowNode(Node):
    """`{% now %}`: the moment of the send."""

    def __init__(self, token: Token) -> None:
        super().__init__(token)
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(str(context.resolve("now")))


class NowTag(Tag):
    """`{% now %}`."""

    name = "now"
    block = False

    def parse(self, stream: TokenStream) -> Node:
        return NowNode(stream.expect(TOKEN_TAG))


class BoundedRange(RangeLiteral):
    """`(1..n)`, refused when it is longer than a loop may be: even `contains` walks it."""

    __slots__ = ()

    def evaluate(self, context: RenderContext) -> range:
        made = super().evaluate(context)
        if made.stop - made.start > RANGE_MAX:
            raise FilterArgumentError(f"a range is longer than {RANGE_MAX}", token=self.token)
        return made


def filters_of(expression: Expression) -> Iterator[tuple[str, Token]]:
    """The filters that an expression passes its value through, with their places."""
    for name in ("filters", "tail_filters"):
        for step in getattr(expression, name, None) or ():
            yield step.name, step.token


def expressions_in(node: Node, context: RenderContext) -> Iterator[Expression]:
    """Every expression below a node, each with its own parts."""
    waiting = list(node.expressions())
    while waiting:
        expression = waiting.pop()
        yield expression
        waiting.extend(expression.children())
    for child in node.children(context, include_partials=False):
        yield from expressions_in(child, context)


def _is_missing(value: object) -> bool:
    return value is None or is_undefined(value)
