"""Facets as SQL: the value, or the list of values, that one row has. NULL, or an empty list, is a missing value."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from belfry.errors import InternalError
from belfry.segments.calendar import Calendar
from belfry.segments.compiler.operands import expressions, flag, number_of, path_of
from belfry.segments.compiler.parameters import Parameters
from belfry.segments.compiler.plan import Property
from belfry.segments.compiler.predicates import DATE_SECONDS
from belfry.segments.reports.facets import AgeFacet, ClockFacet, DeviceFacet, Facet, FlagFacet, PropertyFacet

NUMBERS = frozenset({"Int64", "Float64"})
LIST = "Array(Nullable(String))"
KINDS = ("String", "Int64", "Float64", "Bool", LIST)
"""Types that a property's values have in the JSON column. Nested objects have no value of their own."""
_PHONES = "'Android', 'iOS', 'Windows'"
_NOTHING = "CAST(NULL, 'Nullable(String)')"


class Column(msgspec.Struct, frozen=True):
    """SQL for a facet.

    of_user  over the columns of the profile snapshots, else over those of the events
    is_list  an array whose items are not NULL, else one nullable value
    """

    sql: str
    of_user: bool = False
    is_list: bool = False


def kind_column(facet: PropertyFacet) -> Column:
    """The type of a property's value: one of `KINDS`, or something else that is no value."""
    if facet.prop.item:
        found = ", ".join(
            f"if(arrayExists(x -> x IS NOT NULL, {_items(facet.prop, kind)}), ['{kind}'], [])" for kind in KINDS[:4]
        )
        return Column(f"arrayConcat({found})", facet.of_user, is_list=True)
    return Column(f"toNullable(dynamicType({path_of(facet.prop.path)}))", facet.of_user)


def property_labels(facet: PropertyFacet, kinds: Collection[str]) -> Column:
    """The text of a property's value, which has one of these types in every row; a list counts under each item."""
    if facet.prop.item:
        texts = ", ".join(f"arrayMap(x -> toString(x), {_items(facet.prop, kind)})" for kind in KINDS[:4])
        return Column(_distinct(f"arrayConcat({texts})"), facet.of_user, is_list=True)
    path = path_of(facet.prop.path)
    scalars = [f"toString({path}.:{kind})" for kind in KINDS[:4] if kind in kinds]
    one = f"coalesce({', '.join(scalars)})" if scalars else _NOTHING
    if facet.is_gender:
        one = f"multiIf(lower({one}) IN ('m', 'male'), 'Male', lower({one}) IN ('f', 'female'), 'Female', {one})"
    if LIST not in kinds:
        return Column(one, facet.of_user)
    return Column(_distinct(f"arrayConcat([{one}], {path}.:`{LIST}`)"), facet.of_user, is_list=True)


def property_numbers(facet: PropertyFacet) -> Column:
    """A property's value as a number."""
    if facet.prop.item:
        numbers = ", ".join(f"arrayMap(x -> toFloat64(x), {_items(facet.prop, kind)})" for kind in ("Int64", "Float64"))
        return Column(_distinct(f"arrayConcat({numbers})"), facet.of_user, is_list=True)
    return Column(number_of(facet.prop), facet.of_user)


def age_numbers(calendar: Calendar, parameters: Parameters) -> Column:
    """Whole years at the calendar's moment; who was born on 29 February turns older on 1 March."""
    born = f"toInt64OrNull(substring({path_of(('DOB',))}.:String, 4))"
    local = f"toTimeZone(toDateTime64({born}, 0, 'UTC'), {parameters.text(calendar.timezone)})"
    today = parameters.integer(int(f"{calendar.today:%Y%m%d}"))
    years = f"toFloat64(intDiv({today} - toYYYYMMDD({local}), 10000))"
    return Column(f"if({born} BETWEEN {DATE_SECONDS[0]} AND {DATE_SECONDS[1]}, {years}, NULL)", of_user=True)


def labels(facet: Facet, timezone: str, parameters: Parameters) -> Column:
    """The text of a facet that is no property."""
    match facet:
        case DeviceFacet():
            return _device(facet.field, parameters)
        case FlagFacet():
            return Column(f"toNullable(if({flag(facet.name)}, 'True', 'False'))", of_user=True)
        case ClockFacet():
            return _clock(facet.name, parameters.text(timezone))
        case PropertyFacet() | AgeFacet():
            raise InternalError("properties and ages have columns of their own")
    return Column(_NOTHING)


def _device(field: str, parameters: Parameters) -> Column:
    value = f"JSONExtractString(device, {parameters.text(field)})"
    if field == "os":
        # Devices that run an app say their platform, which is their operating system.
        platform = "JSONExtractString(device, 'platform')"
        value = f"if({value} = '' AND {platform} IN ({_PHONES}), {platform}, {value})"
    found = f"arrayMap(device -> {value}, JSONExtractArrayRaw(devices))"
    return Column(f"arrayDistinct(arrayFilter(x -> x != '', {found}))", of_user=True, is_list=True)


def _clock(name: str, timezone: str) -> Column:
    match name:
        case "day_of_week":
            number = f"toString(toDayOfWeek(ts, 3, {timezone}))"
        case "day_of_month":
            number = f"toString(toDayOfMonth(ts, {timezone}))"
        case _:
            number = f"concat(leftPad(toString(toHour(ts, {timezone})), 2, '0'), ':00')"
    return Column(f"toNullable({number})")


def _items(prop: Property, kind: str) -> str:
    """The values of one type under a key of the objects in a list."""
    at = expressions(prop, Parameters())
    places = {
        "String": at.text_lists[0],
        "Int64": at.number_lists[0],
        "Float64": at.number_lists[1],
        "Bool": at.boolean_lists[0],
    }
    return places[kind]


def _distinct(items: str) -> str:
    """An occurrence counts once under each value, however often the value stands in it."""
    return f"arrayDistinct(arrayFilter(x -> x IS NOT NULL, {items}))"
