"""A plan: a rule tree placed in one account and one moment. Frozen; every time is an instant, every name folded.

A `Node` stands for a set of profiles, or inside `Source.where` for a set of occurrences: `All`, `AnyOf` and `No` work
the same on both, and a `Predicate` looks at a profile in the first case, at an event in the second.
"""

from __future__ import annotations

import enum
from typing import Literal, TypeAlias

import msgspec

from belfry.segments.calendar import Window
from belfry.segments.model import Measure, NumberCmp, Occurrence


class Property(msgspec.Struct, frozen=True):
    """A value in the JSON column `props`.

    item  the first name of the path holds a list of objects, the second is a key of theirs
    """

    path: tuple[str, ...]
    item: bool = False


class TextColumn(msgspec.Struct, frozen=True):
    """A text column of the profile snapshots; empty is missing."""

    name: Literal["identity", "email", "phone"]


class NumberColumn(msgspec.Struct, frozen=True):
    """A number column of the profile snapshots; never missing."""

    name: Literal["bucket"]


class InstantColumn(msgspec.Struct, frozen=True):
    """An instant of the profile snapshots; never missing."""

    name: Literal["created_at"]


class ListColumn(msgspec.Struct, frozen=True):
    """A list of texts of the profile snapshots; empty is missing."""

    name: Literal["reachable"]


class DeviceField(msgspec.Struct, frozen=True):
    """A field of a device; the test holds if it holds for any device of the user."""

    name: str


class Flag(msgspec.Struct, frozen=True):
    """A yes or no that follows from several columns; see `predicates.FLAGS`."""

    name: str


Operand: TypeAlias = Property | TextColumn | NumberColumn | InstantColumn | ListColumn | DeviceField | Flag


class OneOf(msgspec.Struct, frozen=True):
    """The value, or an item of the list, equals one of these. Texts are case-folded; instants in epoch seconds."""

    texts: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    booleans: tuple[bool, ...] = ()
    seconds: tuple[int, ...] = ()


class Place(enum.Enum):
    """Where in a text."""

    ANYWHERE = "anywhere"
    START = "start"
    END = "end"


class TextPart(msgspec.Struct, frozen=True):
    """A text, or an item of the list, holds the case-folded needle somewhere, at its start or at its end."""

    place: Place
    needle: str


class Regex(msgspec.Struct, frozen=True):
    """A text, or an item of the list, has a match of this RE2 pattern somewhere; case matters."""

    pattern: str


class Number(msgspec.Struct, frozen=True):
    """A number compares so with the limits."""

    cmp: NumberCmp
    limits: tuple[float, ...]


class Spans(msgspec.Struct, frozen=True):
    """A date lies in one of the spans of epoch seconds, both ends included; None is open."""

    spans: tuple[tuple[int | None, int | None], ...]


class DayOfYear(msgspec.Struct, frozen=True):
    """A date's local day and month is one of these, as month * 100 + day."""

    days: tuple[int, ...]


class Version(msgspec.Struct, frozen=True):
    """A version compares so with one of the versions; shorter ones count as followed by zeros."""

    cmp: NumberCmp
    versions: tuple[tuple[int, ...], ...]


class AllItems(msgspec.Struct, frozen=True):
    """The list holds all of these case-folded texts and, if exact, no other; a single text is a list of one."""

    texts: tuple[str, ...]
    exact: bool


class Size(msgspec.Struct, frozen=True):
    """How many items the list has; any other value is a list of one."""

    cmp: NumberCmp
    limits: tuple[float, ...]


class Present(msgspec.Struct, frozen=True):
    """There is a value."""


Check: TypeAlias = OneOf | TextPart | Regex | Number | Spans | DayOfYear | Version | AllItems | Size | Present


class Predicate(msgspec.Struct, frozen=True):
    """One check of one operand.

    negated        the check must not hold
    match_missing  of a negated one: a missing value satisfies it
    """

    operand: Operand
    check: Check
    negated: bool = False
    match_missing: bool = True


class Source(msgspec.Struct, frozen=True):
    """Occurrences: of these folded names (empty: any but the debug events), in this window and at these times."""

    names: tuple[str, ...]
    window: Window
    where: Node | None = None
    times: tuple[tuple[int, int], ...] = ()
    days_of_week: tuple[int, ...] = ()
    days_of_month: tuple[int, ...] = ()


class EventSet(msgspec.Struct, frozen=True):
    """Profiles with at least one matching occurrence whose measure holds (or, if negated, does not).

    by_time_alone  of FIRST and LAST: whether an occurrence matches depends on its time only (see `optimise`)
    """

    sources: tuple[Source, ...]
    measure: Measure = Measure()
    occurrence: Occurrence = Occurrence.ANY
    negated: bool = False
    by_time_alone: bool = False


class InterestSet(msgspec.Struct, frozen=True):
    """Profiles whose occurrences are mostly about the chosen values or times (`model.InterestRule`)."""

    source: Source
    prop: Property | None
    chosen: OneOf
    times: tuple[tuple[int, int], ...]
    days_of_week: tuple[int, ...]
    predominantly: bool
    pct: float
    minimum: int


class RfmSet(msgspec.Struct, frozen=True):
    """Profiles by recency, frequency and money scores (`model.RfmRule`)."""

    source: Source
    monetary: Property | None
    recency: tuple[int, ...]
    frequency: tuple[int, ...]
    money: tuple[int, ...]
    cells: tuple[tuple[int, int], ...]


class MemberSet(msgspec.Struct, frozen=True):
    """Profiles that are listed as members of one version of a segment."""

    segment_id: int
    version: int


class OneProfile(msgspec.Struct, frozen=True):
    """One profile, or none if nobody has that identity."""

    profile_id: int | None


class All(msgspec.Struct, frozen=True):
    """In every one; everything if there is none."""

    nodes: tuple[Node, ...]


class AnyOf(msgspec.Struct, frozen=True):
    """In at least one; nothing if there is none."""

    nodes: tuple[Node, ...]


class No(msgspec.Struct, frozen=True):
    """Not in it."""

    node: Node


SetNode: TypeAlias = EventSet | InterestSet | RfmSet
"""What is selected from the events."""
Node: TypeAlias = All | AnyOf | No | Predicate | OneProfile | MemberSet | SetNode

EVERYONE = All(())
NOBODY = AnyOf(())
