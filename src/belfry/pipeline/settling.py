"""What is done after a block is committed: events that change owner, and the figures that follow them."""

from __future__ import annotations

from collections.abc import Callable

from belfry.clock import Clock
from belfry.events.names import DEBUG, fold
from belfry.ids import AccountId
from belfry.pipeline import duplicates, moves
from belfry.pipeline.moves import Move, Summary
from belfry.profiles import journal, store
from belfry.profiles.graph import MemoryGraph, Wanted
from belfry.profiles.history import MoveKind
from belfry.profiles.model import Activity
from belfry.storage.columnar import Columnar
from belfry.storage.relational import Database


def do_moves(
    database: Database, columnar: Columnar, graph_of: Callable[[AccountId], MemoryGraph], clock: Clock
) -> None:
    """Do every move that waits, in order. Repeatable: a move that was done half is done again."""
    with database.read() as connection:
        accounts = journal.accounts_with_waiting_moves(connection)
        waiting = [(account, stored) for account in accounts for stored in journal.waiting_moves(connection, account)]
    for account_id, stored in waiting:
        move = Move(
            account_id,
            stored.move_id,
            stored.move.kind.value,
            stored.move.from_id,
            stored.move.to_id,
            stored.move.since_ms,
            stored.move.undoes,
        )
        _do(database, columnar, graph_of(account_id), move, clock.now_ms())


def _do(database: Database, columnar: Columnar, graph: MemoryGraph, move: Move, now_ms: int) -> None:
    with database.read() as connection:
        store.load(connection, graph, Wanted(profile_ids={move.source, move.target}))
    source, target = graph.profiles[move.source].activity, graph.profiles[move.target].activity
    if move.kind == MoveKind.UNDO:
        moves.take_back(columnar, move, target.events)
        names = list(target.events)
        left = moves.arrivals(columnar, move.account_id, move.target, names, duplicates.hashes(target.recent))
        target.recent = duplicates.recounted(target.recent, left)
        _recount(target, moves.summaries(columnar, move.account_id, move.target, names))
    else:
        _add(target, source, moves.copy_events(columnar, move, source.events))
    if move.kind == MoveKind.MERGE:
        target.recent = duplicates.united(source.recent, target.recent)
    graph.touch_activity(move.target)
    with database.begin() as connection:
        if move.kind != MoveKind.UNDO:
            journal.copy_event_keys(connection, move.account_id, move.source, move.target)
        store.save(connection, graph)
        journal.mark_move_done(connection, move.account_id, move.move_id, now_ms)
    graph.clean()


def _add(target: Activity, source: Activity, copied: dict[str, Summary]) -> None:
    """Count the copied events for the target, under the names by which they are shown."""
    shown = {fold(name): name for name in (*source.events, *target.events)}
    for folded, summary in copied.items():
        if folded in DEBUG:
            continue
        row = target.events.setdefault(shown.get(folded, folded), [0, summary.first_ms, summary.last_ms])
        row[0] += summary.count
        row[1] = min(row[1], summary.first_ms)
        row[2] = max(row[2], summary.last_ms)


def _recount(target: Activity, present: dict[str, Summary]) -> None:
    """Make the figures what the columnar store holds."""
    shown = {fold(name): name for name in target.events}
    target.events = {
        shown[folded]: [summary.count, summary.first_ms, summary.last_ms] for folded, summary in present.items()
    }
