"""`make bench`: every bench one after another; `make bench ARGS="log apply"` names some."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

BENCHES = (
    "log",
    "intake",
    "columnar",
    "accept",
    "apply",
    "segments",
    "counts",
    "reads",
    "import",
    "outbound",
    "dispatch",
    "start",
)


def main(names: list[str]) -> int:
    chosen = names or list(BENCHES)
    unknown = [name for name in chosen if name not in BENCHES]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; known: {', '.join(BENCHES)}")
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, Python {platform.python_version()}, {platform.system()}")
    failed = 0
    for name in chosen:
        print(f"\n== {name}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"bench.bench_{name}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
