"""What others ask of reports. Calls block; every call names the account."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from belfry.accounts.model import Account
from belfry.clock import Clock
from belfry.segments.actions import translating
from belfry.segments.compiler import Scope, Statement, compile_event_rows
from belfry.segments.lookups import AccountLookups
from belfry.segments.model import EventQuery
from belfry.segments.reports.now import ActiveUsers, active_users
from belfry.segments.reports.periods import Period
from belfry.segments.reports.top import TopGroup, TopReport, TopValues
from belfry.segments.reports.trends import Amount, TrendMeasure, TrendReport
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database


class Reports:
    """Figures about the events of every account, as of now."""

    def __init__(self, database: Database, columnar: Columnar, clock: Clock) -> None:
        self._database = database
        self._columnar = columnar
        self._clock = clock

    def top(self, account: Account, query: EventQuery, groups: Mapping[str, TopGroup]) -> dict[str, TopValues]:
        """The top values of each group over the occurrences that the query selects."""
        scope = self._scope(account)
        report = TopReport(self._columnar, self._where(account, query, scope), scope)
        with translating():
            return {key: report.answer(group) for key, group in groups.items()}

    def trends(
        self,
        account: Account,
        query: EventQuery,
        periods: Iterable[Period],
        measure: TrendMeasure,
        days: tuple[dt.date, dt.date],
    ) -> dict[Period, dict[str, Amount]]:
        """The measure over the occurrences that the query selects, by period, oldest first.

        days  first and last day of the query's range: every period between is told, with 0 where nothing happened
        """
        where = self._where(account, query, self._scope(account))
        report = TrendReport(self._columnar, where, account.timezone)
        with translating():
            return report.answer(periods, measure, *days)

    def active_users(self, account: Account) -> list[ActiveUsers]:
        """Users who were active in the last five minutes, in groups of equal facts."""
        return active_users(self._columnar, self._scope(account))

    def _where(self, account: Account, query: EventQuery, scope: Scope) -> Statement:
        lookups = AccountLookups(self._database, account.account_id)
        return compile_event_rows(query.occurrences, query.others, scope, lookups)

    def _scope(self, account: Account) -> Scope:
        return Scope(account.account_id, account.timezone, self._clock.now_ms())
