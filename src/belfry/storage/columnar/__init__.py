"""The columnar store: events, profile snapshots, error records, in ClickHouse's dialect.

`client.py` is the one client for a laptop and a cluster (clickhouse-connect over HTTP); `ddl.py` makes tables.
`embedded.py` is the process that serves ClickHouse's HTTP interface on loopback from chDB, over
`http_interface.py`, `http_call.py` and `lanes.py`; `address.py` says where. No table is declared here.
"""

from belfry.storage.columnar.address import embedded_dsn
from belfry.storage.columnar.client import Columnar
from belfry.storage.columnar.ddl import Table
from belfry.storage.columnar.errors import ColumnarError, ColumnarUnavailable

__all__ = ["Columnar", "ColumnarError", "ColumnarUnavailable", "Table", "embedded_dsn"]
