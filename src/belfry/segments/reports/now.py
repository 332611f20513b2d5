"""Who is active now: users with an event in the last five minutes, and what is known of them (server-api 6.4)."""

from __future__ import annotations

import datetime as dt

import msgspec

from belfry.events import names
from belfry.events.tables import SYSTEM
from belfry.segments.calendar import Calendar
from belfry.segments.compiler import Scope
from belfry.segments.compiler.parameters import Parameters
from belfry.storage.columnar import Columnar

ACTIVE_MS = 5 * 60_000
NOT_ACTIVITY = names.DEBUG | {
    names.fold(name)
    for name in ("App Installed", "App Uninstalled", "Notification Sent", "Notification Clicked", "UTM Visited")
}
"""Events that are no sign of a user's activity (engagement 2.6)."""
CHARGED = names.fold(names.CHARGED)
_DEVICE = ("platform", "os", "browser", "device_type")


class ActiveUsers(msgspec.Struct, frozen=True):
    """How many active users have the same facts. Device facts are of the device that the profile
    lists last, empty if unknown.

    is_new          became known today, in the account's calendar
    is_addressable  can be reached on some channel
    is_customer     has bought something
    """

    is_new: bool
    is_addressable: bool
    is_customer: bool
    platform: str
    os: str
    browser: str
    device_type: str
    count: int


def active_users(columnar: Columnar, scope: Scope) -> list[ActiveUsers]:
    """The users who are active at the scope's moment, in groups of equal facts. Only visible profiles are users."""
    parameters = Parameters()
    account = parameters.text(scope.account_id)
    today = Calendar(scope.timezone, scope.as_of_ms)
    midnight = parameters.instant(today.day_start_ms(today.today))
    active = _active(parameters, account, scope.as_of_ms)
    customers = (
        f"SELECT profile_id FROM events WHERE account_id = {account} AND name = {parameters.text(CHARGED)} "
        f"AND profile_id IN ({active})"
    )
    device = "arrayElement(JSONExtractArrayRaw(devices), -1)"
    facts = ", ".join(f"JSONExtractString({device}, '{field}') AS {field}" for field in _DEVICE)
    sql = (
        f"SELECT created_at >= {midnight} AS is_new, notEmpty(reachable) AS is_addressable, "
        f"profile_id IN ({customers}) AS is_customer, {facts}, count() FROM profile_snapshots FINAL "
        f"WHERE account_id = {account} AND hidden = 0 AND profile_id IN ({active}) "
        f"GROUP BY is_new, is_addressable, is_customer, {', '.join(_DEVICE)}"
    )
    return [
        ActiveUsers(bool(new), bool(addressable), bool(customer), platform, system, browser, device_type, int(count))
        for new, addressable, customer, platform, system, browser, device_type, count in columnar.rows(
            sql, dict(parameters.values)
        )
    ]


def _active(parameters: Parameters, account: str, as_of_ms: int) -> str:
    """SELECT of who did something; what the system says about a user, like a message that was sent, is not theirs."""
    days = [dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).date() for at_ms in (as_of_ms - ACTIVE_MS, as_of_ms)]
    first, last = (parameters.put(day.isoformat(), "Date") for day in days)
    return (
        f"SELECT profile_id FROM events WHERE account_id = {account} "
        f"AND name NOT IN {parameters.texts(sorted(NOT_ACTIVITY))} AND bitAnd(flags, {SYSTEM}) = 0 "
        f"AND day >= {first} AND day <= {last} "
        f"AND ts > {parameters.instant(as_of_ms - ACTIVE_MS)} AND ts <= {parameters.instant(as_of_ms)}"
    )
