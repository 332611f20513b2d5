"""The limits that make it safe to render a stranger's template, and the wrapper that holds filters to them.

A render ends within `RENDER_MS_MAX` because each single step is bounded: variables, filters, loops and assignments
look at the deadline, and no step between two looks can work on more than these sizes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from time import thread_time

from liquid.exceptions import FilterArgumentError
from liquid.undefined import Undefined

from belfry.content.errors import MissingValue, RenderTimeout

RENDER_MS_MAX = 200
SOURCE_CHARS_MAX = 256 * 1024
SPAN_CHARS_MAX = 4096
"""Length of one `{{ … }}` or `{% … %}`."""
BLANKS_MAX = 64
"""White space in a row inside one of them: the lexer's expressions backtrack over it."""
OUTPUT_BYTES_MAX = 1024 * 1024
NAMESPACE_BYTES_MAX = 1024 * 1024
"""What `assign` and `capture` may hold."""
LOOP_ITERATIONS_MAX = 50_000
"""Of nested loops together: the product of their lengths."""
RANGE_MAX = 50_000
TEXT_CHARS_MAX = 256 * 1024
"""Of a text that goes into or comes out of a filter."""
ITEMS_MAX = 10_000
ITEMS_COMPARED_MAX = 1_000
"""For filters that compare each item with each."""
BITS_MAX = 1024
"""Of a whole number."""

_PRODUCT_CHARS_MAX = 16 * TEXT_CHARS_MAX
"""What a replacement or join may come to at worst, reckoned before it is made; the result itself is checked after."""

Filter = Callable[..., object]
_GROWING = frozenset({"replace", "replace_first", "replace_last", "join"})
_COMPARING = frozenset({"uniq", "sort_natural"})


class Deadline:
    """When a render has to be done. The stopwatch counts seconds; only differences matter.

    It counts this thread's own work, so that a busy machine fails no message that a quiet one would have sent.
    """

    __slots__ = ("_ends_at", "_stopwatch")

    def __init__(self, limit_ms: float = RENDER_MS_MAX, stopwatch: Callable[[], float] = thread_time) -> None:
        self._stopwatch = stopwatch
        self._ends_at = stopwatch() + limit_ms / 1000

    def check(self) -> None:
        """Raise RenderTimeout if it has passed."""
        if self._stopwatch() > self._ends_at:
            raise RenderTimeout(f"rendering takes longer than {RENDER_MS_MAX} ms")


class MissingText(Undefined):
    """A value that is not there, under the policy `fail`: may be tested and looped over, not written."""

    __slots__ = ()

    def __str__(self) -> str:
        raise MissingValue(self.name)

    def __int__(self) -> int:
        raise MissingValue(self.name)


def bounded(name: str, function: Filter) -> Filter:
    """The filter `function`, held to the limits on what goes in and what comes out.

    A missing argument under the policy `fail` is a MissingValue, unless the filter is `default`, which is made for it.
    """
    items_max = ITEMS_COMPARED_MAX if name in _COMPARING else ITEMS_MAX
    takes_missing = name == "default"
    can_explode = name in _GROWING

    @functools.wraps(function)
    def held(value: object, *arguments: object, **named: object) -> object:
        check_size(value, items_max)
        for argument in arguments:
            if not takes_missing and isinstance(argument, MissingText):
                raise MissingValue(argument.name)
            check_size(argument, items_max)
        if can_explode:
            _check_growth(value, arguments)
        result = function(value, *arguments, **named)
        check_size(result, ITEMS_MAX)
        return result

    return held


def check_size(value: object, items_max: int = ITEMS_MAX) -> None:
    """Raise FilterArgumentError if a value is larger than a filter may see."""
    if isinstance(value, str):
        if len(value) > TEXT_CHARS_MAX:
            raise FilterArgumentError(f"a text is longer than {TEXT_CHARS_MAX} characters", token=None)
    elif isinstance(value, int):
        if value.bit_length() > BITS_MAX:
            raise FilterArgumentError(f"a number is larger than 2^{BITS_MAX}", token=None)
    elif isinstance(value, list | tuple | range) and len(value) > items_max:
        raise FilterArgumentError(f"a list is longer than {items_max}", token=None)


def _check_growth(value: object, arguments: tuple[object, ...]) -> None:
    """Refuse a replacement or a join whose result could be larger than a text may be, before it is made."""
    pieces = len(value) if isinstance(value, list | tuple | range) else len(str(value)) + 1
    longest = max((len(str(argument)) for argument in arguments), default=1)
    if longest > 1 and pieces * longest > _PRODUCT_CHARS_MAX:
        raise FilterArgumentError(f"the result could be longer than {TEXT_CHARS_MAX} characters", token=None)
