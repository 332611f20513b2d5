"""From a file's columns and a mapping to a plan: what each column means and how its values are read. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from belfry.cells import boolean_of, number_of, text_of, value_of
from belfry.errors import BadRequest
from belfry.imports.dates import COMPACT, ReadDate, date_reader, is_format
from belfry.imports.model import ColumnRule, FileFormat, ImportKind, Mapping, ValueKind

WHO = ("identity", "FBID", "GPID", "objectId")
"""Columns that say whom a row is about; a file needs one of them."""
ROOT = frozenset({*WHO, "ts", "evtName"})
SPREAD = {ImportKind.USERS: "profileData", ImportKind.EVENTS: "eventProps"}
"""A column of this name holds an object whose keys are properties: what an export writes."""
ALIASES = {
    ImportKind.USERS: {"email": "Email", "name": "Name", "phone": "Phone"},
    ImportKind.EVENTS: {"eventName": "evtName", "evtData": "eventProps"},
}
LEFT_OUT = {
    ImportKind.USERS: frozenset({"all_identities", "platformInfo", "events"}),
    ImportKind.EVENTS: frozenset({"profile", "deviceInfo", "sessionProps", "email", "name", "phone", "platform"}),
}
"""Columns of our own exports that tell what the system found out, not what somebody said."""
TEXT_PROPERTIES = frozenset({"Name", "Email", "Phone", "Tz", "Gender", "DOB", "Photo", "Customer Type", "identity"})
COLUMNS_MAX = 1024
NAME_LENGTH_MAX = 512
_TYPED = re.compile(r"(.*?)\s*<([^<>]{1,40})>\s*", re.DOTALL)
COMPACT_LENGTH = 14
_COMPACT = re.compile(r"[0-9]{14}")


class Unfit(Exception):
    """A cell's text cannot be what its column says. Caught where rows are read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Column(msgspec.Struct, frozen=True):
    """One column that is read.

    index    its place in the file
    name     as the file calls it
    to       key in the record (`is_root`) or property
    read     the value of a cell that is not empty; None: there is none. Raises Unfit
    is_typed texts are read by it also where the file has types of its own (JSON, Parquet)
    is_date  a text that does not fit stays text and is noted
    """

    index: int
    name: str
    to: str
    is_root: bool
    read: Callable[[str], object]
    is_typed: bool = False
    is_date: bool = False


class Plan(msgspec.Struct, frozen=True):
    """What is done with a file.

    count   columns that each row must have
    spread  place and name of the column whose object holds properties; None: there is none
    """

    kind: ImportKind
    count: int
    columns: tuple[Column, ...]
    spread: tuple[int, str] | None
    event_name: str | None

    def column_of(self, to: str) -> str | None:
        """What the file calls the column of a key or property."""
        return next((column.name for column in self.columns if column.to == to), None)


def plan_of(header: Sequence[str], kind: ImportKind, form: FileFormat, mapping: Mapping, timezone: str) -> Plan:
    """The plan for a file with these columns.

    Raises BadRequest: a column without a name or with another's name or purpose; one that the mapping names and the
    file has not; none that says whom a row is about, or which event it is.
    """
    named = [_named(text) for text in header]
    _refuse_bad_header([name for name, _ in named], form, mapping)
    columns, spread = [], None
    for index, (name, declared) in enumerate(named):
        rule = mapping.columns.get(name, ColumnRule())
        to = rule.to or ALIASES[kind].get(name, name)
        if rule.skip or (rule.to is None and name in LEFT_OUT[kind]):
            continue
        if to == SPREAD[kind]:
            spread = (index, name)
            continue
        is_root = to in ROOT and not (kind is ImportKind.USERS and to == "evtName")
        settled = _settled(rule, declared)
        read, is_typed = _reader(
            name, to, settled, timezone=timezone, separator=mapping.list_separator, is_root=is_root
        )
        is_date = settled.kind is ValueKind.DATE and to != "ts"
        columns.append(Column(index, name, to, is_root, read, is_typed, is_date))
    _refuse_bad_plan(columns, kind, form, mapping)
    return Plan(kind, len(header), tuple(columns), spread, mapping.event_name)


def _named(text: str) -> tuple[str, str | None]:
    """Name and declared format or kind of a header such as `Joined<dd/MM/yyyy>`."""
    name, declared = text.strip(), None
    found = _TYPED.fullmatch(name)
    if found is not None and (is_format(found[2]) or found[2] in {kind.value for kind in ValueKind}):
        name, declared = found[1].strip(), found[2]
    return text_of(name), declared


