"""The embedded engine, or the server of BELFRY_TEST_CLICKHOUSE_URL, passes the columnar suite."""

from conformance.columnar_suite import *  # noqa: F403
