"""The log: accepted request bodies, in order, on disk before anyone is told so.

`model.py` says what a log is; `file_log.py` is the embedded one (segment files, group commit); each engine
passes `tests/conformance/log_suite.py`. Nothing here knows what a body means.
"""

from belfry.storage.log.model import Entry, Log, LogBusy, LogReader, LogUnavailable, Stored

__all__ = ["Entry", "Log", "LogBusy", "LogReader", "LogUnavailable", "Stored"]
