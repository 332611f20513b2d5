"""Our dialect on top of python-liquid: what a path means, what is forbidden, what time it is.

Values are reached by key only, never by attribute, so a template sees exactly what it was given. There is no loader:
`include` and `render` do not exist. Syntax is strict: what is misspelt is found when the campaign is published.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from typing import TYPE_CHECKING

from liquid import BoundTemplate, Environment, RenderContext
from liquid.undefined import UNDEFINED, Undefined
from liquid.utils import ReadOnlyChainMap

from belfry.content import nodes
from belfry.content.buffers import Buffer
from belfry.content.dates import DATE_PREFIX, LiquidDate, dated, zone_of
from belfry.content.errors import RenderError
from belfry.content.filters import FILTERS
from belfry.content.guards import (
    LOOP_ITERATIONS_MAX,
    NAMESPACE_BYTES_MAX,
    OUTPUT_BYTES_MAX,
    TEXT_CHARS_MAX,
    Deadline,
    MissingText,
    bounded,
)
from belfry.content.model import MissingPolicy, Mode, RenderScope, Values

if TYPE_CHECKING:
    from io import StringIO

    from liquid.token import Token

_FORBIDDEN_TAGS = ("include", "render", "doc")
_SPECIAL_KEYS = frozenset({"size", "first", "last"})


class Moment(Mapping[str, object]):
    """The names `now` and `today`, which every template may use."""

    def __init__(self, now_ms: int, zone: tzinfo) -> None:
        self._now_ms = now_ms
        self._zone = zone

    def __getitem__(self, name: str) -> object:
        if name not in {"now", "today"}:
            raise KeyError(name)
        return LiquidDate.fromtimestamp(self._now_ms / 1000, self._zone)

    def __iter__(self) -> Iterator[str]:
        return iter(("now", "today"))

    def __len__(self) -> int:
        return 2


class Context(RenderContext):
    """One render: its values, its scope and its deadline."""

    __slots__ = ("deadline", "render_scope", "zone")

    def __init__(self, template: BoundTemplate, values: Values, scope: RenderScope, deadline: Deadline) -> None:
        super().__init__(template, globals=values)
        self.render_scope = scope
        self.zone = zone_of(scope.zone)
        self.deadline = deadline
        self.scope = ReadOnlyChainMap(self.locals, values, Moment(scope.now_ms, self.zone), self.counters)

    def get(self, path: list[object], *, token: Token | None, default: object = UNDEFINED) -> object:
        """What a path leads to: keys below the root are matched without regard to case, exact ones first."""
        self.deadline.check()
        try:
            # A root is a name; a path that begins with anything else (`[0]`) leads nowhere.
            value = self.scope[str(path[0])]
            for key in path[1:]:
                value = self.get_item(value, key)
        except (KeyError, TypeError, IndexError):
            return self._undefined(path, token) if default is UNDEFINED else default
        if type(value) is str and value.startswith(DATE_PREFIX):
            return dated(value, self.zone)
        return value

    def get_item(self, obj: object, key: object) -> object:
        """One step of a path. Raises KeyError, TypeError or IndexError if there is nothing."""
        if isinstance(obj, dict) and isinstance(key, str):
            if key in obj:
                return obj[key]
            if key not in _SPECIAL_KEYS:
                return obj[_key_like(obj, key)]
        item: object = super().get_item(obj, key)
        return item

    def assign(self, key: str, val: object) -> None:
        """Set a variable; texts and the namespace as a whole are bounded."""
        self.deadline.check()
        if isinstance(val, str) and len(val) > TEXT_CHARS_MAX:
            raise RenderError(f"a variable is longer than {TEXT_CHARS_MAX} characters")
        super().assign(key, val)

    @contextmanager
    def loop(self, namespace: Mapping[str, object], forloop: object) -> Iterator[RenderContext]:
        """Enter a loop."""
        self.deadline.check()
        with super().loop(namespace, forloop) as inner:  # type: ignore[arg-type]  # ForLoop or TableRow
            yield inner

    def get_buffer(self, buf: object = None) -> StringIO:
        """A buffer for `capture`: no larger than what is left."""
        return Buffer(buf.bytes_left if isinstance(buf, Buffer) else OUTPUT_BYTES_MAX)

    def _undefined(self, path: list[object], token: Token | None) -> Undefined:
        return self.env.undefined(path_text(path), token=token)


class Dialect(Environment):
    """A python-liquid environment with our tags, filters and limits."""

    block_nesting_limit = 30
    context_depth_limit = 30
    loop_iteration_limit = LOOP_ITERATIONS_MAX
    local_namespace_limit = NAMESPACE_BYTES_MAX

    def __init__(self, mode: Mode, missing: MissingPolicy) -> None:
        self.is_strict = missing is MissingPolicy.FAIL
        super().__init__(
            autoescape=mode is Mode.HTML,
            undefined=MissingText if self.is_strict else Undefined,
        )

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Register the dialect: the standard set without partials, plus ours."""
        super().setup_tags_and_filters(extra=extra)
        for name in _FORBIDDEN_TAGS:
            del self.tags[name]
        for tag in (nodes.Text, nodes.Value, nodes.Echo, nodes.AbortTag, nodes.NowTag):
            self.add_tag(tag)
        for name, function in {**self.filters, **FILTERS}.items():
            self.add_filter(name, bounded(name, function))


def path_text(path: Sequence[object]) -> str:
    """A path as people write it: `Profile.name`, `Event.Items[0]`."""
    first, *rest = path
    return str(first) + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in rest)


def _key_like(mapping: Mapping[str, object], key: str) -> str:
    folded = key.casefold()
    for candidate in mapping:
        if candidate.casefold() == folded:
            return candidate
    raise KeyError(key)
