"""The rule tree of a segment (engagement 3.2): frozen, checked, independent of account and moment.

A `Rule` picks users. A `Filter` picks occurrences of an event by their properties. Both are trees of `Group`, `Not` and
leaves; `at` is a node's position in the JSON it came from, for errors and explanations. `parse.py` is the only
maker: a tree that exists is legal, except for what only an account can tell (saved segments, known users).
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import TypeAlias

import msgspec

DEPTH_MAX = 5
LEAVES_MAX = 50
LIST_VALUES_MAX = 1000
TEXT_LENGTH_MAX = 1024
PATH_LEVELS_MAX = 3
EVENT_NAMES_MAX = 10
LAST_COUNT_MAX = 10_000
YEARS = (1600, 2600)
"""Dates outside are refused."""


class Instant(msgspec.Struct, frozen=True, order=True):
    """A moment, in epoch milliseconds."""

    ms: int


DayOrInstant: TypeAlias = dt.date | Instant
"""A local day, or a moment."""


class RangeKind(enum.StrEnum):
    """How a range is given (engagement 3.3)."""

    ALL = "all"
    TODAY = "today"
    YESTERDAY = "yesterday"
    LAST = "last"
    BETWEEN = "between"
    BEFORE = "before"
    AFTER = "after"
    ON = "on"


class Unit(enum.StrEnum):
    """Units of relative ranges."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Last(msgspec.Struct, frozen=True):
    """The last `count` units, the current one included."""

    count: int
    unit: Unit


class Range(msgspec.Struct, frozen=True):
    """A stretch of time, not yet placed in a calendar.

    start  of BETWEEN, ON, BEFORE and AFTER: whole days exclude (BEFORE, AFTER) or include all of that day
    """

    kind: RangeKind = RangeKind.ALL
    last: Last | None = None
    start: DayOrInstant | None = None
    end: DayOrInstant | None = None


class When(msgspec.Struct, frozen=True):
    """When an occurrence counts, in the account's calendar.

    times  windows of minutes of the day, start included, end excluded; start > end passes midnight
    days_of_week   1 Monday … 7 Sunday; empty: every day
    days_of_month  1 … 31; empty: every day
    """

    range: Range = Range()
    times: tuple[tuple[int, int], ...] = ()
    days_of_week: tuple[int, ...] = ()
    days_of_month: tuple[int, ...] = ()


class Cmp(enum.StrEnum):
    """Operators on one property (engagement 3.5)."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    NOT_IN = "not_in"
    EXISTS = "exists"
    NOT_EXISTS = "not_exists"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    MATCHES = "matches"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    BETWEEN = "between"
    ON = "on"
    BEFORE = "before"
    AFTER = "after"
    IN_LAST = "in_last"
    IN_NEXT = "in_next"
    MORE_THAN_AGO = "more_than_ago"
    DAYS_AGO = "days_ago"
    DAYS_FROM_NOW = "days_from_now"
    ANNIVERSARY = "anniversary"
    CONTAINS_ANY = "contains_any"
    CONTAINS_ALL = "contains_all"
    CONTAINS_NONE = "contains_none"
    IS_EXACTLY = "is_exactly"
    SIZE = "size"
    VEQ = "veq"
    VNE = "vne"
    VIN = "vin"
    VLT = "vlt"
    VLTE = "vlte"
    VGT = "vgt"
    VGTE = "vgte"


NEGATIVE: dict[Cmp, Cmp] = {
    Cmp.NE: Cmp.EQ,
    Cmp.NOT_IN: Cmp.IN,
    Cmp.NOT_EXISTS: Cmp.EXISTS,
    Cmp.NOT_CONTAINS: Cmp.CONTAINS,
    Cmp.CONTAINS_NONE: Cmp.CONTAINS_ANY,
    Cmp.VNE: Cmp.VEQ,
}
"""Operators that say no, and what they say no to."""

MATCH_MISSING_BY_DEFAULT = frozenset({Cmp.NE, Cmp.NOT_IN, Cmp.CONTAINS_NONE, Cmp.VNE})
"""Those that a missing value satisfies unless `match_missing` says otherwise (engagement 3.5: ≠ and not in)."""


class DateValue(msgspec.Struct, frozen=True):
    """`$D_<epoch seconds>`, as dates stand in properties."""

    epoch_s: int


class SizeValue(msgspec.Struct, frozen=True):
    """The value of `size`: how many items a list has, compared with a number."""

    cmp: NumberCmp
    value: tuple[float, ...]


Scalar: TypeAlias = str | int | float | bool | DateValue
Value: TypeAlias = Scalar | tuple[Scalar, ...] | tuple[DayOrInstant, ...] | Last | SizeValue | None
"""What a condition compares with; which of these depends on the operator, see `parse_values.py`."""


class Condition(msgspec.Struct, frozen=True):
    """One comparison of one property.

    prop   its path: one name, or names of nested objects down to `PATH_LEVELS_MAX`
    item   the path's first name holds a list of objects (`Charged` items): any of them may match
    match_missing  only for negative operators: whether a missing value matches
    """

    prop: tuple[str, ...]
    cmp: Cmp
    value: Value
    match_missing: bool
    item: bool = False
    at: str = ""


class NumberCmp(enum.StrEnum):
    """Comparisons of a measure with one number, or two for BETWEEN (inclusive)."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    BETWEEN = "between"


