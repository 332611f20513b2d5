"""What can go wrong with the columnar store.

BelfryError
└── ColumnarError               the store refused a statement; `code` is ClickHouse's
    └── ColumnarUnavailable     it cannot be reached or has no room now: try later, an edge answers 503
"""

from __future__ import annotations

import re

from belfry.errors import BelfryError

AUTHENTICATION_FAILED = 516
UNREACHABLE = 0
_UNAVAILABLE = frozenset({
    UNREACHABLE,
    159,  # TIMEOUT_EXCEEDED
    202,  # TOO_MANY_SIMULTANEOUS_QUERIES
    209,  # SOCKET_TIMEOUT
    210,  # NETWORK_ERROR
    236,  # ABORTED: the server is stopping
    241,  # MEMORY_LIMIT_EXCEEDED
    243,  # NOT_ENOUGH_SPACE
    252,  # TOO_MANY_PARTS
    394,  # QUERY_WAS_CANCELLED
    AUTHENTICATION_FAILED,
})  # fmt: skip
_CODE = re.compile(r"[Cc]ode: (\d+)")


class ColumnarError(BelfryError):
    """The columnar store refused a statement.

    code     ClickHouse's error code, 0 if the store could not be reached
    """

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class ColumnarUnavailable(ColumnarError):
    """The columnar store cannot be reached, or cannot take this now. Nothing is wrong with the statement."""


def code_in(text: str) -> int:
    """ClickHouse's error code in an error text; 0 if there is none."""
    found = _CODE.search(text)
    return int(found.group(1)) if found else UNREACHABLE


def columnar_error(text: str, code: int) -> ColumnarError:
    """The error of this code, of the class that says whether a later try can succeed."""
    return (ColumnarUnavailable if code in _UNAVAILABLE else ColumnarError)(text, code)
