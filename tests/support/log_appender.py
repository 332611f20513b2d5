"""A process that appends to a log until it is killed, and prints each body once it is acknowledged.

python log_appender.py FOLDER FIRST_NUMBER
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from belfry.clock import SystemClock
from belfry.ids import AccountId, SystemIds
from belfry.storage.log import Entry, FileLog, IdempotencyIndex

CLIENTS = 8


async def append_for_ever(log: FileLog, first: int) -> None:
    async def client(number: int) -> None:
        while True:
            key = str(number)
            meta = {"idempotency_key": key, "answer": f"answer {key}"}
            body = key.encode().rjust(200, b"0")
            position = await log.append(Entry(AccountId("ACC"), "upload", SystemClock().now_ms(), "r", meta, body))
            print(position, key, flush=True)
            number += CLIENTS

    await asyncio.gather(*(client(first + offset) for offset in range(CLIENTS)))


def main() -> None:
    folder, first = Path(sys.argv[1]), int(sys.argv[2])
    index = IdempotencyIndex(folder / "0" / "idempotency.db", hours=24, clock=SystemClock())
    log = FileLog(
        folder,
        clock=SystemClock(),
        ids=SystemIds(),
        queue_bytes_max=1 << 24,
        segment_bytes=64 * 1024,
        free_bytes_min=0,
        on_durable=index.on_durable,
    )
    index.catch_up(log)
    asyncio.run(append_for_ever(log, first))


if __name__ == "__main__":
    main()
