"""The columnar store: events, profile snapshots, error records, in ClickHouse's dialect.

`client.py` is the one client for a laptop and a cluster (clickhouse-connect over HTTP); `embedded.py` is the
process that serves ClickHouse's HTTP interface on loopback from chDB; `ddl.py` makes tables. No table is
declared here.
"""

from belfry.storage.columnar.client import Columnar, ColumnarError
from belfry.storage.columnar.ddl import Table

__all__ = ["Columnar", "ColumnarError", "Table"]