class MeasureFn(enum.StrEnum):
    """What is measured over a user's matching occurrences (engagement 3.3)."""

    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    DISTINCT = "distinct"


class Measure(msgspec.Struct, frozen=True):
    """A figure over occurrences and what it is compared with.

    prop          numeric property, not for COUNT; missing counts as 0 in SUM and AVG and stays in AVG's denominator
    include_zero  users without any matching occurrence take part, with count, sum, average and distinct 0
    """

    fn: MeasureFn = MeasureFn.COUNT
    prop: tuple[str, ...] = ()
    cmp: NumberCmp = NumberCmp.GTE
    value: tuple[float, ...] = (1,)
    include_zero: bool = False


class Occurrence(enum.StrEnum):
    """Which occurrences are looked at: all, or one picked before any filter."""

    ANY = "any"
    FIRST = "first"
    LAST = "last"


class Source(msgspec.Struct, frozen=True):
    """Occurrences that a rule counts.

    names  as the rule gives them; empty: any event but the debug ones
    """

    names: tuple[str, ...]
    where: Filter | None
    when: When
    at: str = ""


class EventRule(msgspec.Struct, frozen=True):
    """Did, or did not do: a measure over the union of the sources. Not `did` is the negation of the whole."""

    did: bool
    sources: tuple[Source, ...]
    measure: Measure
    occurrence: Occurrence
    at: str = ""


class UserRule(msgspec.Struct, frozen=True):
    """A property of the user, or a field that the system keeps.

    field  None: `condition.prop` is a profile property; else a name of `fields.FIELDS`
    """

    field: str | None
    condition: Condition
    at: str = ""


class SegmentRule(msgspec.Struct, frozen=True):
    """Member of a saved segment."""

    segment_id: int
    at: str = ""


class WhoRule(msgspec.Struct, frozen=True):
    """One user, by an identity (kind of `profiles.model.IdentityKind`) or a device (`objectid`)."""

    kind: str
    value: str
    at: str = ""


class ListRule(msgspec.Struct, frozen=True):
    """Listed one by one: members of a version of a custom list or an API segment (`members.py`)."""

    segment_id: int
    version: int
    at: str = ""


class InterestKind(enum.StrEnum):
    """What occurrences are sorted by."""

    PROPERTY = "prop"
    TIME_OF_DAY = "tod"
    DAY_OF_WEEK = "dow"


class InterestMode(enum.StrEnum):
    """What makes an interest."""

    PREDOMINANTLY = "predominantly"
    AT_LEAST = "at_least"


class InterestRule(msgspec.Struct, frozen=True):
    """What a user's occurrences of an event are mostly about (engagement 3.7).

    by       values of a property are compared without case; windows of the day; weekdays, 1 Monday … 7
    mode     PREDOMINANTLY: the most frequent value is a chosen one, ties count; AT_LEAST: pct of occurrences
    minimum  occurrences needed
    """

    event: str
    by: InterestKind
    prop: tuple[str, ...]
    values: tuple[Scalar, ...]
    times: tuple[tuple[int, int], ...]
    days_of_week: tuple[int, ...]
    mode: InterestMode
    pct: float
    minimum: int
    range: Range
    at: str = ""


class RfmRule(msgspec.Struct, frozen=True):
    """Users by recency, frequency and money scores 1 … 5 (engagement 3.8); an empty set of scores is any.

    cells  (recency, frequency) pairs, from a named cell; empty: any
    """

    event: str
    range: Range
    monetary: tuple[str, ...]
    recency: tuple[int, ...]
    frequency: tuple[int, ...]
    money: tuple[int, ...]
    cells: tuple[tuple[int, int], ...]
    at: str = ""


class EveryoneRule(msgspec.Struct, frozen=True):
    """All users."""

    at: str = ""


class GroupOp(enum.StrEnum):
    """How a group joins its rules."""

    AND = "and"
    OR = "or"


class Group(msgspec.Struct, frozen=True):
    """All of (`and`) or any of (`or`) the rules. An empty `and` holds for all, an empty `or` for none."""

    op: GroupOp
    rules: tuple[Rule, ...]
    at: str = ""


class Not(msgspec.Struct, frozen=True):
    """Everyone whom the rule does not pick."""

    rule: Rule
    at: str = ""


class FilterGroup(msgspec.Struct, frozen=True):
    """All of, or any of, the filters on one occurrence."""

    op: GroupOp
    rules: tuple[Filter, ...]
    at: str = ""


class FilterNot(msgspec.Struct, frozen=True):
    """Occurrences that the filter does not pick."""

    rule: Filter
    at: str = ""


Leaf: TypeAlias = EventRule | UserRule | SegmentRule | ListRule | WhoRule | InterestRule | RfmRule | EveryoneRule
Rule: TypeAlias = Leaf | Group | Not
Filter: TypeAlias = Condition | FilterGroup | FilterNot


class EventQuery(msgspec.Struct, frozen=True):
    """Occurrences themselves, not users.

    occurrences  an event rule of one source, without a measure
    others       what the user must satisfy besides; None: nothing
    """

    occurrences: EventRule
    others: Rule | None = None