def _settled(rule: ColumnRule, declared: str | None) -> ColumnRule:
    """The rule with what the header declares, where the mapping is silent."""
    if rule.kind is None and rule.format is not None:
        return msgspec.structs.replace(rule, kind=ValueKind.DATE)
    if declared is None or rule.kind is not None:
        return rule
    if is_format(declared):
        return msgspec.structs.replace(rule, kind=ValueKind.DATE, format=declared)
    return msgspec.structs.replace(rule, kind=ValueKind(declared))


def _reader(
    name: str, to: str, rule: ColumnRule, *, timezone: str, separator: str, is_root: bool
) -> tuple[Callable[[str], object], bool]:
    """What reads a column's cells, and whether it also reads the texts of files that have types."""
    kind = rule.kind
    if kind is ValueKind.DATE:
        if rule.format is None:
            raise BadRequest(f"column {name!r}: kind date needs a format", field=f"columns.{name}.format")
        return _dates(date_reader(rule.format, timezone), to), True
    if to == "ts":
        return _moments(date_reader(COMPACT, timezone)), True
    if kind is None:
        kind = ValueKind.TEXT if is_root or to in TEXT_PROPERTIES else ValueKind.AUTO
    return _reader_of(kind, separator), kind not in (ValueKind.AUTO, ValueKind.TEXT)


def _reader_of(kind: ValueKind, separator: str) -> Callable[[str], object]:
    match kind:
        case ValueKind.TEXT:
            return text_of
        case ValueKind.NUMBER:
            return _number
        case ValueKind.BOOLEAN:
            return _boolean
        case ValueKind.LIST:
            return lambda cell: [text_of(part.strip()) for part in cell.split(separator) if part.strip()]
        case _:
            return value_of


def _number(cell: str) -> object:
    number = number_of(cell)
    if number is None:
        raise Unfit("needs to be a number with a decimal point, got text")
    return number


def _boolean(cell: str) -> object:
    truth = boolean_of(cell)
    if truth is None:
        raise Unfit("needs to be true or false (1, 0, Y, N), got text")
    return truth


def _dates(read: ReadDate, to: str) -> Callable[[str], object]:
    if to == "ts":
        return lambda cell: cell if (seconds := read(cell)) is None else seconds
    # A date that does not fit stays text (engagement 1.5): the reader of rows sees it by its type and notes it.
    return lambda cell: text_of(cell) if (seconds := read(cell)) is None else f"$D_{seconds}"


def _moments(read_compact: ReadDate) -> Callable[[str], object]:
    """`ts`: epoch seconds and ISO 8601 as the upload takes them, and what our exports write."""

    def read(cell: str) -> object:
        if len(cell) < COMPACT_LENGTH:
            return int(cell) if cell.isascii() and cell.isdecimal() else cell
        return read_compact(cell) or cell if _COMPACT.fullmatch(cell) else cell

    return read


def _refuse_bad_header(names: list[str], form: FileFormat, mapping: Mapping) -> None:
    if len(names) > COLUMNS_MAX:
        raise BadRequest(f"the file has {len(names)} columns, at most {COLUMNS_MAX}", limit=COLUMNS_MAX)
    for index, name in enumerate(names):
        if not name or len(name) > NAME_LENGTH_MAX:
            raise BadRequest(f"column {index + 1} needs a name of 1 to {NAME_LENGTH_MAX} characters in the header")
        if name in names[:index]:
            raise BadRequest(f"the column {name[:60]!r} is in the header twice")
    missing = next((name for name in mapping.columns if name not in names), None)
    if missing is not None and form is not FileFormat.JSONL:
        raise BadRequest(
            f"the mapping names the column {missing[:60]!r}, the file has {_listed(names)}", field="mapping.columns"
        )


def _refuse_bad_plan(columns: list[Column], kind: ImportKind, form: FileFormat, mapping: Mapping) -> None:
    targets = [column.to for column in columns]
    twice = next((to for index, to in enumerate(targets) if to in targets[:index]), None)
    if twice is not None:
        raise BadRequest(f"two columns become {twice[:60]!r}", field="mapping.columns")
    if form is FileFormat.JSONL:
        return  # each line has its own keys, and is judged on its own
    if not any(to in WHO for to in targets):
        names = _listed([column.name for column in columns])
        raise BadRequest(f"a column identity is needed (lower case, or mapped to it); the file has {names}")
    if kind is ImportKind.EVENTS and "evtName" not in targets and mapping.event_name is None:
        raise BadRequest("a column evtName is needed, or event_name in the mapping", field="mapping.event_name")


def _listed(names: list[str]) -> str:
    return ", ".join(name[:40] for name in names[:20]) + (" …" if len(names) > 20 else "")
